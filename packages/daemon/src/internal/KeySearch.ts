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
import { EntryAbsent, type ViewExpired } from "../History.ts"
import type { ChunkReadError, ChunkReads } from "./ChunkReads.ts"
import type { Candidates, HotKeys, IndexKeys, KeySource, KeyTiers, RunKeys } from "./KeyTiers.ts"
import * as LogState from "./LogState.ts"
import type { View } from "./Views.ts"

const nothing: Candidates = { seqs: [], readCount: 0 }

/** What a step looked into: a source of keys, or an entry. */
export type Place = KeySource | { readonly seq: number }

/** Told of each step of a search. */
export type Trace = (step: Omit<ExplainStep, "path" | "name"> & { readonly at: Place }) => void

export interface KeySearch {
  /** The entry that the view serves under the key. */
  readonly find: (
    view: View,
    key: Uint8Array,
    trace?: Trace
  ) => Effect.Effect<Option.Option<Entry>, ChunkReadError | ViewExpired>
  /** For each key the seq of a served entry that has a key with the same first 16 bytes; −1 when there is none. */
  readonly occupied: (
    view: View,
    keys: ReadonlyArray<Uint8Array>
  ) => Effect.Effect<ReadonlyArray<number>, ChunkReadError>
}

export const make = (options: {
  readonly geometry: Geometry.Geometry
  readonly keys: DomainKeys
  readonly tiers: KeyTiers
  readonly reads: ChunkReads
}): KeySearch => {
  const { geometry, keys, tiers, reads } = options
  const isOldestFirst = keys.duplicates === "first"

  const inOrder = <A>(newestLast: ReadonlyArray<A>): ReadonlyArray<A> =>
    isOldestFirst || newestLast.length < 2 ? newestLast : newestLast.toReversed()

  /** Fails when chunks that the view serves have their keys nowhere. */
  const present = (
    view: View,
    source: KeySource
  ): Effect.Effect<HotKeys | RunKeys | IndexKeys | undefined, EntryAbsent> => {
    if (source._tag !== "Missing") return Effect.succeed(source)
    const from = Math.max(view.floor, Geometry.firstSeqOf(geometry, source.lo))
    const to = Math.min(view.nextSeq - 1, Geometry.lastSeqOf(geometry, source.hi))
    if (from > to) return Effect.succeed(undefined)
    const chunk = Geometry.chunkOf(geometry, from)
    const detail = "no hot database, key run or key index has its keys"
    return Effect.fail(new EntryAbsent({ seq: from, chunk, served: LogState.served(view), detail }))
  }

  const hasKey = (entry: Uint8Array, key: Uint8Array, sizeBytes = keySizeBytes): boolean =>
    Result.getOrElse(keys.of(entry), () => []).some((one) => startsAlike(one, key, sizeBytes))

  /** An entry may come in while its key is looked up, and stand in the place of an older one that the view serves. */
  const findBehind = (view: View, source: KeySource, key: Uint8Array) => {
    const from = Math.max(view.floor, Geometry.firstSeqOf(geometry, source.lo))
    const to = Math.min(view.nextSeq - 1, Geometry.lastSeqOf(geometry, source.hi))
    if (keys.duplicates !== "last" || source._tag !== "Hot" || from > to) return Effect.succeedNone
    return reads.range(view, source.lo, { from, to, order: "descending" }).pipe(
      Stream.flattenIterable,
      Stream.filter(({ bytes }) => hasKey(bytes, key)),
      Stream.runHead
    )
  }

  const find = Effect.fnUntraced(function* (
    view: View,
    key: Uint8Array,
    trace?: Trace
  ): Effect.fn.Return<Option.Option<Entry>, ChunkReadError | ViewExpired> {
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
        if (seq < view.floor) {
          said("below floor", `the floor is ${view.floor}`, 0)
          continue
        }
        if (seq >= view.nextSeq) {
          said("not served yet", `the latest entry is ${view.nextSeq - 1}`, 0)
          const older = yield* findBehind(view, source, key)
          if (Option.isSome(older)) {
            trace?.({
              at: source,
              tier: "hot",
              outcome: "answered",
              reason: "found by reading the chunk",
              seq: Option.some(older.value.seq),
              readCount: 1
            })
            return older
          }
          continue
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

  const occupied = Effect.fnUntraced(function* (
    view: View,
    wanted: ReadonlyArray<Uint8Array>
  ): Effect.fn.Return<ReadonlyArray<number>, ChunkReadError> {
    const found = new Array<number>(wanted.length).fill(-1)
    for (const each of yield* tiers.sources(view)) {
      const source = yield* present(view, each)
      if (source === undefined) continue
      if (source._tag !== "Hot" && tiers.isNoneUnsafe(source, wanted)) continue
      for (const [at, seqs] of yield* tiers.findMany(source, wanted)) {
        for (const seq of seqs) {
          if (found[at]! >= 0 || seq < view.floor || seq >= view.nextSeq) continue
          // Databases and runs hold whole prefixes, indexes do not.
          const isSure = source._tag !== "Index" || hasKey(yield* reads.get(view, seq), wanted[at]!, keyPrefixSizeBytes)
          if (isSure) found[at] = seq
        }
      }
    }
    return found
  })

  return { find, occupied }
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
