/** Which items a read wants, and which stretches of the file hold them. */
import * as OffsetIndex from "../format/OffsetIndex.ts"

/** Strictly ascending positions: a list, or the numbers from `start` on. */
export interface ReadSelection {
  readonly count: number
  readonly positionAt: (index: number) => number
  /** The least index from `from` on whose position is `position` or more; `count` when there is none. */
  readonly indexFrom: (position: number, from: number) => number
}

/** `count` positions from `start` on. */
export const ofRange = (start: number, count: number): ReadSelection => ({
  count,
  positionAt: (index) => start + index,
  indexFrom: (position, from) => Math.min(Math.max(position - start, from), count)
})

/** The positions of a list. */
export const ofPositions = (positions: ReadonlyArray<number>): ReadSelection => ({
  count: positions.length,
  positionAt: (index) => positions[index]!,
  indexFrom: (position, from) => {
    let index = from
    while (index < positions.length && positions[index]! < position) index++
    return index
  }
})

/** Neighbouring records that are read at once. */
export interface ReadBatch {
  readonly firstRecord: number
  readonly lastRecord: number
  readonly offsetBytes: number
  readonly sizeBytes: number
  /** Index of the first selected position in it, and of the first after it. */
  readonly from: number
  readonly to: number
}

/** Bytes up to which neighbouring records are read together. One record is never split, however large. */
export const coalescedSizeBytes: number = 1024 * 1024

/** Records that are read together at most, so that planning a batch of empty records ends too. */
const maxBatchRecords = 16_384

/**
 * The batch that begins with the selected position `from`, which is less than `selection.count`. Takes time by its records, not
 * by the items of a range: how many those are is what a damaged file says.
 */
export const batchFrom = (
  index: OffsetIndex.OffsetIndex,
  itemsPerRecord: number,
  selection: ReadSelection,
  from: number
): ReadBatch => {
  const firstRecord = Math.floor(selection.positionAt(from) / itemsPerRecord)
  const offsetBytes = OffsetIndex.offsetOf(index, firstRecord)
  let lastRecord = firstRecord
  let sizeBytes = OffsetIndex.sizeOf(index, firstRecord)
  let to = selection.indexFrom((firstRecord + 1) * itemsPerRecord, from)
  while (to < selection.count) {
    const record = Math.floor(selection.positionAt(to) / itemsPerRecord)
    if (record !== lastRecord + 1 || record - firstRecord === maxBatchRecords) break
    const grownBytes = sizeBytes + OffsetIndex.sizeOf(index, record)
    if (grownBytes > coalescedSizeBytes) break
    sizeBytes = grownBytes
    lastRecord = record
    to = selection.indexFrom((record + 1) * itemsPerRecord, to)
  }
  return { firstRecord, lastRecord, offsetBytes, sizeBytes, from, to }
}
