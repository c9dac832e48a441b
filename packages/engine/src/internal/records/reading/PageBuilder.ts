/** One page in the making: rows go in one after the other until it is full or has looked at as many as it may. */
import type { TypeLayout } from "../../../format/RecordLayout.ts"

/** What is being collected, changed in place. */
export interface PageBuilder {
  readonly layout: TypeLayout
  readonly filter: ((record: unknown) => boolean) | undefined
  readonly pageSize: number
  readonly scanLimit: number
  /** Bytes of stored records with which the page is full, whatever is missing. */
  readonly maxBytes: number
  readonly items: Array<unknown>
  /** Of the records in `items`, as they are stored. */
  bytes: number
  scannedCount: number
  orphanCount: number
  /** Of the last row looked at; undefined while there is none. */
  lastKey: Uint8Array | undefined
  /** There is nothing behind the last row looked at. */
  isEnd: boolean
}

export interface PageBuilderOptions {
  readonly layout: TypeLayout
  readonly filter: ((record: unknown) => boolean) | undefined
  readonly pageSize: number
  readonly scanLimit: number
  readonly maxBytes: number
  /** Of the last row of the page before. */
  readonly after: Uint8Array | undefined
}

export const makeBuilder = ({ after, ...options }: PageBuilderOptions): PageBuilder => ({
  ...options,
  items: [],
  bytes: 0,
  scannedCount: 0,
  orphanCount: 0,
  lastKey: after,
  isEnd: false
})

export const isFull = (builder: PageBuilder): boolean =>
  builder.items.length >= builder.pageSize ||
  builder.scannedCount >= builder.scanLimit ||
  builder.bytes >= builder.maxBytes

export const isDone = (builder: PageBuilder): boolean => builder.isEnd || isFull(builder)

/** Takes a record whose turn it is, of so many bytes, if the filter does. */
export const take = (builder: PageBuilder, record: unknown, sizeBytes: number): void => {
  if (builder.filter !== undefined && !builder.filter(record)) return
  builder.items.push(record)
  builder.bytes += sizeBytes
}

/** Rows of the first read of a page with a filter at least: most of them will be refused. */
const leastFilteredRowCount = 64

/** Rows of one read at most. */
export const maxReadRowCount = 10_000

/**
 * Rows to read next: as many as are missing, and with a filter, which may refuse any number, twice as many as were looked at so
 * far.
 */
export const nextRowCount = (builder: PageBuilder): number => {
  const missing = builder.pageSize - builder.items.length
  const wanted =
    builder.filter === undefined ? missing : Math.max(missing, leastFilteredRowCount, 2 * builder.scannedCount)
  return Math.min(wanted, maxReadRowCount, builder.scanLimit - builder.scannedCount)
}
