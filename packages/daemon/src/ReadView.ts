/**
 * Reading: which part of a request is answered from where.
 *
 * A view takes the end of the log first, then the hot chunks it may need, then a snapshot of the catalog, and sends each chunk one
 * way: frozen in the snapshot, to its pack; else hot, to its database. In this order nothing falls between: a hot chunk leaves
 * the set only after it is frozen, so a chunk that the view found no longer hot is frozen in a snapshot taken later. What a
 * view holds is not closed under it.
 */
import { type Catalog, Geometry, Layout } from "@icecore/catalog"
import type { Zstd } from "@icecore/codec"
import type { Disk } from "@icecore/packfile"
import { Data, Effect, Option, type Scope, Stream } from "effect"
import * as EntriesPack from "./EntriesPack.ts"
import type { Entry, RangeOrder } from "./Entry.ts"
import {
  EntryAbsent,
  EntryBelowFloor,
  EntryNotIngested,
  type History,
  type HistoryReadError,
  HistoryRequestInvalid,
  KeysUndefined,
  type RangeOptions
} from "./History.ts"
import * as HotChunk from "./HotChunk.ts"
import type { HotSet } from "./internal/HotSet.ts"
import * as LogState from "./internal/LogState.ts"
import type { PackCache } from "./internal/PackCache.ts"
import type { StorageError } from "./StorageError.ts"

export interface ReadView {
  /** See `History.get`. */
  readonly get: (seq: number) => Effect.Effect<Uint8Array, HistoryReadError>
  /** See `History.range`. */
  readonly range: (options?: RangeOptions) => Stream.Stream<ReadonlyArray<Entry>, HistoryReadError>
  /** See `History.find`. */
  readonly find: History["find"]
  /** See `History.explain`. */
  readonly explain: History["explain"]
}

export interface ReadViewOptions {
  readonly state: LogState.LogState
  readonly hotSet: HotSet<StorageError>
  readonly catalog: Catalog.Catalog
  readonly packs: PackCache<StorageError | ChunkNotFrozen>
}

/** Consecutive entries, both inclusive. */
export interface Bounds {
  readonly from: number
  readonly to: number
}

const isSeq = (value: number): boolean => Number.isSafeInteger(value) && value >= 0

/** What is wrong with the numbers of a request by themselves. */
const invalid = ({ from, to, limit }: RangeOptions): HistoryRequestInvalid | undefined => {
  const seqs = [["from", from] as const, ["to", to] as const]
  for (const [field, actual] of seqs)
    if (actual !== undefined && !isSeq(actual))
      return new HistoryRequestInvalid({ field, expected: "an integer of 0 to 2^53 - 1", actual })
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 1))
    return new HistoryRequestInvalid({ field: "limit", expected: "an integer of 1 or more", actual: limit })
  if (from !== undefined && to !== undefined && from > to)
    return new HistoryRequestInvalid({ field: "from", expected: `at most ${to}, which is to`, actual: from })
  return undefined
}

/** The entries that a request means, cut to what is served and to its limit; none when nothing is asked of an empty log. */
export const boundsOf = (
  state: LogState.LogState,
  options: RangeOptions
): Effect.Effect<Option.Option<Bounds>, HistoryRequestInvalid | EntryBelowFloor | EntryNotIngested> => {
  const fault = invalid(options)
  if (fault !== undefined) return Effect.fail(fault)
  const served = LogState.served(state)
  const { from, to, limit, order } = options
  for (const seq of [from, to])
    if (seq !== undefined && seq < state.floor) return Effect.fail(new EntryBelowFloor({ seq, served }))
  if (from !== undefined && from >= state.nextSeq) return Effect.fail(new EntryNotIngested({ seq: from, served }))
  if (Option.isNone(served)) return Effect.succeedNone
  const first = from ?? state.floor
  const last = Math.min(to ?? served.value.latest, served.value.latest)
  const count = Math.min(limit ?? Number.MAX_SAFE_INTEGER, last - first + 1)
  return Effect.succeedSome(
    order === "descending" ? { from: last - count + 1, to: last } : { from: first, to: first + count - 1 }
  )
}

export const make = ({ state, hotSet, catalog, packs }: ReadViewOptions): ReadView => {
  const { geometry } = state

  const absent = (seq: number, detail: string): EntryAbsent =>
    new EntryAbsent({ seq, chunk: Geometry.chunkOf(geometry, seq), served: LogState.served(state), detail })

  const frozen = <A, R>(
    seq: number,
    read: Effect.Effect<A, StorageError | ChunkNotFrozen, R>
  ): Effect.Effect<A, HistoryReadError, R> =>
    Effect.catchTag(read, "ChunkNotFrozen", () => Effect.fail(absent(seq, "the chunk is neither frozen nor hot")))

  const get = (seq: number): Effect.Effect<Uint8Array, HistoryReadError> =>
    Effect.suspend(() => {
      if (!isSeq(seq))
        return Effect.fail(
          new HistoryRequestInvalid({ field: "seq", expected: "an integer of 0 to 2^53 - 1", actual: seq })
        )
      if (seq < state.floor) return Effect.fail(new EntryBelowFloor({ seq, served: LogState.served(state) }))
      if (seq >= state.nextSeq) return Effect.fail(new EntryNotIngested({ seq, served: LogState.served(state) }))
      const chunk = Geometry.chunkOf(geometry, seq)
      return Effect.flatMap(
        hotSet.use(chunk, (hot) => HotChunk.get(hot, seq)),
        (hot): Effect.Effect<Uint8Array, HistoryReadError> => {
          if (Option.isNone(hot))
            return frozen(
              seq,
              packs.use(chunk, (pack) => EntriesPack.get(pack, seq))
            )
          return Option.isSome(hot.value)
            ? Effect.succeed(hot.value.value)
            : Effect.fail(absent(seq, "its hot database does not have it"))
        }
      )
    })

  const routeOf = Effect.fnUntraced(function* (bounds: Bounds) {
    const hot = new Map<number, HotChunk.HotChunk>()
    for (const chunk of hotSet.chunks()) {
      if (chunk < Geometry.chunkOf(geometry, bounds.from) || chunk > Geometry.chunkOf(geometry, bounds.to)) continue
      const held = yield* hotSet.hold(chunk)
      if (Option.isSome(held)) hot.set(chunk, held.value)
    }
    const snapshot = yield* catalog.snapshot
    return (chunk: Geometry.ChunkId, part: ChunkPart): Stream.Stream<ReadonlyArray<Entry>, HistoryReadError> =>
      Stream.unwrap(
        Effect.gen(function* (): Effect.fn.Return<
          Stream.Stream<ReadonlyArray<Entry>, HistoryReadError>,
          HistoryReadError,
          Scope.Scope
        > {
          const artifact = yield* snapshot.artifactState(chunk, "entries")
          if (Option.contains(artifact, "frozen"))
            return EntriesPack.range(yield* frozen(part.from, packs.hold(chunk)), part)
          const held = hot.get(chunk)
          if (held !== undefined) return HotChunk.range(held, part)
          return Stream.fail(absent(part.from, "the chunk is neither frozen nor hot"))
        })
      )
  })

  const range = (options: RangeOptions = {}): Stream.Stream<ReadonlyArray<Entry>, HistoryReadError> =>
    Stream.unwrap(
      Effect.gen(function* (): Effect.fn.Return<
        Stream.Stream<ReadonlyArray<Entry>, HistoryReadError>,
        HistoryReadError,
        Scope.Scope
      > {
        const bounds = yield* boundsOf(state, options)
        if (Option.isNone(bounds)) return Stream.empty
        const route = yield* routeOf(bounds.value)
        const parts = partsOf(geometry, bounds.value, options.order ?? "ascending")
        return Stream.flatMap(Stream.fromIterable(parts), ({ chunk, part }) => route(chunk, part))
      })
    )

  const keysUndefined = Effect.fail(new KeysUndefined({ domain: catalog.pins.domain.name }))
  return { get, range, find: () => keysUndefined, explain: () => keysUndefined }
}

/** What a request wants of one chunk. */
interface ChunkPart extends Bounds {
  readonly order: RangeOrder
}

/** The chunks of a range in the order asked for, each with its share. Lazy: a range may span any number of chunks. */
function* partsOf(
  geometry: Geometry.Geometry,
  bounds: Bounds,
  order: RangeOrder
): Generator<{ readonly chunk: Geometry.ChunkId; readonly part: ChunkPart }> {
  const first = Geometry.chunkOf(geometry, bounds.from)
  const last = Geometry.chunkOf(geometry, bounds.to)
  for (let index = 0; index <= last - first; index++) {
    const chunk = Geometry.ChunkId(order === "ascending" ? first + index : last - index)
    const from = Math.max(bounds.from, Geometry.firstSeqOf(geometry, chunk))
    const to = Math.min(bounds.to, Geometry.lastSeqOf(geometry, chunk))
    yield { chunk, part: { from, to, order } }
  }
}

/** A chunk that the catalog does not say is frozen. */
export class ChunkNotFrozen extends Data.Error<{ readonly chunk: number }> {
  readonly _tag = "ChunkNotFrozen"
  override readonly name = "ChunkNotFrozen"
  override get message(): string {
    return `Cannot open the pack of chunk ${this.chunk}: it is not frozen`
  }
}

/** Opens the pack of a frozen chunk for the scope. */
export const openPack: (
  catalog: Catalog.Catalog,
  chunk: Geometry.ChunkId
) => Effect.Effect<EntriesPack.EntriesPack, StorageError | ChunkNotFrozen, Disk | Zstd | Scope.Scope> =
  Effect.fnUntraced(function* (catalog: Catalog.Catalog, chunk: Geometry.ChunkId) {
    const { geometry } = catalog.pins
    const artifact = yield* Effect.scoped(
      Effect.flatMap(catalog.snapshot, (snapshot) => snapshot.artifactState(chunk, "entries"))
    )
    if (!Option.contains(artifact, "frozen")) return yield* new ChunkNotFrozen({ chunk })
    return yield* EntriesPack.open({
      path: Layout.entriesPath(catalog.layout, chunk),
      chunk,
      firstSeq: Geometry.firstSeqOf(geometry, chunk),
      entryCount: geometry.entriesPerChunk
    })
  })
