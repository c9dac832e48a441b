/**
 * `icecore archive import`: brings syncs into a record store, from lines of JSON, archives and other stores.
 */
import { type Archive, type EngineDetection, RecordImport, type RecordStore, SyncRun } from "@icecore/engine"
import * as Access from "@icecore/engine/access"
import { Data, Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import type { CliCommand } from "../../CliServices.ts"
import { jsonFlag } from "../../CommonFlags.ts"
import * as Output from "../../Output.ts"
import * as ImportSource from "../../records/ImportSource.ts"
import * as RecordArguments from "../../records/RecordArguments.ts"
import { limitsFlag, syncsFlag } from "../../records/RecordFlags.ts"
import * as RecordProgress from "../../records/RecordProgress.ts"
import * as RecordServices from "../../records/RecordServices.ts"
import * as StoreTarget from "../../records/StoreTarget.ts"

/** The store has the sync already. */
class SyncThere extends Data.Error<{ readonly into: string; readonly sync: string; readonly finished: boolean }> {
  readonly _tag = "SyncThere"
  override readonly name = "SyncThere"
  override get message(): string {
    const remedy = this.finished ? "" : ", without an end; --resume goes on with it"
    return `Cannot import sync ${this.sync}: ${this.into} has it already${remedy}`
  }
}

const intoFlag = Flag.String("into").pipe(Flag.withDescription(StoreTarget.intoText), Flag.withMetavar("DIRECTORY"))

const resumeFlag = Flag.Boolean("resume").pipe(
  Flag.withDescription("Go on with a sync that an import left without an end, instead of refusing it"),
  Flag.withDefault(false)
)

const syncTypeFlag = Flag.String("sync-type").pipe(
  Flag.withDescription("What kind of sync records become that come without one (default full)"),
  Flag.withDefault("full")
)

interface ImportInput {
  readonly input: ReadonlyArray<string>
  readonly into: string
  readonly engine: Option.Option<EngineDetection.EngineOnDisk>
  readonly sync: ReadonlyArray<string>
  readonly resume: boolean
  readonly "sync-type": string
  readonly "max-decoded-size": Archive.ArchiveLimits
  readonly json: boolean
}

export const archiveImportCommand: CliCommand<"import"> = Command.make(
  "import",
  {
    input: Argument.String("input").pipe(
      Argument.withDescription('Lines of JSON ("-" is standard input; .gz and .zst are fine), archives, record stores'),
      Argument.variadic({ min: 1 })
    ),
    into: intoFlag,
    engine: StoreTarget.engineFlag,
    sync: syncsFlag,
    resume: resumeFlag,
    "sync-type": syncTypeFlag,
    "max-decoded-size": limitsFlag,
    json: jsonFlag
  },
  Effect.fnUntraced(
    function* (input: ImportInput) {
      const sources = yield* Effect.forEach(input.input, (path) => ImportSource.open(path, input["max-decoded-size"]))
      if (input.sync.length > 0) yield* refuseLines(sources)
      const existing = yield* StoreTarget.existing(input.into)
      const engineName = yield* StoreTarget.chooseEngine(input.into, input.engine, existing)
      const types = yield* typesOf(sources, input.into, existing)
      const { store } = yield* StoreTarget.open({ path: input.into, engineName, types })
      const total = { runCount: 0, recordCount: 0 }
      for (const source of sources) {
        const { recordCount, runCount } = yield* Effect.catchTag(
          importOne(store, source, input),
          "SyncExists",
          ({ sync }) => explain(store, sync as SyncRun.SyncId)
        )
        total.recordCount += recordCount
        total.runCount += runCount
      }
      yield* input.json
        ? Output.writeJson({ into: input.into, engine: engineName, syncs: total.runCount, records: total.recordCount })
        : Output.writeLine(
            `Imported ${Output.formatCount(total.recordCount)} records of ` +
              `${total.runCount === 1 ? "1 sync" : `${Output.formatCount(total.runCount)} syncs`} into ${input.into} (${engineName})`
          )
    },
    Effect.scoped,
    Effect.provide(RecordServices.layer)
  )
).pipe(
  Command.withDescription("Bring syncs into a record store: lines of JSON, archives of any kind, other stores"),
  Command.withExamples([
    { command: "icecore archive import sync.c1z --into store", description: "All syncs of an archive" },
    {
      command: "icecore archive export a | icecore archive import - --into b --engine=lmdb",
      description: "From engine to engine"
    }
  ])
)

const refuseLines = (
  sources: ReadonlyArray<ImportSource.ImportSource>
): Effect.Effect<void, RecordArguments.RecordArgumentInvalid> => {
  const lines = sources.find(({ kind }) => kind === "lines")
  if (lines === undefined) return Effect.void
  const detail = `it goes with archives and stores, and ${lines.path} has lines`
  return Effect.fail(new RecordArguments.RecordArgumentInvalid({ argument: "--sync", detail }))
}

/** All types that the store has and the inputs declare; for lines that declare none, those of identity data, too. */
const typesOf = Effect.fnUntraced(function* (
  sources: ReadonlyArray<ImportSource.ImportSource>,
  into: string,
  existing: Option.Option<StoreTarget.ExistingStore>
) {
  const incoming = sources.map((source) => ({
    path: source.path,
    types: source.kind === "lines" ? source.input.types : source.reader.types
  }))
  const types = yield* StoreTarget.typesWith(into, existing, incoming)
  const hasUndeclared = sources.some((source) => source.kind === "lines" && source.input.types.length === 0)
  if (!hasUndeclared) return types
  const names = new Set(types.map(({ name }) => name))
  return [...types, ...Access.types.filter(({ name }) => !names.has(name))]
})

const explain = Effect.fnUntraced(function* (store: RecordStore.RecordStore, sync: SyncRun.SyncId) {
  const run = yield* store.getSync(sync)
  return yield* new SyncThere({ into: store.path, sync, finished: Option.exists(run, SyncRun.isFinished) })
})

const importOne = Effect.fnUntraced(function* (
  store: RecordStore.RecordStore,
  source: ImportSource.ImportSource,
  input: ImportInput
) {
  let records = 0
  const options = {
    resume: input.resume,
    onProgress: ({ recordCount }: RecordImport.ImportCounts) => {
      records = recordCount
    }
  }
  if (source.kind === "lines") {
    const work = RecordImport.fromLines(store, source.input, { ...options, syncType: input["sync-type"] })
    return yield* RecordProgress.during(work, () => records, source.progress)
  }
  const runs =
    input.sync.length > 0
      ? yield* RecordArguments.chooseSyncs(source.reader, input.sync)
      : yield* source.reader.listSyncs
  const syncs = runs.map(({ sync_id: id }) => id)
  return yield* RecordProgress.during(
    RecordImport.fromReader(store, source.reader, { ...options, syncs }),
    () => records
  )
})
