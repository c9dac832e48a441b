/**
 * The keys of a record store: one row per record and one per index entry. Part of the on-disk format: never change, add a
 * version.
 *
 * ```text
 * keyspace  key                                                                    value
 * records   u8 1 │ u8 type tag  │ 20 B sync │ primary key                            the record's bytes
 * indexes   u8 1 │ u8 index tag │ 20 B sync │ index parts │ 00 │ primary key          empty
 * syncs     u8 1 │ u8 1         │ 20 B sync                                          the run's bytes
 * syncs     u8 1 │ u8 128       │ sync type │ 00 │ 20 B sync                           empty
 * meta      "schema"                                                               StoreSchema
 * meta      "sync/" │ 20 B sync                                                     SyncBook
 * ```
 *
 * A key (`primary key`, `index parts`) is a tuple: its parts escaped (00 as 01 01, 01 as 01 02) and joined by 00, so that keys
 * order as their parts do and a by-value prefix, which ends in the 00, takes in whole parts only. Parts by kind: strings as
 * UTF-8; bytes as they are; booleans as one byte; int, bigint and date as 8 bytes, sign-flipped and big-endian. Sync ids are raw.
 *
 * The rows of `records` and `indexes` are logical: the engine sees blocks of them (`format/BlockFormat.ts`). Type tags are 1 to 127
 * and index tags 128 to 255; 1 and 128 are those of sync runs. A tag is never used again.
 *
 * Example: the key of the Grant "g" with tag 5 in sync 2NQhOJm7nyKZ0pkGUJ6sYZDTXIx begins 01 05, then come the 20 bytes of the sync,
 * then 67; its entry by principal ("user", "u") with tag 130 ends in 75 73 65 72 00 75 00 67.
 */
import { Ksuid, Tuple } from "@icecore/codec"
import { maxKeySizeBytes } from "../Engine.ts"
import type * as RecordType from "../RecordType.ts"
import type { SyncId } from "../SyncRun.ts"

/** The first byte of every logical key. */
export const keyLayoutVersion = 1

/** Bytes of a sync id. */
export const syncSizeBytes = 20

/** Bytes before the tuple of a record's or an entry's key: version, tag, sync. */
export const headerSizeBytes: number = 2 + syncSizeBytes

/** Tags of record types, inclusive. */
export const typeTags: { readonly first: number; readonly last: number } = { first: 2, last: 127 }

/** Tags of indexes, inclusive. */
export const indexTags: { readonly first: number; readonly last: number } = { first: 129, last: 255 }

/** The tags of sync runs and of their index by type. */
export const syncRunTag = 1
export const syncByTypeTag = 128

export const recordsKeyspace = "records"
export const indexesKeyspace = "indexes"
export const syncsKeyspace = "syncs"
export const metaKeyspace = "meta"

/** What the database of a record store is opened with. */
export const storeKeyspaces: ReadonlyArray<string> = [recordsKeyspace, indexesKeyspace, syncsKeyspace, metaKeyspace]

/** What stands between two parts. */
export const separator = 0

/** One index of a stored type. */
export interface IndexLayout {
  readonly name: string
  readonly tag: number
  readonly parts: ReadonlyArray<RecordType.KeyPart>
  readonly where: RecordType.Condition | undefined
}

/** A type as one store keeps it: its tags are the store's. */
export interface TypeLayout {
  readonly type: RecordType.Any
  readonly tag: number
  readonly keyParts: ReadonlyArray<RecordType.KeyPart>
  /** Those that are complete in this store. The others are served by reading the records. */
  readonly indexes: ReadonlyArray<IndexLayout>
}

/** The header of the keys of one tag and sync: a prefix of every one of them and of no other. */
export const headerOf = (tag: number, sync: Uint8Array): Uint8Array => {
  const header = new Uint8Array(headerSizeBytes)
  header[0] = keyLayoutVersion
  header[1] = tag
  header.set(sync, 2)
  return header
}

/** The prefix of all keys of one tag, whatever their sync. */
export const tagPrefix = (tag: number): Uint8Array => Uint8Array.of(keyLayoutVersion, tag)

/** The 20 bytes of a sync id. */
export const syncBytes = (sync: SyncId): Uint8Array => Ksuid.toBytes(sync)

/** The key of a sync run, in `syncs`. */
export const syncRunKey = (sync: Uint8Array): Uint8Array => headerOf(syncRunTag, sync)

/** The key of a sync run's entry by type, in `syncs`. */
export const syncByTypeKey = (syncType: string, sync: Uint8Array): Uint8Array => {
  const prefix = syncByTypePrefix(syncType)
  const key = new Uint8Array(prefix.length + syncSizeBytes)
  key.set(prefix)
  key.set(sync, prefix.length)
  return key
}

/** The prefix of the entries of all runs of one type. */
export const syncByTypePrefix = (syncType: string): Uint8Array => {
  const scratch = new Uint8Array(3 + 6 * syncType.length)
  scratch.set(tagPrefix(syncByTypeTag))
  const end = Tuple.appendString(scratch, 2, syncType)
  scratch[end] = separator
  return scratch.slice(0, end + 1)
}

const schemaKeyText = "schema"
const syncBookPrefixText = "sync/"
const encoder = new TextEncoder()

/** The key of the store's schema, in `meta`. */
export const schemaKey = (): Uint8Array => encoder.encode(schemaKeyText)

/** The prefix of the bookkeeping rows of all syncs, in `meta`; 20 bytes of sync id follow. */
export const syncBookPrefix = (): Uint8Array => encoder.encode(syncBookPrefixText)

/** The key of the bookkeeping row of a sync, in `meta`. */
export const syncBookKey = (sync: Uint8Array): Uint8Array => {
  const key = new Uint8Array(syncBookPrefixText.length + syncSizeBytes)
  encoder.encodeInto(syncBookPrefixText, key)
  key.set(sync, syncBookPrefixText.length)
  return key
}

/** The field of a record at a path; undefined when it, or a struct on the way, is absent or null. */
export const valueAt = (record: unknown, path: ReadonlyArray<string>): unknown => {
  let value: unknown = record
  for (let step = 0; step < path.length; step++) {
    if (value === undefined || value === null) return undefined
    value = (value as { readonly [field: string]: unknown })[path[step]!]
  }
  return value ?? undefined
}

/** Whether a record belongs into an index as far as its condition goes. */
export const satisfies = (record: unknown, where: RecordType.Condition | undefined): boolean =>
  where === undefined || valueAt(record, where.path) === where.equals

/** Appends one part, escaped. Throws `TupleOverflow` or `TupleValueInvalid`. */
export const appendPart = (target: Uint8Array, at: number, kind: RecordType.KeyKind, value: unknown): number => {
  switch (kind) {
    case "string":
    case "literal":
      return Tuple.appendString(target, at, value as string)
    case "bytes":
      return Tuple.appendBytes(target, at, value as Uint8Array)
    case "boolean":
      return Tuple.appendBoolean(target, at, value as boolean)
    case "int":
    case "bigint":
      return Tuple.appendInt64(target, at, value as number | bigint)
    case "date":
      return Tuple.appendInt64(target, at, (value as Date).getTime())
  }
}

/**
 * Appends the parts of a record, joined, and returns the end; -1 when the record lacks one of them. Nothing stands behind the last
 * part. Throws `TupleOverflow` when the target is too small.
 */
export const appendParts = (
  target: Uint8Array,
  at: number,
  parts: ReadonlyArray<RecordType.KeyPart>,
  record: unknown
): number => {
  let end = at
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index]!
    const value = valueAt(record, part.path)
    if (value === undefined) return -1
    if (index > 0) {
      if (end >= target.length) throw new Tuple.TupleOverflow({ sizeBytes: target.length })
      target[end++] = separator
    }
    end = appendPart(target, end, part.kind, value)
  }
  return end
}

/** Where the tuple of the primary key begins in an index entry's key; -1 when it has too few parts. */
export const primaryKeyStart = (key: Uint8Array, indexPartCount: number): number => {
  let at = headerSizeBytes
  for (let part = 0; part < indexPartCount; part++) {
    while (at < key.length && key[at] !== separator) at++
    if (at === key.length) return -1
    at++
  }
  return at
}

/**
 * The bytes by which records of a type are listed: the tuple of the primary key. Also from an object with those fields only.
 * Throws `TupleOverflow` when it is longer than any key, and `TupleValueInvalid` for a value that is none.
 */
export const primaryKeyOf = (type: RecordType.Any, record: unknown): Uint8Array => {
  const end = appendParts(keyScratch, 0, type.keyParts, record)
  if (end < 0) throw new Tuple.TupleValueInvalid({ expected: type.primaryKey.join(", "), actual: "absent" })
  return keyScratch.slice(0, end)
}

/** As large as the longest tuple. */
const keyScratch = new Uint8Array(maxKeySizeBytes - headerSizeBytes)
