/**
 * Many sources on one command line, each with the sync that is meant: `PATH`, or `PATH#ID` for a certain one.
 */
import { Ksuid } from "@icecore/codec"
import type { Source } from "@icecore/compactor"
import { type Archive, HeapWatch, RecordType, type SyncRun, type TypeUnion } from "@icecore/engine"
import { Disk, type DiskError } from "@icecore/packfile"
import { Effect, Exit, type FileSystem, Option, Result, Scope } from "effect"
import * as RecordArguments from "./RecordArguments.ts"
import type { RecordServices } from "./RecordServices.ts"
import * as RecordSource from "./RecordSource.ts"
import * as ReopenedSource from "./ReopenedSource.ts"
import * as StoreTarget from "./StoreTarget.ts"

/** What all sources together keep in memory of what they have read, in bytes, and each at least and at most. */
interface CacheBounds {
  readonly total: number
  readonly least: number
  readonly most: number
}

/**
 * Sources are read in order, so that more of it is not read again. An archive keeps whole groups of 64 KiB. PERF: 64 stores on SQLite of 20,000
 * grants, merged: 303 MB resident at most with 1 MiB each, and 250 MB with 128 KiB.
 */
const cacheBounds: { readonly [K in RecordSource.SourceKind["kind"]]: CacheBounds } = {
  store: { total: 4 * 1024 * 1024, least: 64 * 1024, most: 4 * 1024 * 1024 },
  archive: { total: 8 * 1024 * 1024, least: 128 * 1024, most: 8 * 1024 * 1024 }
}

/** What each of so many sources that are open keeps. */
const cacheSizeOf = (kind: RecordSource.SourceKind["kind"], count: number): number => {
  const { least, most, total } = cacheBounds[kind]
  return Math.min(most, Math.max(least, Math.floor(total / count)))
}

/** Sources that stay open at most, besides those that are unpacked to be opened. */
const maxOpenCount = 64

/** One of the sources as it is named. */
export interface SourceName {
  readonly path: string
  /** The id of its sync. None: the one that ended last. */
  readonly sync: Option.Option<string>
  /** What goes before an id on the command line. */
  readonly flag: string
}

/** A source with its sync. */
export interface SyncSource {
  readonly path: string
  readonly source: Source.Source
  readonly run: SyncRun.SyncRun
}

/** What choosing a sync can fail with. */
type ChooseError = Effect.Error<ReturnType<typeof RecordArguments.chooseSync>>

/** Sources that can be read for a scope, but for those that are the store which is written to: it is not open yet. */
export interface SyncSources {
  /** The types that they have, for {@link StoreTarget.typesWith}. */
  readonly types: ReadonlyArray<TypeUnion.TypeSource>
  /** All of them, in the order of their names. `into` is the store that is written to, once it is open. */
  readonly choose: (into: Option.Option<Source.Source>) => Effect.Effect<ReadonlyArray<SyncSource>, ChooseError>
}

/** Opens each path once, however often it is named, and chooses the syncs; of many, each is opened again when it is read. */
export const open: (
  names: ReadonlyArray<SourceName>,
  options: {
    readonly limits: Archive.ArchiveLimits
    /** The store that is written to, which may be a source, too. */
    readonly into: Option.Option<string>
  }
) => Effect.Effect<
  SyncSources,
  RecordSource.RecordSourceError | ChooseError,
  RecordServices | FileSystem.FileSystem | Scope.Scope
> = Effect.fnUntraced(function* (names, { into, limits }) {
  const paths = [...new Set(names.map(({ path }) => path))]
  const openCount = Math.min(maxOpenCount, paths.length)
  const chosen = new Map<SourceName, SyncSource>()
  const known: KnownTypes = new Map()
  const types: Array<TypeUnion.TypeSource> = []
  const watchHeap = HeapWatch.make()
  for (const path of paths) {
    watchHeap()
    if (Option.isSome(into) && (yield* StoreTarget.isSame(path, into.value))) continue
    const { kind } = yield* RecordSource.kindOf(path)
    const options = { limits, known, cacheSizeBytes: cacheSizeOf(kind, openCount) }
    const { close, source } = yield* openOne(path, types.length < maxOpenCount, options)
    types.push({ path, types: knownOf(known, source.reader.types) })
    for (const name of names) if (name.path === path) chosen.set(name, yield* chooseOne(name, source))
    yield* close
  }
  return {
    types,
    choose: (target) =>
      Effect.forEach(names, (name) => {
        const found = chosen.get(name)
        return found === undefined ? chooseOne(name, Option.getOrThrow(target)) : Effect.succeed(found)
      })
  }
})

const chooseOne = ({ flag, path, sync }: SourceName, source: Source.Source): Effect.Effect<SyncSource, ChooseError> =>
  Effect.map(RecordArguments.chooseSync(source.reader, sync, flag), (run) => ({ path, source, run }))

/** Types by their descriptions: of thousands of sources most have the same. */
type KnownTypes = Map<string, RecordType.Any>

const knownOf = (known: KnownTypes, types: ReadonlyArray<RecordType.Any>): ReadonlyArray<RecordType.Any> =>
  types.map((type) => {
    const description = JSON.stringify(RecordType.describe(type))
    if (!known.has(description)) known.set(description, type)
    return known.get(description)!
  })

/** A source that is open, and what closes it where it need not stay so: it is then opened again when it is read. */
interface Opened {
  readonly source: Source.Source
  readonly close: Effect.Effect<void>
}

const openOne = Effect.fnUntraced(function* (
  path: string,
  stays: boolean,
  {
    known,
    ...options
  }: RecordSource.OpenOptions & { readonly limits: Archive.ArchiveLimits; readonly known: KnownTypes }
): Effect.fn.Return<Opened, RecordSource.RecordSourceError, RecordServices | Scope.Scope> {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const source = yield* Scope.provide(RecordSource.open(path, options.limits, options), scope)
  if (stays || !ReopenedSource.isCheap(source)) return { source, close: Effect.void }
  const opened: ReopenedSource.OpenedSnapshot = { snapshot: source.source.snapshot }
  const types = knownOf(known, source.reader.types)
  const reopened = yield* ReopenedSource.make(source, opened, { ...options, types })
  const close = Effect.suspend(() => {
    opened.snapshot = undefined
    return Scope.close(scope, Exit.void)
  })
  return { source: reopened, close }
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
