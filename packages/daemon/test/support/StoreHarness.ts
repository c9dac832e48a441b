/** A store in memory for tests: the simulated disk, the memory engine, and a zstd that works on the calling thread. */
import { HotEngine } from "@icecore/catalog"
import { Zstd, ZstdLive } from "@icecore/codec"
import { Engine } from "@icecore/engine"
import * as MemoryEngine from "@icecore/engine/memory"
import { Disk } from "@icecore/packfile"
import { CrashRecorder, type CrashWorld, SimulatedDisk, SurvivorChoice } from "@icecore/packfile/testing"
import { Effect, Layer, References, type Scope, Stream } from "effect"

import * as ArtifactWork from "../../src/ArtifactWork.ts"
import type { Domain } from "../../src/Domain.ts"
import * as NdjsonDomain from "../../src/domain/NdjsonDomain.ts"
import type { Entry } from "../../src/Entry.ts"
import type { History, HistoryReadError, RangeOptions } from "../../src/History.ts"
import * as Store from "../../src/Store.ts"

/** A machine that outlives the stores opened on it. */
export interface Machine {
  readonly disk: SimulatedDisk.SimulatedDisk
  readonly medium: MemoryEngine.MemoryMedium
  readonly services: Layer.Layer<Store.StoreServices>
}

/** Compression on the calling thread, so that what a test does is in one order. */
export const zstdLayer: Layer.Layer<Zstd> = Layer.effect(
  Zstd,
  Effect.map(Zstd, (zstd) => ({
    ...zstd,
    compress: (bytes, options) => Effect.suspend(() => Effect.fromResult(zstd.compressSync(bytes, options))),
    decompress: (frame, options) => Effect.suspend(() => Effect.fromResult(zstd.decompressSync(frame, options)))
  }))
).pipe(Layer.provide(ZstdLive.layer))

/** Everything that a store needs, over a disk and an engine. */
export const services = (
  disk: Disk,
  engine: Engine,
  domain: Layer.Layer<Domain> = NdjsonDomain.layer
): Layer.Layer<Store.StoreServices> =>
  ArtifactWork.layerInline.pipe(
    Layer.merge(HotEngine.layer),
    Layer.provideMerge(Layer.succeed(Engine, engine)),
    Layer.provideMerge(Layer.succeed(Disk, disk)),
    Layer.provideMerge(zstdLayer),
    Layer.provideMerge(domain),
    Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "Warn"))
  )

export const makeMachine = (
  options: {
    readonly world?: CrashWorld
    readonly disk?: SimulatedDisk.SimulatedDiskOptions
    readonly mapDisk?: (disk: Disk) => Disk
    readonly domain?: Layer.Layer<Domain>
  } = {}
): Machine => {
  const world = options.world ?? CrashRecorder.make()
  const disk = SimulatedDisk.make(world, options.disk)
  const medium = MemoryEngine.makeMedium(world)
  const seen = options.mapDisk?.(disk.disk) ?? disk.disk
  return { disk, medium, services: services(seen, MemoryEngine.make(medium), options.domain) }
}

/** Opens a store, uses it, and closes it. */
export const withStore = <A, E>(
  machine: Machine,
  use: (store: Store.Store) => Effect.Effect<A, E, Store.StoreServices | Scope.Scope>,
  options: Partial<Store.StoreOptions> = {}
): Effect.Effect<A, E | Store.StoreOpenError> =>
  Effect.provide(
    Effect.scoped(Effect.flatMap(Store.make({ dataDir: "/store", geometry: smallGeometry, ...options }), use)),
    machine.services
  )

/** Four entries a chunk. */
export const smallGeometry = { firstSeq: 0, entriesPerChunk: 4, chunksPerWindow: 10 } as const

/** The bytes of entry `seq`: different lengths, empty ones among them. */
export const entryAt = (seq: number): Uint8Array =>
  new TextEncoder().encode(seq % 7 === 5 ? "" : `entry ${seq} ${"x".repeat(seq % 13)}`)

export const entriesAt = (from: number, to: number): ReadonlyArray<Uint8Array> =>
  Array.from({ length: to - from + 1 }, (_, index) => entryAt(from + index))

const largeEntries = new Map<number, Uint8Array>()

/** The bytes of a large entry `seq`: some 3 kB that do not compress, so that a pack has several blocks that a crash can lose. */
export const largeEntryAt = (seq: number): Uint8Array => {
  const known = largeEntries.get(seq)
  if (known !== undefined) return known
  const next = SurvivorChoice.generator(seq + 1)
  const entry = Uint8Array.from({ length: 2_500 + (seq % 3) * 700 }, () => 32 + (next() % 224))
  largeEntries.set(seq, entry)
  return entry
}

/** All of a range. */
export const collect = (
  history: History,
  options?: RangeOptions
): Effect.Effect<ReadonlyArray<Entry>, HistoryReadError> =>
  Effect.map(Stream.runCollect(history.range(options)), (batches) => batches.flat())

/** What {@link collect} gives for a log made of {@link entryAt}. */
export const expectedRange = (from: number, to: number): ReadonlyArray<Entry> =>
  entriesAt(from, to).map((bytes, index) => ({ seq: from + index, bytes }))
