/**
 * An open store: the history of one log in a directory, with everything that keeps it going.
 *
 * Opening takes the storage lock, opens the catalog, finds the log again ({@link import("./Recovery.ts")}) and starts the
 * lifecycle; closing stops the lifecycle and frees all. Whatever was acknowledged is durable before that, so closing
 * may be skipped by a crash.
 */
import { Catalog, Geometry, HotEngine, Layout, type Retention, SteadyClock, StorageLock } from "@icecore/catalog"
import { Zstd } from "@icecore/codec"
import { Engine } from "@icecore/engine"
import { Disk } from "@icecore/packfile"
import { Context, Deferred, Effect, Layer, Option, type Scope, Semaphore, Stream } from "effect"
import { ArtifactWork } from "./ArtifactWork.ts"
import * as Backfill from "./Backfill.ts"
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
import * as DestructionHolds from "./internal/DestructionHolds.ts"
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
import * as DiscardStage from "./lifecycle/DiscardStage.ts"
import * as FreezeStage from "./lifecycle/FreezeStage.ts"
import * as PruneStage from "./lifecycle/PruneStage.ts"
import * as RollStage from "./lifecycle/RollStage.ts"
import * as SweepStage from "./lifecycle/SweepStage.ts"
import * as Upkeep from "./lifecycle/Upkeep.ts"
import * as PrunePlan from "./PrunePlan.ts"
import * as ReadView from "./ReadView.ts"
import * as Recovery from "./Recovery.ts"
import { type RetryOptions, retrySchedule } from "./Retrying.ts"
import type { Source } from "./Source.ts"
import { reopenSpaceBytes, type StorageError } from "./StorageError.ts"
import * as StoreBackup from "./StoreBackup.ts"
import * as StoreVerify from "./StoreVerify.ts"
import type { StoreOpenError } from "./store/StoreOpenError.ts"
import * as StoreOpening from "./store/StoreOpening.ts"
import type { StoreOptions } from "./store/StoreOptions.ts"

export { EarliestBeyondEnd, SourceEndUnknown, StoreNotFound, type StoreOpenError } from "./store/StoreOpenError.ts"
export type { BackfillOptions, RetentionOptions, StoreOptions } from "./store/StoreOptions.ts"

/** What {@link Store.ingest} did. */
export interface IngestReport extends Ingestion.IngestionReport {
  /** Chunks that are frozen now. */
  readonly frozenChunkCount: number
  /** Chunks whose entries were frozen since the store was opened. */
  readonly builtChunkCount: number
}

export interface Store {
  readonly history: History
  readonly catalog: Catalog.Catalog
  /**
   * Commits what the source has until it ends; returns when all of it is durable and the store is {@link Store.settled}. Whole
   * chunks of a source that is bounded and repeatable are frozen without a hot database. A source that does not end is followed
   * for ever. Only one source at a time feeds the log.
   */
  readonly ingest: (source: Source) => Effect.Effect<IngestReport, Ingestion.IngestionError | StoreReadOnly>
  /**
   * Freezes the whole chunks that a bounded, repeatable source has, and what retention asks for before the beginning of history,
   * and leaves the rest of the source alone.
   */
  readonly backfill: (
    source: Source
  ) => Effect.Effect<Backfill.BackfillReport, Ingestion.IngestionError | StoreReadOnly>
  /**
   * Returns when every complete chunk is frozen and indexed, its hot database gone, and what is below the floor demoted and, as far as
   * it is due, removed; fails when that will not come by itself.
   */
  readonly settled: Effect.Effect<void, StorageError>
  /** {@link Store.settled}, and what it took, as clauses for people. */
  readonly runLifecycle: Effect.Effect<Lifecycle.LifecycleReport, StorageError>
  /** What a prune would remove now. Changes nothing. */
  readonly prunePlan: Effect.Effect<PrunePlan.PrunePlan, StorageError>
  /** Checks all files, hot chunks and directories. See {@link import("./StoreVerify.ts")}. */
  readonly verify: Stream.Stream<StoreVerify.Checked, StorageError>
  /**
   * Copies the store as it is now into a directory, while it goes on, and audits the copy. One at a time. See
   * {@link import("./StoreBackup.ts")}.
   */
  readonly backup: (
    options: StoreBackup.BackupOptions
  ) => Effect.Effect<StoreBackup.BackupReport, StoreBackup.BackupError>
}

export const Store: Context.Service<Store, Store> = Context.Service("@icecore/daemon/Store")

/** What a store is built on. */
export type StoreServices = Engine | HotEngine.HotEngine | Disk | Zstd | Domain | ArtifactWork

/**
 * Opens a store for the scope, made when there is none. Dies when {@link ArtifactWork} was made with another {@link Domain} than
 * the one that is given.
 */
export const make: (options: StoreOptions) => Effect.Effect<Store, StoreOpenError, StoreServices | Scope.Scope> =
  Effect.fn("Store.make")(function* (options: StoreOptions) {
    // Nothing but these: with the scope of the store among them, packs would stay open as long as it.
    const services = Context.pick(Disk, Zstd)(yield* Effect.context<Disk | Zstd>())
    const backupServices = Context.pick(
      Engine,
      HotEngine.HotEngine,
      Disk,
      Zstd,
      Domain
    )(yield* Effect.context<StoreBackup.BackupServices>())
    const domain = yield* Domain
    const disk = yield* Disk
    const work = yield* ArtifactWork
    yield* StoreOpening.dieOfOtherDomain(domain, work)
    const engine = yield* Engine
    const engines = { hot: (yield* HotEngine.HotEngine).engine.name, catalog: engine.name }
    const isReadOnly = options.mode === "readOnly"
    const retry = options.retry ?? {}
    const layout = yield* Layout.make(options)
    const geometryDefaults = yield* Geometry.make({ firstSeq: domain.firstSeq })
    const checked = yield* Geometry.make({ ...geometryDefaults, ...options.geometry })
    const graceMillis = options.graceMillis ?? 30_000
    let oldestViewMillis: Effect.Effect<Option.Option<number>> = Effect.succeedNone
    const holds = DestructionHolds.make()
    const { dataDir } = layout
    if (isReadOnly) yield* StoreOpening.mustExist(engine, layout)
    yield* StorageLock.acquire(layout)
    const pinned: Catalog.CatalogOptions = {
      layout,
      geometry: options.geometry ?? {},
      geometryDefaults,
      domain: { name: domain.name, version: domain.version, options: domain.options }
    }
    yield* StoreOpening.refuseEmptying({ ...pinned, checkFiles: false }, options.retention?.earliest)
    const freeSpaceBytes = disk.freeSpaceBytes(dataDir)
    const epoch = ViewEpoch.make()
    const unwatched = yield* Effect.provideService(
      Catalog.make({
        ...pinned,
        ...(isReadOnly ? { checkFiles: false } : StoreOpening.earliestOf(options, checked.firstSeq)),
        destroyableBefore: Effect.gen(function* () {
          // What is demoted in this very millisecond may be destroyed in it when there is no grace.
          const due = (yield* SteadyClock.currentMillis) - graceMillis + (graceMillis === 0 ? 1 : 0)
          const before = Math.min(due, holds.oldestMillis())
          return Option.match(yield* oldestViewMillis, {
            onNone: () => before,
            onSome: (openedMillis) => Math.min(before, openedMillis)
          })
        })
      }),
      Engine,
      ReopeningEngine.make({ engine, freeSpaceBytes, neededBytes: reopenSpaceBytes, onReopen: epoch.advance })
    )
    const catalog = WatchedCatalog.make(unwatched, epoch)
    const { geometry } = catalog.pins
    const hotSet = yield* HotSet.make<StorageError>(epoch)
    const packs = yield* PackCache.make({ catalog, services, idleCount: options.idlePackCount ?? 64 })
    if (Option.isSome(domain.keys)) yield* StoreOpening.refuseWideWindows(geometry)
    const retention: Retention.Retention = {
      chunks: options.retention?.chunks ?? 0,
      earliestSeq: StoreOpening.keptFrom(options.retention?.earliest, catalog.pins)
    }
    const { state, plan } = yield* Recovery.recover({ catalog, hotSet, retention, isReadOnly })
    const views = yield* Views.make({ ...options.views, state, hotSet, catalog, epoch, packs })
    oldestViewMillis = views.oldestOpenedMillis
    const tiers = yield* KeyTiers.make({
      catalog,
      packs,
      services,
      ...(options.keyCacheBytes === undefined ? {} : { residentBytes: options.keyCacheBytes })
    })
    const view = ReadView.make({ catalog, domain, views, packs, tiers })
    const buildRetry = { ...retry, times: options.backfill?.maxRetries ?? 3 }
    const upkeep: Upkeep.Upkeep = {
      state,
      hotSet,
      catalog,
      work,
      keys: domain.keys,
      retention,
      concurrency: options.backfill?.workers ?? 2,
      retry: buildRetry,
      maxUnfrozenChunks: options.maxUnfrozenChunks ?? 4,
      frozenHot: new Set(),
      knownRuns: new Map(),
      builds: { chunks: 0, indexes: 0 },
      frozenTo: Geometry.ChunkId((plan.unfrozen[0] ?? plan.liveChunk) - 1),
      rollFrom: Geometry.WindowId(0),
      isBackfilling: false,
      floorProblem: Option.none()
    }
    const lifecycle = isReadOnly
      ? Lifecycle.resting
      : yield* makeLifecycle(upkeep, services, {
          retry,
          graceMillis,
          rollIdleMillis: options.rollIdleMillis ?? 10_000,
          discardable: plan.discardable
        })
    const writer = LogWriter.make({
      state,
      hotSet,
      catalog,
      disk,
      domain,
      known: view,
      entriesPerCommit: options.entriesPerCommit ?? 1,
      onBoundary: Effect.andThen(Upkeep.crossed(upkeep), lifecycle.notify)
    })
    const backfill = Backfill.make({
      upkeep,
      view,
      services,
      bufferBytes: options.backfill?.bufferBytes ?? 64 * 1024 * 1024,
      notify: lifecycle.notify
    })
    const ingestion = Ingestion.make({ state, writer, view, backfill, retry, notify: lifecycle.notify })
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
          frozen: Upkeep.frozenCount(upkeep),
          freezing: hotSet.chunks().filter((chunk) => chunk < state.liveChunk).length,
          hot: hotSet.chunks().length
        },
        source,
        ingestion: ingestion.status(),
        freezing: lifecycle.status(),
        stages: lifecycle.stages(),
        retention: Upkeep.retentionStatus(upkeep),
        keys: yield* Upkeep.keysStatus(upkeep),
        builds: { ...upkeep.builds },
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

    const runLifecycle: Effect.Effect<Lifecycle.LifecycleReport, StorageError> = isReadOnly
      ? lifecycle.settled
      : Effect.andThen(Effect.retry(writer.roll, retrySchedule(retry)), lifecycle.settled)
    const settled = Effect.asVoid(runLifecycle)

    const ingest = Effect.fn("Store.ingest")(function* (
      source: Source
    ): Effect.fn.Return<IngestReport, Ingestion.IngestionError | StoreReadOnly> {
      if (isReadOnly) return yield* new StoreReadOnly({ path: dataDir })
      const report = yield* ingestion.run(source)
      yield* settled
      return { ...report, frozenChunkCount: Upkeep.frozenCount(upkeep), builtChunkCount: upkeep.builds.chunks }
    })

    const fillIn = Effect.fn("Store.backfill")(function* (
      source: Source
    ): Effect.fn.Return<Backfill.BackfillReport, Ingestion.IngestionError | StoreReadOnly> {
      return yield* isReadOnly ? Effect.fail(new StoreReadOnly({ path: dataDir })) : ingestion.backfill(source)
    })

    const verify = Stream.provideContext(StoreVerify.verify({ catalog, hotSet, state }), services)

    const prunePlan = PrunePlan.make(upkeep, disk)

    const backups = Semaphore.makeUnsafe(1)
    const parts: StoreBackup.BackupParts = {
      layout,
      checkpointCatalog: catalog.checkpoint,
      holdHot: (chunk) =>
        Effect.map(
          hotSet.hold(chunk),
          Option.map(({ database }) => database)
        ),
      holdDestruction: holds.hold
    }
    const backup = (backupOptions: StoreBackup.BackupOptions) =>
      StoreBackup.backup(parts, backupOptions).pipe(
        Effect.provideContext(backupServices),
        backups.withPermitsIfAvailable(1),
        Effect.flatMap(
          Option.match({
            onNone: () =>
              Effect.fail(
                new StoreBackup.BackupRefused({
                  directory: backupOptions.directory,
                  detail: "another backup is under way"
                })
              ),
            onSome: Effect.succeed
          })
        )
      )

    return { history, catalog, ingest, backfill: fillIn, settled, runLifecycle, prunePlan, verify, backup }
  })

const makeLifecycle = Effect.fnUntraced(function* (
  upkeep: Upkeep.Upkeep,
  services: Context.Context<Disk | Zstd>,
  options: {
    readonly retry: RetryOptions
    readonly graceMillis: number
    readonly rollIdleMillis: number
    readonly discardable: ReadonlyArray<Geometry.ChunkId>
  }
): Effect.fn.Return<Lifecycle.Lifecycle, never, Scope.Scope> {
  const { state, catalog } = upkeep
  const provide = <A>(effect: Effect.Effect<A, StorageError, Disk | Zstd>): Effect.Effect<A, StorageError> =>
    Effect.provideContext(effect, services)
  let notify: Effect.Effect<void> = Effect.void
  const discard = yield* DiscardStage.make(upkeep, {
    closed: options.discardable,
    notify: Effect.suspend(() => notify)
  })
  const lifecycle = yield* Lifecycle.make({
    stages: [
      FreezeStage.make(upkeep, provide),
      RollStage.make(upkeep, { idleMillis: options.rollIdleMillis, provide }),
      discard,
      PruneStage.make(upkeep),
      SweepStage.make(catalog, options.graceMillis)
    ],
    retry: options.retry,
    onStuck: (exit) => {
      Deferred.doneUnsafe(state.stuck, exit)
    }
  })
  notify = lifecycle.notify
  return lifecycle
})

/** {@link make} as a layer: the store is open as long as the layer lives. */
export const layer = (options: StoreOptions): Layer.Layer<Store | History, StoreOpenError, StoreServices> =>
  Layer.effectContext(
    Effect.map(make(options), (store) => Context.make(Store, store).pipe(Context.add(History, store.history)))
  )
