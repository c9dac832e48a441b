/** Rows of a key run as they lie in a buffer. */
import { offsetAt, prefixSizeBytes, rowSizeBytes } from "../format/KeyRunFormat.ts"

/** A copy of the prefix of a key. */
export const prefixView = (key: Uint8Array): DataView => {
  const prefix = new Uint8Array(prefixSizeBytes)
  prefix.set(key.subarray(0, prefixSizeBytes))
  return new DataView(prefix.buffer)
}

/** Order of the prefix at byte `at` and that of `key`: below 0, 0 or above 0. */
export const comparePrefix = (view: DataView, at: number, key: DataView): number =>
  view.getUint32(at) - key.getUint32(0) ||
  view.getUint32(at + 4) - key.getUint32(4) ||
  view.getUint32(at + 8) - key.getUint32(8) ||
  view.getUint32(at + 12) - key.getUint32(12)

/** The first of `count` rows from byte 0 on whose prefix is not below that of `key`; `count` when there is none. */
export const lowerBound = (view: DataView, count: number, key: DataView): number => {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (comparePrefix(view, middle * rowSizeBytes, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** The big-endian word at a byte as a signed number of the same order: compiled code compares those as integers. */
export const orderedWord = (view: DataView, at: number): number => view.getInt32(at) ^ 0x8000_0000

/** The offset of the row at byte `at`. */
export const offsetOf = (view: DataView, at: number): number => view.getUint32(at + offsetAt, true)

/** Order of two rows, by prefix and then by offset: below 0, 0 or above 0. */
export const compareRows = (left: DataView, leftAt: number, right: DataView, rightAt: number): number =>
  left.getUint32(leftAt) - right.getUint32(rightAt) ||
  left.getUint32(leftAt + 4) - right.getUint32(rightAt + 4) ||
  left.getUint32(leftAt + 8) - right.getUint32(rightAt + 8) ||
  left.getUint32(leftAt + 12) - right.getUint32(rightAt + 12) ||
  offsetOf(left, leftAt) - offsetOf(right, rightAt)

/** Copies a row. */
export const copyRow = (source: DataView, sourceAt: number, target: DataView, targetAt: number): void => {
  for (let byte = 0; byte < rowSizeBytes; byte += 4) {
    target.setUint32(targetAt + byte, source.getUint32(sourceAt + byte))
  }
}

/** Byte of the first row between `start` and `end` that comes before the one in front of it; −1 when they ascend. There is a row before `start`. */
export const firstDisorder = (view: DataView, start: number, end: number): number => {
  let before = orderedWord(view, start - rowSizeBytes)
  for (let at = start; at < end; at += rowSizeBytes) {
    const word = orderedWord(view, at)
    if (word <= before && compareRows(view, at - rowSizeBytes, view, at) > 0) return at
    before = word
  }
  return -1
}

/** Byte of the first row between `start` and `end` whose offset is not within the bounds, both inclusive; −1 when all are. */
export const firstOutside = (
  view: DataView,
  start: number,
  end: number,
  minOffset: number,
  maxOffset: number
): number => {
  for (let at = start; at < end; at += rowSizeBytes) {
    const offset = offsetOf(view, at)
    if (offset < minOffset || offset > maxOffset) return at
  }
  return -1
}

/** The prefix as a number of 32 bits and a fraction: enough to guess where a key lies. */
export const leadingOf = (view: DataView, at: number): number => view.getUint32(at) + view.getUint32(at + 4) / 2 ** 32
