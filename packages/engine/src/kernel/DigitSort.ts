/** Orders numbers and what belongs to each of them: merging where they are few, bit by bit where they are many. Stable. */

/** Digits from 0 to 2^51, each with {@link bias} added, and the row of each. */
export interface DigitRows {
  readonly digits: Float64Array
  readonly order: Uint32Array
  /** As long as the others; what is in them does not matter. */
  readonly spareDigits: Float64Array
  readonly spareOrder: Uint32Array
}

/** Added to a digit, it makes the lowest 52 bits of the number in memory the digit's own. */
export const bias: number = 2 ** 52

/** Rows that are sorted by insertion, at most. */
const insertionLimit = 12

/** Rows that are sorted bit by bit, at least. */
const radixLimit = 4_096

/** Bits of one pass over the digits, from the lowest on, and the 32-bit half of the digit that they are of. */
const passes: ReadonlyArray<{ readonly half: 0 | 1; readonly shift: number }> = [
  { half: 0, shift: 0 },
  { half: 0, shift: 11 },
  { half: 0, shift: 22 },
  { half: 1, shift: 0 },
  { half: 1, shift: 11 }
]
const passSize: number = 2 ** 11

/** Halves of numbers lie in memory as the machine has them. */
const lowHalf = new Uint32Array(new Float64Array([bias + 1]).buffer)[0] === 1 ? 0 : 1

/** Orders digits and rows between two places. */
export const sort = (sorting: DigitRows, start: number, end: number): void => {
  if (end - start < radixLimit) mergeSort(sorting, start, end)
  else radixSort(sorting, start, end)
}

const radixSort = (sorting: DigitRows, start: number, end: number): void => {
  const { digits, order, spareDigits, spareOrder } = sorting
  const starts = new Uint32Array(passSize)
  let isSpare = false
  for (const { half, shift } of passes) {
    const [source, target] = isSpare ? [spareDigits, digits] : [digits, spareDigits]
    const words = new Uint32Array(source.buffer, 0, source.length * 2)
    const at = half ^ lowHalf
    if (!countBits(words, at, shift, start, end, starts)) continue
    if (isSpare) scatter(source, spareOrder, target, order, words, at, shift, start, end, starts)
    else scatter(source, order, target, spareOrder, words, at, shift, start, end, starts)
    isSpare = !isSpare
  }
  if (isSpare) takeSpare(sorting, start, end)
}

/** Where the rows of each value begin; false when all rows have one value. */
const countBits = (
  words: Uint32Array,
  at: number,
  shift: number,
  start: number,
  end: number,
  starts: Uint32Array
): boolean => {
  starts.fill(0)
  for (let index = start; index < end; index++) starts[(words[2 * index + at]! >>> shift) & (passSize - 1)]!++
  if (starts[(words[2 * start + at]! >>> shift) & (passSize - 1)] === end - start) return false
  let sum = start
  for (let value = 0; value < passSize; value++) {
    const count = starts[value]!
    starts[value] = sum
    sum += count
  }
  return true
}

const scatter = (
  digits: Float64Array,
  order: Uint32Array,
  targetDigits: Float64Array,
  targetOrder: Uint32Array,
  words: Uint32Array,
  at: number,
  shift: number,
  start: number,
  end: number,
  starts: Uint32Array
): void => {
  for (let index = start; index < end; index++) {
    const to = starts[(words[2 * index + at]! >>> shift) & (passSize - 1)]!++
    targetDigits[to] = digits[index]!
    targetOrder[to] = order[index]!
  }
}

const takeSpare = ({ digits, order, spareDigits, spareOrder }: DigitRows, start: number, end: number): void => {
  digits.set(spareDigits.subarray(start, end), start)
  order.set(spareOrder.subarray(start, end), start)
}

const mergeSort = (sorting: DigitRows, start: number, end: number): void => {
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
  if (isSpare) takeSpare(sorting, start, end)
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
