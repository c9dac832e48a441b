/**
 * What is missing: from the durable keys of one moment to a plan of chunk builds and index builds.
 *
 * A chunk needs its entries frozen and, where the domain has keys, a frozen run, or a frozen key index that covers it. A window needs
 * one frozen index over `[first of the window or the floor, last of the window or the last complete chunk]`, or a wider one. An
 * index that must be built needs the runs of all of its chunks, so those that are gone (a finished window whose coverage grows
 * downwards) are built again, from frozen entries.
 *
 * {@link read} takes what is asked about from a snapshot, {@link plan} decides; neither keeps anything.
 */
import { type CatalogReadError, type CatalogSnapshot, Geometry } from "@icecore/catalog"
import { Effect, Option, Stream } from "effect"
import type { ChunkSpan } from "./internal/ChunkSpans.ts"
import * as ChunkSpans from "./internal/ChunkSpans.ts"

/** What is asked about. */
export interface ResolveRequest {
  readonly geometry: Geometry.Geometry
  /** Whether the domain has keys. */
  readonly hasKeys: boolean
  /** First chunk that retention keeps. */
  readonly floorChunk: Geometry.ChunkId
  /** Last chunk that has all its entries; {@link Geometry.beforeFirstChunk} when none has. */
  readonly lastComplete: Geometry.ChunkId
  /** First chunk to look at, inclusive. */
  readonly from: Geometry.ChunkId
  /** Last chunk to look at, inclusive. */
  readonly to: Geometry.ChunkId
  /** Whether key indexes of the windows of these chunks are wanted too, or the chunks alone. */
  readonly indexes: boolean
}

/** What the catalog has of it. */
export interface Facts {
  /** Chunks with frozen entries, ascending. */
  readonly entries: ReadonlyArray<ChunkSpan>
  /** Chunks with a frozen key run, ascending. */
  readonly keys: ReadonlyArray<ChunkSpan>
  /** The frozen coverage of each window that has one. */
  readonly coverages: ReadonlyMap<number, { readonly lo: number; readonly hi: number }>
}

/** The kinds of artifacts that a chunk has. */
export type ChunkKind = "entries" | "keys"

export interface ChunkBuild {
  readonly chunk: Geometry.ChunkId
  /** One or more. */
  readonly kinds: ReadonlyArray<ChunkKind>
}

/** Both bounds inclusive. */
export interface IndexBuild {
  readonly window: Geometry.WindowId
  readonly lo: Geometry.ChunkId
  readonly hi: Geometry.ChunkId
}

export interface Plan {
  /** Ascending. */
  readonly chunks: ReadonlyArray<ChunkBuild>
  /** Ascending; each needs the runs of its chunks, which are frozen or among {@link Plan.chunks}. */
  readonly indexes: ReadonlyArray<IndexBuild>
  /** Frozen runs that nothing needs any more: their window is finished. Only where indexes were asked about. */
  readonly surplusRuns: ReadonlyArray<Geometry.ChunkId>
}

/** The chunks that the index of a window must cover; none when the window has no complete chunk above the floor. */
export const wantedCoverage = (
  { geometry, floorChunk, lastComplete }: Pick<ResolveRequest, "geometry" | "floorChunk" | "lastComplete">,
  window: Geometry.WindowId
): Option.Option<IndexBuild> => {
  const lo = Geometry.ChunkId(Math.max(Geometry.firstChunkOf(geometry, window), floorChunk))
  const hi = Geometry.ChunkId(Math.min(Geometry.lastChunkOf(geometry, window), lastComplete))
  return lo <= hi ? Option.some({ window, lo, hi }) : Option.none()
}

/** Whether a coverage does for the one that is wanted. */
export const covers = (
  coverage: { readonly lo: number; readonly hi: number },
  wanted: { readonly lo: number; readonly hi: number }
): boolean => coverage.lo <= wanted.lo && coverage.hi >= wanted.hi

/** What is missing for the request. */
export const plan = (request: ResolveRequest, facts: Facts): Plan => {
  const { geometry, hasKeys } = request
  const from = Math.max(request.from, request.floorChunk, 0)
  const to = Math.min(request.to, request.lastComplete)
  const chunks: Array<ChunkBuild> = []
  const indexes: Array<IndexBuild> = []
  const surplusRuns: Array<Geometry.ChunkId> = []
  let next = from
  while (next <= to) {
    const window = Geometry.windowOf(geometry, Geometry.ChunkId(next))
    const end = Math.min(to, Geometry.lastChunkOf(geometry, window))
    const coverage = facts.coverages.get(window)
    const wanted = request.indexes && hasKeys ? wantedCoverage(request, window) : Option.none<IndexBuild>()
    const missing = Option.filter(wanted, (found) => coverage === undefined || !covers(coverage, found))
    const first = Option.match(missing, { onNone: () => next, onSome: ({ lo }) => Math.min(lo, next) })
    const last = Option.match(missing, { onNone: () => end, onSome: ({ hi }) => Math.max(hi, end) })
    for (let id = first; id <= last; id++) {
      const hasRun = ChunkSpans.has(facts.keys, id)
      const isCovered = Option.isNone(missing) && coverage !== undefined && coverage.lo <= id && id <= coverage.hi
      const kinds: Array<ChunkKind> = []
      if (!ChunkSpans.has(facts.entries, id)) kinds.push("entries")
      if (hasKeys && !hasRun && !isCovered) kinds.push("keys")
      if (kinds.length > 0) chunks.push({ chunk: Geometry.ChunkId(id), kinds })
      const isFinished = coverage !== undefined && coverage.hi >= Geometry.lastChunkOf(geometry, window)
      if (hasRun && Option.isSome(wanted) && Option.isNone(missing) && isFinished)
        surplusRuns.push(Geometry.ChunkId(id))
    }
    if (Option.isSome(missing)) indexes.push(missing.value)
    next = end + 1
  }
  return { chunks, indexes, surplusRuns }
}

/**
 * The facts of a request. Costs the keys of the chunks asked about and a look at each of their windows, and of a window
 * that needs an index the keys of all of its chunks.
 */
export const read: (snapshot: CatalogSnapshot, request: ResolveRequest) => Effect.Effect<Facts, CatalogReadError> =
  Effect.fnUntraced(function* (snapshot, request) {
    const { geometry } = request
    let from = Geometry.ChunkId(Math.max(request.from, request.floorChunk, 0))
    let to = Geometry.ChunkId(Math.min(request.to, request.lastComplete))
    const coverages = new Map<number, { readonly lo: number; readonly hi: number }>()
    const entries: Array<ChunkSpan> = []
    const keys: Array<ChunkSpan> = []
    if (from > to) return { entries, keys, coverages }
    if (request.hasKeys) {
      const lastWindow = Geometry.windowOf(geometry, to)
      for (let window = Geometry.windowOf(geometry, from); window <= lastWindow; window++) {
        const id = Geometry.WindowId(window)
        const coverage = yield* snapshot.coverage(id)
        if (Option.isSome(coverage)) coverages.set(window, coverage.value)
        const wanted = request.indexes ? wantedCoverage(request, id) : Option.none<IndexBuild>()
        if (Option.isNone(wanted) || (Option.isSome(coverage) && covers(coverage.value, wanted.value))) continue
        from = Geometry.ChunkId(Math.min(from, wanted.value.lo))
        to = Geometry.ChunkId(Math.max(to, wanted.value.hi))
      }
    }
    yield* Stream.runForEachArray(snapshot.artifacts({ from, to, state: "frozen" }), (artifacts) =>
      Effect.sync(() => {
        for (const { key } of artifacts)
          if (key.kind === "entries") ChunkSpans.add(entries, key.chunk)
          else if (key.kind === "keys") ChunkSpans.add(keys, key.chunk)
      })
    )
    return { entries, keys, coverages }
  })
