/**
 * `icecore archive list`: the records of a type, in the order of their key or of an index.
 */
import { RecordReader, type RecordType } from "@icecore/engine"
import { Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import type { CliCommand } from "../../CliServices.ts"
import { jsonFlag } from "../../CommonFlags.ts"
import * as FieldFilter from "../../records/FieldFilter.ts"
import * as RecordArguments from "../../records/RecordArguments.ts"
import { limitsFlag, ndjsonFlag, sourceArgument, syncFlag, typeArgument } from "../../records/RecordFlags.ts"
import * as RecordListing from "../../records/RecordListing.ts"
import * as RecordServices from "../../records/RecordServices.ts"
import * as RecordSource from "../../records/RecordSource.ts"
import * as RecordTable from "../../records/RecordTable.ts"

/** Records of a table when no limit is set: enough to look at. */
const tableLimit = 100

/** Records that are read at once of a type with bytes, each of which may have 16 MiB of them. */
const largePageSize = 100

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
  Flag.withDescription(
    `Records that are read at once, 1 to ${RecordReader.maxPageSize}, the default (of types with bytes ${largePageSize})`
  ),
  Flag.optional
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
    "max-decoded-size": limitsFlag,
    json: jsonFlag,
    ndjson: ndjsonFlag
  },
  Effect.fnUntraced(
    function* (input) {
      const asked = yield* Effect.transposeOption(
        Option.map(input["page-size"], (value) => wholeNumber("--page-size", value, RecordReader.maxPageSize))
      )
      const limit = yield* Option.match(input.limit, {
        onNone: () => Effect.succeed(input.json || input.ndjson ? Number.POSITIVE_INFINITY : tableLimit),
        onSome: (value) => wholeNumber("--limit", value, Number.MAX_SAFE_INTEGER)
      })
      const { reader } = yield* RecordSource.open(input.source, input["max-decoded-size"])
      const type = yield* RecordArguments.chooseType(reader.types, input.type)
      const index = yield* RecordArguments.chooseIndex(type, input.index)
      const prefix = yield* Effect.transposeOption(
        Option.map(input.prefix, (text) => RecordArguments.parsePrefix(type, index, text))
      )
      const filter = yield* FieldFilter.parse(type, input.where)
      const fields = yield* RecordTable.parseFields(type, input.fields)
      const run = yield* RecordArguments.chooseSync(reader, input.sync)
      const pages: RecordListing.Pages = {
        limit,
        pageSize: Option.getOrElse(asked, () => defaultPageSize(type)),
        pageToken: input["page-token"],
        next: (size, token) =>
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
      if (input.json) return yield* RecordListing.printJson(pages, type, run.sync_id)
      if (input.ndjson) return yield* RecordListing.printLines(pages, type)
      yield* RecordListing.printTable(pages, type, { fields, wide: input.wide, types: reader.types })
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

const defaultPageSize = ({ shape }: RecordType.Any): number =>
  shape.fields.some((field) => field.shape.kind === "bytes") ? largePageSize : RecordReader.maxPageSize

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
