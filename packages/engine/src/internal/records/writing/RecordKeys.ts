/** The keys of one type's rows in one sync, written from records into buffers of the caller. */
import { RecordCodec, Tuple } from "@icecore/codec"
import { maxKeySizeBytes } from "../../../Engine.ts"
import {
  appendParts,
  headerOf,
  headerSizeBytes,
  type IndexLayout,
  satisfies,
  separator,
  type TypeLayout
} from "../../../format/RecordLayout.ts"

/** A type in a sync: its layout and the headers of its keys. */
export interface RecordKeys {
  readonly layout: TypeLayout
  readonly header: Uint8Array
  /** Of each index of the layout, at the same place. */
  readonly indexHeaders: ReadonlyArray<Uint8Array>
}

/** The keys of a type in the sync of these 20 bytes. */
export const make = (layout: TypeLayout, sync: Uint8Array): RecordKeys => ({
  layout,
  header: headerOf(layout.tag, sync),
  indexHeaders: layout.indexes.map(({ tag }) => headerOf(tag, sync))
})

/** A key is longer than an engine takes. `index` is absent for the primary key. */
export class KeyTooLong {
  readonly index: string | undefined

  constructor(index: string | undefined) {
    this.index = index
  }
}

/** The record lacks a part of its primary key. */
export class KeyIncomplete {}

/** What {@link keyFault} says of a record that is right, and whose key or entry is longer than an engine takes. */
export const tooLong = "a key of it would be too long"

/** Why no key can be made of a stored record; undefined when `cause` is a bug. */
export const keyFault = (cause: unknown): string | undefined => {
  if (cause instanceof RecordCodec.RecordBytesInvalid || cause instanceof Tuple.TupleValueInvalid) return cause.message
  if (cause instanceof KeyTooLong || cause instanceof Tuple.TupleOverflow) return tooLong
  return cause instanceof KeyIncomplete ? "it lacks a part of its key" : undefined
}

/**
 * Writes the whole key of a record from `at` on and returns its end. Throws {@link KeyTooLong} and {@link KeyIncomplete}, and
 * what `Tuple` throws: `TupleOverflow` means the same as the first when there is room for the longest key.
 */
export const writeRecordKey = (target: Uint8Array, at: number, keys: RecordKeys, record: unknown): number => {
  target.set(keys.header, at)
  const end = appendParts(target, at + headerSizeBytes, keys.layout.keyParts, record)
  if (end < 0) throw new KeyIncomplete()
  if (end - at > maxKeySizeBytes) throw new KeyTooLong(undefined)
  return end
}

/**
 * Writes the whole key of a record's entry in an index from `at` on and returns its end; -1 when the index does not have the
 * record. `primary` from `primaryStart` to `primaryEnd` is the tuple of the primary key. Throws as {@link writeRecordKey} does.
 */
export const writeEntryKey = (
  target: Uint8Array,
  at: number,
  index: IndexLayout,
  header: Uint8Array,
  record: unknown,
  primary: Uint8Array,
  primaryStart: number,
  primaryEnd: number
): number => {
  if (!satisfies(record, index.where)) return -1
  let end = appendParts(target, at + headerSizeBytes, index.parts, record)
  if (end < 0) return -1
  const size = end + 1 - at + primaryEnd - primaryStart
  if (size > maxKeySizeBytes) throw new KeyTooLong(index.name)
  // PERF: short copies, for which a loop costs less than a view.
  for (let byte = 0; byte < headerSizeBytes; byte++) target[at + byte] = header[byte]!
  target[end++] = separator
  for (let byte = primaryStart; byte < primaryEnd; byte++) target[end++] = primary[byte]!
  return end
}
