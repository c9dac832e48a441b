/**
 * Reading: which part of a request is answered from where.
 *
 * Every request takes a view ({@link import("./internal/Views.ts")}), which sends each chunk one way: frozen in its snapshot, to its pack;
 * else hot, to its database. What a view holds is not closed under it. A key is looked up in the sources of
 * {@link import("./internal/KeyTiers.ts")}, and every candidate is held against the entry itself.
 */
import { type Catalog, Geometry, Layout } from "@icecore/catalog"
import { Effect, Option, type Scope, Stream } from "effect"
import { type Domain, keySizeBytes } from "./Domain.ts"
import type { Entry } from "./Entry.ts"
import type { ExplainRequest, ExplainStep, Explanation } from "./Explanation.ts"
import {
  EntryBelowFloor,
  EntryNotIngested,
  type History,
  type HistoryReadError,
  HistoryRequestInvalid,
  KeysUndefined,
  type RangeOptions
} from "./History.ts"
import { type Bounds, type ChunkReadError, make as makeReads, partsOf } from "./internal/ChunkReads.ts"
import * as KeySearch from "./internal/KeySearch.ts"
import type { KeyTiers } from "./internal/KeyTiers.ts"
import * as LogState from "./internal/LogState.ts"
import type { PackCache } from "./internal/PackCache.ts"
import type { View, Views } from "./internal/Views.ts"
import type { StorageError } from "./StorageError.ts"

export interface ReadView {
  /** See `History.get`. */
  readonly get: History["get"]
  /** See `History.range`. */
  readonly range: History["range"]
  /** The same for ingestion and widenings: counts against no limit. */
  readonly rangeInside: History["range"]
  /** See `History.find`. */
  readonly find: History["find"]
  /** See `History.explain`. */
  readonly explain: History["explain"]
  /**
   * For each key the seq of an entry that has a key with the same first 16 bytes; −1 when there is none. Of the chunk of the floor
   * every entry counts, those below the floor too, and beside what is kept the entries of the frozen chunks `below`. For ingestion: it
   * costs little when there is none, and counts against no limit.
   */
  readonly occupied: (
    keys: ReadonlyArray<Uint8Array>,
    below?: KeySearch.FrozenChunks
  ) => Effect.Effect<ReadonlyArray<number>, KeySearch.KeySearchError>
  /** The bytes of an entry that {@link ReadView.occupied} gave; none when its chunk is kept no more. Counts against no limit. */
  readonly occupant: (seq: number) => Effect.Effect<Option.Option<Uint8Array>, ChunkReadError>
}

export interface ReadViewOptions {
  readonly catalog: Catalog.Catalog
  readonly domain: Domain
  readonly views: Views
  readonly packs: PackCache<StorageError>
  readonly tiers: KeyTiers
}

const isSeq = (value: number): boolean => Number.isSafeInteger(value) && value >= 0

const notSeq = (field: "seq" | "from" | "to", actual: number): HistoryRequestInvalid =>
  new HistoryRequestInvalid({ field, expected: "an integer of 0 to 2^53 - 1", actual })

/** What is wrong with the numbers of a request by themselves. */
const invalid = ({ from, to, limit }: RangeOptions): HistoryRequestInvalid | undefined => {
  const seqs = [["from", from] as const, ["to", to] as const]
  for (const [field, actual] of seqs) if (actual !== undefined && !isSeq(actual)) return notSeq(field, actual)
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 1))
    return new HistoryRequestInvalid({ field: "limit", expected: "an integer of 1 or more", actual: limit })
  if (from !== undefined && to !== undefined && from > to)
    return new HistoryRequestInvalid({ field: "from", expected: `at most ${to}, which is to`, actual: from })
  return undefined
}

/** Whether the view serves an entry. */
const refusal = (view: View, seq: number): EntryBelowFloor | EntryNotIngested | undefined => {
  if (seq < view.floor) return new EntryBelowFloor({ seq, served: LogState.served(view) })
  if (seq >= view.nextSeq) return new EntryNotIngested({ seq, served: LogState.served(view) })
  return undefined
}

/** The entries that a request means, cut to what is served and to its limit; none when nothing is asked of an empty log. */
export const boundsOf = (
  view: Pick<View, "floor" | "nextSeq">,
  options: RangeOptions
): Effect.Effect<Option.Option<Bounds>, HistoryRequestInvalid | EntryBelowFloor | EntryNotIngested> => {
  const fault = invalid(options)
  if (fault !== undefined) return Effect.fail(fault)
  const served = LogState.served(view)
  const { from, to, limit, order } = options
  for (const seq of [from, to])
    if (seq !== undefined && seq < view.floor) return Effect.fail(new EntryBelowFloor({ seq, served }))
  if (from !== undefined && from >= view.nextSeq) return Effect.fail(new EntryNotIngested({ seq: from, served }))
  if (Option.isNone(served)) return Effect.succeedNone
  const first = from ?? view.floor
  const last = Math.min(to ?? served.value.latest, served.value.latest)
  const count = Math.min(limit ?? Number.MAX_SAFE_INTEGER, last - first + 1)
  return Effect.succeedSome(
    order === "descending" ? { from: last - count + 1, to: last } : { from: first, to: first + count - 1 }
  )
}

export const make = ({ catalog, domain, views, packs, tiers }: ReadViewOptions): ReadView => {
  const { geometry } = catalog.pins
  const reads = makeReads({ geometry, packs })
  const search = Option.map(domain.keys, (keys) =>
    KeySearch.make({ geometry, beginSeq: catalog.beginSeq, keys, tiers, reads })
  )
  const keysUndefined = new KeysUndefined({ domain: domain.name })

  const get = (seq: number): Effect.Effect<Uint8Array, HistoryReadError> =>
    isSeq(seq)
      ? views.use((view): Effect.Effect<Uint8Array, HistoryReadError> => {
          const fault = refusal(view, seq)
          return fault === undefined ? reads.get(view, seq) : Effect.fail(fault)
        })
      : Effect.fail(notSeq("seq", seq))

  const rangeOn = (
    opened: Effect.Effect<View, HistoryReadError, Scope.Scope>,
    options: RangeOptions
  ): Stream.Stream<ReadonlyArray<Entry>, HistoryReadError> =>
    Stream.unwrap(
      Effect.gen(function* (): Effect.fn.Return<
        Stream.Stream<ReadonlyArray<Entry>, HistoryReadError>,
        HistoryReadError,
        Scope.Scope
      > {
        const view = yield* opened
        const bounds = yield* boundsOf(view, options)
        if (Option.isNone(bounds)) return Stream.empty
        const parts = partsOf(geometry, bounds.value, options.order ?? "ascending")
        return Stream.flatMap(Stream.fromIterable(parts), ({ chunk, part }) => reads.range(view, chunk, part))
      })
    )

  const range: ReadView["range"] = (options = {}) => rangeOn(views.open, options)

  const rangeInside: ReadView["rangeInside"] = (options = {}) => rangeOn(views.openInside, options)

  const searching = <A>(
    key: Uint8Array,
    use: (search: KeySearch.KeySearch, view: View) => Effect.Effect<A, HistoryReadError>
  ): Effect.Effect<A, HistoryReadError> => {
    if (Option.isNone(search)) return Effect.fail(keysUndefined)
    if (key.length !== keySizeBytes)
      return Effect.fail(
        new HistoryRequestInvalid({ field: "key", expected: `${keySizeBytes} bytes`, actual: key.length })
      )
    return views.use((view) => use(search.value, view))
  }

  const find = (key: Uint8Array): Effect.Effect<Option.Option<Entry>, HistoryReadError> =>
    searching(key, (found, view) => found.find(view, key))

  const outside = { tier: "bounds", name: "served range", path: Option.none() } as const

  const explainSeq = (seq: number): Effect.Effect<Explanation, HistoryReadError> => {
    if (!isSeq(seq)) return Effect.fail(notSeq("seq", seq))
    return views.use(
      Effect.fnUntraced(function* (view: View): Effect.fn.Return<Explanation, HistoryReadError> {
        const seen = { request: { seq }, floor: view.floor, latest: view.nextSeq - 1 }
        const about = { seq: Option.some(seq) }
        const fault = refusal(view, seq)
        if (fault !== undefined) {
          const isBelow = fault._tag === "EntryBelowFloor"
          const reason = isBelow ? `the floor is ${view.floor}` : `the latest entry is ${view.nextSeq - 1}`
          const outcome = isBelow ? "below floor" : "not served yet"
          return { ...seen, answer: Option.none(), steps: [{ ...outside, ...about, outcome, reason, readCount: 0 }] }
        }
        const chunk = Geometry.chunkOf(geometry, seq)
        const route = yield* view.route(chunk)
        const bytes = yield* reads.getBy(view, route, seq)
        const reason = route._tag === "Hot" ? `chunk ${chunk} is not frozen yet` : `chunk ${chunk} is frozen`
        const tier = route._tag === "Hot" ? "hot" : "pack"
        const step = { tier, ...placeOf({ seq }, tier), ...about, outcome: "answered", reason, readCount: 1 } as const
        return { ...seen, answer: Option.some({ seq, sizeBytes: bytes.length }), steps: [step] }
      })
    )
  }

  const explainKey = (key: Uint8Array): Effect.Effect<Explanation, HistoryReadError> =>
    searching(
      key,
      Effect.fnUntraced(function* (
        found: KeySearch.KeySearch,
        view: View
      ): Effect.fn.Return<Explanation, HistoryReadError> {
        const steps: Array<ExplainStep> = []
        const entry = yield* found.find(view, key, ({ at, ...step }) => {
          steps.push({ ...step, ...placeOf(at, step.tier) })
        })
        const answer = Option.map(entry, ({ seq, bytes }) => ({ seq, sizeBytes: bytes.length }))
        return { request: { key }, answer, floor: view.floor, latest: view.nextSeq - 1, steps }
      })
    )

  const placeOf = (at: KeySearch.Place, tier: ExplainStep["tier"]): Pick<ExplainStep, "name" | "path"> => {
    if ("_tag" in at) return { name: KeySearch.nameOf(at), path: tiers.pathOf(at) }
    if (tier === "bounds") return { name: outside.name, path: outside.path }
    const chunk = Geometry.chunkOf(geometry, at.seq)
    return tier === "hot"
      ? { name: `hot chunk ${chunk}`, path: Option.some(Layout.hotPath(catalog.layout, chunk)) }
      : { name: `pack of chunk ${chunk}`, path: Option.some(Layout.entriesPath(catalog.layout, chunk)) }
  }

  const explain = (request: ExplainRequest): Effect.Effect<Explanation, HistoryReadError> =>
    "key" in request ? explainKey(request.key) : explainSeq(request.seq)

  const occupied: ReadView["occupied"] = (keys, below) =>
    Option.match(search, {
      onNone: () => Effect.succeed(keys.map(() => -1)),
      onSome: (found) => views.useInside((view) => found.occupied(view, keys, below))
    })

  const occupant: ReadView["occupant"] = (seq) =>
    views.useInside((view) =>
      Option.exists(search, ({ keptFrom }) => Geometry.chunkOf(geometry, seq) >= keptFrom(view))
        ? Effect.asSome(reads.get(view, seq))
        : Effect.succeedNone
    )

  return { get, range, rangeInside, find, explain, occupied, occupant }
}
