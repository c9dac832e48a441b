/** Comparing entries byte by byte. */
import type { Entry } from "../Entry.ts"
import type { SourceBatch } from "../Source.ts"

/** Whether there is another entry, with the same bytes. */
export const isEqual = (left: Uint8Array, right: Uint8Array | undefined): boolean =>
  right !== undefined && Buffer.compare(left, right) === 0

/** The first of these entries, all of which the batch has, that has other bytes there. */
export const findOther = (entries: ReadonlyArray<Entry>, batch: SourceBatch): Entry | undefined =>
  entries.find(({ seq, bytes }) => !isEqual(bytes, batch.entries[seq - batch.firstSeq]))
