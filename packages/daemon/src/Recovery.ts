/**
 * Finding the log again after any end of the process, a crash included.
 *
 * Nothing about progress is stored. The catalog says which chunks are frozen and which have a hot database; the live chunk is the
 * newest hot one, and how far it goes is read from its data. Every chunk below, down to where the catalog's mark says that history
 * begins, must be frozen or hot and complete: anything else is a hole, and refused. Below the mark may lie what retention is about
 * to remove, or a part of what a widening is to fill in.
 *
 * 1. sweep: half made and half removed files and databases go;
 * 2. list the frozen and the hot chunks, and decide ({@link plan});
 * 3. open the hot chunks that are not frozen, and check that those below the live one are complete;
 * 4. open the live chunk, made and seeded when there is none.
 *
 * Freezing what is complete and discarding what is frozen is left to the lifecycle, which does it while the store serves.
 */
import { type Catalog, Geometry, Layout, Retention } from "@icecore/catalog"
import { Data, Effect, Option, Result, type Scope, Stream } from "effect"
import { encodePosition, hotKeyspaces, positionKey, type SourcePosition, sourceKeyspace } from "./format/HotFormat.ts"
import * as HotChunk from "./HotChunk.ts"
import type { ChunkSpan } from "./internal/ChunkSpans.ts"
import * as ChunkSpans from "./internal/ChunkSpans.ts"
import type { HotSet } from "./internal/HotSet.ts"
import * as LogState from "./internal/LogState.ts"
import type { StorageError } from "./StorageError.ts"

/** A chunk below the live one is neither frozen nor hot: its entries are lost. */
export class HistoryHole extends Data.Error<{
  readonly path: string
  readonly chunk: number
  /** First seq of the chunk, inclusive. */
  readonly from: number
  /** Last seq of the chunk, inclusive. */
  readonly to: number
}> {
  readonly _tag = "HistoryHole"
  override readonly name = "HistoryHole"
  override get message(): string {
    return `Cannot open store ${this.path}: chunk ${this.chunk} (entries ${this.from} to ${this.to}) is neither frozen nor hot`
  }
}

/** What the catalog has. */
export interface Found {
  /** First chunk that must be there: where history begins. */
  readonly floorChunk: Geometry.ChunkId
  /** Frozen chunks, ascending, no two spans adjacent. */
  readonly frozen: ReadonlyArray<ChunkSpan>
  /** Chunks with a `ready` hot database, ascending. */
  readonly hot: ReadonlyArray<Geometry.ChunkId>
}

export interface RecoveryPlan {
  readonly liveChunk: Geometry.ChunkId
  /** Whether the live chunk has a hot database. */
  readonly isLiveHot: boolean
  /** Hot chunks below the live one that wait for their freeze, ascending. They must be complete. */
  readonly unfrozen: ReadonlyArray<Geometry.ChunkId>
  /** Hot chunks that are frozen, or lie before the beginning of history, ascending. */
  readonly discardable: ReadonlyArray<Geometry.ChunkId>
  /** The chunk whose database holds the source's position. */
  readonly positionChunk: Option.Option<Geometry.ChunkId>
}

/** Decides what to open. Fails with the first chunk that is missing. */
export const plan = ({ floorChunk, frozen, hot }: Found): Result.Result<RecoveryPlan, Geometry.ChunkId> => {
  const lastFrozen = frozen.at(-1)?.last ?? Geometry.beforeFirstChunk
  const lastHot = hot.at(-1) ?? Geometry.beforeFirstChunk
  const isLiveHot = lastHot > lastFrozen
  const liveChunk = Geometry.ChunkId(isLiveHot ? lastHot : Math.max(lastFrozen + 1, floorChunk))
  const unfrozen: Array<Geometry.ChunkId> = []
  const discardable: Array<Geometry.ChunkId> = []
  for (const chunk of hot)
    if (chunk < Math.min(floorChunk, liveChunk) || ChunkSpans.has(frozen, chunk)) discardable.push(chunk)
    else if (chunk !== liveChunk) unfrozen.push(chunk)
  const missing = firstMissing({ from: floorChunk, to: liveChunk - 1, frozen, hot: unfrozen })
  if (missing !== undefined) return Result.fail(Geometry.ChunkId(missing))
  return Result.succeed({
    liveChunk,
    isLiveHot,
    unfrozen,
    discardable,
    positionChunk: Option.fromUndefinedOr(hot.at(-1))
  })
}

export interface RecoverOptions {
  readonly catalog: Catalog.Catalog
  readonly hotSet: HotSet<StorageError>
  readonly retention: Retention.Retention
  /** Leaves everything as it is: no sweep, and no live database is made. */
  readonly isReadOnly: boolean
}

export interface Recovered {
  readonly state: LogState.LogState
  readonly plan: RecoveryPlan
}

/** Opens what is there. The hot chunks are in the set afterwards. */
export const recover: (options: RecoverOptions) => Effect.Effect<Recovered, StorageError | HistoryHole> = Effect.fn(
  "Recovery.recover"
)(function* ({ catalog, hotSet, retention, isReadOnly }: RecoverOptions) {
  const { geometry } = catalog.pins
  if (!isReadOnly) yield* catalog.sweep()
  // A log that began within a chunk has the whole of it, so an earlier seq of the same chunk needs no filling in.
  const beginSeq = Geometry.firstSeqOf(geometry, Geometry.chunkOf(geometry, catalog.beginSeq()))
  if (!isReadOnly && beginSeq < catalog.beginSeq()) yield* catalog.setBeginSeq(beginSeq)
  const found = yield* Effect.scoped(list(catalog, Geometry.chunkOf(geometry, beginSeq)))
  const decided = plan(found)
  if (Result.isFailure(decided))
    return yield* new HistoryHole({
      path: catalog.layout.dataDir,
      chunk: decided.failure,
      from: Geometry.firstSeqOf(geometry, decided.failure),
      to: Geometry.lastSeqOf(geometry, decided.failure)
    })
  const { liveChunk, isLiveHot, unfrozen, positionChunk } = decided.success
  const open = (chunk: Geometry.ChunkId, position: Option.Option<SourcePosition>) =>
    Effect.map(
      catalog.openHot(chunk, {
        keyspaces: hotKeyspaces,
        seed: (batch) => {
          if (Option.isSome(position)) batch.put(sourceKeyspace, positionKey, encodePosition(position.value))
        }
      }),
      (database) => HotChunk.make({ geometry, chunk, database })
    )
  for (const chunk of unfrozen) {
    const hot = yield* hotSet.add(open(chunk, Option.none()))
    const highest = yield* HotChunk.highestSeq(hot)
    if (!Option.contains(highest, hot.lastSeq))
      return yield* new HotChunk.HotChunkDamaged({
        path: Layout.hotPath(catalog.layout, chunk),
        chunk,
        seq: Option.getOrElse(highest, () => hot.firstSeq - 1) + 1,
        detail: "it is missing, and later chunks have entries"
      })
  }
  const readPosition = (chunk: Geometry.ChunkId) =>
    Effect.flatMap(hotSet.use(chunk, HotChunk.position), (shared) =>
      Option.isSome(shared)
        ? Effect.succeed(shared.value)
        : Effect.scoped(Effect.flatMap(open(chunk, Option.none()), HotChunk.position))
    )
  if (isLiveHot) yield* hotSet.add(open(liveChunk, Option.none()))
  const stored = Option.isNone(positionChunk) ? Option.none<SourcePosition>() : yield* readPosition(positionChunk.value)
  const live = isLiveHot ? yield* hotSet.use(liveChunk, HotChunk.highestSeq) : Option.none()
  const nextSeq = Option.getOrElse(Option.flatten(live), () => Geometry.firstSeqOf(geometry, liveChunk) - 1) + 1
  // A backup in the middle of a backfill has the position of a later moment than the catalog. The source is read up to the end then.
  const position = Option.filter(stored, ({ seq }) => seq < nextSeq)
  if (!isLiveHot && !isReadOnly) yield* hotSet.add(open(liveChunk, position))
  const lastComplete = Geometry.lastCompleteChunkAt(geometry, nextSeq - 1)
  const floor = Math.max(Retention.floorSeqOf(geometry, retention, lastComplete), beginSeq)
  const state = yield* LogState.make({ geometry, floor, liveChunk, nextSeq, position })
  return { state, plan: decided.success }
})

const list: (
  catalog: Catalog.Catalog,
  floorChunk: Geometry.ChunkId
) => Effect.Effect<Found, StorageError, Scope.Scope> = Effect.fnUntraced(function* (catalog, floorChunk) {
  const snapshot = yield* catalog.snapshot
  const frozen: Array<ChunkSpan> = []
  yield* Stream.runForEachArray(
    snapshot.artifacts({ kind: "entries", state: "frozen", from: floorChunk }),
    (artifacts) =>
      Effect.sync(() => {
        for (const { key } of artifacts) ChunkSpans.add(frozen, key.chunk)
      })
  )
  const hotChunks = yield* Stream.runCollect(snapshot.hotChunks)
  const hot = hotChunks.filter(({ state }) => state === "ready").map(({ chunk }) => chunk)
  return { floorChunk, frozen, hot }
})

/** The first number of `from` to `to`, both inclusive, that is in none of the spans and not among the hot ones. */
const firstMissing = (options: {
  readonly from: number
  readonly to: number
  readonly frozen: ReadonlyArray<ChunkSpan>
  readonly hot: ReadonlyArray<number>
}): number | undefined => {
  const runs = [...options.frozen, ...options.hot.map((chunk) => ({ first: chunk, last: chunk }))]
  runs.sort((left, right) => left.first - right.first)
  let expected = options.from
  for (const run of runs) {
    if (run.first > expected) break
    expected = Math.max(expected, run.last + 1)
  }
  return expected <= options.to ? expected : undefined
}
