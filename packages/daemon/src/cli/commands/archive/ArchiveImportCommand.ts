/**
 * `icecore archive import`: brings syncs into a record store, from lines of JSON, archives and other stores.
 */
import {
  type Archive,
  EngineDetection,
  RecordImport,
  RecordStore,
  RecordType,
  StoreDirectory,
  SyncRun
} from "@icecore/engine"
import * as Access from "@icecore/engine/access"
import { Data, Effect, Layer, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import type { CliCommand } from "../../CliServices.ts"
import { jsonFlag } from "../../CommonFlags.ts"
import * as Output from "../../Output.ts"
import * as ImportSource from "../../records/ImportSource.ts"
import * as RecordArguments from "../../records/RecordArguments.ts"
import { limitsFlag, syncsFlag } from "../../records/RecordFlags.ts"
import * as RecordProgress from "../../records/RecordProgress.ts"
import * as RecordServices from "../../records/RecordServices.ts"

/** Two inputs declare a type of one name differently. */
class TypesContradict extends Data.Error<{ readonly type: string; readonly path: string }> {
  readonly _tag = "TypesContradict"
  override readonly name = "TypesContradict"
  override get message(): string {
    return `Cannot import ${this.path}: it declares record type ${this.type} otherwise than the inputs before it`
  }
}

/** The store has the sync already. */
class SyncThere extends Data.Error<{ readonly into: string; readonly sync: string; readonly finished: boolean }> {
  readonly _tag = "SyncThere"
  override readonly name = "SyncThere"
  override get message(): string {
    const remedy = this.finished ? "" : ", without an end; --resume goes on with it"
    return `Cannot import sync ${this.sync}: ${this.into} has it already${remedy}`
  }
}

/** There is a database and no store: an import that was stopped as it began leaves that, and something else may be it. */
class NotAStore extends Data.Error<{ readonly into: string }> {
  readonly _tag = "NotAStore"
  override readonly name = "NotAStore"
  override get message(): string {
    return `Cannot import into ${this.into}: it has a database that is no record store; if an import was stopped as it began, remove the directory`
  }
}

const intoFlag = Flag.String("into").pipe(
  Flag.withDescription("The directory of the record store; made when it is missing"),
  Flag.withMetavar("DIRECTORY")
)

const engineFlag = Flag.Literals("engine", ["sqlite", "lmdb"]).pipe(
  Flag.withDescription("The engine of a store that is made: sqlite or lmdb (default sqlite)"),
  Flag.optional
)

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
    engine: engineFlag,
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
      const existing = yield* existingStore(input.into)
      const engineName = yield* chooseEngine(input, existing)
      const types = yield* typesOf(sources, existing)
      const engine = yield* Layer.build(RecordServices.lazyEngineLayer(engineName))
      const store = yield* Effect.provideContext(RecordStore.open({ path: input.into, types }), engine)
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

interface ExistingStore {
  readonly engineName: EngineDetection.EngineOnDisk
  readonly types: ReadonlyArray<RecordType.Any>
}

/** What is in the store that is imported into; none where it is made. It is closed again, so that it can be opened for writing. */
const existingStore = Effect.fnUntraced(function* (path: string) {
  const engineName = yield* EngineDetection.detect(path)
  if (Option.isNone(engineName)) return Option.none<ExistingStore>()
  const engine = yield* Layer.build(RecordServices.lazyEngineLayer(engineName.value))
  const { reader } = yield* Effect.provideContext(StoreDirectory.open(path), engine).pipe(
    Effect.catchTag("NotRecordStore", () => new NotAStore({ into: path }))
  )
  return Option.some<ExistingStore>({ engineName: engineName.value, types: reader.types })
}, Effect.scoped)

const chooseEngine = (
  { engine, into }: ImportInput,
  existing: Option.Option<ExistingStore>
): Effect.Effect<EngineDetection.EngineOnDisk, RecordArguments.RecordArgumentInvalid> => {
  if (Option.isNone(existing)) return Effect.succeed(Option.getOrElse(engine, () => "sqlite" as const))
  const { engineName } = existing.value
  if (Option.isNone(engine) || engine.value === engineName) return Effect.succeed(engineName)
  return Effect.fail(
    new RecordArguments.RecordArgumentInvalid({
      argument: `--engine=${engine.value}`,
      detail: `the store in ${into} is on ${engineName}`
    })
  )
}

/** All types that the inputs declare; for lines that declare none, those of the store, and those of identity data. */
const typesOf = Effect.fnUntraced(function* (
  sources: ReadonlyArray<ImportSource.ImportSource>,
  existing: Option.Option<ExistingStore>
) {
  const byName = new Map<string, RecordType.Any>()
  const signature = (type: RecordType.Any): string => JSON.stringify(RecordType.describe(type))
  let hasUndeclared = false
  for (const source of sources) {
    const declared = source.kind === "lines" ? source.input.types : source.reader.types
    hasUndeclared ||= source.kind === "lines" && declared.length === 0
    for (const type of declared) {
      const before = byName.get(type.name)
      if (before !== undefined && signature(before) !== signature(type))
        return yield* new TypesContradict({ type: type.name, path: source.path })
      byName.set(type.name, type)
    }
  }
  const known = hasUndeclared
    ? [...Option.match(existing, { onNone: () => [], onSome: ({ types }) => types }), ...Access.types]
    : []
  for (const type of known) if (!byName.has(type.name)) byName.set(type.name, type)
  return [...byName.values()]
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
