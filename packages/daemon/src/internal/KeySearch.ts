/**
 * From a key to its entry: the sources of a view are asked one after the other, and each candidate is read and held against the
 * key.
 *
 * Newest first, so that of several entries with the key the newest answers; oldest first where the domain's duplicates are
 * `first`. A source that cannot be read, or chunks whose keys are nowhere, fail the search: what is not known is never "no such
 * key".
 */
import { Geometry } from "@icecore/catalog"
import { Effect, Option, Result, Stream } from "effect"
import { type DomainKeys, keySizeBytes } from "../Domain.ts"
import type { Entry } from "../Entry.ts"
import type { ExplainOutcome, ExplainStep } from "../Explanation.ts"
import { keyPrefixSizeBytes } from "../format/HotFormat.ts"
import { KeysAbsent, type ViewExpired } from "../History.ts"
import { type ChunkReadError, type ChunkReads, partsOf } from "./ChunkReads.ts"
import type { Candidates, HotKeys, IndexKeys, KeySource, KeyTiers, RunKeys } from "./KeyTiers.ts"
import * as LogState from "./LogState.ts"
import type { View } from "./Views.ts"

const nothing: Candidates = { seqs: [], readCount: 0 }

/** What a step looked into: a source of keys, or an entry. */
export type Place = KeySource | { readonly seq: number }

/** Told of each step of a search. */
export type Trace = (step: Omit<ExplainStep, "path" | "name"> & { readonly at: Place }) => void

/** What looking keys up can fail with. */
export type KeySearchError = ChunkReadError | KeysAbsent

export interface KeySearch {
  /** The entry that the view serves under the key. */
  readonly find: (
    view: View,
    key: Uint8Array,
    trace?: Trace
  ) => Effect.Effect<Option.Option<Entry>, KeySearchError | ViewExpired>
  /**
   * For each key the seq of an entry that has a key with the same first 16 bytes; −1 when there is none. Seen are all entries that a
   * key index built from now on may hold: those from {@link KeySearch.keptFrom} on and, beside them, those of the chunks `below`.
   */
  readonly occupied: (
    view: View,
    keys: ReadonlyArray<Uint8Array>,
    below?: FrozenChunks
  ) => Effect.Effect<ReadonlyArray<number>, KeySearchError>
  /** The first chunk whose keys are kept: that of the view's floor, whole, or an earlier one that a start would still serve. */
  readonly keptFrom: (view: View) => Geometry.ChunkId
}

/** Frozen chunks with their runs, both inclusive; none of them when `to` lies before `from`. */
export interface FrozenChunks {
  readonly from: Geometry.ChunkId
  readonly to: Geometry.ChunkId
}

export const make = (options: {
  readonly geometry: Geometry.Geometry
  /** Where history begins on disk, whatever is served. */
  readonly beginSeq: () => number
  readonly keys: DomainKeys
  readonly tiers: KeyTiers
  readonly reads: ChunkReads
}): KeySearch => {
  const { geometry, beginSeq, keys, tiers, reads } = options
  const isOldestFirst = keys.duplicates === "first"

  const inOrder = <A>(newestLast: ReadonlyArray<A>): ReadonlyArray<A> =>
    isOldestFirst || newestLast.length < 2 ? newestLast : newestLast.toReversed()

  /** Fails when chunks that the view serves have their keys nowhere. */
  const present = (
    view: View,
    source: KeySource
  ): Effect.Effect<HotKeys | RunKeys | IndexKeys | undefined, KeysAbsent> => {
    if (source._tag !== "Missing") return Effect.succeed(source)
    const from = Math.max(view.floor, Geometry.firstSeqOf(geometry, source.lo))
    const to = Math.min(view.nextSeq - 1, Geometry.lastSeqOf(geometry, source.hi))
    if (from > to) return Effect.succeed(undefined)
    return Effect.fail(new KeysAbsent({ chunk: Geometry.chunkOf(geometry, from), served: LogState.served(view) }))
  }

  const hasKey = (entry: Uint8Array, key: Uint8Array, sizeBytes = keySizeBytes): boolean =>
    Result.getOrElse(keys.of(entry), () => []).some((one) => startsAlike(one, key, sizeBytes))

  /**
   * What a hot database or an index says of a key is one entry, and that may be none that the view serves: one that came in while the
   * key was looked up and took the place of an older one, or one below the floor that keeps the place from a later one. Then the
   * entries that the view serves are read: of a hot chunk, or of the one window that the floor lies in.
   */
  const findServed = (view: View, source: KeySource, key: Uint8Array) => {
    const from = Math.max(view.floor, Geometry.firstSeqOf(geometry, source.lo))
    const to = Math.min(view.nextSeq - 1, Geometry.lastSeqOf(geometry, source.hi))
    if (keys.duplicates === "error" || source._tag === "Run" || from > to) return Effect.succeedNone
    const parts = partsOf(geometry, { from, to }, isOldestFirst ? "ascending" : "descending")
    return Stream.fromIterable(parts).pipe(
      Stream.flatMap(({ chunk, part }) => reads.range(view, chunk, part)),
      Stream.flattenIterable,
      Stream.filter(({ bytes }) => hasKey(bytes, key)),
      Stream.runHead
    )
  }

  const find = Effect.fnUntraced(function* (
    view: View,
    key: Uint8Array,
    trace?: Trace
  ): Effect.fn.Return<Option.Option<Entry>, KeySearchError | ViewExpired> {
    const sources = yield* tiers.sources(view)
    const wanted = [key]
    for (const each of isOldestFirst ? sources.toReversed() : sources) {
      const source = yield* present(view, each)
      if (source === undefined) continue
      const isNone = source._tag !== "Hot" && tiers.isNoneUnsafe(source, wanted)
      const { seqs, readCount } = isNone ? nothing : yield* tiers.find(source, key)
      trace?.({
        at: source,
        tier: tierOf(source),
        outcome: seqs.length === 0 ? "no candidate" : "candidate",
        reason: reasonOf(source),
        seq: Option.fromUndefinedOr(inOrder(seqs)[0]),
        readCount
      })
      for (const seq of inOrder(seqs)) {
        const said = (outcome: ExplainOutcome, reason: string, count: number): void =>
          trace?.({ at: { seq }, tier: "bounds", outcome, reason, seq: Option.some(seq), readCount: count })
        const isBelow = seq < view.floor
        if (isBelow || seq >= view.nextSeq) {
          if (isBelow) said("below floor", `the floor is ${view.floor}`, 0)
          else said("not served yet", `the latest entry is ${view.nextSeq - 1}`, 0)
          // The place of a key is the oldest entry's or the newest one's: only that one hides others.
          const other = isBelow === isOldestFirst ? yield* findServed(view, source, key) : Option.none<Entry>()
          if (Option.isNone(other)) continue
          trace?.({
            at: source,
            tier: tierOf(source),
            outcome: "answered",
            reason: "found by reading the entries",
            seq: Option.some(other.value.seq),
            readCount: 1
          })
          return other
        }
        const route = yield* view.route(Geometry.chunkOf(geometry, seq))
        const bytes = yield* reads.getBy(view, route, seq)
        const isIt = hasKey(bytes, key)
        trace?.({
          at: { seq },
          tier: route._tag === "Hot" ? "hot" : "pack",
          outcome: isIt ? "answered" : "false positive",
          reason: isIt ? "the entry has the key" : "the entry does not have the key",
          seq: Option.some(seq),
          readCount: 1
        })
        if (isIt) return Option.some({ seq, bytes })
      }
    }
    return Option.none()
  })

  // The mark rises before anything is demoted, so all from it on is in a snapshot that was taken before it is read.
  const keptFrom = (view: View): Geometry.ChunkId => Geometry.chunkOf(geometry, Math.min(view.floor, beginSeq()))

  const occupied = Effect.fnUntraced(function* (
    view: View,
    wanted: ReadonlyArray<Uint8Array>,
    below?: FrozenChunks
  ): Effect.fn.Return<ReadonlyArray<number>, KeySearchError> {
    const kept = keptFrom(view)
    const isBelow = (chunk: number): boolean => below !== undefined && chunk >= below.from && chunk <= below.to
    const keeping = { ...view, floor: Geometry.firstSeqOf(geometry, kept) }
    const searched = {
      ...view,
      floor: Geometry.firstSeqOf(geometry, Geometry.ChunkId(Math.min(kept, below?.from ?? kept)))
    }
    const found = new Array<number>(wanted.length).fill(-1)
    for (const each of yield* tiers.sources(searched)) {
      const source = yield* present(keeping, each)
      if (source === undefined) continue
      if (source._tag !== "Hot" && tiers.isNoneUnsafe(source, wanted)) continue
      for (const [at, seqs] of yield* tiers.findMany(source, wanted)) {
        for (const seq of seqs) {
          if (found[at]! >= 0 || seq >= view.nextSeq) continue
          const chunk = Geometry.chunkOf(geometry, seq)
          if (chunk < kept && !isBelow(chunk)) continue
          // Databases and runs hold whole prefixes, indexes do not.
          const isSure = source._tag !== "Index" || hasKey(yield* reads.get(view, seq), wanted[at]!, keyPrefixSizeBytes)
          if (isSure) found[at] = seq
        }
      }
    }
    return found
  })

  return { find, occupied, keptFrom }
}

const startsAlike = (left: Uint8Array, right: Uint8Array, sizeBytes: number): boolean => {
  for (let at = 0; at < sizeBytes; at++) if (left[at] !== right[at]) return false
  return true
}

const tierOf = (source: HotKeys | RunKeys | IndexKeys): ExplainStep["tier"] =>
  source._tag === "Hot" ? "hot" : source._tag === "Run" ? "run" : "index"

const reasonOf = (source: HotKeys | RunKeys | IndexKeys): string => {
  switch (source._tag) {
    case "Hot":
      return `the keys of chunk ${source.lo} are not frozen yet`
    case "Run":
      return `chunk ${source.lo} is frozen, and no index covers it yet`
    case "Index":
      return `it covers chunks ${source.lo} to ${source.hi}`
  }
}

/** What a source is called, without its path. */
export const nameOf = (source: KeySource): string => {
  switch (source._tag) {
    case "Hot":
      return `hot chunk ${source.lo}`
    case "Run":
      return `key run of chunk ${source.lo}`
    case "Index":
      return `key index of window ${source.window}, chunks ${source.lo} to ${source.hi}`
    case "Missing":
      return `chunks ${source.lo} to ${source.hi}`
  }
}
