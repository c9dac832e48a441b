/**
 * Merges sorted runs, a batch at a time: no heap, and a cost per row that hardly depends on how many runs there are.
 *
 * Each run has a page of rows in memory. A batch takes at most `capacity / runs` rows of each page, up to the smallest of the last rows that
 * the pages could give, so that whatever stays behind comes after it. The batch is then sorted at once (`RowBatch`).
 */
import { offsetAt, rowSizeBytes } from "../format/KeyRunFormat.ts"
import type * as RowBatch from "./RowBatch.ts"

/** Pages of runs. What is in a page, from its next row to its end, is the caller's to fill. */
export interface RunPages {
  readonly views: ReadonlyArray<DataView>
  /** Bytes of each page: where its next row is, and where its rows end. */
  readonly next: Uint32Array
  readonly end: Uint32Array
  /** 1 where no rows follow after the page. Pages without rows must have it. */
  readonly isLast: Uint8Array
  /** The row of each run before `next`, five words each; zeros at first. */
  readonly previous: Uint32Array
  /** Offsets that rows may have, both inclusive. */
  readonly minOffset: number
  readonly maxOffset: number
}

const wordsPerRow = 5

export const makePages = (views: ReadonlyArray<DataView>, minOffset = 0, maxOffset = 0xffff_ffff): RunPages => ({
  views,
  minOffset,
  maxOffset,
  next: new Uint32Array(views.length),
  end: new Uint32Array(views.length),
  isLast: new Uint8Array(views.length),
  previous: new Uint32Array(wordsPerRow * views.length)
})

/** Rows that a batch takes of each page, at most. */
export const rowsPerRun = (capacity: number, runCount: number): number =>
  Math.max(1, Math.floor(capacity / Math.max(1, runCount)))

/**
 * Fills the batch with the next rows of all runs, not sorted; nothing when all are done. Returns −1, or the run whose next row does not
 * come after the one before or has an offset that none may have; it stays where it is.
 */
export const fill = (pages: RunPages, batch: RowBatch.RowBatch, bound: Uint32Array): number => {
  const limitBytes = rowsPerRun(batch.capacity, pages.views.length) * rowSizeBytes
  batch.rowCount = 0
  const isBounded = findBound(pages, limitBytes, bound)
  for (let run = 0; run < pages.views.length; run++) {
    if (!takeRows(pages, run, limitBytes, isBounded, bound, batch)) return run
  }
  return -1
}

/** Words of a bound. */
export const boundWords: number = wordsPerRow

/** Writes the smallest of the last rows that the runs could give; false when all of them end in this batch. */
const findBound = ({ end, isLast, next, views }: RunPages, limitBytes: number, bound: Uint32Array): boolean => {
  let isBounded = false
  for (let run = 0; run < views.length; run++) {
    const leftBytes = end[run]! - next[run]!
    if (leftBytes <= limitBytes && isLast[run] === 1) continue
    const view = views[run]!
    const at = next[run]! + Math.min(limitBytes, leftBytes) - rowSizeBytes
    if (isBounded && isAbove(view, at, bound)) continue
    isBounded = true
    for (let word = 0; word < 4; word++) bound[word] = view.getUint32(at + 4 * word)
    bound[4] = view.getUint32(at + offsetAt, true)
  }
  return isBounded
}

/** Whether the row at a byte comes after the bound. */
const isAbove = (view: DataView, at: number, bound: Uint32Array): boolean => {
  for (let word = 0; word < 4; word++) {
    const difference = view.getUint32(at + 4 * word) - bound[word]!
    if (difference !== 0) return difference > 0
  }
  return view.getUint32(at + offsetAt, true) > bound[4]!
}

/** Takes rows up to the bound; false when the next one must not be. */
const takeRows = (
  pages: RunPages,
  run: number,
  limitBytes: number,
  isBounded: boolean,
  bound: Uint32Array,
  batch: RowBatch.RowBatch
): boolean => {
  const view = pages.views[run]!
  const { maxOffset, minOffset, next, previous } = pages
  const start = next[run]!
  const end = Math.min(pages.end[run]!, start + limitBytes)
  const boundWord = isBounded ? bound[0]! : 0xffff_ffff
  const { offsets, word0, word1, word2, word3 } = batch
  const state = wordsPerRow * run
  let last0 = previous[state]!
  let last1 = previous[state + 1]!
  let last2 = previous[state + 2]!
  let last3 = previous[state + 3]!
  let lastOffset = previous[state + 4]!
  let row = batch.rowCount
  let at = start
  for (; at < end; at += rowSizeBytes) {
    const first = view.getUint32(at)
    if (first > boundWord || (first === boundWord && isBounded && isAbove(view, at, bound))) break
    const second = view.getUint32(at + 4)
    const third = view.getUint32(at + 8)
    const fourth = view.getUint32(at + 12)
    const offset = view.getUint32(at + offsetAt, true)
    if (
      offset < minOffset ||
      offset > maxOffset ||
      (first <= last0 &&
        (first - last0 || second - last1 || third - last2 || fourth - last3 || offset - lastOffset) < 0)
    ) {
      next[run] = at
      return false
    }
    word0[row] = first
    word1[row] = second
    word2[row] = third
    word3[row] = fourth
    offsets[row++] = offset
    last0 = first
    last1 = second
    last2 = third
    last3 = fourth
    lastOffset = offset
  }
  batch.rowCount = row
  next[run] = at
  previous[state] = last0
  previous[state + 1] = last1
  previous[state + 2] = last2
  previous[state + 3] = last3
  previous[state + 4] = lastOffset
  return true
}
