/** Rows of key runs in memory, and their order: by prefix, then by offset. */
import { offsetAt, rowSizeBytes } from "../format/KeyRunFormat.ts"
import * as RunRows from "./RunRows.ts"

/** Up to `capacity` rows as a run has them. */
export interface RowBatch {
  readonly capacity: number
  readonly bytes: Uint8Array
  readonly view: DataView
  /** In the order of the host: only to be copied. */
  readonly words: Int32Array
  /** Where rows begin, in ascending order, after {@link sort}. */
  readonly order: Uint32Array
  readonly spareOrder: Uint32Array
  /** What each row is sorted by at first. */
  readonly digits: Int32Array
  readonly counts: Uint32Array
  rowCount: number
}

const digitBits = 11
const digitCount: number = 2 ** digitBits
const radixBits: number = 2 * digitBits
const wordSizeBytes = 4

/** Rows with equal digits that are sorted by insertion, at most. */
const insertionLimit = 24

export const make = (capacity: number): RowBatch => {
  const bytes = new Uint8Array(capacity * rowSizeBytes)
  return {
    capacity,
    bytes,
    view: new DataView(bytes.buffer),
    words: new Int32Array(bytes.buffer),
    order: new Uint32Array(capacity),
    spareOrder: new Uint32Array(capacity),
    digits: new Int32Array(capacity),
    counts: new Uint32Array(digitCount + 1),
    rowCount: 0
  }
}

/** Adds the first bytes of a key, which has them. There is room. */
export const pushKey = (batch: RowBatch, key: Uint8Array, offset: number): void => {
  const { bytes } = batch
  const at = batch.rowCount++ * rowSizeBytes
  for (let index = 0; index < offsetAt; index++) bytes[at + index] = key[index]!
  batch.view.setUint32(at + offsetAt, offset, true)
}

/**
 * Orders the rows. By 22 bits from the first one that differs between smallest and largest, in two passes; then what is equal there by
 * insertion, or by merging where that is much.
 */
export const sort = (batch: RowBatch): void => {
  const { digits, order, rowCount, spareOrder } = batch
  fillDigits(batch)
  scatter(batch, 0, undefined, spareOrder)
  scatter(batch, digitBits, spareOrder, order)
  let start = 0
  for (let at = 1; at <= rowCount; at++) {
    if (at < rowCount && digits[order[at]!] === digits[order[start]!]) continue
    if (at - start > insertionLimit) mergeSort(batch, start, at)
    else if (at - start > 1) insertionSort(batch, start, at)
    start = at
  }
  for (let at = 0; at < rowCount; at++) order[at] = order[at]! * rowSizeBytes
}

/** The bits to sort by, from the first word of the prefix that is not the same in all rows and the one after it. */
const fillDigits = (batch: RowBatch): void => {
  const { digits, rowCount, view } = batch
  for (let word = 0; word < offsetAt; word += wordSizeBytes) {
    let smallest = 0x7fff_ffff
    let largest = ~smallest
    for (let row = 0, at = word; row < rowCount; row++, at += rowSizeBytes) {
      const value = RunRows.orderedWord(view, at)
      digits[row] = value
      if (value < smallest) smallest = value
      if (value > largest) largest = value
    }
    if (smallest >= largest) continue
    const excessBits = 32 - Math.clz32(largest - smallest) - radixBits
    if (excessBits >= 0) {
      for (let row = 0; row < rowCount; row++) digits[row] = (digits[row]! - smallest) >>> excessBits
    } else {
      appendBits(batch, smallest, word + wordSizeBytes, -excessBits)
    }
    return
  }
  digits.fill(0, 0, rowCount)
}

/** Makes the digits the distance from the smallest, followed by the upper bits of the word after it if it is one of the prefix. */
const appendBits = ({ digits, rowCount, view }: RowBatch, smallest: number, next: number, bits: number): void => {
  for (let row = 0, at = next; row < rowCount; row++, at += rowSizeBytes) {
    const more = next < offsetAt ? view.getUint32(at) >>> (32 - bits) : 0
    digits[row] = ((digits[row]! - smallest) << bits) | more
  }
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

const compare = (view: DataView, left: number, right: number): number =>
  RunRows.compareRows(view, left * rowSizeBytes, view, right * rowSizeBytes)

const insertionSort = ({ order, view }: RowBatch, start: number, end: number): void => {
  for (let at = start + 1; at < end; at++) {
    const row = order[at]!
    let place = at
    while (place > start && compare(view, order[place - 1]!, row) > 0) {
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

const mergeHalves = ({ order, spareOrder, view }: RowBatch, start: number, middle: number, end: number): void => {
  let left = start
  let right = middle
  for (let at = start; at < end; at++) {
    const isLeft = left < middle && (right >= end || compare(view, order[left]!, order[right]!) <= 0)
    spareOrder[at] = isLeft ? order[left++]! : order[right++]!
  }
}
