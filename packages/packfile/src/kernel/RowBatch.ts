/** Rows of key runs in memory, and their order: by prefix, then by offset. */
import { offsetAt } from "../format/KeyRunFormat.ts"

/** Columns of up to `capacity` rows. Words are the prefix, big-endian, so that their order is that of the bytes. */
export interface RowBatch {
  readonly capacity: number
  readonly word0: Uint32Array
  readonly word1: Uint32Array
  readonly word2: Uint32Array
  readonly word3: Uint32Array
  readonly offsets: Uint32Array
  /** Rows in ascending order, after {@link sort}. */
  readonly order: Uint32Array
  readonly spareOrder: Uint32Array
  readonly digits: Uint32Array
  readonly counts: Uint32Array
  rowCount: number
}

const digitBits = 11
const digitCount: number = 2 ** digitBits
const radixBits: number = 2 * digitBits

/** Rows with equal digits that are sorted by insertion, at most. */
const insertionLimit = 24

export const make = (capacity: number): RowBatch => ({
  capacity,
  word0: new Uint32Array(capacity),
  word1: new Uint32Array(capacity),
  word2: new Uint32Array(capacity),
  word3: new Uint32Array(capacity),
  offsets: new Uint32Array(capacity),
  order: new Uint32Array(capacity),
  spareOrder: new Uint32Array(capacity),
  digits: new Uint32Array(capacity),
  counts: new Uint32Array(digitCount + 1),
  rowCount: 0
})

/** Adds the row at a byte of `view`. There is room. */
export const pushRow = (batch: RowBatch, view: DataView, at: number): void => {
  const row = batch.rowCount++
  batch.word0[row] = view.getUint32(at)
  batch.word1[row] = view.getUint32(at + 4)
  batch.word2[row] = view.getUint32(at + 8)
  batch.word3[row] = view.getUint32(at + 12)
  batch.offsets[row] = view.getUint32(at + offsetAt, true)
}

/** Adds the first bytes of a key. There is room. */
export const pushKey = (batch: RowBatch, key: Uint8Array, offset: number): void => {
  const row = batch.rowCount++
  batch.word0[row] = (key[0]! << 24) | (key[1]! << 16) | (key[2]! << 8) | key[3]!
  batch.word1[row] = (key[4]! << 24) | (key[5]! << 16) | (key[6]! << 8) | key[7]!
  batch.word2[row] = (key[8]! << 24) | (key[9]! << 16) | (key[10]! << 8) | key[11]!
  batch.word3[row] = (key[12]! << 24) | (key[13]! << 16) | (key[14]! << 8) | key[15]!
  batch.offsets[row] = offset
}

/** Writes a row to a byte of `view`. */
export const writeRow = (batch: RowBatch, row: number, view: DataView, at: number): void => {
  view.setUint32(at, batch.word0[row]!)
  view.setUint32(at + 4, batch.word1[row]!)
  view.setUint32(at + 8, batch.word2[row]!)
  view.setUint32(at + 12, batch.word3[row]!)
  view.setUint32(at + offsetAt, batch.offsets[row]!, true)
}

/** Below 0, 0 or above 0 as `left` comes before, is, or comes after `right`; two rows of a batch. */
export const compareRows = (batch: RowBatch, left: number, right: number): number =>
  batch.word0[left]! - batch.word0[right]! ||
  batch.word1[left]! - batch.word1[right]! ||
  batch.word2[left]! - batch.word2[right]! ||
  batch.word3[left]! - batch.word3[right]! ||
  batch.offsets[left]! - batch.offsets[right]!

/**
 * Orders the rows. By 22 bits from the first one that differs between smallest and largest, in two passes; then what is equal there by insertion,
 * or by merging where that is much.
 */
export const sort = (batch: RowBatch): void => {
  const { digits, rowCount } = batch
  fillDigits(batch)
  scatter(batch, 0, undefined, batch.spareOrder)
  scatter(batch, digitBits, batch.spareOrder, batch.order)
  const { order } = batch
  let start = 0
  for (let at = 1; at <= rowCount; at++) {
    if (at < rowCount && digits[order[at]!] === digits[order[start]!]) continue
    if (at - start > insertionLimit) mergeSort(batch, start, at)
    else if (at - start > 1) insertionSort(batch, start, at)
    start = at
  }
}

/** The bits to sort by, from the first word that is not the same in all rows and the one after it. */
const fillDigits = (batch: RowBatch): void => {
  const { digits, rowCount, word0, word1, word2, word3 } = batch
  const columns = [word0, word1, word2, word3]
  for (let column = 0; column < columns.length; column++) {
    const words = columns[column]!
    let smallest = words[0]!
    let largest = smallest
    for (let row = 1; row < rowCount; row++) {
      const word = words[row]!
      if (word < smallest) smallest = word
      if (word > largest) largest = word
    }
    if (smallest === largest) continue
    const excessBits = 32 - Math.clz32(largest - smallest) - radixBits
    const next = columns[column + 1] ?? words
    for (let row = 0; row < rowCount; row++) {
      const distance = words[row]! - smallest
      digits[row] =
        excessBits >= 0 ? distance >>> excessBits : (distance << -excessBits) | (next[row]! >>> (32 + excessBits))
    }
    return
  }
  digits.fill(0, 0, rowCount)
}

/** One stable pass over the digits from bit `shift` on. */
const scatter = (batch: RowBatch, shift: number, source: Uint32Array | undefined, target: Uint32Array): void => {
  const { counts, digits, rowCount } = batch
  counts.fill(0)
  for (let row = 0; row < rowCount; row++) counts[((digits[row]! >>> shift) & (digitCount - 1)) + 1]!++
  for (let digit = 0; digit < digitCount; digit++) counts[digit + 1]! += counts[digit]!
  if (source === undefined) {
    for (let row = 0; row < rowCount; row++) target[counts[(digits[row]! >>> shift) & (digitCount - 1)]!++] = row
    return
  }
  for (let at = 0; at < rowCount; at++) {
    const row = source[at]!
    target[counts[(digits[row]! >>> shift) & (digitCount - 1)]!++] = row
  }
}

const insertionSort = (batch: RowBatch, start: number, end: number): void => {
  const { order } = batch
  for (let at = start + 1; at < end; at++) {
    const row = order[at]!
    let place = at
    while (place > start && compareRows(batch, order[place - 1]!, row) > 0) {
      order[place] = order[place - 1]!
      place--
    }
    order[place] = row
  }
}

const mergeSort = (batch: RowBatch, start: number, end: number): void => {
  const { order, spareOrder } = batch
  for (let width = 1; width < end - start; width *= 2) {
    for (let left = start; left < end; left += 2 * width) {
      mergeHalves(batch, left, Math.min(left + width, end), Math.min(left + 2 * width, end))
    }
    order.set(spareOrder.subarray(start, end), start)
  }
}

const mergeHalves = (batch: RowBatch, start: number, middle: number, end: number): void => {
  const { order, spareOrder } = batch
  let left = start
  let right = middle
  for (let at = start; at < end; at++) {
    const isLeft = left < middle && (right >= end || compareRows(batch, order[left]!, order[right]!) <= 0)
    spareOrder[at] = isLeft ? order[left++]! : order[right++]!
  }
}
