/**
 * Many sources on one command line, each with the sync that is meant: `PATH`, or `PATH#ID` for a certain one.
 */
import { Ksuid } from "@icecore/codec"
import type { Source } from "@icecore/compactor"
import type { Archive, RecordReader, SyncRun, TypeUnion } from "@icecore/engine"
import { Disk, type DiskError } from "@icecore/packfile"
import { Effect, type FileSystem, Option, Result, type Scope } from "effect"
import * as RecordArguments from "./RecordArguments.ts"
import type { RecordServices } from "./RecordServices.ts"
import * as RecordSource from "./RecordSource.ts"
import * as StoreTarget from "./StoreTarget.ts"

/** What all sources together keep in memory of what they have read, in bytes, and each at least and at most. */
const cacheSizeBytes = 64 * 1024 * 1024
const cacheBounds = { minimum: 256 * 1024, maximum: 8 * 1024 * 1024 } as const

/** One of the sources as it is named. */
export interface SourceName {
  readonly path: string
  /** The id of its sync. None: the one that ended last. */
  readonly sync: Option.Option<string>
  /** What goes before an id on the command line. */
  readonly flag: string
}

/** A source that is open. */
export interface SyncSource {
  readonly path: string
  readonly source: Source.Source
  readonly run: SyncRun.SyncRun
}

/** Sources that are open for a scope, but for those that are the store which is written to: it is not open yet. */
export interface SyncSources {
  /** The types that they have, for {@link StoreTarget.typesWith}. */
  readonly types: ReadonlyArray<TypeUnion.TypeSource>
  /** Chooses the syncs. `into` is the store that is written to, once it is open. */
  readonly choose: (
    into: Option.Option<Source.Source>
  ) => Effect.Effect<
    ReadonlyArray<SyncSource>,
    | RecordArguments.RecordArgumentInvalid
    | RecordArguments.NoSyncChosen
    | RecordArguments.SyncAbsent
    | RecordReader.RecordReadError
  >
}

/** Opens each path once, however often it is named. */
export const open: (
  names: ReadonlyArray<SourceName>,
  options: {
    readonly limits: Archive.ArchiveLimits
    /** The store that is written to, which may be a source, too. */
    readonly into: Option.Option<string>
  }
) => Effect.Effect<SyncSources, RecordSource.RecordSourceError, RecordServices | FileSystem.FileSystem | Scope.Scope> =
  Effect.fnUntraced(function* (names, { into, limits }) {
    const paths = [...new Set(names.map(({ path }) => path))]
    const share = Math.floor(cacheSizeBytes / paths.length)
    const cacheSize = Math.min(cacheBounds.maximum, Math.max(cacheBounds.minimum, share))
    const opened = new Map<string, RecordSource.RecordSource>()
    for (const path of paths) {
      const isTarget = Option.isSome(into) && (yield* StoreTarget.isSame(path, into.value))
      if (!isTarget) opened.set(path, yield* RecordSource.open(path, limits, { cacheSizeBytes: cacheSize }))
    }
    return {
      types: [...opened.values()].map(({ path, reader }) => ({ path, types: reader.types })),
      choose: (target) =>
        Effect.forEach(names, ({ flag, path, sync }) => {
          const source = opened.get(path) ?? Option.getOrThrow(target)
          return Effect.map(
            RecordArguments.chooseSync(source.reader, sync, flag),
            (run): SyncSource => ({ path, source, run })
          )
        })
    }
  })

/** What comes before an id, and the id. */
const namedPattern = /^(.+)#([^#/\\]+)$/s

/** Takes `PATH#ID` apart. A file whose whole name ends like an id is taken for itself. */
export const parse: (text: string) => Effect.Effect<SourceName, DiskError, Disk> = Effect.fnUntraced(function* (text) {
  const whole = { path: text, sync: Option.none(), flag: `${text}#` }
  const [, path, sync] = namedPattern.exec(text) ?? []
  if (path === undefined || sync === undefined || Result.isFailure(Ksuid.parse(sync))) return whole
  const disk = yield* Disk
  return Option.isSome(yield* disk.stat(text)) ? whole : { path, sync: Option.some(sync), flag: `${path}#` }
})
