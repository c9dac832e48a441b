/**
 * An open store: the history of one log in a directory, with everything that keeps it going.
 *
 * Opening takes the storage lock, opens the catalog, finds the log again ({@link import("./Recovery.ts")}) and starts the
 * lifecycle; closing stops the lifecycle and frees all. Whatever was acknowledged is durable before that, so closing
 * may be skipped by a crash.
 */
import { Catalog, CatalogKey, type CatalogOpenError, Geometry, HotEngine, Layout, StorageLock } from "@icecore/catalog"
import { Zstd } from "@icecore/codec"
import { Engine } from "@icecore/engine"
import { Disk } from "@icecore/packfile"
import { Context, Data, Effect, Layer, Option, type Scope, Stream } from "effect"
import { Domain } from "./Domain.ts"
import {
  AppendRefused,
  History,
  type HistoryAppendError,
  type HistoryStatus,
  type SourceStatus,
  StoreReadOnly
} from "./History.ts"
import * as Ingestion from "./Ingestion.ts"
import * as HotSet from "./internal/HotSet.ts"
import * as KeyTiers from "./internal/KeyTiers.ts"
import * as LogState from "./internal/LogState.ts"
import * as PackCache from "./internal/PackCache.ts"
import * as ReopeningEngine from "./internal/ReopeningEngine.ts"
import * as ViewEpoch from "./internal/ViewEpoch.ts"
import * as Views from "./internal/Views.ts"
import * as WatchedCatalog from "./internal/WatchedCatalog.ts"
import * as Lifecycle from "./Lifecycle.ts"
import * as LogWriter from "./LogWriter.ts"
import { processChunk } from "./ProcessChunk.ts"
import * as ReadView from "./ReadView.ts"
import * as Recovery from "./Recovery.ts"
import type { Source } from "./Source.ts"
import { reopenSpaceBytes, type StorageError } from "./StorageError.ts"
import * as StoreVerify from "./StoreVerify.ts"

/** There is no store in the directory, and it was to be opened for reading only. */
export class StoreNotFound extends Data.Error<{ readonly path: string }> {
  readonly _tag = "StoreNotFound"
  override readonly name = "StoreNotFound"
  override get message(): string {
    return `Cannot open store ${this.path}: there is none`
  }
}

/** Everything that opening a store can fail with. */
export type StoreOpenError =
  | Geometry.GeometryInvalid
  | Layout.LayoutInvalid
  | StorageLock.StorageLocked
  | CatalogOpenError
  | Recovery.HistoryHole
  | StoreNotFound
  | StorageError

export interface StoreOptions extends Layout.LayoutOptions {
  /**
   * Pinned on first start, compared ever after. A number left out is what is pinned, and on first start that of
   * {@link Geometry.defaults}, the first seq that of the domain.
   */
  readonly geometry?: Partial<Geometry.Geometry>
  /** Entries in a synced commit at most, when so many are at hand. More is faster, and never less safe. Default 1. */
  readonly entriesPerCommit?: number
  /** Complete chunks that may wait for their freeze before ingestion waits for them; each has a hot database. Default 4. */
  readonly maxUnfrozenChunks?: number
  /** Packfiles kept open while nobody reads them. Default 64. */
  readonly idlePackCount?: number
  /** Bounds of reads: how many at once (default 256), and how long one may take (default 300,000 ms). */
  readonly views?: Pick<Views.ViewsOptions, "maxCount" | "maxAgeMillis">
  /** Bytes of memory that key indexes, and filters over key runs, may take. Beyond it they are read from disk. Default 64 MiB. */
  readonly keyCacheBytes?: number
  /** How a full disk and other failures that may pass are tried again. */
  readonly retry?: Lifecycle.RetryOptions
  /** `readOnly` changes nothing: no append, no freeze, no discard, no repair. Default `readWrite`. */
  readonly mode?: "readWrite" | "readOnly"
}

/** What {@link Store.ingest} did. */
export interface IngestReport extends Ingestion.IngestionReport {
  /** Chunks that are frozen now. */
  readonly frozenChunkCount: number
}

export interface Store {
  readonly history: History
  readonly catalog: Catalog.Catalog
  /**
   * Commits what the source has until it ends; returns when all of it is durable and every complete chunk is frozen and its hot
   * database gone. A source that does not end is followed for ever. Only one source at a time feeds the log.
   */
  readonly ingest: (source: Source) => Effect.Effect<IngestReport, Ingestion.IngestionError | StoreReadOnly>
  /** Returns when every complete chunk is frozen and its hot database gone; fails when that will not come by itself. */
  readonly settled: Effect.Effect<void, StorageError>
  /** Checks all files, hot chunks and directories. See {@link import("./StoreVerify.ts")}. */
  readonly verify: Stream.Stream<StoreVerify.Checked, StorageError>
}

export const Store: Context.Service<Store, Store> = Context.Service("@icecore/daemon/Store")

/** What a store is built on. */
export type StoreServices = Engine | HotEngine.HotEngine | Disk | Zstd | Domain

/** Opens a store for the scope, made when there is none. */
export const make: (options: StoreOptions) => Effect.Effect<Store, StoreOpenError, StoreServices | Scope.Scope> =
  Effect.fn("Store.make")(function* (options: StoreOptions) {
    // Nothing but these: with the scope of the store among them, packs would stay open as long as it.
    const services = Context.pick(Disk, Zstd)(yield* Effect.context<Disk | Zstd>())
    const domain = yield* Domain
    const disk = yield* Disk
    const engine = yield* Engine
    const engines = { hot: (yield* HotEngine.HotEngine).engine.name, catalog: engine.name }
    const isReadOnly = options.mode === "readOnly"
    const retry = options.retry ?? {}
    const layout = yield* Layout.make(options)
    const geometryDefaults = yield* Geometry.make({ firstSeq: domain.firstSeq })
    yield* Geometry.make({ ...geometryDefaults, ...options.geometry })
    const { dataDir } = layout
    if (isReadOnly) yield* mustExist(engine, layout)
    yield* StorageLock.acquire(layout)
    const freeSpaceBytes = disk.freeSpaceBytes(dataDir)
    const epoch = ViewEpoch.make()
    const unwatched = yield* Effect.provideService(
      Catalog.make({
        layout,
        geometry: options.geometry ?? {},
        geometryDefaults,
        domain: { name: domain.name, version: domain.version, options: domain.options }
      }),
      Engine,
      ReopeningEngine.make({ engine, freeSpaceBytes, neededBytes: reopenSpaceBytes, onReopen: epoch.advance })
    )
    const catalog = WatchedCatalog.make(unwatched, epoch)
    const { geometry } = catalog.pins
    const hotSet = yield* HotSet.make<StorageError>(epoch)
    const packs = yield* PackCache.make({ catalog, services, idleCount: options.idlePackCount ?? 64 })
    const { state, plan, frozenCount } = yield* Recovery.recover({ catalog, hotSet, isReadOnly })
    const views = yield* Views.make({ ...options.views, state, hotSet, catalog, epoch, packs })
    const tiers = yield* KeyTiers.make({
      catalog,
      packs,
      services,
      ...(options.keyCacheBytes === undefined ? {} : { residentBytes: options.keyCacheBytes })
    })
    const view = ReadView.make({ catalog, domain, views, packs, tiers })
    const lifecycle = isReadOnly
      ? Lifecycle.resting(frozenCount)
      : yield* Lifecycle.make({
          state,
          hotSet,
          catalog,
          frozenCount,
          retry,
          discardable: plan.discardable,
          maxUnfrozenChunks: options.maxUnfrozenChunks ?? 4,
          freeze: (chunk) =>
            Effect.provideContext(processChunk({ catalog, hotSet, chunk, source: state.feeder }), services)
        })
    const writer = LogWriter.make({
      state,
      hotSet,
      catalog,
      disk,
      domain,
      known: view,
      entriesPerCommit: options.entriesPerCommit ?? 1,
      onBoundary: lifecycle.notify
    })
    const ingestion = Ingestion.make({ state, writer, view, retry })
    if (!isReadOnly) yield* writer.roll

    const append = Effect.fn("History.append")(function* (
      entries: ReadonlyArray<Uint8Array>,
      appendOptions?: { readonly expectedSeq?: number }
    ): Effect.fn.Return<{ readonly firstSeq: number; readonly lastSeq: number }, HistoryAppendError> {
      if (isReadOnly) return yield* new StoreReadOnly({ path: dataDir })
      if (Option.isSome(state.feeder)) return yield* new AppendRefused({ source: state.feeder.value.name })
      return yield* writer.append({ ...appendOptions, entries })
    })

    const sourceStatus = Effect.suspend((): Effect.Effect<Option.Option<SourceStatus>> => {
      if (Option.isNone(state.feeder)) return Effect.succeedNone
      const { name, tip } = state.feeder.value
      return Effect.map(Effect.option(tip), (found) => Option.some({ name, tip: Option.flatten(found) }))
    })

    const status: Effect.Effect<HistoryStatus, StorageError> = Effect.gen(function* () {
      const source = yield* sourceStatus
      const freeSpaceBytes = yield* disk.freeSpaceBytes(layout.roots.entries)
      return {
        served: LogState.served(state),
        nextSeq: state.nextSeq,
        liveChunk: state.liveChunk,
        chunks: {
          frozen: lifecycle.frozenCount(),
          freezing: hotSet.chunks().filter((chunk) => chunk < state.liveChunk).length,
          hot: hotSet.chunks().length
        },
        source,
        ingestion: ingestion.status(),
        freezing: lifecycle.status(),
        geometry,
        domain: { name: domain.name, version: domain.version },
        engines,
        freeSpaceBytes
      }
    })

    const history: History = {
      append,
      get: view.get,
      range: view.range,
      find: view.find,
      explain: view.explain,
      served: Effect.sync(() => LogState.served(state)),
      changes: Stream.fromPubSub(state.changes),
      status
    }

    const settled: Effect.Effect<void, StorageError> = isReadOnly
      ? Effect.void
      : Effect.andThen(Effect.retry(writer.roll, Lifecycle.retrySchedule(retry)), lifecycle.settled)

    const ingest = Effect.fn("Store.ingest")(function* (
      source: Source
    ): Effect.fn.Return<IngestReport, Ingestion.IngestionError | StoreReadOnly> {
      if (isReadOnly) return yield* new StoreReadOnly({ path: dataDir })
      const report = yield* ingestion.run(source)
      yield* settled
      return { ...report, frozenChunkCount: lifecycle.frozenCount() }
    })

    const verify = Stream.provideContext(StoreVerify.verify({ catalog, hotSet, state }), services)

    return { history, catalog, ingest, settled, verify }
  })

/** Opening a catalog would make one, so whether there is one is asked before. */
const mustExist = (engine: Engine, layout: Layout.Layout): Effect.Effect<void, StoreNotFound | StorageError> =>
  engine.open({ path: Layout.catalogPath(layout), keyspaces: [CatalogKey.keyspace], mode: "readOnly" }).pipe(
    Effect.scoped,
    Effect.asVoid,
    Effect.catchTag("EngineNotFound", () => Effect.fail(new StoreNotFound({ path: layout.dataDir })))
  )

/** {@link make} as a layer: the store is open as long as the layer lives. */
export const layer = (options: StoreOptions): Layer.Layer<Store | History, StoreOpenError, StoreServices> =>
  Layer.effectContext(
    Effect.map(make(options), (store) => Context.make(Store, store).pipe(Context.add(History, store.history)))
  )
