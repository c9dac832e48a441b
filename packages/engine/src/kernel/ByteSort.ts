/**
 * Orders the rows of an arena by the bytes of their keys.
 *
 * Rows that agree so far are ordered by a digit made of their next six bytes, which a stable merge sort compares as numbers; those
 * with equal digits are ordered by the six bytes after. What all of them share is stepped over first, so long common prefixes
 * cost one look each.
 *
 * PERF: digits lie in order in memory, where the keys do not: 500,000 keys of 90 bytes take 0.2 us each, comparing the keys
 * themselves 1.5 us.
 */
import { droppedFlag, type RowArena } from "./RowArena.ts"

/** Rows of an arena, by number. */
export interface SortedRows {
  /** Ascending and distinct by key: of equal keys the row added last. Only the first `count` numbers are meant. */
  readonly order: Uint32Array
  readonly count: number
  /** Rows with the key of one that was added after them. */
  readonly superseded: ReadonlyArray<number>
}

/** Bytes of a key in one digit. Behind them, in the lowest three bits, stands how many of the six the key has. */
const digitBytes = 6
const digitBytesFactor = 8
const highFactor: number = 2 ** 27

/** Rows that are sorted by insertion, at most. */
const insertionLimit = 12

/** In `order`: the row was superseded. */
const noRow = 0xffff_ffff

interface Sorting {
  readonly arena: RowArena
  readonly order: Uint32Array
  readonly digits: Float64Array
  readonly spareOrder: Uint32Array
  readonly spareDigits: Float64Array
  readonly superseded: Array<number>
}

/** Orders the rows that are not dropped. Takes 24 bytes for each row while it runs. */
export const sort = (arena: RowArena): SortedRows => {
  const order = new Uint32Array(arena.rowCount)
  const rowCount = fillOrder(arena, order)
  const sorting: Sorting = {
    arena,
    order,
    digits: new Float64Array(rowCount),
    spareOrder: new Uint32Array(rowCount),
    spareDigits: new Float64Array(rowCount),
    superseded: []
  }
  if (rowCount > 1) sortGroup(sorting, 0, rowCount, 0)
  const { superseded } = sorting
  return { order, count: superseded.length === 0 ? rowCount : squeeze(order, rowCount), superseded }
}

const fillOrder = ({ flags, rowCount }: RowArena, order: Uint32Array): number => {
  let count = 0
  for (let row = 0; row < rowCount; row++) if ((flags[row]! & droppedFlag) === 0) order[count++] = row
  return count
}

const squeeze = (order: Uint32Array, rowCount: number): number => {
  let count = 0
  for (let at = 0; at < rowCount; at++) if (order[at] !== noRow) order[count++] = order[at]!
  return count
}

/** Orders rows whose keys agree in their first `depth` bytes. Goes no deeper than a key has digits. */
const sortGroup = (sorting: Sorting, start: number, end: number, depth: number): void => {
  const { digits } = sorting
  let from = depth
  let state = fillDigits(sorting, start, end, from)
  while (state === allEqual) {
    if (isLastDigit(digits[start]!)) {
      supersede(sorting, start, end)
      return
    }
    from += digitBytes
    from += commonSize(sorting, start, end, from)
    state = fillDigits(sorting, start, end, from)
  }
  if (state === unordered) sortDigits(sorting, start, end)
  let first = start
  for (let at = start + 1; at <= end; at++) {
    if (at < end && digits[at] === digits[first]) continue
    if (at - first > 1) {
      if (isLastDigit(digits[first]!)) supersede(sorting, first, at)
      else sortGroup(sorting, first, at, from + digitBytes)
    }
    first = at
  }
}

/** Whether keys with this digit end in it. */
const isLastDigit = (digit: number): boolean => digit % digitBytesFactor < digitBytes

const allEqual = 0
const ascending = 1
const unordered = 2

const fillDigits = ({ arena, digits, order }: Sorting, start: number, end: number, depth: number): number => {
  const { bytes, keySize, keyStart } = arena
  let state = allEqual
  let before = 0
  for (let index = start; index < end; index++) {
    const row = order[index]!
    const at = keyStart[row]! + depth
    const left = keySize[row]! - depth
    let digit: number
    if (left >= digitBytes) {
      const high = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!
      const low = (bytes[at + 3]! << 16) | (bytes[at + 4]! << 8) | bytes[at + 5]!
      digit = high * highFactor + ((low << 3) | digitBytes)
    } else {
      digit = shortDigit(bytes, at, left)
    }
    digits[index] = digit
    if (index > start && digit !== before)
      state = digit < before ? unordered : state === unordered ? unordered : ascending
    before = digit
  }
  return state
}

const shortDigit = (bytes: Uint8Array, at: number, size: number): number => {
  let digit = 0
  for (let index = 0; index < digitBytes; index++) digit = digit * 256 + (index < size ? bytes[at + index]! : 0)
  return digit * digitBytesFactor + size
}

/** How many bytes from `depth` on all keys of the group share. */
const commonSize = ({ arena, order }: Sorting, start: number, end: number, depth: number): number => {
  const { bytes, keySize, keyStart } = arena
  const first = keyStart[order[start]!]! + depth
  let common = keySize[order[start]!]! - depth
  for (let index = start + 1; index < end && common > 0; index++) {
    const row = order[index]!
    const at = keyStart[row]! + depth
    common = Math.min(common, keySize[row]! - depth)
    let same = 0
    while (same < common && bytes[first + same] === bytes[at + same]) same++
    common = same
  }
  return common
}

/** Equal keys, in the order in which they were added. */
const supersede = ({ order, superseded }: Sorting, start: number, end: number): void => {
  for (let at = start; at < end - 1; at++) {
    superseded.push(order[at]!)
    order[at] = noRow
  }
}

/** A stable merge sort of digits and rows together. */
const sortDigits = (sorting: Sorting, start: number, end: number): void => {
  const { digits, order, spareDigits, spareOrder } = sorting
  for (let at = start; at < end; at += insertionLimit) {
    insertionSort(digits, order, at, Math.min(at + insertionLimit, end))
  }
  let isSpare = false
  for (let width = insertionLimit; width < end - start; width *= 2) {
    if (isSpare) mergeAll(spareDigits, spareOrder, digits, order, start, end, width)
    else mergeAll(digits, order, spareDigits, spareOrder, start, end, width)
    isSpare = !isSpare
  }
  if (!isSpare) return
  digits.set(spareDigits.subarray(start, end), start)
  order.set(spareOrder.subarray(start, end), start)
}

const insertionSort = (digits: Float64Array, order: Uint32Array, start: number, end: number): void => {
  for (let at = start + 1; at < end; at++) {
    const digit = digits[at]!
    if (digits[at - 1]! <= digit) continue
    const row = order[at]!
    let place = at
    do {
      digits[place] = digits[place - 1]!
      order[place] = order[place - 1]!
      place--
    } while (place > start && digits[place - 1]! > digit)
    digits[place] = digit
    order[place] = row
  }
}

const mergeAll = (
  digits: Float64Array,
  order: Uint32Array,
  targetDigits: Float64Array,
  targetOrder: Uint32Array,
  start: number,
  end: number,
  width: number
): void => {
  for (let first = start; first < end; first += 2 * width) {
    const middle = Math.min(first + width, end)
    const last = Math.min(middle + width, end)
    let left = first
    let right = middle
    let at = first
    while (left < middle && right < last) {
      const leftDigit = digits[left]!
      const rightDigit = digits[right]!
      if (leftDigit <= rightDigit) {
        targetDigits[at] = leftDigit
        targetOrder[at++] = order[left++]!
      } else {
        targetDigits[at] = rightDigit
        targetOrder[at++] = order[right++]!
      }
    }
    for (; left < middle; left++) {
      targetDigits[at] = digits[left]!
      targetOrder[at++] = order[left]!
    }
    for (; right < last; right++) {
      targetDigits[at] = digits[right]!
      targetOrder[at++] = order[right]!
    }
  }
}
