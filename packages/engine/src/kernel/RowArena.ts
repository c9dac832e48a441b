/**
 * Rows that wait to be merged into blocks: keys and values in one buffer, their places in arrays beside it. Grows up to a bound of
 * bytes.
 *
 * A row may have rows of another arena attached, which stand in a line there: the index entries of a record. A dropped row counts
 * as never added.
 */
import { compareBytes } from "../internal/Bounds.ts"

export interface RowArena {
  /** Bytes that the rows may take, places included. One row always fits. */
  readonly limitBytes: number
  /** Another array once the arena has grown. */
  bytes: Uint8Array
  /** Bytes of `bytes` that are taken. */
  usedBytes: number
  rowCount: number
  /** Of each row: where its key begins; its value follows the key. */
  keyStart: Uint32Array
  keySize: Uint16Array
  valueSize: Uint32Array
  /** {@link deleteFlag} and {@link droppedFlag}. */
  flags: Uint8Array
  attachedStart: Uint32Array
  attachedCount: Uint16Array
}

/** The row removes its key. */
export const deleteFlag = 1
/** The row is to be ignored. */
export const droppedFlag = 2

/** Bytes that each row takes beside its key and value, those of sorting included. */
export const rowOverheadBytes = 36

const firstBytes = 64 * 1024
const firstRows = 512

export const make = (limitBytes: number): RowArena => ({
  limitBytes,
  bytes: new Uint8Array(Math.min(firstBytes, limitBytes)),
  usedBytes: 0,
  rowCount: 0,
  keyStart: new Uint32Array(firstRows),
  keySize: new Uint16Array(firstRows),
  valueSize: new Uint32Array(firstRows),
  flags: new Uint8Array(firstRows),
  attachedStart: new Uint32Array(firstRows),
  attachedCount: new Uint16Array(firstRows)
})

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
  if (rowCount === arena.keyStart.length) growRows(arena)
  return usedBytes
}

/** Adds the row that was written where {@link reserve} said, and returns its number. */
export const add = (arena: RowArena, isDelete: boolean, keySize: number, valueSize: number): number => {
  const row = arena.rowCount++
  arena.keyStart[row] = arena.usedBytes
  arena.keySize[row] = keySize
  arena.valueSize[row] = valueSize
  arena.flags[row] = isDelete ? deleteFlag : 0
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
  for (let row = start; row < start + count; row++) arena.flags[row]! |= droppedFlag
}

/** Forgets all rows. Keeps the buffers, unless a row larger than the limit made them grow. */
export const clear = (arena: RowArena): void => {
  arena.usedBytes = 0
  arena.rowCount = 0
  if (arena.bytes.length > arena.limitBytes) arena.bytes = new Uint8Array(Math.min(firstBytes, arena.limitBytes))
}

export const isDelete = (arena: RowArena, row: number): boolean => (arena.flags[row]! & deleteFlag) !== 0

/** The row's key, in the arena's memory. */
export const keyOf = (arena: RowArena, row: number): Uint8Array => {
  const start = arena.keyStart[row]!
  return arena.bytes.subarray(start, start + arena.keySize[row]!)
}

/** The row's value, in the arena's memory. */
export const valueOf = (arena: RowArena, row: number): Uint8Array => {
  const start = arena.keyStart[row]! + arena.keySize[row]!
  return arena.bytes.subarray(start, start + arena.valueSize[row]!)
}

/** Order of two rows' keys: below 0, 0 or above 0. */
export const compareKeys = (arena: RowArena, left: number, right: number): number =>
  compareBytes(keyOf(arena, left), keyOf(arena, right))

const growBytes = (arena: RowArena, needed: number): void => {
  const doubled = Math.min(arena.bytes.length * 2, arena.limitBytes)
  const bytes = new Uint8Array(Math.max(doubled, needed))
  bytes.set(arena.bytes.subarray(0, arena.usedBytes))
  arena.bytes = bytes
}

const growRows = (arena: RowArena): void => {
  const capacity = arena.keyStart.length * 2
  arena.keyStart = grown(arena.keyStart, new Uint32Array(capacity))
  arena.keySize = grown(arena.keySize, new Uint16Array(capacity))
  arena.valueSize = grown(arena.valueSize, new Uint32Array(capacity))
  arena.flags = grown(arena.flags, new Uint8Array(capacity))
  arena.attachedStart = grown(arena.attachedStart, new Uint32Array(capacity))
  arena.attachedCount = grown(arena.attachedCount, new Uint16Array(capacity))
}

const grown = <A extends Uint8Array | Uint16Array | Uint32Array>(source: A, target: A): A => {
  target.set(source)
  return target
}
