/**
 * `icecore archive export`: syncs as lines of JSON, or a whole store as an archive.
 */
import { Archive, RecordExport, type RecordReader, type SyncRun } from "@icecore/engine"
import { Effect, Option, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import { version } from "../../../Version.ts"
import type { CliCommand } from "../../CliServices.ts"
import * as Output from "../../Output.ts"
import * as OutputFile from "../../OutputFile.ts"
import * as RecordArguments from "../../records/RecordArguments.ts"
import { limitsFlag, sourceArgument, syncsFlag, typesFlag } from "../../records/RecordFlags.ts"
import * as RecordProgress from "../../records/RecordProgress.ts"
import * as RecordServices from "../../records/RecordServices.ts"
import * as RecordSource from "../../records/RecordSource.ts"

const asFlag = Flag.Literals("as", ["ndjson", "pack", "tar", "tar+zstd"]).pipe(
  Flag.withDescription("ndjson, or an archive: pack, tar, tar+zstd (default ndjson)"),
  Flag.withDefault("ndjson" as const)
)

const outFlag = Flag.String("out").pipe(
  Flag.withDescription("The file to write; it gets its name when it is whole (default: standard output, for ndjson)"),
  Flag.withMetavar("FILE"),
  Flag.optional
)

const overwriteFlag = Flag.Boolean("overwrite").pipe(
  Flag.withDescription("Replace the file that is there, once the new one is whole"),
  Flag.withDefault(false)
)

const allSyncsFlag = Flag.Boolean("all-syncs").pipe(
  Flag.withDescription(
    "Every sync, also those that have not ended (default: ndjson the one that ended last; archives all)"
  ),
  Flag.withDefault(false)
)

interface ExportInput {
  readonly source: string
  readonly type: ReadonlyArray<string>
  readonly sync: ReadonlyArray<string>
  readonly "all-syncs": boolean
  readonly as: "ndjson" | Archive.ArchiveEncoding
  readonly out: Option.Option<string>
  readonly overwrite: boolean
  readonly "max-decoded-size": Archive.ArchiveLimits
}

export const archiveExportCommand: CliCommand<"export"> = Command.make(
  "export",
  {
    source: sourceArgument,
    type: typesFlag,
    sync: syncsFlag,
    "all-syncs": allSyncsFlag,
    as: asFlag,
    out: outFlag,
    overwrite: overwriteFlag,
    "max-decoded-size": limitsFlag
  },
  Effect.fnUntraced(
    function* (input: ExportInput) {
      const opened = yield* check(input).pipe(
        Effect.andThen(RecordSource.open(input.source, input["max-decoded-size"]))
      )
      yield* input.as === "ndjson" ? exportLines(opened, input) : exportArchive(opened, input, input.as)
    },
    Effect.scoped,
    Effect.provide(RecordServices.layer)
  )
).pipe(
  Command.withDescription("Write syncs as lines of JSON, or all of a store as an archive"),
  Command.withExamples([
    { command: "icecore archive export sync.c1z > sync.ndjson", description: "The sync that ended last" },
    { command: "icecore archive export store --as=pack --out=store.icearch", description: "A store in one file" },
    {
      command: "icecore archive export store --type=Grant --out=grants.ndjson",
      description: "The records of one type"
    }
  ])
)

const invalid = (argument: string, detail: string): Effect.Effect<never, RecordArguments.RecordArgumentInvalid> =>
  Effect.fail(new RecordArguments.RecordArgumentInvalid({ argument, detail }))

const check = (input: ExportInput): Effect.Effect<void, RecordArguments.RecordArgumentInvalid> => {
  if (input["all-syncs"] && input.sync.length > 0) return invalid("--all-syncs", "it does not go with --sync")
  if (input.as === "ndjson") return Effect.void
  if (Option.isNone(input.out)) return invalid(`--as=${input.as}`, "an archive needs --out=FILE")
  if (input.type.length > 0) return invalid("--type", "an archive has all types; it goes with --as=ndjson")
  if (input.as !== "pack" && input.sync.length > 0)
    return invalid("--sync", `${input.as} holds the whole database; it goes with --as=pack and --as=ndjson`)
  return Effect.void
}

const exportLines = Effect.fnUntraced(function* ({ reader }: RecordSource.RecordSource, input: ExportInput) {
  const types = yield* Effect.forEach(input.type, (name) => RecordArguments.chooseType(reader.types, name))
  const runs = yield* runsOf(reader, input)
  let records = 0
  const bytes = RecordExport.chunks(reader, {
    syncs: runs.map(({ sync_id: id }) => id),
    ...(types.length > 0 ? { types: [...new Set(types)] } : {})
  }).pipe(
    Stream.map((chunk) => {
      records += chunk.recordCount
      return chunk.bytes
    })
  )
  const { out, overwrite } = input
  const count = () => records
  yield* Option.isNone(out)
    ? RecordProgress.during(Output.writeAll(bytes), count)
    : RecordProgress.during(OutputFile.write(out.value, bytes, { overwrite }), count)
})

const runsOf = (reader: RecordReader.RecordReader, input: ExportInput) => {
  if (input["all-syncs"]) return reader.listSyncs
  if (input.sync.length > 0) return RecordArguments.chooseSyncs(reader, input.sync)
  return Effect.map(RecordArguments.chooseSync(reader, Option.none()), (run): ReadonlyArray<SyncRun.SyncRun> => [run])
}

const exportArchive = Effect.fnUntraced(function* (
  { reader, source }: RecordSource.RecordSource,
  input: ExportInput,
  encoding: Archive.ArchiveEncoding
) {
  const runs = yield* RecordArguments.chooseSyncs(reader, input.sync)
  const path = Option.getOrThrow(input.out)
  const saved = Archive.save({
    source,
    path,
    encoding,
    overwrite: input.overwrite,
    creator: `icecore ${version}`,
    ...(runs.length > 0 ? { syncs: runs.map(({ sync_id: id }) => id) } : {})
  })
  const { manifest, sizeBytes } = yield* RecordProgress.whileDoing("Saving", saved)
  const count = manifest.syncs.flatMap(({ counts }) => Object.values(counts)).reduce((sum, each) => sum + each, 0)
  // The records of a sync that has not ended are counted by nobody yet.
  const finishedCount = manifest.syncs.filter(({ ended_at: ended }) => ended !== undefined).length
  const unfinishedCount = manifest.syncs.length - finishedCount
  const unfinished = unfinishedCount === 0 ? "" : `, and all there is of ${syncsText(unfinishedCount)} without an end,`
  yield* Output.writeLine(
    `Saved ${Output.formatCount(count)} records of ${syncsText(finishedCount)}${unfinished} ` +
      `to ${path}: ${encoding}, ${Output.formatBytes(sizeBytes)}`
  )
})

const syncsText = (count: number): string => (count === 1 ? "1 sync" : `${Output.formatCount(count)} syncs`)
