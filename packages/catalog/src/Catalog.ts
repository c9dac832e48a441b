/**
 * The durable record of which artifacts and hot databases exist and in which state, and the only way to change them.
 *
 * Making an artifact ({@link Catalog.writeChunk}, {@link Catalog.writeIndex}):
 *
 * 1. put `freezing`, synced, for all keys in one batch, before any byte of a file exists;
 * 2. remove what an earlier attempt left under the keys;
 * 3. make the directories and sync the parent of each that this process does not know to be durable;
 * 4. let the caller write the files and sync them;
 * 5. sync the directory of the files;
 * 6. put `frozen`, synced, for all keys in one batch, and in it demote to `pruning` whatever they supersede.
 *
 * Removing one ({@link Catalog.demote}, {@link Catalog.prune}, {@link Catalog.sweep}): put `pruning`, synced; wait until no reader reaches
 * it; unlink; sync the directories; remove those that are empty, and sync the ones above; delete the keys. A key left at `freezing` is
 * removed the same way.
 *
 * Making a hot database ({@link Catalog.openHot}): put `transient`, synced; destroy what an earlier attempt left; make its
 * directory's parents durable; create; commit the seed, synced; put `ready`, synced. Removing one ({@link Catalog.discardHot}):
 * put `transient`, synced; destroy; delete the key.
 *
 * Invariants, after any crash: every file is reachable from a key; no key is `frozen` (or `ready`) without its durable, complete
 * file (or database); nothing is unlinked under `frozen`; where the key is absent the file is gone; opening the catalog
 * and one sweep settle the rest, and a second sweep changes nothing.
 *
 * Readers take a snapshot and open what is frozen in it. What is demoted later stays on disk, and its name is not taken again, until
 * `CatalogOptions.destroyableBefore` says that the last such reader is gone.
 *
 * Every call may be interrupted: keys stay as the last finished step left them, for a rebuild or the sweep. Work on one key
 * excludes other work on it in this process: the second fails with `CatalogBusy` at once. Other processes are kept
 * out by {@link import("./StorageLock.ts")} and the engine's own writer lock.
 */

import { type Database, Engine, type EngineOpenError, type EngineWriteError, type WriteBatch } from "@icecore/engine"
import { Disk } from "@icecore/packfile"
import { Context, Effect, Layer, type Option, type Scope } from "effect"
import type {
  ArtifactMissing,
  CatalogOpenError,
  CatalogReadError,
  CatalogTooNew,
  CatalogWriteError,
  CoverageInvalid,
  HotDatabaseLost
} from "./CatalogError.ts"
import * as CatalogSnapshot from "./CatalogSnapshot.ts"
import { type ArtifactKey, type ArtifactKind, type ChunkKey, keyspace } from "./format/CatalogKey.ts"
import type { DomainPin, Pins } from "./format/Pins.ts"
import type { ChunkId, Geometry, WindowId } from "./Geometry.ts"
import { HotEngine } from "./HotEngine.ts"
import * as ArtifactWrite from "./internal/ArtifactWrite.ts"
import * as Claims from "./internal/Claims.ts"
import * as DurableDirectories from "./internal/DurableDirectories.ts"
import * as HotBracket from "./internal/HotBracket.ts"
import * as Opening from "./internal/Opening.ts"
import * as Paths from "./internal/Paths.ts"
import * as Pending from "./internal/Pending.ts"
import * as Pruning from "./internal/Pruning.ts"
import * as Removal from "./internal/Removal.ts"
import type { Store } from "./internal/Store.ts"
import * as Layout from "./Layout.ts"

/**
 * What a store is opened with. Geometry and domain are pinned on first start and must be the same ever after; the earliest seq is
 * pinned, too, and may change between starts.
 */
export interface CatalogOptions<E = never, R = never> {
  readonly layout: Layout.Layout
  /** A number left out is taken from `geometryDefaults` on first start, and from what is pinned ever after. */
  readonly geometry: Partial<Geometry>
  /** Default: `Geometry.defaults`. */
  readonly geometryDefaults?: Geometry
  readonly domain: DomainPin
  /**
   * Lowest seq ever kept, at least the geometry's `firstSeq`. A number that differs from what is pinned is pinned instead, durably:
   * see {@link Catalog.previousEarliestSeq}. `genesis` is the geometry's `firstSeq`. `onFirstStart` runs when the catalog is made, and later starts take what is pinned.
   * Default: on first start the geometry's `firstSeq`, later what is pinned.
   */
  readonly earliestSeq?: number | "genesis" | { readonly onFirstStart: Effect.Effect<number, E, R> }
  /**
   * Whether to fail with `ArtifactMissing` when a file at either end of what is frozen is not there. `false` is for those who look
   * for such files themselves, to report them or to make them again. Default true.
   */
  readonly checkFiles?: boolean
  /**
   * A time in milliseconds of `SteadyClock`: readers may still reach what was demoted at it or later. The sweep leaves that, and writing
   * it anew is refused with `CatalogBusy`. A reader's own time must be taken before its snapshot. What was demoted before this start
   * nobody reaches. Default: nobody reaches anything.
   */
  readonly destroyableBefore?: Effect.Effect<number>
}

/** An artifact to be written. */
export interface WantedArtifact {
  readonly key: ChunkKey
  /** Absolute or relative as the layout is; none of them exists. For `events`: events, index, hash. */
  readonly files: ReadonlyArray<string>
}

export interface WriteChunk<A, E, R> {
  readonly chunk: ChunkId
  /** What must be frozen in the end. Kinds that are frozen already are skipped. */
  readonly kinds: ReadonlyArray<ArtifactKind>
  /**
   * Writes every file of every artifact that is still wanted, and syncs them. On success the files must be complete and
   * their bytes durable; the names are made durable by the catalog.
   */
  readonly produce: (wanted: ReadonlyArray<WantedArtifact>) => Effect.Effect<A, E, R>
}

export interface WriteIndex<A, E, R> {
  readonly window: WindowId
  /** First chunk covered, inclusive. */
  readonly lo: ChunkId
  /**
   * Last chunk covered, inclusive. The window's last chunk makes the coverage terminal: the key runs of its chunks are demoted. A chunk after
   * it that the frozen coverage has must have a frozen key run.
   */
  readonly hi: ChunkId
  /** Writes the file whole and syncs it. */
  readonly produce: (file: string) => Effect.Effect<A, E, R>
}

export interface OpenHot {
  /** Keyspaces of the database; see `OpenOptions` of the engine. */
  readonly keyspaces: ReadonlyArray<string>
  /** Fills the first batch of a database that is made now, durable before the database counts as `ready`. */
  readonly seed?: (batch: WriteBatch) => void
}

export interface SweepOptions {
  /**
   * Looks only at what this process demoted or left unfinished, which costs as much as there is of it, and not at all keys. Above
   * 65,536 such keys it looks at all. Default false.
   */
  readonly known?: boolean
}

export interface SweepReport {
  /** Keys of artifacts removed, with their files. */
  readonly artifactCount: number
  /** Half made or half removed hot databases removed. */
  readonly hotCount: number
  /** Keys left because readers may reach them, or because other work on them is under way. */
  readonly deferredCount: number
}

export interface Catalog {
  /** Directory of the catalog's database. */
  readonly path: string
  readonly layout: Layout.Layout
  readonly pins: Pins
  /** Whether this start made the catalog. */
  readonly fresh: boolean
  /** The earliest seq that was pinned before this start changed it; none when it did not. */
  readonly previousEarliestSeq: Option.Option<number>
  /**
   * History is promised whole from this seq on: a chunk that is missing above it is lost, one below it may never have been there.
   * A mark that its keeper moves with {@link Catalog.setBeginSeq}; on first start the earliest seq.
   */
  readonly beginSeq: () => number
  /**
   * Moves the mark, durably: up before anything below it is demoted, down when what lies below has been filled in. Calls must not
   * overlap.
   */
  readonly setBeginSeq: (seq: number) => Effect.Effect<void, EngineWriteError>
  /** A view of this moment, for the scope. */
  readonly snapshot: Effect.Effect<CatalogSnapshot.CatalogSnapshot, CatalogReadError, Scope.Scope>
  /** Freezes kinds of a chunk, all or none. None when all were frozen already and `produce` did not run. */
  readonly writeChunk: <A, E, R>(
    options: WriteChunk<A, E, R>
  ) => Effect.Effect<Option.Option<A>, E | CatalogWriteError | ArtifactMissing, R>
  /**
   * Freezes a key index and demotes the window's former one. None when a frozen coverage is the same or wider and
   * `produce` did not run.
   */
  readonly writeIndex: <A, E, R>(
    options: WriteIndex<A, E, R>
  ) => Effect.Effect<Option.Option<A>, E | CatalogWriteError | ArtifactMissing | CoverageInvalid, R>
  /** Marks artifacts for removal, in one batch. Keys that are absent or marked already are skipped. */
  readonly demote: (keys: ReadonlyArray<ArtifactKey>) => Effect.Effect<void, CatalogWriteError>
  /**
   * Demotes artifacts and key indexes that lie wholly below the chunk, and key runs of windows that a frozen index covers to their end
   * from that chunk or their first. A coverage that lies partly below stays; hot databases are for {@link discardHot}; what other work
   * holds is left for the next call. In batches of at most 512 keys. Returns how many keys were demoted.
   */
  readonly prune: (floorChunk: ChunkId) => Effect.Effect<number, CatalogWriteError>
  /**
   * Finishes removals: of `pruning` and abandoned `freezing` artifacts and of `transient` hot databases. Walks keys, never
   * directories, and removes the directories that it empties. Idempotent.
   */
  readonly sweep: (options?: SweepOptions) => Effect.Effect<SweepReport, CatalogWriteError>
  /**
   * Opens the hot database of a chunk for the scope, made when the catalog has none. A `ready` one that is missing or
   * corrupt fails with `HotDatabaseLost`.
   */
  readonly openHot: (
    chunk: ChunkId,
    options: OpenHot
  ) => Effect.Effect<Database, CatalogWriteError | HotDatabaseLost, Scope.Scope>
  /** Removes a closed hot database. Nothing happens when the chunk has none. */
  readonly discardHot: (chunk: ChunkId) => Effect.Effect<void, CatalogWriteError>
  /**
   * Writes a consistent, durable copy of the catalog's database, of this moment, into a directory that must not exist. What it says is
   * frozen then is on disk as long as nothing of it is swept.
   */
  readonly checkpoint: (path: string) => Effect.Effect<void, EngineWriteError | EngineOpenError>
}

export const Catalog: Context.Service<Catalog, Catalog> = Context.Service("@icecore/catalog/Catalog")

/**
 * What a store is pinned to, read without its lock and beside whoever has it open; none where there is no store. For those who
 * must know it before they can open the store.
 */
export const readPins: (
  layout: Layout.Layout
) => Effect.Effect<Option.Option<Pins>, EngineOpenError | CatalogReadError | CatalogTooNew, Engine> = Effect.fn(
  "Catalog.readPins"
)(function* (layout: Layout.Layout) {
  const engine = yield* Engine
  return yield* engine.open({ path: Layout.catalogPath(layout), keyspaces: [keyspace], mode: "readOnly" }).pipe(
    Effect.flatMap(Opening.readPins),
    Effect.scoped,
    Effect.catchTag("EngineNotFound", () => Effect.succeedNone)
  )
})

/** Opens the catalog for the scope, made and pinned when there is none. See {@link CatalogOpenError} for what can be wrong. */
export const make: <E = never, R = never>(
  options: CatalogOptions<E, R>
) => Effect.Effect<Catalog, E | CatalogOpenError, Engine | HotEngine | Disk | Scope.Scope | R> = Effect.fn(
  "Catalog.make"
)(function* <E, R>(options: CatalogOptions<E, R>) {
  const disk = yield* Disk
  const engine = yield* Engine
  const { engine: hotEngine } = yield* HotEngine
  const { layout } = options
  const path = Layout.catalogPath(layout)
  const directories = DurableDirectories.make(disk)
  for (const directory of [layout.dataDir, Paths.parentOf(path)]) yield* directories.ensure(directory, directory)
  const database = yield* engine.open({ path, keyspaces: [keyspace], mode: "create" })
  const { pins, fresh, previousEarliestSeq, ...opened } = yield* Opening.open(database, disk, options)
  let { beginSeq } = opened
  const store: Store = {
    disk,
    hotEngine,
    layout,
    database,
    table: { path, geometry: pins.geometry, reader: database },
    claims: Claims.make(),
    directories,
    pending: Pending.make(),
    destroyableBefore: options.destroyableBefore ?? Effect.succeed(Number.POSITIVE_INFINITY),
    runs: { windows: new Set(), isComplete: false }
  }
  return Catalog.of({
    path,
    layout,
    pins,
    fresh,
    previousEarliestSeq,
    beginSeq: () => beginSeq,
    setBeginSeq: Effect.fn("Catalog.setBeginSeq")((seq) =>
      Number.isSafeInteger(seq) && seq >= 0
        ? Effect.map(Opening.putPins(database, pins, seq), () => {
            beginSeq = seq
          })
        : // What cannot be read back would be pinned, and the store not be opened again.
          Effect.die(new RangeError(`history cannot begin at ${seq}`))
    ),
    snapshot: Effect.map(database.snapshot, (reader) => CatalogSnapshot.make({ ...store.table, reader })),
    writeChunk: Effect.fn("Catalog.writeChunk")((chunk) => ArtifactWrite.writeChunk(store, chunk)),
    writeIndex: Effect.fn("Catalog.writeIndex")((index) => ArtifactWrite.writeIndex(store, index)),
    demote: Effect.fn("Catalog.demote")((keys) => Removal.demote(store, keys)),
    prune: Effect.fn("Catalog.prune")((floorChunk) => Pruning.prune(store, floorChunk)),
    sweep: Effect.fn("Catalog.sweep")((sweep) => Removal.sweep(store, sweep)),
    openHot: Effect.fn("Catalog.openHot")((chunk, hot) => HotBracket.openHot(store, chunk, hot)),
    discardHot: Effect.fn("Catalog.discardHot")((chunk) => Removal.discardHot(store, chunk)),
    checkpoint: Effect.fn("Catalog.checkpoint")((target) => database.checkpoint(target))
  })
})

/** {@link make} as a layer: the catalog is open as long as the layer lives. */
export const layer = <E = never, R = never>(
  options: CatalogOptions<E, R>
): Layer.Layer<Catalog, E | CatalogOpenError, Engine | HotEngine | Disk | Exclude<R, Scope.Scope>> =>
  Layer.effect(Catalog, make(options))
