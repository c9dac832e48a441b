/** Rows taken out of blocks: keys one after another in one buffer, values where their blocks have them. */
import type { BlockCursor } from "./BlockCursor.ts"
import { copyBytes, viewOf } from "./ByteCopy.ts"

export interface RowPage {
  rowCount: number
  /** Keys one after another; another array once it has grown. */
  keys: Uint8Array
  /** Of `keys`. */
  keysView: DataView
  /** Byte behind each key; a key begins where the one before it ends. */
  keyEnd: Uint32Array
  /** Of each row: the buffer its value lies in, and where. */
  readonly valueSource: Array<Uint8Array>
  valueStart: Uint32Array
  valueEnd: Uint32Array
}

const firstRows = 64
const firstKeyBytes = 8 * 1024

export const make = (): RowPage => {
  const keys = new Uint8Array(firstKeyBytes)
  return {
    rowCount: 0,
    keys,
    keysView: viewOf(keys),
    keyEnd: new Uint32Array(firstRows),
    valueSource: [],
    valueStart: new Uint32Array(firstRows),
    valueEnd: new Uint32Array(firstRows)
  }
}

/** Adds the cursor's row. The block's buffer is kept, not copied. */
export const addCursorRow = (page: RowPage, cursor: BlockCursor): void => {
  const { bytes, key, keySize, keyView, valueEnd, valueStart } = cursor
  addRow(page, key, keyView, 0, keySize, bytes, valueStart, valueEnd)
}

/** Adds rows of another page, from the last one down to `first`. */
export const addReversed = (page: RowPage, source: RowPage, first: number): void => {
  for (let row = source.rowCount - 1; row >= first; row--) {
    const start = keyStartOf(source, row)
    const size = source.keyEnd[row]! - start
    addRow(
      page,
      source.keys,
      source.keysView,
      start,
      size,
      source.valueSource[row]!,
      source.valueStart[row]!,
      source.valueEnd[row]!
    )
  }
}

/** Forgets all rows. */
export const clear = (page: RowPage): void => {
  page.rowCount = 0
  page.valueSource.length = 0
}

/** The key of a row, in the page's memory. */
export const keyOf = (page: RowPage, row: number): Uint8Array =>
  page.keys.subarray(keyStartOf(page, row), page.keyEnd[row]!)

/** Where the key of a row begins in `keys`. */
export const keyStartOf = (page: RowPage, row: number): number => (row === 0 ? 0 : page.keyEnd[row - 1]!)

/** The value of a row, in the memory of its block. */
export const valueOf = (page: RowPage, row: number): Uint8Array =>
  page.valueSource[row]!.subarray(page.valueStart[row]!, page.valueEnd[row]!)

const addRow = (
  page: RowPage,
  key: Uint8Array,
  keyView: DataView,
  keyStart: number,
  keySize: number,
  source: Uint8Array,
  valueStart: number,
  valueEnd: number
): void => {
  const row = page.rowCount
  const start = keyStartOf(page, row)
  if (row === page.keyEnd.length) growRows(page)
  if (start + keySize > page.keys.length) growKeys(page, start, keySize)
  copyBytes(page.keys, page.keysView, start, key, keyView, keyStart, keyStart + keySize)
  page.keyEnd[row] = start + keySize
  page.valueSource.push(source)
  page.valueStart[row] = valueStart
  page.valueEnd[row] = valueEnd
  page.rowCount++
}

const growKeys = (page: RowPage, usedBytes: number, keySize: number): void => {
  const keys = new Uint8Array(Math.max(page.keys.length * 2, usedBytes + keySize))
  keys.set(page.keys.subarray(0, usedBytes))
  page.keys = keys
  page.keysView = viewOf(keys)
}

const growRows = (page: RowPage): void => {
  const capacity = page.keyEnd.length * 2
  page.keyEnd = grown(page.keyEnd, capacity)
  page.valueStart = grown(page.valueStart, capacity)
  page.valueEnd = grown(page.valueEnd, capacity)
}

const grown = (source: Uint32Array, capacity: number): Uint32Array => {
  const target = new Uint32Array(capacity)
  target.set(source)
  return target
}
