/**
 * Opening what the commands on records read: an archive of any kind, or the directory of a record store.
 */
import { Archive, ArchiveLimitExceeded, EngineDetection, type RecordReader, StoreDirectory } from "@icecore/engine"
import { Disk, type DiskError } from "@icecore/packfile"
import { Data, Effect, Layer, Option, type Scope } from "effect"
import { lazyEngineLayer, type RecordServices } from "./RecordServices.ts"

/** There is nothing that can be read at the path. */
export class RecordSourceMissing extends Data.Error<{ readonly path: string; readonly detail: string }> {
  readonly _tag = "RecordSourceMissing"
  override readonly name = "RecordSourceMissing"
  override get message(): string {
    return `Cannot open ${this.path}: ${this.detail}`
  }
}

/** An archive unpacks to more than is allowed, which a flag allows. */
export class UnpackedTooLarge extends Data.Error<{
  readonly path: string
  readonly actual: number
  readonly maximum: number
}> {
  readonly _tag = "UnpackedTooLarge"
  override readonly name = "UnpackedTooLarge"
  override get message(): string {
    return `Cannot open archive ${this.path}: it unpacks to ${this.actual} bytes, the limit is ${this.maximum}; --max-decoded-size=BYTES sets another one`
  }
}

/** Names the flag in what an archive is refused for that unpacks to too much. */
export const explainLimit = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E | UnpackedTooLarge, R> =>
  Effect.mapError(work, (error) => {
    if (!(error instanceof ArchiveLimitExceeded) || error.subject !== "decoded size") return error
    const { actual, maximum, path } = error
    return new UnpackedTooLarge({ path, actual, maximum })
  })

/** An archive or a record store that is open for a scope, for reading only. */
export interface RecordSource {
  readonly path: string
  readonly kind: "store" | "archive"
  readonly reader: RecordReader.RecordReader
  /** The engine of a store. */
  readonly engineName: Option.Option<string>
  /** Of an archive. */
  readonly info: Option.Option<Archive.ArchiveInfo>
  /** What can be saved as an archive. */
  readonly source: Archive.ArchiveSource
}

/** What opening can fail with. */
export type RecordSourceError =
  | RecordSourceMissing
  | UnpackedTooLarge
  | Archive.OpenError
  | DiskError
  | Effect.Error<ReturnType<typeof StoreDirectory.open>>

/** What lies at a path. */
export type SourceKind =
  | { readonly kind: "archive" }
  | { readonly kind: "store"; readonly engineName: EngineDetection.EngineOnDisk }

/** Says what there is to open, without opening it. */
export const kindOf: (path: string) => Effect.Effect<SourceKind, RecordSourceMissing | DiskError, Disk> =
  Effect.fnUntraced(function* (path: string) {
    const disk = yield* Disk
    const found = yield* disk.stat(path)
    if (Option.isNone(found)) return yield* new RecordSourceMissing({ path, detail: "it does not exist" })
    if (found.value.kind !== "directory") return { kind: "archive" }
    const engine = yield* EngineDetection.detect(path)
    return Option.isSome(engine)
      ? { kind: "store", engineName: engine.value }
      : yield* new RecordSourceMissing({ path, detail: "the directory has no record store, and it is no archive" })
  })

export interface OpenOptions {
  /** What is kept in memory of what was read, in bytes. Default: that of archives and engines. */
  readonly cacheSizeBytes?: number
}

/** Opens an archive or a store for the scope. */
export const open: (
  path: string,
  limits: Archive.ArchiveLimits,
  options?: OpenOptions
) => Effect.Effect<RecordSource, RecordSourceError, RecordServices | Scope.Scope> = Effect.fnUntraced(
  function* (path, limits, options) {
    const found = yield* kindOf(path)
    if (found.kind === "store") return yield* openStore(path, found.engineName, options)
    const { info, reader, source } = yield* explainLimit(Archive.open(path, { ...options, limits }))
    return { path, kind: "archive", reader, source, engineName: Option.none(), info: Option.some(info) }
  }
)

const openStore = Effect.fnUntraced(function* (
  path: string,
  engineName: EngineDetection.EngineOnDisk,
  options?: OpenOptions
) {
  const services = yield* Layer.build(lazyEngineLayer(engineName))
  const { reader, source } = yield* Effect.provideContext(StoreDirectory.open(path, options), services)
  return { path, kind: "store" as const, reader, source, engineName: Option.some(engineName), info: Option.none() }
})
