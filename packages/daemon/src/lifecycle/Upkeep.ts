/** What the stages of the lifecycle and a backfill know together. */
import { type Catalog, type CatalogReadError, Geometry, Retention } from "@icecore/catalog"
import type { Zstd } from "@icecore/codec"
import type { Disk } from "@icecore/packfile"
import { Effect, Metric, Option, Stream } from "effect"
import type { ArtifactWork } from "../ArtifactWork.ts"
import { buildKeyIndex, type KnownRuns } from "../BuildKeyIndex.ts"
import type { DomainKeys } from "../Domain.ts"
import type { KeysStatus, RetentionStatus } from "../History.ts"
import type { HotSet } from "../internal/HotSet.ts"
import * as LogState from "../internal/LogState.ts"
import { processChunk } from "../ProcessChunk.ts"
import type { ChunkBuild, IndexBuild } from "../Resolve.ts"
import type { RetryOptions } from "../Retrying.ts"
import type { StorageError } from "../StorageError.ts"
import * as Metrics from "./Metrics.ts"

export interface Upkeep {
  readonly state: LogState.LogState
  readonly hotSet: HotSet<StorageError>
  readonly catalog: Catalog.Catalog
  readonly work: ArtifactWork
  readonly keys: Option.Option<DomainKeys>
  readonly retention: Retention.Retention
  /** Builds under way at once. */
  readonly concurrency: number
  /** How a single build is tried again. */
  readonly retry: RetryOptions
  /** Complete chunks that may wait for their freeze before ingestion waits for them. */
  readonly maxUnfrozenChunks: number
  /** Open hot chunks that cold files serve. */
  readonly frozenHot: Set<Geometry.ChunkId>
  readonly knownRuns: KnownRuns
  readonly builds: { chunks: number; indexes: number }
  /** Every chunk from the floor to this one is frozen. */
  frozenTo: Geometry.ChunkId
  /** Every window before this one, from the floor's on, is finished and has its index. */
  rollFrom: Geometry.WindowId
  /** A backfill freezes chunk after chunk: indexes are put off as far as look-ups allow. */
  isBackfilling: boolean
  /** Why history begins above the floor that retention asks for. */
  floorProblem: Option.Option<string>
}

/** The first chunk that retention asks for now. What takes new entries is always kept. */
export const wantedFloorChunk = ({ state, retention }: Upkeep): Geometry.ChunkId => {
  const lastComplete = LogState.lastComplete(state)
  // While a backfill runs, the live chunk lies before what is complete.
  const newest = Math.max(state.liveChunk, lastComplete + 1)
  return Geometry.ChunkId(Math.min(Retention.floorChunkOf(state.geometry, retention, lastComplete), newest))
}

/** The first chunk that is kept and was ever there. */
export const floorChunk = (upkeep: Upkeep): Geometry.ChunkId =>
  Geometry.ChunkId(
    Math.max(wantedFloorChunk(upkeep), Geometry.chunkOf(upkeep.state.geometry, upkeep.catalog.beginSeq()))
  )

/** The lowest seq that is to be served. */
export const floorSeq = ({ state, retention, catalog }: Upkeep): number =>
  Math.max(Retention.floorSeqOf(state.geometry, retention, LogState.lastComplete(state)), catalog.beginSeq())

/**
 * Moves the floor to where retention asks for it now, before anything below is demoted. Returns the first chunk that retention asks
 * for.
 *
 * 1. the mark where history begins moves up, durably: else a start in between takes what was demoted for lost;
 * 2. the floor moves up: else a reader is sent to what is demoted.
 */
export const raiseFloor = (upkeep: Upkeep): Effect.Effect<Geometry.ChunkId, StorageError> =>
  Effect.gen(function* () {
    const { state, catalog } = upkeep
    const wanted = wantedFloorChunk(upkeep)
    const wantedSeq = Geometry.firstSeqOf(state.geometry, wanted)
    if (wantedSeq > catalog.beginSeq()) yield* catalog.setBeginSeq(wantedSeq)
    LogState.moveFloor(state, floorSeq(upkeep))
    return wanted
  })

/** Hot chunks up to one, inclusive, that cold files do not serve yet, ascending. */
const unfrozenTo = (upkeep: Upkeep, last: number): ReadonlyArray<Geometry.ChunkId> => {
  const { hotSet, frozenHot } = upkeep
  const floor = floorChunk(upkeep)
  return hotSet.chunks().filter((chunk) => chunk >= floor && chunk <= last && !frozenHot.has(chunk))
}

/** Complete hot chunks that wait for their freeze, ascending. One that takes new entries until the next has begun is not among them. */
export const unfrozen = (upkeep: Upkeep): ReadonlyArray<Geometry.ChunkId> =>
  unfrozenTo(upkeep, upkeep.state.liveChunk - 1)

/** Chunks that are frozen and kept. */
export const frozenCount = (upkeep: Upkeep): number => {
  const lastComplete = LogState.lastComplete(upkeep.state)
  return Math.max(0, lastComplete - floorChunk(upkeep) + 1) - unfrozenTo(upkeep, lastComplete).length
}

/** Lets ingestion go on, or wait, by how many chunks wait for their freeze. */
export const updateRoom = (upkeep: Upkeep): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { state, maxUnfrozenChunks } = upkeep
    const count = unfrozen(upkeep).length
    if (count < maxUnfrozenChunks) state.room.openUnsafe()
    else state.room.closeUnsafe()
    return Metric.update(Metrics.backlog, count)
  })

/** The live chunk is another one: while its database was made, a backfill may have frozen it. */
export const crossed = (upkeep: Upkeep): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { state, frozenHot, frozenTo } = upkeep
    if (state.liveChunk <= frozenTo) frozenHot.add(state.liveChunk)
    return updateRoom(upkeep)
  })

/** A chunk was frozen by this process. */
export const countChunk = (upkeep: Upkeep): Effect.Effect<void> =>
  Effect.suspend(() => {
    upkeep.builds.chunks++
    return Metric.update(Metrics.chunkBuilds, 1)
  })

/** Builds what is missing of a chunk. */
export const buildChunk = (
  upkeep: Upkeep,
  { chunk, kinds }: ChunkBuild
): Effect.Effect<void, StorageError, Disk | Zstd> =>
  Effect.gen(function* () {
    const { catalog, hotSet, work, state } = upkeep
    const [duration, processed] = yield* Effect.timed(
      processChunk({ catalog, hotSet, work, chunk, kinds, source: state.feeder })
    )
    if (Option.isSome(processed)) {
      if (Option.isSome(processed.value)) upkeep.knownRuns.set(chunk, processed.value.value)
      if (kinds.includes("entries")) {
        yield* countChunk(upkeep)
        yield* Metric.update(Metrics.chunkBuildDuration, duration)
      } else yield* Metric.update(Metrics.runRebuilds, 1)
    }
    if (upkeep.hotSet.chunks().includes(chunk)) upkeep.frozenHot.add(chunk)
    yield* updateRoom(upkeep)
  })

/** Builds the index of a window. */
export const buildIndex = (upkeep: Upkeep, build: IndexBuild): Effect.Effect<void, StorageError, Disk | Zstd> =>
  Effect.gen(function* () {
    const { catalog, work, keys, knownRuns: known } = upkeep
    if (Option.isNone(keys)) return
    const { duplicates } = keys.value
    const [duration, isBuilt] = yield* Effect.timed(buildKeyIndex({ ...build, catalog, work, duplicates, known }))
    if (!isBuilt) return
    upkeep.builds.indexes++
    yield* Metric.update(Metrics.indexBuilds, 1)
    yield* Metric.update(Metrics.indexBuildDuration, duration)
  })

/** What is kept, and whether all of it is there. */
export const retentionStatus = (upkeep: Upkeep): RetentionStatus => {
  const { state, retention, floorProblem } = upkeep
  const wantedFloor = Retention.floorSeqOf(state.geometry, retention, LogState.lastComplete(state))
  const begin = upkeep.catalog.beginSeq()
  const problem =
    begin <= wantedFloor
      ? Option.none()
      : Option.orElse(floorProblem, () =>
          Option.some(`entries ${wantedFloor} to ${begin - 1} are not in the store yet`)
        )
  return { chunks: retention.chunks, earliestSeq: retention.earliestSeq, wantedFloor, problem }
}

/** How far keys are indexed. Costs a look at each window. */
export const keysStatus = (upkeep: Upkeep): Effect.Effect<Option.Option<KeysStatus>, CatalogReadError> =>
  Option.isNone(upkeep.keys)
    ? Effect.succeedNone
    : Effect.scoped(
        Effect.flatMap(upkeep.catalog.snapshot, (snapshot) => {
          const floor = floorChunk(upkeep)
          let indexCount = 0
          let indexedChunkCount = 0
          return snapshot.coverages().pipe(
            Stream.runForEach(({ lo, hi }) =>
              Effect.sync(() => {
                indexCount++
                indexedChunkCount += Math.max(0, hi - Math.max(lo, floor) + 1)
              })
            ),
            Effect.map(() => {
              const uncoveredRunCount = Math.max(0, frozenCount(upkeep) - indexedChunkCount)
              return Option.some({ indexCount, indexedChunkCount, uncoveredRunCount })
            })
          )
        })
      )
