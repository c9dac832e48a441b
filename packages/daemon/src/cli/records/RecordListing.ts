/**
 * Listings on standard output: a table, one JSON object, or a line of JSON for each record. They are written as they are read, so that
 * one of any length needs the memory of a page.
 */
import { RecordNdjson, type RecordReader, type RecordType } from "@icecore/engine"
import { Effect, Option, type PlatformError, type Stdio } from "effect"
import * as Output from "../Output.ts"
import type * as RecordArguments from "./RecordArguments.ts"
import * as RecordTable from "./RecordTable.ts"

type Page = RecordReader.Page<object>

/** What listing can fail with. */
export type ListError = RecordReader.RecordListError | RecordArguments.RecordArgumentInvalid

/** What is listed, and how much of it. */
export interface Pages {
  readonly limit: number
  readonly pageSize: number
  readonly pageToken: Option.Option<string>
  readonly next: (pageSize: number, pageToken: Option.Option<string>) => Effect.Effect<Page, ListError>
}

/** A listing on standard output. */
type Printed = Effect.Effect<void, ListError | PlatformError.PlatformError, Stdio.Stdio>

/** What a listing came to. */
interface Listed {
  readonly count: number
  readonly nextPageToken: Option.Option<string>
  readonly orphanCount: number
}

/** Reads page after page up to the limit. A page is never larger than what is still wanted, so that its token goes on behind it. */
const forEachPage: <E, R>(
  pages: Pages,
  use: (records: ReadonlyArray<object>) => Effect.Effect<void, E, R>
) => Effect.Effect<Listed, E | ListError, R> = Effect.fnUntraced(function* (pages, use) {
  let token = pages.pageToken
  let count = 0
  let orphanCount = 0
  do {
    const page = yield* pages.next(Math.min(pages.pageSize, pages.limit - count), token)
    count += page.items.length
    orphanCount += page.orphanCount
    token = page.nextPageToken
    if (page.items.length > 0) yield* use(page.items)
  } while (Option.isSome(token) && count < pages.limit)
  return { count, nextPageToken: token, orphanCount }
})

/** One object, written as it is read: a listing of any length needs the memory of a page. */
export const printJson: (pages: Pages, type: RecordType.Any, sync: string) => Printed = Effect.fnUntraced(
  function* (pages, type, sync) {
    yield* Output.write(`${JSON.stringify({ type: type.name, sync }).slice(0, -1)},"records":[`)
    let isFirst = true
    const { count, nextPageToken, orphanCount } = yield* forEachPage(pages, (records) => {
      const text = records.map((record) => JSON.stringify(RecordNdjson.toJson(type, record))).join(",")
      const separator = isFirst ? "" : ","
      isFirst = false
      return Output.write(separator + text)
    })
    const end = { count, nextPageToken: Option.getOrNull(nextPageToken), orphanCount }
    yield* Output.write(`],${JSON.stringify(end).slice(1)}\n`)
  }
)

/** A line of JSON for each record. */
export const printLines: (pages: Pages, type: RecordType.Any) => Printed = Effect.fnUntraced(function* (pages, type) {
  const listed = yield* forEachPage(pages, (records) =>
    Output.write(records.map((record) => `${JSON.stringify(RecordNdjson.toJson(type, record))}\n`).join(""))
  )
  yield* note(listed)
})

/** A table with the columns that the first page needs. */
export const printTable: (pages: Pages, type: RecordType.Any, options: RecordTable.Options) => Printed =
  Effect.fnUntraced(function* (pages, type, options) {
    let table: RecordTable.RecordTable | undefined
    const listed = yield* forEachPage(pages, (records) => {
      const isFirst = table === undefined
      table ??= RecordTable.make(type, records, options)
      const lines = [...(isFirst ? [table.header] : []), ...records.map(table.row)]
      return Output.write(lines.map((line) => `${line}\n`).join(""))
    })
    if (table === undefined) yield* Output.writeLine(RecordTable.make(type, [], options).header)
    yield* note(listed)
  })

/** Says on standard error what standard output does not show. */
const note = Effect.fnUntraced(function* ({ count, nextPageToken, orphanCount }: Listed) {
  if (Option.isSome(nextPageToken))
    yield* Output.writeError(
      `Stopped after ${Output.formatCount(count)} records; there may be more: --page-token=${nextPageToken.value}\n`
    )
  if (orphanCount > 0)
    yield* Output.writeError(
      `Passed over ${Output.formatCount(orphanCount)} index entries without a record: see icecore archive verify\n`
    )
})
