/**
 * The record store that a command writes to: found or made, on its engine, with its own types and those of what comes into it.
 */
import { Source } from "@icecore/compactor"
import { EngineDetection, RecordStore, type RecordType, StoreDirectory, TypeUnion } from "@icecore/engine"
import type { Disk, DiskError } from "@icecore/packfile"
import { Data, Effect, FileSystem, Layer, Option, type Scope } from "effect"
import { Flag } from "effect/cli"
import * as Path from "effect/Path"
import * as RecordArguments from "./RecordArguments.ts"
import * as RecordServices from "./RecordServices.ts"

/** There is a database and no store: a command that was stopped as it began leaves that, and something else may be it. */
export class NotAStore extends Data.Error<{ readonly path: string }> {
  readonly _tag = "NotAStore"
  override readonly name = "NotAStore"
  override get message(): string {
    return `Cannot write to ${this.path}: it has a database that is no record store; if a command was stopped as it began, remove the directory`
  }
}

export const intoText = "The directory of the record store; made when it is missing"

/** The engine of a store that is made. */
export const engineFlag: Flag.Flag<Option.Option<EngineDetection.EngineOnDisk>> = Flag.Literals("engine", [
  "sqlite",
  "lmdb"
]).pipe(Flag.withDescription("The engine of a store that is made: sqlite or lmdb (default sqlite)"), Flag.optional)

/** What is in a store that is there. */
export interface ExistingStore {
  readonly engineName: EngineDetection.EngineOnDisk
  readonly types: ReadonlyArray<RecordType.Any>
}

/** What is in the store; none where it is to be made. It is closed again, so that it can be opened for writing. */
export const existing: (
  path: string
) => Effect.Effect<
  Option.Option<ExistingStore>,
  | NotAStore
  | DiskError
  | Exclude<Effect.Error<ReturnType<typeof StoreDirectory.open>>, { readonly _tag: "NotRecordStore" }>,
  Disk
> = Effect.fnUntraced(function* (path: string) {
  const engineName = yield* EngineDetection.detect(path)
  if (Option.isNone(engineName)) return Option.none<ExistingStore>()
  const engine = yield* Layer.build(RecordServices.lazyEngineLayer(engineName.value))
  const { reader } = yield* Effect.provideContext(StoreDirectory.open(path), engine).pipe(
    Effect.catchTag("NotRecordStore", () => new NotAStore({ path }))
  )
  return Option.some<ExistingStore>({ engineName: engineName.value, types: reader.types })
}, Effect.scoped)

/** The engine of the store that is there, which nothing else may be asked for; else the one that is asked for. */
export const chooseEngine = (
  path: string,
  engine: Option.Option<EngineDetection.EngineOnDisk>,
  found: Option.Option<ExistingStore>
): Effect.Effect<EngineDetection.EngineOnDisk, RecordArguments.RecordArgumentInvalid> => {
  if (Option.isNone(found)) return Effect.succeed(Option.getOrElse(engine, () => "sqlite" as const))
  const { engineName } = found.value
  if (Option.isNone(engine) || engine.value === engineName) return Effect.succeed(engineName)
  return Effect.fail(
    new RecordArguments.RecordArgumentInvalid({
      argument: `--engine=${engine.value}`,
      detail: `the store in ${path} is on ${engineName}`
    })
  )
}

/** A store that is open for writing. */
export interface StoreTarget {
  readonly store: RecordStore.RecordStore
  readonly engineName: EngineDetection.EngineOnDisk
  /** It as something to read and to save. */
  readonly source: Source.Source
}

/** Opens the store for the scope with these types. */
export const open: (options: {
  readonly path: string
  readonly engineName: EngineDetection.EngineOnDisk
  readonly types: ReadonlyArray<RecordType.Any>
  /** Default: that of record stores. */
  readonly memory?: Pick<RecordStore.RecordStoreOptions, "arenaBytes" | "cacheSizeBytes">
}) => Effect.Effect<StoreTarget, RecordStore.RecordOpenError, Disk | Scope.Scope> = Effect.fnUntraced(function* ({
  engineName,
  memory,
  path,
  types
}) {
  const engine = yield* Layer.build(RecordServices.lazyEngineLayer(engineName))
  const store = yield* Effect.provideContext(RecordStore.open({ path, types, ...memory }), engine)
  const source = yield* Effect.provideContext(Source.ofStore(store), engine)
  return { store, engineName, source }
})

/** The types of a store that is there, if any, and of what comes into it. */
export const typesWith = (
  path: string,
  found: Option.Option<ExistingStore>,
  incoming: ReadonlyArray<TypeUnion.TypeSource>
): Effect.Effect<ReadonlyArray<RecordType.Any>, TypeUnion.TypesContradict> => {
  const own = Option.match(found, { onNone: () => [], onSome: ({ types }) => [{ path, types }] })
  return Effect.fromResult(TypeUnion.make([...own, ...incoming]))
}

/** Whether two paths lead to one directory or file; ones where nothing is are compared as they are written. */
export const isSame: (left: string, right: string) => Effect.Effect<boolean, never, FileSystem.FileSystem> =
  Effect.fnUntraced(function* (left: string, right: string) {
    return (yield* realPath(left)) === (yield* realPath(right))
  })

/** Where a path leads, without links; the whole path where nothing is. */
export const realPath: (path: string) => Effect.Effect<string, never, FileSystem.FileSystem> = Effect.fnUntraced(
  function* (path: string) {
    const fileSystem = yield* FileSystem.FileSystem
    const paths = yield* Effect.provide(Path.Path, Path.layer)
    return yield* Effect.orElseSucceed(fileSystem.realPath(path), () => paths.resolve(path))
  }
)
