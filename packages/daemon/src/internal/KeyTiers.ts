/**
 * Where keys are looked up: hot databases, key runs of frozen chunks, key indexes of windows.
 *
 * Every chunk that a view reads is in exactly one source: in the key index that covers it, else in its frozen run, else in its hot
 * database. A chunk that is in none is a {@link MissingKeys}, so that what cannot be known is never taken for "no such key".
 *
 * Runs and indexes that were used last stay open. A run has no checksum of its own, so it is read whole when it is opened, and held
 * against what the pack of its entries says of it; from then on a filter in memory answers for nearly every key that it does not
 * have. What indexes and filters take in memory is bounded: beyond that, files are read instead.
 */
import { type Catalog, type CatalogReadError, type Coverage, Geometry, Layout } from "@icecore/catalog"
import { type Disk, KeyIndex, KeyIndexCorrupt, KeyRun } from "@icecore/packfile"
import { type Context, Effect, Option, type Scope, Semaphore, Stream } from "effect"
import { keyPrefixOf } from "../format/HotFormat.ts"
import * as HotChunk from "../HotChunk.ts"
import * as KeyFilter from "../kernel/KeyFilter.ts"
import type { StorageError } from "../StorageError.ts"
import type { HotHandle } from "./HotSet.ts"
import * as OpenFiles from "./OpenFiles.ts"
import type { PackCache } from "./PackCache.ts"
import type { Base, View } from "./Views.ts"

/** Keys of a chunk that only its hot database has. */
export interface HotKeys {
  readonly _tag: "Hot"
  readonly lo: Geometry.ChunkId
  readonly hi: Geometry.ChunkId
  readonly handle: HotHandle<StorageError>
}

/** Keys of a frozen chunk that no index covers. */
export interface RunKeys {
  readonly _tag: "Run"
  readonly lo: Geometry.ChunkId
  readonly hi: Geometry.ChunkId
}

/** Keys of the chunks that an index covers. */
export interface IndexKeys {
  readonly _tag: "Index"
  readonly lo: Geometry.ChunkId
  readonly hi: Geometry.ChunkId
  readonly window: Geometry.WindowId
}

/** Chunks whose keys are nowhere: the storage is damaged. */
export interface MissingKeys {
  readonly _tag: "Missing"
  readonly lo: Geometry.ChunkId
  readonly hi: Geometry.ChunkId
}

/** Keys of the chunks `lo` to `hi`, both inclusive. */
export type KeySource = HotKeys | RunKeys | IndexKeys | MissingKeys

/** Seqs of a source whose entries have the first 16 bytes of a key, ascending; of an index, at most one that may have. */
export interface Candidates {
  readonly seqs: ReadonlyArray<number>
  /** Look-ups made in the database or file. */
  readonly readCount: number
}

export interface KeyTiers {
  /** All sources of a view, newest first. No two have a chunk in common. */
  readonly sources: (view: View) => Effect.Effect<ReadonlyArray<KeySource>, CatalogReadError>
  /** Looks a key up. The source is none that is missing. */
  readonly find: (source: HotKeys | RunKeys | IndexKeys, key: Uint8Array) => Effect.Effect<Candidates, StorageError>
  /**
   * Whether a source has none of the keys, as far as that is known in memory; false says nothing. PERF: a look-up that misses asks
   * every source, and an Effect each would cost more than the answer.
   */
  readonly isNoneUnsafe: (source: RunKeys | IndexKeys, keys: ReadonlyArray<Uint8Array>) => boolean
  /** The same as `find` for many keys: seqs by the position of their key in the list, for those that have any. */
  readonly findMany: (
    source: HotKeys | RunKeys | IndexKeys,
    keys: ReadonlyArray<Uint8Array>
  ) => Effect.Effect<ReadonlyMap<number, ReadonlyArray<number>>, StorageError>
  /** The file or database of a source. */
  readonly pathOf: (source: KeySource) => Option.Option<string>
}

export interface KeyTiersOptions {
  readonly catalog: Catalog.Catalog
  readonly packs: PackCache<StorageError>
  readonly services: Context.Context<Disk>
  /** Bytes that indexes and filters may take in memory. Default 64 MiB. */
  readonly residentBytes?: number
  /** Runs, and indexes, kept open while nobody reads them. Default 256 of each. */
  readonly idleCount?: number
}

/** A run that was read whole once. */
interface OpenRun {
  readonly run: KeyRun.KeyRun
  /** None where memory did not suffice. */
  readonly filter: Option.Option<KeyFilter.KeyFilter>
}

/** The sources of a state of the store, for views whose chunks lie within these, both inclusive. */
interface Plan {
  readonly floorChunk: Geometry.ChunkId
  readonly lastChunk: Geometry.ChunkId
  readonly sources: ReadonlyArray<KeySource>
}

const none: Candidates = { seqs: [], readCount: 0 }
const noneRead: Candidates = { seqs: [], readCount: 1 }

/** Nothing is open. What is open closes with the scope. */
export const make = (options: KeyTiersOptions): Effect.Effect<KeyTiers, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { catalog, packs, services } = options
    const { geometry } = catalog.pins
    const idleCount = options.idleCount ?? 256
    const residentBytes = options.residentBytes ?? 64 * 1024 * 1024
    const plans = new WeakMap<Base, Plan>()
    const opening = Semaphore.makeUnsafe(1)
    let usedBytes = 0

    /** Counts bytes as used until the scope ends. */
    const reserve = (bytes: number): Effect.Effect<void, never, Scope.Scope> =>
      Effect.acquireRelease(
        Effect.sync(() => {
          usedBytes += bytes
        }),
        () =>
          Effect.sync(() => {
            usedBytes -= bytes
          })
      )

    const windowFirstSeq = (chunk: Geometry.ChunkId): number =>
      Geometry.firstSeqOf(geometry, Geometry.firstChunkOf(geometry, Geometry.windowOf(geometry, chunk)))

    const openRun = Effect.fnUntraced(function* (chunk: Geometry.ChunkId) {
      const expected = Option.getOrUndefined(yield* packs.use(chunk, ({ run }) => Effect.succeed(run)))
      const run = yield* KeyRun.open(Layout.keyRunPath(catalog.layout, chunk), expected)
      const first = Geometry.firstSeqOf(geometry, chunk) - windowFirstSeq(chunk)
      yield* run.verify({ minOffset: first, maxOffset: first + geometry.entriesPerChunk - 1 })
      const filterBytes = KeyFilter.sizeBytesOf(run.keyCount)
      if (usedBytes + filterBytes > residentBytes) return { run, filter: Option.none() }
      yield* reserve(filterBytes)
      const filter = KeyFilter.make(run.keyCount)
      yield* Stream.runForEachArray(run.rows, (rows) =>
        Effect.sync(() => {
          for (const { prefix } of rows) KeyFilter.add(filter, prefix)
        })
      )
      return { run, filter: Option.some(filter) }
    })

    const indexPathOf = ({ window, lo, hi }: Coverage): string =>
      Layout.keyIndexPath(catalog.layout, { window, lo, hi })

    const openIndex = Effect.fnUntraced(function* (path: string) {
      const index = yield* KeyIndex.open(path, { residentLimitBytes: Math.max(0, residentBytes - usedBytes) })
      const { window, lo, hi } = index.header.coverage
      const covered = indexPathOf({
        window: Geometry.WindowId(window),
        lo: Geometry.ChunkId(lo),
        hi: Geometry.ChunkId(hi)
      })
      if (covered !== path) {
        const detail = `it covers chunks ${lo} to ${hi} of window ${window}: it is the file of another index`
        return yield* new KeyIndexCorrupt({ path, part: "header", detail, offsetBytes: 0 })
      }
      yield* reserve(index.residentSizeBytes)
      return index
    })

    const runs = yield* OpenFiles.make<Geometry.ChunkId, OpenRun, StorageError>({
      idleCount,
      open: (chunk) => Effect.provideContext(opening.withPermit(openRun(chunk)), services)
    })
    const indexes = yield* OpenFiles.make<string, KeyIndex.KeyIndex, StorageError>({
      idleCount,
      open: (path) => Effect.provideContext(opening.withPermit(openIndex(path)), services)
    })

    const plan = Effect.fnUntraced(function* (
      { hot, snapshot }: Base,
      floorChunk: Geometry.ChunkId,
      lastChunk: Geometry.ChunkId
    ): Effect.fn.Return<Plan, CatalogReadError> {
      const coverages = yield* Stream.runCollect(snapshot.coverages({ from: Geometry.windowOf(geometry, floorChunk) }))
      const sources: Array<KeySource> = []
      const addUncovered = Effect.fnUntraced(function* (from: number, to: number) {
        const range = { from: Geometry.ChunkId(from), to: Geometry.ChunkId(to) }
        const frozen = yield* Stream.runCollect(snapshot.runs(range))
        const chunks = new Set(frozen.map(({ key }) => key.chunk))
        sources.push(...withoutIndex({ from, to, runs: chunks, hot }))
      })
      let next: number = floorChunk
      for (const { window, lo, hi } of coverages) {
        if (hi < floorChunk) continue
        if (lo > next) yield* addUncovered(next, lo - 1)
        sources.push({ _tag: "Index", window, lo, hi })
        next = hi + 1
      }
      const end = Math.max(lastChunk, ...hot.keys())
      if (next <= end) yield* addUncovered(next, end)
      return { floorChunk, lastChunk: Geometry.ChunkId(end), sources: sources.reverse() }
    })

    /** Closes what no view opened from now on looks into. */
    const dropUnplanned = (sources: ReadonlyArray<KeySource>): Effect.Effect<void> => {
      const planned = new Set<string | number>()
      for (const source of sources)
        if (source._tag === "Run") planned.add(source.lo)
        else if (source._tag === "Index") planned.add(indexPathOf(source))
      return Effect.andThen(
        runs.drop((chunk) => !planned.has(chunk)),
        indexes.drop((path) => !planned.has(path))
      )
    }

    const sources = ({ base, floor, nextSeq }: View): Effect.Effect<ReadonlyArray<KeySource>, CatalogReadError> => {
      const floorChunk = Geometry.chunkOf(geometry, floor)
      const lastChunk = Geometry.chunkOf(geometry, nextSeq - 1)
      const known = plans.get(base)
      if (known !== undefined && known.floorChunk <= floorChunk && known.lastChunk >= lastChunk)
        return Effect.succeed(known.sources)
      return Effect.flatMap(plan(base, floorChunk, lastChunk), (found) => {
        plans.set(base, found)
        return Effect.as(dropUnplanned(found.sources), found.sources)
      })
    }

    const findInIndex = ({ lookup, lookupResident }: KeyIndex.KeyIndex, key: Uint8Array) => {
      const readCount = lookupResident === undefined ? 1 : 0
      return Effect.map(lookup(key), (seq): Candidates => ({ seqs: seq < 0 ? [] : [seq], readCount }))
    }

    const findInRun = ({ run, filter }: OpenRun, chunk: Geometry.ChunkId, key: Uint8Array) => {
      if (Option.isSome(filter) && !KeyFilter.mayHave(filter.value, key)) return Effect.succeed(none)
      const first = windowFirstSeq(chunk)
      return Effect.map(
        run.find(key),
        (offsets): Candidates => ({ seqs: offsets.map((offset) => first + offset), readCount: 1 })
      )
    }

    const find: KeyTiers["find"] = (source, key) => {
      switch (source._tag) {
        case "Hot":
          return source.handle.use((hot) =>
            Effect.map(
              HotChunk.findKeys(hot, [keyPrefixOf(key)]),
              ([keyed]): Candidates =>
                keyed === undefined || Option.isNone(keyed) ? noneRead : { seqs: [keyed.value.seq], readCount: 1 }
            )
          )
        case "Run":
          return runs.use(source.lo, (run) => findInRun(run, source.lo, key))
        case "Index":
          return indexes.use(indexPathOf(source), (index) => findInIndex(index, key))
      }
    }

    const findManyHot = (handle: HotHandle<StorageError>, keys: ReadonlyArray<Uint8Array>) =>
      handle.use((hot) =>
        Effect.map(HotChunk.findKeys(hot, keys.map(keyPrefixOf)), (all) => {
          const found = new Map<number, ReadonlyArray<number>>()
          for (const [at, keyed] of all.entries()) if (Option.isSome(keyed)) found.set(at, [keyed.value.seq])
          return found
        })
      )

    const findManyInRun = Effect.fnUntraced(function* (
      open: OpenRun,
      chunk: Geometry.ChunkId,
      keys: ReadonlyArray<Uint8Array>
    ) {
      const found = new Map<number, ReadonlyArray<number>>()
      for (let at = 0; at < keys.length; at++) {
        const key = keys[at]!
        if (Option.isSome(open.filter) && !KeyFilter.mayHave(open.filter.value, key)) continue
        const { seqs } = yield* findInRun(open, chunk, key)
        if (seqs.length > 0) found.set(at, seqs)
      }
      return found
    })

    const isNoneUnsafe: KeyTiers["isNoneUnsafe"] = (source, keys) => {
      if (source._tag === "Run") {
        const filter = Option.getOrUndefined(runs.peekUnsafe(source.lo)?.filter ?? Option.none())
        if (filter === undefined) return false
        for (let at = 0; at < keys.length; at++) if (KeyFilter.mayHave(filter, keys[at]!)) return false
        return true
      }
      const lookup = indexes.peekUnsafe(indexPathOf(source))?.lookupResident
      if (lookup === undefined) return false
      for (let at = 0; at < keys.length; at++) if (lookup(keys[at]!) >= 0) return false
      return true
    }

    const findManyInIndex = Effect.fnUntraced(function* (index: KeyIndex.KeyIndex, keys: ReadonlyArray<Uint8Array>) {
      const found = new Map<number, ReadonlyArray<number>>()
      for (let at = 0; at < keys.length; at++) {
        const seq = yield* index.lookup(keys[at]!)
        if (seq >= 0) found.set(at, [seq])
      }
      return found
    })

    const findMany: KeyTiers["findMany"] = (source, keys) => {
      switch (source._tag) {
        case "Hot":
          return findManyHot(source.handle, keys)
        case "Run":
          return runs.use(source.lo, (run) => findManyInRun(run, source.lo, keys))
        case "Index":
          return indexes.use(indexPathOf(source), (index) => findManyInIndex(index, keys))
      }
    }

    const pathOf = (source: KeySource): Option.Option<string> => {
      switch (source._tag) {
        case "Hot":
          return Option.some(Layout.hotPath(catalog.layout, source.lo))
        case "Run":
          return Option.some(Layout.keyRunPath(catalog.layout, source.lo))
        case "Index":
          return Option.some(indexPathOf(source))
        case "Missing":
          return Option.none()
      }
    }

    return { sources, find, findMany, isNoneUnsafe, pathOf }
  })

/** The sources of chunks that no index covers, ascending. A frozen run goes before a hot database, which may be stale then. */
export const withoutIndex = (known: {
  /** First chunk, inclusive. */
  readonly from: number
  /** Last chunk, inclusive. */
  readonly to: number
  /** Chunks that have a frozen run. */
  readonly runs: ReadonlySet<number>
  readonly hot: ReadonlyMap<Geometry.ChunkId, HotHandle<StorageError>>
}): ReadonlyArray<HotKeys | RunKeys | MissingKeys> => {
  const candidates = new Set([...known.runs, ...known.hot.keys()])
  const chunks = [...candidates].filter((chunk) => chunk >= known.from && chunk <= known.to)
  chunks.sort((left, right) => left - right)
  const sources: Array<HotKeys | RunKeys | MissingKeys> = []
  let next = known.from
  const addMissing = (to: number): void => {
    if (next <= to) sources.push({ _tag: "Missing", lo: Geometry.ChunkId(next), hi: Geometry.ChunkId(to) })
  }
  for (const value of chunks) {
    const chunk = Geometry.ChunkId(value)
    addMissing(chunk - 1)
    const handle = known.hot.get(chunk)
    if (handle !== undefined && !known.runs.has(chunk)) sources.push({ _tag: "Hot", lo: chunk, hi: chunk, handle })
    else sources.push({ _tag: "Run", lo: chunk, hi: chunk })
    next = chunk + 1
  }
  addMissing(known.to)
  return sources
}
