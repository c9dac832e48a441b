/** Sorts the rows of one chunk in memory, into the bytes of its run. */
import * as Format from "../format/KeyRunFormat.ts"
import * as RowBatch from "./RowBatch.ts"
import * as RunMerge from "./RunMerge.ts"

/** Rows that are sorted as they come, and then merged. */
const batchRows = 65_536
const smallBatchRows = 1024

/** Takes 20 bytes for each row that was added, and 2 MiB. */
export interface RunSorter {
  /** Sorted rows, as a run has them. */
  readonly pieces: Array<DataView>
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
  const view = new DataView(new ArrayBuffer(batch.rowCount * Format.rowSizeBytes))
  for (let at = 0; at < batch.rowCount; at++) {
    RowBatch.writeRow(batch, batch.order[at]!, view, at * Format.rowSizeBytes)
  }
  sorter.pieces.push(view)
  if (batch.capacity < batchRows) sorter.batch = RowBatch.make(batchRows)
  sorter.batch.rowCount = 0
}

/** A merge of the pieces under way. */
export interface RunAssembly {
  readonly pages: RunMerge.RunPages
  readonly batch: RowBatch.RowBatch
  readonly bound: Uint32Array
  readonly bytes: Uint8Array
  readonly view: DataView
  /** Rows written so far, without those that are just like the one before. */
  rowCount: number
}

/** Begins the merge; the sorter is spent. Takes another 20 bytes for each row. */
export const assemble = (sorter: RunSorter): RunAssembly => {
  if (sorter.batch.rowCount > 0) setAside(sorter)
  const pages = RunMerge.makePages(sorter.pieces)
  for (const [run, view] of sorter.pieces.entries()) pages.end[run] = view.byteLength
  pages.isLast.fill(1)
  const bytes = new Uint8Array(Format.sizeOf(sorter.rowCount))
  const capacity = Math.max(sorter.batch.capacity, sorter.pieces.length)
  return {
    pages,
    batch: capacity === sorter.batch.capacity ? sorter.batch : RowBatch.make(capacity),
    bound: new Uint32Array(RunMerge.boundWords),
    bytes,
    view: new DataView(bytes.buffer),
    rowCount: 0
  }
}

/** Merges up to 65,536 rows more; false when there are none left. */
export const step = (assembly: RunAssembly): boolean => {
  const { batch, bound, pages, view } = assembly
  RunMerge.fill(pages, batch, bound)
  if (batch.rowCount === 0) return false
  RowBatch.sort(batch)
  const { order } = batch
  for (let at = 0; at < batch.rowCount; at++) {
    const row = order[at]!
    if (at > 0 ? RowBatch.compareRows(batch, order[at - 1]!, row) === 0 : isLastWritten(assembly, row)) continue
    RowBatch.writeRow(batch, row, view, Format.offsetOfRow(assembly.rowCount++))
  }
  return true
}

/** Whether the row is the one that the batch before ended with. */
const isLastWritten = ({ batch, rowCount, view }: RunAssembly, row: number): boolean => {
  if (rowCount === 0) return false
  const at = Format.offsetOfRow(rowCount - 1)
  return (
    view.getUint32(at) === batch.word0[row] &&
    view.getUint32(at + 4) === batch.word1[row] &&
    view.getUint32(at + 8) === batch.word2[row] &&
    view.getUint32(at + 12) === batch.word3[row] &&
    view.getUint32(at + Format.offsetAt, true) === batch.offsets[row]
  )
}

/** The bytes of the run, once {@link step} has returned false. */
export const bytesOf = ({ bytes, rowCount, view }: RunAssembly): Uint8Array => {
  Format.encodeHeader(view, rowCount)
  return bytes.subarray(0, Format.sizeOf(rowCount))
}
