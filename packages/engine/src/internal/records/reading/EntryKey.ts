/** Index entries of records: made from a record, and held against one. */
import { Tuple } from "@icecore/codec"
import { maxKeySizeBytes } from "../../../Engine.ts"
import { appendParts, headerSizeBytes, type IndexLayout, satisfies, separator } from "../../../format/RecordLayout.ts"

const scratch = new Uint8Array(maxKeySizeBytes)

/**
 * Writes the whole key of a record's entry behind the header that `target` begins with, and returns its end; −1 when the
 * record has no entry in the index. `target` has room for the longest key; `primary` is the tuple of the record's key.
 */
export const writeEntryKey = (target: Uint8Array, index: IndexLayout, record: unknown, primary: Uint8Array): number => {
  const end = appendIndexParts(target, headerSizeBytes, index, record)
  if (end < 0 || end + 1 + primary.length > target.length) return -1
  target[end] = separator
  target.set(primary, end + 1)
  return end + 1 + primary.length
}

/** Whether the entry with the index parts from `start`, inclusive, to `end`, exclusive, is one that the record has. */
export const isEntryOf = (
  bytes: Uint8Array,
  start: number,
  end: number,
  index: IndexLayout,
  record: unknown
): boolean => {
  const length = appendIndexParts(scratch, 0, index, record)
  if (length !== end - start) return false
  for (let at = 0; at < length; at++) if (scratch[at] !== bytes[start + at]) return false
  return true
}

/** −1: the record has no entry. One that would be too long for a key was never stored. */
const appendIndexParts = (target: Uint8Array, at: number, index: IndexLayout, record: unknown): number => {
  if (!satisfies(record, index.where)) return -1
  try {
    return appendParts(target, at, index.parts, record)
  } catch (cause) {
    if (cause instanceof Tuple.TupleOverflow) return -1
    throw cause
  }
}
