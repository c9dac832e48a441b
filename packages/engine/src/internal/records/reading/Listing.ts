/** Pages and streams of records: a checked query, read in a view. */
import { Effect, Option, Stream } from "effect"
import { headerSizeBytes } from "../../../format/RecordLayout.ts"
import type { RecordCorrupt } from "../../../RecordError.ts"
import type { BlockReadError } from "../blocks/BlockReads.ts"
import { readBehindRows } from "./BehindRows.ts"
import { readIndexRows } from "./IndexRows.ts"
import { type ListQuery, rowsOf, withoutEntries } from "./ListQuery.ts"
import { isDone, makeBuilder, type PageBuilder } from "./PageBuilder.ts"
import { readPrimaryRows, readWholeKey } from "./PrimaryRows.ts"
import type { SyncView } from "./ReadView.ts"

/** What listing can fail with, once its query is checked. */
export type ListingError = BlockReadError | RecordCorrupt

/** How much of a listing to read. */
export interface PageLimits {
  readonly filter: ((record: unknown) => boolean) | undefined
  readonly pageSize: number
  readonly scanLimit: number
  /** Bytes of stored records with which a page ends, from 1: those of the last one may go over it. */
  readonly maxBytes: number
  /** The tuple behind which to go on. */
  readonly after: Uint8Array | undefined
}

/** One page. */
export const readPage: (
  view: SyncView,
  query: ListQuery,
  limits: PageLimits
) => Effect.Effect<PageBuilder, ListingError> = Effect.fnUntraced(function* (view, query, { after, ...limits }) {
  const actual = view.book.indexes === "complete" ? query : withoutEntries(query)
  const { header } = rowsOf(actual, view.sync)
  const builder = makeBuilder({
    ...limits,
    layout: query.layout,
    after: after === undefined ? undefined : joined(header, after)
  })
  const prefix = joined(header, query.prefix)
  builder.isEnd = query.isEmpty
  while (!isDone(builder)) yield* readRows(view, actual, builder, prefix)
  return builder
})

const readRows = (
  view: SyncView,
  query: ListQuery,
  builder: PageBuilder,
  prefix: Uint8Array
): Effect.Effect<void, ListingError> => {
  const { access } = query
  switch (access._tag) {
    case "Primary":
      return query.isWhole ? readWholeKey(view, builder, prefix) : readPrimaryRows(view, builder, prefix)
    case "Index":
      return readIndexRows({ view, index: access.index, prefix }, builder)
    case "Records":
      return readBehindRows({ view, index: access.index, prefix }, builder)
  }
}

/** Where a listing goes on behind a page: the tuple of the last row looked at. */
export const nextAfter = (builder: PageBuilder): Option.Option<Uint8Array> =>
  builder.isEnd || builder.lastKey === undefined
    ? Option.none()
    : Option.some(builder.lastKey.subarray(headerSizeBytes))

/** Rows of one step of a stream; of one over records that have to be read anew for each step many more. */
const streamPageSize = 1_000
const behindPageSize = 50_000

/** Bytes of stored records that end a step, at most: decoded ones take some times that. */
export const maxBatchBytes: number = 8 * 1024 * 1024

/** What of the records of a query to give, and how many in one step. */
export interface StreamLimits {
  readonly filter: ((record: unknown) => boolean) | undefined
  readonly batchSize: number | undefined
  readonly batchBytes: number | undefined
}

/** All records of a query, in the view. */
export const streamRecords = (
  view: SyncView,
  query: ListQuery,
  { batchBytes = maxBatchBytes, batchSize = streamPageSize, filter }: StreamLimits
): Stream.Stream<unknown, ListingError> => {
  const isBehind = view.book.indexes === "behind" && query.access._tag === "Index"
  const pageSize = isBehind || query.access._tag === "Records" ? behindPageSize : batchSize
  return Stream.paginate(undefined as Uint8Array | undefined, (after) =>
    Effect.map(
      readPage(view, query, { filter, pageSize, scanLimit: Number.MAX_SAFE_INTEGER, maxBytes: batchBytes, after }),
      (builder) => [builder.items, nextAfter(builder)] as const
    )
  )
}

const joined = (header: Uint8Array, tuple: Uint8Array): Uint8Array => {
  const key = new Uint8Array(header.length + tuple.length)
  key.set(header)
  key.set(tuple, header.length)
  return key
}
