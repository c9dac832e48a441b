/**
 * Runs of index entries: what a sync that is being filled keeps aside of indexes whose entries come in no order, until all of it
 * is merged at once; and what a sync that is being replaced gets of indexes that its source lacks. Only the store that wrote a run
 * reads it: who opens the store anew removes it and writes the indexes from the records. So this format may change with any version.
 *
 * ```text
 * meta key    "run/" │ 20 B sync │ u32 BE run │ u32 BE chunk
 * meta value  row …
 * row         varint shared │ varint 2 × suffix size + isDelete │ suffix
 * ```
 *
 * Rows ascend through the chunks of a run. A key is the first `shared` bytes of the key before it, in its chunk, followed by the suffix.
 */
import { maxKeySizeBytes } from "../Engine.ts"
import type { SortedRows } from "../kernel/ByteSort.ts"
import { isDelete, keySizeOf, keyStartOf, type RowArena } from "../kernel/RowArena.ts"
import { varintSizeBytes, writeVarint } from "./BlockFormat.ts"
import { syncSizeBytes } from "./RecordLayout.ts"

/** Bytes of a chunk, about. */
export const chunkSizeBytes: number = 64 * 1024

const prefixText = "run/"

/** The prefix of the rows of all runs, in `meta`. */
export const allEntryRunsPrefix = (): Uint8Array => new TextEncoder().encode(prefixText)

/** The prefix of the rows of all runs of a sync, in `meta`. */
export const entryRunPrefix = (sync: Uint8Array): Uint8Array => {
  const prefix = new Uint8Array(prefixText.length + syncSizeBytes)
  new TextEncoder().encodeInto(prefixText, prefix)
  prefix.set(sync, prefixText.length)
  return prefix
}

/** The sync that a row of `meta` is of a run of; undefined when it is of none. */
export const syncOfEntryRun = (key: Uint8Array): Uint8Array | undefined => {
  const end = prefixText.length + syncSizeBytes
  if (key.length !== end + 8 || new TextDecoder().decode(key.subarray(0, prefixText.length)) !== prefixText)
    return undefined
  return key.slice(prefixText.length, end)
}

/** The key of one chunk. */
export const entryRunKey = (sync: Uint8Array, run: number, chunk: number): Uint8Array => {
  const prefix = entryRunPrefix(sync)
  const key = new Uint8Array(prefix.length + 8)
  key.set(prefix)
  const view = new DataView(key.buffer)
  view.setUint32(prefix.length, run)
  view.setUint32(prefix.length + 4, chunk)
  return key
}

/** Writes sorted rows of an arena, from one place up to another, as chunks. Their buffers are the receiver's to keep. */
export const writeChunks = (
  arena: RowArena,
  { order, shared }: SortedRows,
  from: number,
  to: number,
  put: (chunk: Uint8Array) => void
): void => {
  const bytes = new Uint8Array(chunkSizeBytes + maxKeySizeBytes + 2 * varintSizeBytes)
  let end = 0
  for (let place = from; place < to; place++) {
    const row = order[place]!
    const start = keyStartOf(arena, row)
    const size = keySizeOf(arena, row)
    const common = end === 0 ? 0 : shared[place]!
    end = writeVarint(bytes, end, common)
    end = writeVarint(bytes, end, 2 * (size - common) + (isDelete(arena, row) ? 1 : 0))
    for (let byte = start + common; byte < start + size; byte++) bytes[end++] = arena.bytes[byte]!
    if (end < chunkSizeBytes) continue
    put(bytes.slice(0, end))
    end = 0
  }
  if (end > 0) put(bytes.slice(0, end))
}

/** Walks the rows of a chunk. */
export interface ChunkCursor {
  bytes: Uint8Array
  at: number
  /** Of the row: its first `keySize` bytes. */
  readonly key: Uint8Array
  keySize: number
  /** Bytes that it shares with the row before, in its chunk. */
  shared: number
  isDelete: boolean
}

export const makeCursor = (): ChunkCursor => ({
  bytes: new Uint8Array(0),
  at: 0,
  key: new Uint8Array(maxKeySizeBytes),
  keySize: 0,
  shared: 0,
  isDelete: false
})

/** Comes to the next row of the chunk; false at its end. Throws a `RangeError` when the bytes are no rows. */
export const nextRow = (cursor: ChunkCursor): boolean => {
  const { bytes, key } = cursor
  if (cursor.at === bytes.length) return false
  const shared = readVarint(cursor)
  const head = readVarint(cursor)
  const size = head >>> 1
  const { at } = cursor
  if (shared > cursor.keySize || shared + size > maxKeySizeBytes || at + size > bytes.length) {
    throw new RangeError(`a row has ${shared} and ${size} bytes`)
  }
  for (let byte = 0; byte < size; byte++) key[shared + byte] = bytes[at + byte]!
  cursor.keySize = shared + size
  cursor.shared = shared
  cursor.isDelete = (head & 1) === 1
  cursor.at = at + size
  return true
}

const readVarint = (cursor: ChunkCursor): number => {
  let value = 0
  for (let shift = 0; shift < 28 && cursor.at < cursor.bytes.length; shift += 7) {
    const byte = cursor.bytes[cursor.at++]!
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) return value
  }
  throw new RangeError("a number in it is not one")
}
