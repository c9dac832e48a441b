/**
 * Rows that wait to be merged into blocks: keys and values in one buffer, their places in arrays beside it. Grows up to a bound of
 * bytes.
 *
 * A row may have rows of another arena attached, which stand in a line there: the index entries of a record. A dropped row counts
 * as never added.
 */
import { viewOf } from "./ByteCopy.ts"

export interface RowArena {
  /** Bytes that the rows may take, places included. One row always fits. */
  readonly limitBytes: number
  /** Another array once the arena has grown. */
  bytes: Uint8Array
  /** Of `bytes`. */
  view: DataView
  /** Bytes of `bytes` that are taken. */
  usedBytes: number
  rowCount: number
  /**
   * Of each row three numbers: where its key begins, which its value follows; the size of the value; the size of the key, with the
   * flags above it. PERF: together, because rows are visited in the order of their keys, not in that of the arrays.
   */
  places: Uint32Array
  attachedStart: Uint32Array
  attachedCount: Uint16Array
}

/** Numbers of `places` for each row, and where they stand. */
export const placeWords = 3
const valueSizeAt = 1
export const keySizeAt = 2

/** The bits of a key's size. Above them: the row removes its key; the row is to be ignored. */
export const keySizeMask = 0xffff
const deleteFlag = 0x1_0000
const droppedFlag = 0x2_0000

/** Bytes that each row takes beside its key and value, those of sorting included. */
export const rowOverheadBytes = 36

const firstBytes = 64 * 1024
const firstRows = 512

export const make = (limitBytes: number): RowArena => {
  const bytes = new Uint8Array(Math.min(firstBytes, limitBytes))
  return {
    limitBytes,
    bytes,
    view: viewOf(bytes),
    usedBytes: 0,
    rowCount: 0,
    places: new Uint32Array(firstRows * placeWords),
    attachedStart: new Uint32Array(firstRows),
    attachedCount: new Uint16Array(firstRows)
  }
}

/** Bytes that the rows take, places included: what is held against the limit. */
export const sizeBytes = (arena: RowArena): number => arena.usedBytes + arena.rowCount * rowOverheadBytes

/**
 * Makes room for one row of up to `size` bytes of key and value, and returns the byte of `arena.bytes` from which on they may be
 * written, the value right behind the key; −1 when the arena is full. Read `arena.bytes` only after it.
 */
export const reserve = (arena: RowArena, size: number): number => {
  const { rowCount, usedBytes } = arena
  const needed = usedBytes + size
  if (rowCount > 0 && needed + (rowCount + 1) * rowOverheadBytes > arena.limitBytes) return -1
  if (needed > arena.bytes.length) growBytes(arena, needed)
  if (rowCount === arena.attachedStart.length) growRows(arena)
  return usedBytes
}

/** Adds the row that was written where {@link reserve} said, and returns its number. */
export const add = (arena: RowArena, isDelete: boolean, keySize: number, valueSize: number): number => {
  const row = arena.rowCount++
  const { places } = arena
  const place = row * placeWords
  places[place] = arena.usedBytes
  places[place + valueSizeAt] = valueSize
  places[place + keySizeAt] = isDelete ? keySize | deleteFlag : keySize
  arena.attachedCount[row] = 0
  arena.usedBytes += keySize + valueSize
  return row
}

/** Adds a copy of a row whose key is the first `keySize` bytes of `key`; returns its number, or −1 when the arena is full. */
export const append = (
  arena: RowArena,
  isDelete: boolean,
  key: Uint8Array,
  keySize: number,
  value: Uint8Array
): number => {
  const at = reserve(arena, keySize + value.length)
  if (at < 0) return -1
  arena.bytes.set(keySize === key.length ? key : key.subarray(0, keySize), at)
  arena.bytes.set(value, at + keySize)
  return add(arena, isDelete, keySize, value.length)
}

/** Notes `count` rows of another arena from `start` on as this row's. */
export const attach = (arena: RowArena, row: number, start: number, count: number): void => {
  arena.attachedStart[row] = start
  arena.attachedCount[row] = count
}

/** Makes rows as if never added, before the arena is sorted. */
export const drop = (arena: RowArena, start: number, count: number): void => {
  for (let row = start; row < start + count; row++) arena.places[row * placeWords + keySizeAt]! |= droppedFlag
}

/** Forgets all rows. Keeps the buffers, unless a row larger than the limit made them grow. */
export const clear = (arena: RowArena): void => {
  arena.usedBytes = 0
  arena.rowCount = 0
  if (arena.bytes.length > arena.limitBytes) useBytes(arena, new Uint8Array(Math.min(firstBytes, arena.limitBytes)))
}

export const isDelete = ({ places }: RowArena, row: number): boolean =>
  (places[row * placeWords + keySizeAt]! & deleteFlag) !== 0

export const isDropped = ({ places }: RowArena, row: number): boolean =>
  (places[row * placeWords + keySizeAt]! & droppedFlag) !== 0

/** Where the row's key begins in `bytes`. */
export const keyStartOf = ({ places }: RowArena, row: number): number => places[row * placeWords]!

export const keySizeOf = ({ places }: RowArena, row: number): number =>
  places[row * placeWords + keySizeAt]! & keySizeMask

export const valueSizeOf = ({ places }: RowArena, row: number): number => places[row * placeWords + valueSizeAt]!

/** The row's key, in the arena's memory. */
export const keyOf = (arena: RowArena, row: number): Uint8Array => {
  const start = keyStartOf(arena, row)
  return arena.bytes.subarray(start, start + keySizeOf(arena, row))
}

/** The row's value, in the arena's memory. */
export const valueOf = (arena: RowArena, row: number): Uint8Array => {
  const start = keyStartOf(arena, row) + keySizeOf(arena, row)
  return arena.bytes.subarray(start, start + valueSizeOf(arena, row))
}

const growBytes = (arena: RowArena, needed: number): void => {
  const doubled = Math.min(arena.bytes.length * 2, arena.limitBytes)
  const bytes = new Uint8Array(Math.max(doubled, needed))
  bytes.set(arena.bytes.subarray(0, arena.usedBytes))
  useBytes(arena, bytes)
}

const useBytes = (arena: RowArena, bytes: Uint8Array): void => {
  arena.bytes = bytes
  arena.view = viewOf(bytes)
}

const growRows = (arena: RowArena): void => {
  const capacity = arena.attachedStart.length * 2
  arena.places = grown(arena.places, new Uint32Array(capacity * placeWords))
  arena.attachedStart = grown(arena.attachedStart, new Uint32Array(capacity))
  arena.attachedCount = grown(arena.attachedCount, new Uint16Array(capacity))
}

const grown = <A extends Uint16Array | Uint32Array>(source: A, target: A): A => {
  target.set(source)
  return target
}
