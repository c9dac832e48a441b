/**
 * A store that is worked on before it becomes an archive: in a private directory beside the file that it becomes, gone with the scope.
 */
import { CompactBaseFailed } from "@icecore/compactor"
import { Archive, ArchiveExists, type EngineDetection, type RecordStore } from "@icecore/engine"
import { Disk, type DiskError } from "@icecore/packfile"
import { Data, Effect, FileSystem, Option, type Scope, type Stdio, type Terminal } from "effect"
import { Flag } from "effect/cli"
import * as Path from "effect/Path"
import { version } from "../../Version.ts"
import * as Output from "../Output.ts"
import * as RecordProgress from "./RecordProgress.ts"
import type * as RecordServices from "./RecordServices.ts"
import * as RecordSource from "./RecordSource.ts"
import type * as StoreTarget from "./StoreTarget.ts"

/** What is written to is an archive that is only read. */
export class ArchiveReadOnly extends Data.Error<{ readonly path: string; readonly format: string }> {
  readonly _tag = "ArchiveReadOnly"
  override readonly name = "ArchiveReadOnly"
  override get message(): string {
    return `Cannot change archive ${this.path}: archives of format ${this.format} are only read; --output=FILE saves the result elsewhere`
  }
}

/** The result cannot be saved at its path. */
export class OutputUnusable extends Data.Error<{ readonly path: string; readonly detail: string }> {
  readonly _tag = "OutputUnusable"
  override readonly name = "OutputUnusable"
  override get message(): string {
    return `Cannot write ${this.path}: ${this.detail}`
  }
}

export const outputFlag: Flag.Flag<Option.Option<string>> = Flag.String("output").pipe(
  Flag.withDescription("Save the result as an archive in this file, which gets its name when it is whole"),
  Flag.withMetavar("FILE"),
  Flag.optional
)

export const encodingFlag: Flag.Flag<Option.Option<Archive.ArchiveEncoding>> = Flag.Literals("encoding", [
  "pack",
  "tar",
  "tar+zstd"
]).pipe(
  Flag.withDescription(
    "The encoding of the archive: pack, tar, tar+zstd (default: that of an archive that is changed, else pack)"
  ),
  Flag.optional
)

export const overwriteFlag: Flag.Flag<boolean> = Flag.Boolean("overwrite").pipe(
  Flag.withDescription("Replace the file that is there, once the new one is whole"),
  Flag.withDefault(false)
)

/** A path for a store in a private directory beside the file, which is removed with the scope. */
export const directoryBeside: (
  file: string
) => Effect.Effect<string, OutputUnusable, FileSystem.FileSystem | Scope.Scope> = Effect.fnUntraced(function* (file) {
  const fileSystem = yield* FileSystem.FileSystem
  const paths = yield* Effect.provide(Path.Path, Path.layer)
  const parent = paths.dirname(paths.resolve(file))
  const making = fileSystem.makeTempDirectoryScoped({ directory: parent, prefix: "icecore-" })
  const directory = yield* Effect.mapError(making, ({ reason }) => {
    const cause = "cause" in reason && reason.cause instanceof Error ? `: ${reason.cause.message}` : ""
    const what = reason._tag === "NotFound" ? "it does not exist" : `no directory can be made in it${cause}`
    return new OutputUnusable({ path: file, detail: `the work is done in ${parent} beside it, and ${what}` })
  })
  return paths.join(directory, "store")
})

/** The engine that a copy of a store or an archive is made on: its own, where that is one that keeps files. */
export const engineOf = ({
  source: { engineName }
}: Pick<RecordSource.RecordSource, "source">): EngineDetection.EngineOnDisk =>
  engineName === "lmdb" ? "lmdb" : "sqlite"

/** Makes a store at the path with all that an archive or a store has, on this engine. A store is copied as it is. */
export const copy: (
  base: string,
  path: string,
  engine: EngineDetection.EngineOnDisk,
  limits: Archive.ArchiveLimits
) => Effect.Effect<
  void,
  RecordSource.RecordSourceError | Archive.ExtractError | RecordStore.RecordWriteError,
  RecordServices.RecordServices | Stdio.Stdio | Terminal.Terminal
> = Effect.fnUntraced(function* (base, path, engine, limits) {
  const found = yield* RecordSource.kindOf(base)
  const extract = RecordSource.explainLimit(Archive.extract(base, { directory: path, engine, limits }))
  const checkpoint = Effect.gen(function* () {
    const { source } = yield* RecordSource.open(base, limits)
    yield* source.database!.checkpoint(path)
  })
  const what = `Copying ${base}`
  if (found.kind === "archive") return yield* RecordProgress.whileDoing(what, extract)
  yield* RecordProgress.whileDoing(what, Effect.scoped(checkpoint))
})

/** Names in a failure the file that a store becomes, and not the private directory that it is in. */
export const naming = <A, E, R>(
  path: string,
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E | CompactBaseFailed, R> =>
  Effect.mapError(work, (error) =>
    error instanceof CompactBaseFailed
      ? new CompactBaseFailed({ operation: error.operation, base: path, cause: error.cause })
      : error
  )

/** Refuses a directory, and a file that is there unless it may be replaced, before any work. */
export const checkOutput: (
  path: string,
  overwrite: boolean
) => Effect.Effect<void, ArchiveExists | OutputUnusable | DiskError, Disk> = Effect.fnUntraced(
  function* (path, overwrite) {
    const found = yield* Effect.flatMap(Disk, (disk) => disk.stat(path))
    if (Option.isNone(found)) return
    if (found.value.kind === "directory") return yield* new OutputUnusable({ path, detail: "it is a directory" })
    if (!overwrite) return yield* new ArchiveExists({ path })
  }
)

export type SaveOptions = Required<Pick<Archive.SaveOptions, "path" | "encoding" | "overwrite">>

/** What was saved. */
export interface Saved {
  readonly path: string
  readonly encoding: Archive.ArchiveEncoding
  readonly sizeBytes: number
}

/** Saves all of a store as an archive, showing for how long. */
export const save: (
  target: StoreTarget.StoreTarget,
  options: SaveOptions
) => Effect.Effect<Saved, Archive.SaveError, RecordServices.RecordServices | Stdio.Stdio | Terminal.Terminal> =
  Effect.fnUntraced(function* (target, options) {
    const saving = Archive.save({ source: target.source.source, creator: `icecore ${version}`, ...options })
    const { sizeBytes } = yield* RecordProgress.whileDoing("Saving", saving)
    return { path: options.path, encoding: options.encoding, sizeBytes }
  })

/** A line for people. */
export const describe = ({ encoding, path, sizeBytes }: Saved): string =>
  `Saved to ${path}: ${encoding}, ${Output.formatBytes(sizeBytes)}`
