/**
 * A store of four-entry chunks whose every step is taken by hand: chunks are filled, frozen, indexed, discarded and pruned
 * when a test says so, and read through views meanwhile.
 */
import { Catalog, Geometry, Layout, StorageLock } from "@icecore/catalog"
import { Zstd } from "@icecore/codec"
import { Disk, KeyIndex, KeyRun } from "@icecore/packfile"
import { Context, Effect, Option, Result, type Scope, Stream } from "effect"
import type { DuplicatePolicy } from "../../src/Domain.ts"
import * as NdjsonDomain from "../../src/domain/NdjsonDomain.ts"
import * as EntriesPack from "../../src/EntriesPack.ts"
import { hotKeyspaces } from "../../src/format/HotFormat.ts"
import * as HotChunk from "../../src/HotChunk.ts"
import * as HotSet from "../../src/internal/HotSet.ts"
import * as KeyTiers from "../../src/internal/KeyTiers.ts"
import * as LogState from "../../src/internal/LogState.ts"
import * as PackCache from "../../src/internal/PackCache.ts"
import * as ViewEpoch from "../../src/internal/ViewEpoch.ts"
import * as Views from "../../src/internal/Views.ts"
import * as WatchedCatalog from "../../src/internal/WatchedCatalog.ts"
import * as ReadView from "../../src/ReadView.ts"
import type { StorageError } from "../../src/StorageError.ts"
import type { StoreServices } from "../../src/Store.ts"
import { type Machine, makeMachine } from "./StoreHarness.ts"

export const geometry: Geometry.Geometry = { firstSeq: 0, entriesPerChunk: 4, chunksPerWindow: 4 }

export interface TierOptions {
  readonly duplicates?: DuplicatePolicy
  readonly views?: Pick<Views.ViewsOptions, "maxCount" | "maxAgeMillis">
  readonly residentBytes?: number
  /** Keys of entry `seq`, as texts. Default: one of its own. */
  readonly keysAt?: (seq: number) => ReadonlyArray<string>
  readonly machine?: Machine
}

export interface Tiers {
  readonly reads: ReadView.ReadView
  readonly views: Views.Views
  readonly state: LogState.LogState
  readonly catalog: Catalog.Catalog
  readonly packs: PackCache.PackCache<StorageError>
  readonly keyOf: (text: string) => Uint8Array
  readonly entryAt: (seq: number) => Uint8Array
  /** Appends the next entry, and opens the next chunk behind the last one of a chunk. */
  readonly append: Effect.Effect<void, StorageError>
  readonly freeze: (chunk: number) => Effect.Effect<void, unknown, StoreServices>
  /** Builds the index over the frozen chunks from `lo` to `hi`. */
  readonly index: (lo: number, hi: number) => Effect.Effect<void, unknown, StoreServices>
  /** Takes a hot database out; it is destroyed once nobody reads it. */
  readonly discard: (chunk: number) => Effect.Effect<void, never, Scope.Scope>
  /** Closes the hot database of a chunk when nobody reads it, and opens it again. */
  readonly reopen: (chunk: number) => Effect.Effect<void, StorageError>
  readonly prune: (floorChunk: number) => Effect.Effect<void, StorageError>
  /** Destroys what no view reaches; how many artifacts it left. */
  readonly sweep: Effect.Effect<number, StorageError>
}

const text = new TextEncoder()

/** Opens an empty log with a live chunk, uses it, and closes it. */
export const withTiers = <A, E>(
  options: TierOptions,
  use: (tiers: Tiers) => Effect.Effect<A, E, StoreServices | Scope.Scope>
): Effect.Effect<A, unknown> =>
  Effect.gen(function* () {
    const domain = NdjsonDomain.make({
      keys: ["/keys"],
      keyFormat: "text",
      duplicates: options.duplicates ?? "error"
    })
    const keys = Option.getOrThrow(domain.keys)
    const keysAt = options.keysAt ?? ((seq: number) => [`key ${seq}`])
    const entryAt = (seq: number): Uint8Array => text.encode(JSON.stringify({ seq, keys: keysAt(seq) }))
    const layout = yield* Layout.make({ dataDir: "/store" })
    yield* StorageLock.acquire(layout)
    const epoch = ViewEpoch.make()
    const unwatched = yield* Catalog.make({
      layout,
      geometry,
      domain: { name: domain.name, version: domain.version, options: domain.options },
      destroyableBefore: Effect.map(
        epoch.oldestOpenedMillis,
        Option.getOrElse(() => Number.POSITIVE_INFINITY)
      )
    })
    const catalog = WatchedCatalog.make(unwatched, epoch)
    const hotSet = yield* HotSet.make<StorageError>(epoch)
    const open = (chunk: number) =>
      Effect.map(catalog.openHot(Geometry.ChunkId(chunk), { keyspaces: hotKeyspaces }), (database) =>
        HotChunk.make({ geometry, chunk: Geometry.ChunkId(chunk), database })
      )
    yield* hotSet.add(open(0))
    const state = yield* LogState.make({
      geometry,
      floor: 0,
      liveChunk: Geometry.ChunkId(0),
      nextSeq: 0,
      position: Option.none()
    })
    const services = Context.pick(Disk, Zstd)(yield* Effect.context<Disk | Zstd>())
    const packs = yield* PackCache.make({ catalog, services, idleCount: 2 })
    const views = yield* Views.make({ ...options.views, state, hotSet, catalog, epoch, packs })
    const tiers = yield* KeyTiers.make({
      catalog,
      packs,
      services,
      idleCount: 2,
      ...(options.residentBytes === undefined ? {} : { residentBytes: options.residentBytes })
    })
    const reads = ReadView.make({ catalog, domain, views, packs, tiers })

    const keysOf = (entry: Uint8Array) => Result.getOrThrow(keys.of(entry))

    const append = Effect.gen(function* () {
      const seq = state.nextSeq
      const chunk = Geometry.chunkOf(geometry, seq)
      const entry = entryAt(seq)
      yield* hotSet.use(chunk, (hot) =>
        HotChunk.commit(hot, {
          firstSeq: seq,
          entries: [entry],
          keys: [keysOf(entry)],
          duplicates: keys.duplicates
        })
      )
      LogState.advance(state, { nextSeq: seq + 1, position: Option.none() })
      if (seq < Geometry.lastSeqOf(geometry, chunk)) return
      yield* hotSet.add(open(chunk + 1))
      state.liveChunk = Geometry.ChunkId(chunk + 1)
    })

    const entriesOf = (chunk: Geometry.ChunkId) =>
      Array.from({ length: geometry.entriesPerChunk }, (_, index) => entryAt(chunk * geometry.entriesPerChunk + index))

    const freeze = (id: number) => {
      const chunk = Geometry.ChunkId(id)
      const firstSeq = Geometry.firstSeqOf(geometry, chunk)
      const window = Geometry.firstChunkOf(geometry, Geometry.windowOf(geometry, chunk))
      const entries = entriesOf(chunk)
      const builder = KeyRun.builder()
      for (const [index, entry] of entries.entries())
        for (const key of keysOf(entry)) builder.add(key, firstSeq + index - Geometry.firstSeqOf(geometry, window))
      return Effect.asVoid(
        catalog.writeChunk({
          chunk,
          kinds: ["entries", "keys"],
          produce: () =>
            EntriesPack.write({
              path: Layout.entriesPath(layout, chunk),
              chunk,
              firstSeq,
              entryCount: geometry.entriesPerChunk,
              itemsPerRecord: 2,
              entries: Stream.make(entries.map((bytes, index) => ({ seq: firstSeq + index, bytes }))),
              run: KeyRun.write(Layout.keyRunPath(layout, chunk), builder.finish())
            })
        })
      )
    }

    const index = (lo: number, hi: number) => {
      const [first, last] = [Geometry.ChunkId(lo), Geometry.ChunkId(hi)]
      const window = Geometry.windowOf(geometry, first)
      const chunks = Array.from({ length: hi - lo + 1 }, (_, at) => Geometry.ChunkId(lo + at))
      return Effect.asVoid(
        catalog.writeIndex({
          window,
          lo: first,
          hi: last,
          produce: (path) =>
            KeyIndex.build({
              path,
              runs: chunks.map((chunk) => ({ path: Layout.keyRunPath(layout, chunk) })),
              coverage: { window, lo, hi },
              windowFirstSeq: Geometry.firstSeqOf(geometry, Geometry.firstChunkOf(geometry, window)),
              coverageFirstSeq: Geometry.firstSeqOf(geometry, first),
              coverageLastSeq: Geometry.lastSeqOf(geometry, last),
              duplicates: keys.duplicates
            })
        })
      )
    }

    const discard = (id: number) =>
      Effect.andThen(hotSet.retire(Geometry.ChunkId(id)), catalog.discardHot(Geometry.ChunkId(id))).pipe(
        Effect.orDie,
        Effect.forkScoped({ startImmediately: true }),
        Effect.asVoid
      )

    const prune = (floorChunk: number) =>
      Effect.gen(function* () {
        const floor = Geometry.firstSeqOf(geometry, Geometry.ChunkId(floorChunk))
        yield* catalog.setBeginSeq(floor)
        LogState.moveFloor(state, floor)
        yield* catalog.prune(Geometry.ChunkId(floorChunk))
      })

    return yield* use({
      reads,
      views,
      state,
      catalog,
      packs,
      keyOf: (name) => Option.getOrThrow(keys.parse(name)),
      entryAt,
      append,
      freeze,
      index,
      discard,
      reopen: (chunk) => Effect.asVoid(hotSet.reopen(Geometry.ChunkId(chunk), open(chunk))),
      prune,
      sweep: Effect.map(catalog.sweep(), ({ deferredCount }) => deferredCount)
    })
  }).pipe(Effect.scoped, Effect.provide((options.machine ?? makeMachine()).services))
