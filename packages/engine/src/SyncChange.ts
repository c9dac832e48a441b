/**
 * What a partial sync says of a record besides holding it: that it is new, that it changed, that it is gone.
 *
 * A sync is *partial* when its run's type begins with `partial`: it holds what changed since its parent, and not all that there is. What is
 * gone it can only say with a {@link SyncChange} of kind `removed`, which takes the record away from what is older when syncs are
 * merged. Connectors put removals themselves:
 *
 * ```ts
 * yield* store.put(SyncChange.SyncChange, [SyncChange.removalOf(Grant, { external_id: "g" }, discoveredAt)])
 * ```
 *
 * A change names its record by the bytes that its key has in a store, so that the changes of one type are in the order of its records.
 */
import { Tuple } from "@icecore/codec"
import { Result, Schema } from "effect"
import { primaryKeyOf } from "./format/RecordLayout.ts"
import * as RecordType from "./RecordType.ts"
import type { SyncRun } from "./SyncRun.ts"

/** What happened to a record, between the parent of a sync and the sync. */
export type ChangeKind = "added" | "changed" | "removed"

/** One record that is not what it was. */
export interface SyncChange {
  /** The name of the record's type. */
  readonly record_type: string
  /** The record's primary key as a tuple: the bytes behind the header of its row's key. */
  readonly record_key: Uint8Array
  readonly kind: ChangeKind
  /** The names of the fields that changed, sorted; empty unless it is `changed`. */
  readonly fields: ReadonlyArray<string>
  /** When it was seen, in microseconds since 1970 UTC: what decides between the change and a record of another sync. */
  readonly discovered_at: number
}

/** What names a change: there is one of a record in a sync. */
export type SyncChangeKey = Pick<SyncChange, "record_type" | "record_key">

/** The record type of changes. A store that holds changes is opened with it, beside the types that they are of. */
export const SyncChange: RecordType.RecordType<"SyncChange", SyncChange, SyncChangeKey, "by_kind"> = RecordType.make({
  name: "SyncChange",
  fields: Schema.Struct({
    record_type: Schema.String,
    record_key: Schema.Uint8Array,
    kind: Schema.Literals(["added", "changed", "removed"]),
    fields: Schema.Array(Schema.String),
    discovered_at: Schema.Int
  }),
  primaryKey: ["record_type", "record_key"],
  indexes: { by_kind: { paths: ["kind", "record_type"] } }
})

/** Whether a run is of a sync that holds changes only. */
export const isPartial = ({ type }: Pick<SyncRun, "type">): boolean => type.startsWith("partial")

/**
 * The bytes by which a change names a record, given the record or just its key: records of a type are listed in the order of these.
 * Throws `TupleOverflow` or `TupleValueInvalid` for a key that no record of a store has.
 */
export const recordKeyOf: <T extends RecordType.Any>(type: T, record: RecordType.Key<T>) => Uint8Array = primaryKeyOf

/** What a change is made of. */
export interface ChangeOptions<T extends RecordType.Any> {
  readonly type: T
  /** The record, or just its key. */
  readonly record: RecordType.Key<T>
  readonly kind: ChangeKind
  /** The fields that changed. Default: none. */
  readonly fields?: ReadonlyArray<string>
  /** Microseconds since 1970 UTC. */
  readonly discoveredAt: number
}

/** A change of a record. Throws `TupleOverflow` or `TupleValueInvalid` for a key that no record of a store has. */
export const make = <T extends RecordType.Any>(options: ChangeOptions<T>): SyncChange => ({
  record_type: options.type.name,
  record_key: primaryKeyOf(options.type, options.record),
  kind: options.kind,
  fields: [...(options.fields ?? [])].sort(),
  discovered_at: options.discoveredAt
})

/** That a record is gone, by the record or just its key. Throws as {@link make} does. */
export const removalOf = <T extends RecordType.Any>(
  type: T,
  record: RecordType.Key<T>,
  discoveredAt: number
): SyncChange => make({ type, record, kind: "removed", discoveredAt })

/** The fields by which a change names its record. A key that is none of the type is `TupleCorrupt`. */
export const keyOf = <T extends RecordType.Any>(
  type: T,
  change: SyncChangeKey
): Result.Result<RecordType.Key<T>, Tuple.TupleCorrupt> =>
  Result.try({
    try: () => readKey(type.keyParts, change.record_key) as RecordType.Key<T>,
    catch: (cause) => {
      if (cause instanceof Tuple.TupleCorrupt) return cause
      throw cause
    }
  })

const readKey = (parts: ReadonlyArray<RecordType.KeyPart>, bytes: Uint8Array): object => {
  const key: Record<string, unknown> = {}
  let at = 0
  parts.forEach(({ kind, path }, index) => {
    if (at > bytes.length) throw wrongPartCount(at, parts, index)
    const end = Tuple.partEnd(bytes, at, bytes.length)
    let target = key
    for (const name of path.slice(0, -1)) {
      target[name] ??= {}
      target = target[name] as Record<string, unknown>
    }
    target[path.at(-1)!] = readPart(kind, bytes, at, end)
    at = end + 1
  })
  if (at <= bytes.length) throw wrongPartCount(at, parts, parts.length + 1)
  return key
}

const wrongPartCount = (
  offsetBytes: number,
  { length }: ReadonlyArray<RecordType.KeyPart>,
  actual: number
): Tuple.TupleCorrupt =>
  new Tuple.TupleCorrupt({
    offsetBytes,
    detail: `expected ${length === 1 ? "1 part" : `${length} parts`}, found ${actual > length ? "more" : actual}`
  })

const readPart = (kind: RecordType.KeyKind, bytes: Uint8Array, at: number, end: number): unknown => {
  switch (kind) {
    case "string":
    case "literal":
      return Tuple.readString(bytes, at, end)
    case "bytes":
      return Tuple.readBytes(bytes, at, end)
    case "boolean":
      return Tuple.readBoolean(bytes, at, end)
    case "bigint":
      return Tuple.readInt64(bytes, at, end)
    case "int":
      return Number(Tuple.readInt64(bytes, at, end))
    case "date":
      return new Date(Number(Tuple.readInt64(bytes, at, end)))
  }
}
