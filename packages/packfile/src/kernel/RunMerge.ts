/**
 * Merges sorted runs, a batch at a time: no heap, and a cost per row that hardly depends on how many runs there are.
 *
 * Each run has a page of rows in memory. A batch takes at most `capacity / runs` rows of each page, up to the smallest of the last rows that
 * the pages could give, so that whatever stays behind comes after it. The batch is then sorted at once (`RowBatch`).
 */
import { rowSizeBytes } from "../format/KeyRunFormat.ts"
import type { RowBatch } from "./RowBatch.ts"
import * as RunRows from "./RunRows.ts"

const wordSizeBytes = 4

/** Pages of runs. What is in a page, from its next row to its end, is the caller's to fill. */
export interface RunPages {
  /** A page begins with the row before the first one, at first with zeros. As words in the order of the host: only to be copied. */
  readonly words: ReadonlyArray<Int32Array>
  readonly views: ReadonlyArray<DataView>
  /** Bytes of each page: where its next row is, and where its rows end. In front of the next row is the one before it. */
  readonly next: Uint32Array
  readonly end: Uint32Array
  /** 1 where no rows follow after the page. Pages without rows must have it. */
  readonly isLast: Uint8Array
  /** The last row that a batch may take. */
  readonly bound: DataView
}

/** Empty pages over these buffers, which begin at a multiple of four bytes. */
export const makePages = (pages: ReadonlyArray<Uint8Array>): RunPages => ({
  words: pages.map((page) => new Int32Array(page.buffer, page.byteOffset, page.length / wordSizeBytes)),
  views: pages.map((page) => new DataView(page.buffer, page.byteOffset, page.length)),
  next: new Uint32Array(pages.length).fill(rowSizeBytes),
  end: new Uint32Array(pages.length).fill(rowSizeBytes),
  isLast: new Uint8Array(pages.length),
  bound: new DataView(new ArrayBuffer(rowSizeBytes))
})

/** Rows that a batch takes of each page, at most. */
export const rowsPerRun = (capacity: number, runCount: number): number =>
  Math.max(1, Math.floor(capacity / Math.max(1, runCount)))

/** Fills the batch with the next rows of all runs, not sorted; nothing when all are done. The rows of each run ascend: the caller has seen to it. */
export const fill = (pages: RunPages, batch: RowBatch): void => {
  const limitBytes = rowsPerRun(batch.capacity, pages.views.length) * rowSizeBytes
  batch.rowCount = 0
  const isBounded = findBound(pages, limitBytes)
  for (let run = 0; run < pages.views.length; run++) {
    const start = pages.next[run]!
    const end = isBounded ? endWithin(pages, run, limitBytes) : pages.end[run]!
    copyRows(pages.words[run]!, start, end, batch)
    pages.next[run] = end
  }
}

/** PERF: `packfile/key-index/build`. Of 1,000 runs a batch takes some 40 rows each, too few for a `set` of a `subarray`. */
const copyRows = (source: Int32Array, start: number, end: number, batch: RowBatch): void => {
  const { words } = batch
  let target = (batch.rowCount * rowSizeBytes) / wordSizeBytes
  const last = end / wordSizeBytes
  for (let at = start / wordSizeBytes; at < last; at++) words[target++] = source[at]!
  batch.rowCount += (end - start) / rowSizeBytes
}

/** Finds the smallest of the last rows that the runs could give; false when all of them end in this batch. */
const findBound = ({ bound, end, isLast, next, views }: RunPages, limitBytes: number): boolean => {
  let isBounded = false
  for (let run = 0; run < views.length; run++) {
    const leftBytes = end[run]! - next[run]!
    if (leftBytes <= limitBytes && isLast[run] === 1) continue
    const view = views[run]!
    const at = next[run]! + Math.min(limitBytes, leftBytes) - rowSizeBytes
    if (isBounded && RunRows.compareRows(view, at, bound, 0) > 0) continue
    isBounded = true
    RunRows.copyRow(view, at, bound, 0)
  }
  return isBounded
}

/** Where the rows up to the bound end, of those that a batch may take. */
const endWithin = ({ bound, end, next, views }: RunPages, run: number, limitBytes: number): number => {
  const view = views[run]!
  const last = Math.min(end[run]!, next[run]! + limitBytes)
  const boundWord = RunRows.orderedWord(bound, 0)
  let at = next[run]!
  for (; at < last; at += rowSizeBytes) {
    if (RunRows.orderedWord(view, at) >= boundWord && RunRows.compareRows(view, at, bound, 0) > 0) break
  }
  return at
}
