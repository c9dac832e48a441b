/** Sets of chunks as ascending spans, so that a long history takes a few numbers. */

/** Consecutive chunks, both inclusive. */
export interface ChunkSpan {
  readonly first: number
  last: number
}

/** Adds a chunk that is greater than all that are there. */
export const add = (spans: Array<ChunkSpan>, chunk: number): void => {
  const span = spans.at(-1)
  if (span !== undefined && span.last === chunk - 1) span.last = chunk
  else spans.push({ first: chunk, last: chunk })
}

/** Whether the chunk is in one of the spans, which are ascending and apart. */
export const has = (spans: ReadonlyArray<ChunkSpan>, chunk: number): boolean => {
  let low = 0
  let high = spans.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (spans[middle]!.last < chunk) low = middle + 1
    else high = middle
  }
  const span = spans[low]
  return span !== undefined && span.first <= chunk
}
