/** Runs of sorted rows in the order of their current keys: the least one first, of equal keys the newest run. */
import type { ChunkCursor } from "../format/EntryRun.ts"

/** One run that is being read. Later runs are newer. */
export interface OpenRun {
  readonly run: number
  readonly cursor: ChunkCursor
}

/** Adds a run by its current row. */
export const push = (heap: Array<OpenRun>, open: OpenRun): void => {
  heap.push(open)
  let at = heap.length - 1
  while (at > 0) {
    const above = (at - 1) >>> 1
    if (compare(heap[above]!, open) <= 0) break
    heap[at] = heap[above]!
    at = above
  }
  heap[at] = open
}

/** Puts the first run where its new current row belongs. */
export const sink = (heap: Array<OpenRun>): void => {
  const open = heap[0]!
  const { length } = heap
  let at = 0
  for (let below = 1; below < length; below = 2 * at + 1) {
    if (below + 1 < length && compare(heap[below + 1]!, heap[below]!) < 0) below++
    if (compare(open, heap[below]!) <= 0) break
    heap[at] = heap[below]!
    at = below
  }
  heap[at] = open
}

/** Removes the first run. */
export const pop = (heap: Array<OpenRun>): void => {
  const last = heap.pop()!
  if (heap.length === 0) return
  heap[0] = last
  sink(heap)
}

const compare = (left: OpenRun, right: OpenRun): number => {
  const a = left.cursor
  const b = right.cursor
  const size = Math.min(a.keySize, b.keySize)
  for (let byte = 0; byte < size; byte++) {
    const order = a.key[byte]! - b.key[byte]!
    if (order !== 0) return order
  }
  return a.keySize - b.keySize || right.run - left.run
}
