/** One call of `list`: its options checked, its token read, its page and the next token. */
import { Ksuid } from "@icecore/codec"
import { Effect, Option, Result } from "effect"
import type { TypeLayout } from "../../../format/RecordLayout.ts"
import { RecordMisuse } from "../../../RecordError.ts"
import {
  defaultScanLimit,
  InvalidPageToken,
  type ListOptions,
  maxPageBytes,
  maxPageSize,
  type Page,
  type RecordListError
} from "../../../RecordReader.ts"
import type * as RecordType from "../../../RecordType.ts"
import type { SyncId } from "../../../SyncRun.ts"
import { nextAfter, readPage } from "./Listing.ts"
import { type ListQuery, type ListQueryOptions, makeQuery } from "./ListQuery.ts"
import * as PageToken from "./PageToken.ts"
import { type StoreView, syncView } from "./ReadView.ts"

/** The options of a listing of any type. */
export type AnyListOptions = ListOptions<RecordType.Any>

export const listPage: (
  view: StoreView,
  type: RecordType.Any,
  options: AnyListOptions
) => Effect.Effect<Page<unknown>, RecordListError> = Effect.fnUntraced(function* (view, type, options) {
  const { path } = view
  const { filter, pageSize = maxPageSize, scanLimit = defaultScanLimit } = options
  yield* checkCount(path, { name: "page size", value: pageSize, limit: maxPageSize })
  yield* checkCount(path, { name: "scan limit", value: scanLimit, limit: Number.MAX_SAFE_INTEGER })
  const query = yield* checkedQuery(path, yield* view.types.layoutFor(type), options)
  const token = options.pageToken === undefined ? undefined : yield* readToken(path, options.pageToken)
  const moment = yield* syncView(view, options.sync ?? token?.sync)
  const listed: PageToken.Listed = {
    typeTag: query.layout.tag,
    indexTag: query.indexTag,
    sync: moment.sync,
    isDefaultSync: options.sync === undefined,
    prefix: query.prefix
  }
  const mismatch = token === undefined ? undefined : PageToken.mismatch(token.token, listed)
  if (mismatch !== undefined) return yield* new InvalidPageToken({ path, detail: mismatch })
  const page = yield* readPage(moment, query, {
    filter,
    pageSize,
    scanLimit,
    maxBytes: maxPageBytes,
    after: token?.token.lastKey
  })
  return {
    items: page.items,
    nextPageToken: Option.map(nextAfter(page), (lastKey) => PageToken.encode(listed, lastKey)),
    orphanCount: page.orphanCount,
    scannedCount: page.scannedCount
  }
})

/** The checked query of a listing or a stream. */
export const checkedQuery = (
  path: string,
  layout: TypeLayout,
  options: ListQueryOptions
): Effect.Effect<ListQuery, RecordMisuse> => {
  const query = makeQuery(layout, options)
  return Result.isFailure(query)
    ? Effect.fail(new RecordMisuse({ path, detail: query.failure }))
    : Effect.succeed(query.success)
}

/** A token, and the sync that it names. */
interface ReadToken {
  readonly token: PageToken.PageToken
  readonly sync: SyncId
}

const readToken = (path: string, text: string): Effect.Effect<ReadToken, InvalidPageToken> => {
  const token = PageToken.decode(text)
  if (Result.isFailure(token)) return Effect.fail(new InvalidPageToken({ path, detail: token.failure }))
  const sync = Ksuid.fromBytes(token.success.sync)
  return Result.isFailure(sync)
    ? Effect.fail(new InvalidPageToken({ path, detail: "names no sync" }))
    : Effect.succeed({ token: token.success, sync: sync.success })
}

interface CheckedCount {
  readonly name: string
  readonly value: number
  /** Inclusive. */
  readonly limit: number
}

/** Refuses a number out of bounds. */
export const checkCount = (path: string, { limit, name, value }: CheckedCount): Effect.Effect<void, RecordMisuse> =>
  Number.isSafeInteger(value) && value >= 1 && value <= limit
    ? Effect.void
    : Effect.fail(
        new RecordMisuse({ path, detail: `the ${name} is ${value}, expected a whole number from 1 to ${limit}` })
      )
