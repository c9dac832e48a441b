/**
 * Where a command puts a sync that it makes: into a record store, or into an archive of its own.
 */
import type { CompactBaseFailed } from "@icecore/compactor"
import type { Archive, ArchiveExists, EngineDetection, RecordStore, RecordType, TypeUnion } from "@icecore/engine"
import type { Disk, DiskError } from "@icecore/packfile"
import { Effect, type FileSystem, Option, type Scope, type Stdio, type Terminal } from "effect"
import { Flag } from "effect/cli"
import * as RecordArguments from "./RecordArguments.ts"
import type { RecordServices } from "./RecordServices.ts"
import * as StoreTarget from "./StoreTarget.ts"
import * as WorkingStore from "./WorkingStore.ts"

const intoFlag = Flag.String("into").pipe(
  Flag.withDescription(StoreTarget.intoText),
  Flag.withMetavar("DIRECTORY"),
  Flag.optional
)

/** The flags that say where. */
export const flags: { readonly [F in keyof ResultInput]: Flag.Flag<ResultInput[F]> } = {
  into: intoFlag,
  engine: StoreTarget.engineFlag,
  output: WorkingStore.outputFlag,
  encoding: WorkingStore.encodingFlag,
  overwrite: WorkingStore.overwriteFlag
}

/** What the flags say. */
export interface ResultInput {
  readonly into: Option.Option<string>
  readonly engine: Option.Option<EngineDetection.EngineOnDisk>
  readonly output: Option.Option<string>
  readonly encoding: Option.Option<Archive.ArchiveEncoding>
  readonly overwrite: boolean
}

/** A place that has been looked at, and in which nothing is open. */
export interface ResultPlace {
  /** What was asked for, for messages. */
  readonly path: string
  readonly engineName: EngineDetection.EngineOnDisk
  readonly existing: Option.Option<StoreTarget.ExistingStore>
  /** The archive that it becomes. */
  readonly output: Option.Option<WorkingStore.SaveOptions>
}

const invalid = (argument: string, detail: string): Effect.Effect<never, RecordArguments.RecordArgumentInvalid> =>
  Effect.fail(new RecordArguments.RecordArgumentInvalid({ argument, detail }))

/** Looks at the place; none where none is named. A file that is there, and may not be replaced, is refused. */
export const find: (
  input: ResultInput
) => Effect.Effect<
  Option.Option<ResultPlace>,
  | RecordArguments.RecordArgumentInvalid
  | ArchiveExists
  | WorkingStore.OutputUnusable
  | DiskError
  | Effect.Error<ReturnType<typeof StoreTarget.existing>>,
  Disk
> = Effect.fnUntraced(function* (input) {
  const { encoding, engine, into, output, overwrite } = input
  if (Option.isSome(into) && Option.isSome(output)) return yield* invalid("--output", "it does not go with --into")
  if (Option.isNone(output) && Option.isSome(encoding))
    return yield* invalid(`--encoding=${encoding.value}`, "it goes with --output")
  if (Option.isSome(output)) {
    yield* WorkingStore.checkOutput(output.value, overwrite)
    return Option.some({
      path: output.value,
      engineName: Option.getOrElse(engine, () => "sqlite" as const),
      existing: Option.none(),
      output: Option.some({
        path: output.value,
        encoding: Option.getOrElse(encoding, () => "pack" as const),
        overwrite
      })
    })
  }
  if (Option.isNone(into)) return Option.none()
  const existing = yield* StoreTarget.existing(into.value)
  const engineName = yield* StoreTarget.chooseEngine(into.value, engine, existing)
  return Option.some({ path: into.value, engineName, existing, output: Option.none() })
})

/** The types that the place has, and those that come into it. */
export const typesWith = (
  { existing, path }: ResultPlace,
  incoming: ReadonlyArray<TypeUnion.TypeSource>
): Effect.Effect<ReadonlyArray<RecordType.Any>, TypeUnion.TypesContradict> =>
  StoreTarget.typesWith(path, existing, incoming)

/** From so many sources on, the store that they go into has less memory: they take theirs. */
const manySourceCount = 16

/** PERF: 64 stores on SQLite of 20,000 grants, merged: 20 MB less than with the defaults, in no more time. */
const littleMemory = { arenaBytes: 2 * 1024 * 1024, cacheSizeBytes: 2 * 1024 * 1024 }

/** Opens the store at the place, or one that becomes the archive, for the scope. */
export const open: (
  place: ResultPlace,
  types: ReadonlyArray<RecordType.Any>,
  sourceCount: number
) => Effect.Effect<
  StoreTarget.StoreTarget,
  RecordStore.RecordOpenError | WorkingStore.OutputUnusable,
  Disk | FileSystem.FileSystem | Scope.Scope
> = Effect.fnUntraced(function* ({ engineName, output, path }, types, sourceCount) {
  const directory = Option.isNone(output) ? path : yield* WorkingStore.directoryBeside(output.value.path)
  const memory = sourceCount < manySourceCount ? {} : littleMemory
  return yield* StoreTarget.open({ path: directory, engineName, types, memory })
})

/** What filled the store says, and what was saved. */
export interface Finished<A> {
  readonly report: A
  readonly saved: Option.Option<WorkingStore.Saved>
}

/** Does what fills the store, and saves the archive that it becomes. Failures name the place. */
export const finish = <A, E, R>(
  { output, path }: ResultPlace,
  target: StoreTarget.StoreTarget,
  work: Effect.Effect<A, E, R>
): Effect.Effect<
  Finished<A>,
  E | CompactBaseFailed | Archive.SaveError,
  R | RecordServices | Stdio.Stdio | Terminal.Terminal
> =>
  Effect.gen(function* () {
    const report = yield* WorkingStore.naming(path, work)
    const saved = yield* Effect.transposeOption(Option.map(output, (options) => WorkingStore.save(target, options)))
    return { report, saved }
  })
