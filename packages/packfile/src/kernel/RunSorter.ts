/** Sorts the rows of one chunk in memory, into the bytes of its run. */
import * as Format from "../format/KeyRunFormat.ts"
import * as RowBatch from "./RowBatch.ts"
import * as RunMerge from "./RunMerge.ts"
import * as RunRows from "./RunRows.ts"

/** Rows that are sorted as they come, and then merged. */
const batchRows = 65_536
const smallBatchRows = 1024

/** Takes 20 bytes for each row that was added, and 2 MiB. */
export interface RunSorter {
  /** Sorted rows, as the pages of a merge have them. */
  readonly pieces: Array<Uint8Array>
  batch: RowBatch.RowBatch
  rowCount: number
}

export const make = (): RunSorter => ({ pieces: [], batch: RowBatch.make(smallBatchRows), rowCount: 0 })

/** Adds a key of at least 16 bytes. */
export const add = (sorter: RunSorter, key: Uint8Array, offset: number): void => {
  if (sorter.batch.rowCount === sorter.batch.capacity) setAside(sorter)
  RowBatch.pushKey(sorter.batch, key, offset)
  sorter.rowCount++
}

const setAside = (sorter: RunSorter): void => {
  const { batch } = sorter
  RowBatch.sort(batch)
  const piece = new Uint8Array((batch.rowCount + 1) * Format.rowSizeBytes)
  const view = new DataView(piece.buffer)
  for (let row = 0; row < batch.rowCount; row++) {
    RunRows.copyRow(batch.view, batch.order[row]!, view, (row + 1) * Format.rowSizeBytes)
  }
  sorter.pieces.push(piece)
  if (batch.capacity < batchRows) sorter.batch = RowBatch.make(batchRows)
  sorter.batch.rowCount = 0
}

/** A merge of the pieces under way. */
export interface RunAssembly {
  readonly pages: RunMerge.RunPages
  readonly batch: RowBatch.RowBatch
  readonly bytes: Uint8Array
  readonly view: DataView
  /** Rows written so far, without those that are just like the one before. */
  rowCount: number
}

/** Begins the merge; the sorter is spent. Takes another 20 bytes for each row. */
export const assemble = (sorter: RunSorter): RunAssembly => {
  if (sorter.batch.rowCount > 0) setAside(sorter)
  const pages = RunMerge.makePages(sorter.pieces)
  for (const [run, piece] of sorter.pieces.entries()) pages.end[run] = piece.length
  pages.isLast.fill(1)
  const bytes = new Uint8Array(Format.sizeOf(sorter.rowCount))
  const capacity = Math.max(sorter.batch.capacity, sorter.pieces.length)
  return {
    pages,
    batch: capacity === sorter.batch.capacity ? sorter.batch : RowBatch.make(capacity),
    bytes,
    view: new DataView(bytes.buffer),
    rowCount: 0
  }
}

/** Merges up to 65,536 rows more; false when there are none left. */
export const step = (assembly: RunAssembly): boolean => {
  const { batch, pages, view } = assembly
  RunMerge.fill(pages, batch)
  if (batch.rowCount === 0) return false
  RowBatch.sort(batch)
  let { rowCount } = assembly
  for (let row = 0; row < batch.rowCount; row++) {
    const at = batch.order[row]!
    const target = Format.offsetOfRow(rowCount)
    if (rowCount > 0 && RunRows.compareRows(view, target - Format.rowSizeBytes, batch.view, at) === 0) continue
    RunRows.copyRow(batch.view, at, view, target)
    rowCount++
  }
  assembly.rowCount = rowCount
  return true
}

/** The bytes of the run, once {@link step} has returned false. */
export const bytesOf = ({ bytes, rowCount, view }: RunAssembly): Uint8Array => {
  Format.encodeHeader(view, rowCount)
  return bytes.subarray(0, Format.sizeOf(rowCount))
}
