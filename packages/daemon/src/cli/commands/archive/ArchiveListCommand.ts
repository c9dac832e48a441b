/**
 * `icecore archive list`: the records of a type, in the order of their key or of an index.
 */
import { RecordNdjson, type RecordReader, type RecordType } from "@icecore/engine"
import { Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import type { CliCommand } from "../../CliServices.ts"
import { jsonFlag } from "../../CommonFlags.ts"
import * as Output from "../../Output.ts"
import * as FieldFilter from "../../records/FieldFilter.ts"
import * as RecordArguments from "../../records/RecordArguments.ts"
import { ndjsonFlag, sourceArgument, syncFlag, typeArgument } from "../../records/RecordFlags.ts"
import * as RecordServices from "../../records/RecordServices.ts"
import * as RecordSource from "../../records/RecordSource.ts"
import * as RecordTable from "../../records/RecordTable.ts"

/** Records of a table when no limit is set: enough to look at. */
const tableLimit = 100

/** Records that are read at once when no page size is set. */
const defaultPageSize = 1_000

/** Most records of a page. */
const maxPageSize = 10_000

const indexFlag = Flag.String("index").pipe(
  Flag.withDescription("List in the order of this index, and only what it has"),
  Flag.withMetavar("NAME"),
  Flag.optional
)

const prefixFlag = Flag.String("prefix").pipe(
  Flag.withDescription(
    "Only records with these values in the leading parts of the index, or of the key: a,b (\\, is a comma)"
  ),
  Flag.withMetavar("PARTS"),
  Flag.optional
)

const whereFlag = Flag.String("where").pipe(
  Flag.withDescription(
    "Only records with this value in a field, or with another one (!=); may be given more than once"
  ),
  Flag.withMetavar("PATH=VALUE"),
  Flag.atLeast(0)
)

const limitFlag = Flag.Int("limit").pipe(
  Flag.withDescription(`Records at most (default: ${tableLimit} as a table, all as JSON)`),
  Flag.optional
)

const pageSizeFlag = Flag.Int("page-size").pipe(
  Flag.withDescription(`Records that are read at once, 1 to ${maxPageSize} (default ${defaultPageSize})`),
  Flag.withDefault(defaultPageSize)
)

const pageTokenFlag = Flag.String("page-token").pipe(
  Flag.withDescription("Go on where an earlier listing of the same type, index, prefix and sync stopped"),
  Flag.withMetavar("TOKEN"),
  Flag.optional
)

const fieldsFlag = Flag.String("fields").pipe(
  Flag.withDescription("Columns of the table: a,b (default: every field that a record of the first page has)"),
  Flag.withMetavar("NAMES"),
  Flag.withDefault("")
)

const wideFlag = Flag.Boolean("wide").pipe(
  Flag.withDescription("Show values in all their length"),
  Flag.withDefault(false)
)

export const archiveListCommand: CliCommand<"list"> = Command.make(
  "list",
  {
    source: sourceArgument,
    type: typeArgument,
    index: indexFlag,
    prefix: prefixFlag,
    where: whereFlag,
    sync: syncFlag,
    limit: limitFlag,
    "page-size": pageSizeFlag,
    "page-token": pageTokenFlag,
    fields: fieldsFlag,
    wide: wideFlag,
    json: jsonFlag,
    ndjson: ndjsonFlag
  },
  Effect.fnUntraced(
    function* (input) {
      const pageSize = yield* wholeNumber("--page-size", input["page-size"], maxPageSize)
      const limit = yield* Option.match(input.limit, {
        onNone: () => Effect.succeed(input.json || input.ndjson ? Number.POSITIVE_INFINITY : tableLimit),
        onSome: (value) => wholeNumber("--limit", value, Number.MAX_SAFE_INTEGER)
      })
      const { reader } = yield* RecordSource.open(input.source)
      const type = yield* RecordArguments.chooseType(reader.types, input.type)
      const index = yield* RecordArguments.chooseIndex(type, input.index)
      const prefix = yield* Effect.transposeOption(
        Option.map(input.prefix, (text) => RecordArguments.parsePrefix(type, index, text))
      )
      const filter = yield* FieldFilter.parse(type, input.where)
      const fields = yield* RecordTable.parseFields(type, input.fields)
      const run = yield* RecordArguments.chooseSync(reader, input.sync)
      const pages = {
        limit,
        pageSize,
        pageToken: input["page-token"],
        next: (size: number, token: Option.Option<string>) =>
          Effect.mapError(
            reader.list(type, {
              sync: run.sync_id,
              pageSize: size,
              ...(Option.isSome(index) ? { index: index.value } : {}),
              ...(Option.isSome(prefix) ? { prefix: prefix.value } : {}),
              ...(input.where.length > 0 ? { filter } : {}),
              ...(Option.isSome(token) ? { pageToken: token.value } : {})
            }),
            (error) =>
              error._tag === "InvalidPageToken"
                ? new RecordArguments.RecordArgumentInvalid({ argument: "--page-token", detail: `it ${error.detail}` })
                : error
          )
      }
      if (input.json) return yield* printJson(pages, type, run.sync_id)
      if (input.ndjson) return yield* printLines(pages, type)
      yield* printTable(pages, type, { fields, wide: input.wide })
    },
    Effect.scoped,
    Effect.provide(RecordServices.layer)
  )
).pipe(
  Command.withDescription("List the records of a type"),
  Command.withExamples([
    { command: "icecore archive list sync.c1z Grant", description: "The first hundred, as a table" },
    {
      command: "icecore archive list store Grant --index=by_principal --prefix=user,42 --ndjson",
      description: "All grants of one principal, a line of JSON each"
    },
    { command: "icecore archive list store Resource --where=traits=user --limit=10", description: "By their fields" }
  ])
)

const wholeNumber = (
  flag: string,
  value: number,
  maximum: number
): Effect.Effect<number, RecordArguments.RecordArgumentInvalid> =>
  value >= 1 && value <= maximum
    ? Effect.succeed(value)
    : Effect.fail(
        new RecordArguments.RecordArgumentInvalid({
          argument: `${flag}=${value}`,
          detail: `expected a whole number from 1${maximum === Number.MAX_SAFE_INTEGER ? "" : ` to ${maximum}`}`
        })
      )

type Page = RecordReader.Page<object>

type ListError = RecordReader.RecordListError | RecordArguments.RecordArgumentInvalid

interface Pages {
  readonly limit: number
  readonly pageSize: number
  readonly pageToken: Option.Option<string>
  readonly next: (pageSize: number, pageToken: Option.Option<string>) => Effect.Effect<Page, ListError>
}

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
const printJson = Effect.fnUntraced(function* (pages: Pages, type: RecordType.Any, sync: string) {
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
})

const printLines = Effect.fnUntraced(function* (pages: Pages, type: RecordType.Any) {
  const listed = yield* forEachPage(pages, (records) =>
    Output.write(records.map((record) => `${JSON.stringify(RecordNdjson.toJson(type, record))}\n`).join(""))
  )
  yield* note(listed)
})

const printTable = Effect.fnUntraced(function* (
  pages: Pages,
  type: RecordType.Any,
  options: Parameters<typeof RecordTable.make>[2]
) {
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
