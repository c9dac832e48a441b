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
 * Removing one ({@link Catalog.demote}, {@link Catalog.sweep}): put `pruning`, synced; unlink; sync the directories; delete the keys. A
 * key left at `freezing` is removed the same way.
 *
 * Making a hot database ({@link Catalog.openHot}): put `transient`, synced; destroy what an earlier attempt left; make its
 * directory's parents durable; create; commit the seed, synced; put `ready`, synced. Removing one ({@link Catalog.discardHot}):
 * put `transient`, synced; destroy; delete the key.
 *
 * Invariants, after any crash: every file is reachable from a key; no key is `frozen` (or `ready`) without its durable, complete
 * file (or database); nothing is unlinked under `frozen`; where the key is absent the file is gone; opening the catalog
 * and one sweep settle the rest, and a second sweep changes nothing.
 *
 * Every call may be interrupted: keys stay as the last finished step left them, for a rebuild or the sweep. Work on one key
 * excludes other work on it in this process: the second fails with `CatalogBusy` at once. Other processes are kept
 * out by {@link import("./StorageLock.ts")} and the engine's own writer lock.
 */

import { type Database, Engine, type WriteBatch } from "@icecore/engine"
import { Disk } from "@icecore/packfile"
import { Context, Effect, Layer, type Option, type Scope } from "effect"
import type {
  ArtifactMissing,
  CatalogOpenError,
  CatalogReadError,
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
import * as Removal from "./internal/Removal.ts"
import type { Store } from "./internal/Store.ts"
import * as Layout from "./Layout.ts"

/** What a store is opened with. Everything but the layout is pinned on first start; what is given must be the same ever after. */
export interface CatalogOptions<E = never, R = never> {
  readonly layout: Layout.Layout
  /** A number left out is taken from `geometryDefaults` on first start, and from what is pinned ever after. */
  readonly geometry: Partial<Geometry>
  /** Default: `Geometry.defaults`. */
  readonly geometryDefaults?: Geometry
  readonly domain: DomainPin
  /**
   * Lowest seq ever kept. A number is pinned and compared like the rest; `onFirstStart` runs when the catalog is made, and
   * later starts take what is pinned. Default: on first start the geometry's `firstSeq`, later what is pinned.
   */
  readonly earliestSeq?: number | { readonly onFirstStart: Effect.Effect<number, E, R> }
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
  /** Last chunk covered, inclusive. The window's last chunk makes the coverage terminal: its key runs are demoted. */
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
   * Artifacts that this process demoted less than so many milliseconds ago are left for a later sweep, because readers
   * may still reach them. Default 0.
   */
  readonly graceMillis?: number
}

export interface SweepReport {
  /** Keys of artifacts removed, with their files. */
  readonly artifactCount: number
  /** Half made or half removed hot databases removed. */
  readonly hotCount: number
  /** Keys left because their grace period runs, or because other work on them is under way. */
  readonly deferredCount: number
}

export interface Catalog {
  /** Directory of the catalog's database. */
  readonly path: string
  readonly layout: Layout.Layout
  readonly pins: Pins
  /** Whether this start made the catalog. */
  readonly fresh: boolean
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
   * Finishes removals: of `pruning` and abandoned `freezing` artifacts and of `transient` hot databases. Walks keys, never
   * directories. Idempotent.
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
}

export const Catalog: Context.Service<Catalog, Catalog> = Context.Service("@icecore/catalog/Catalog")

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
  const { pins, fresh } = yield* Opening.open(database, disk, options)
  const store: Store = {
    disk,
    hotEngine,
    layout,
    database,
    table: { path, geometry: pins.geometry, reader: database },
    claims: Claims.make(),
    directories,
    demotedAt: new Map()
  }
  return Catalog.of({
    path,
    layout,
    pins,
    fresh,
    snapshot: Effect.map(database.snapshot, (reader) => CatalogSnapshot.make({ ...store.table, reader })),
    writeChunk: Effect.fn("Catalog.writeChunk")((chunk) => ArtifactWrite.writeChunk(store, chunk)),
    writeIndex: Effect.fn("Catalog.writeIndex")((index) => ArtifactWrite.writeIndex(store, index)),
    demote: Effect.fn("Catalog.demote")((keys) => Removal.demote(store, keys)),
    sweep: Effect.fn("Catalog.sweep")((sweep) => Removal.sweep(store, sweep)),
    openHot: Effect.fn("Catalog.openHot")((chunk, hot) => HotBracket.openHot(store, chunk, hot)),
    discardHot: Effect.fn("Catalog.discardHot")((chunk) => Removal.discardHot(store, chunk))
  })
})

/** {@link make} as a layer: the catalog is open as long as the layer lives. */
export const layer = <E = never, R = never>(
  options: CatalogOptions<E, R>
): Layer.Layer<Catalog, E | CatalogOpenError, Engine | HotEngine | Disk | Exclude<R, Scope.Scope>> =>
  Layer.effect(Catalog, make(options))
