/** What the parts of an open store know together: where the log ends, and who may move the end. */
import { Geometry } from "@icecore/catalog"
import { Deferred, Effect, Latch, Option, PubSub } from "effect"
import type { SourcePosition } from "../format/HotFormat.ts"
import type { ServedRange } from "../History.ts"
import type { Source } from "../Source.ts"
import type { StorageError } from "../StorageError.ts"

export interface LogState {
  readonly geometry: Geometry.Geometry
  /** Lowest seq that is served, whatever is on disk. Moved by {@link moveFloor}: up by retention, down when a widening is filled. */
  floor: number
  /** Chunk that takes new entries. Ingestion owns it; the lifecycle owns every chunk below. */
  liveChunk: Geometry.ChunkId
  /** The seq that the next entry gets. Advances when its predecessor is durable and readable. */
  nextSeq: number
  /** The position of the source as of the last commit. */
  position: Option.Option<SourcePosition>
  /** The source that feeds the log, so that nobody else does. */
  feeder: Option.Option<Source>
  /** Closed while too many complete chunks wait for their freeze. */
  readonly room: Latch.Latch
  /** Fails when the lifecycle has failed for good: then {@link LogState.room} may never open again. */
  readonly stuck: Deferred.Deferred<never, StorageError>
  /** The served range whenever it changes; holds the newest for those who come later. */
  readonly changes: PubSub.PubSub<Option.Option<ServedRange>>
}

export const make = (
  options: Pick<LogState, "geometry" | "floor" | "liveChunk" | "nextSeq" | "position">
): Effect.Effect<LogState> =>
  Effect.map(PubSub.sliding<Option.Option<ServedRange>>({ capacity: 1, replay: 1 }), (changes) => {
    const room = Latch.makeUnsafe(true)
    const state: LogState = { ...options, feeder: Option.none(), room, stuck: Deferred.makeUnsafe(), changes }
    PubSub.publishUnsafe(changes, served(state))
    return state
  })

/** Waits until ingestion may go on. */
export const awaitRoom = (state: LogState): Effect.Effect<void, StorageError> =>
  Effect.suspend(() =>
    state.room.isOpen() ? Effect.void : Effect.raceFirst(state.room.await, Deferred.await(state.stuck))
  )

/** What is served now, or by a view. */
export const served = (state: Pick<LogState, "floor" | "nextSeq">): Option.Option<ServedRange> =>
  state.nextSeq > state.floor ? Option.some({ floor: state.floor, latest: state.nextSeq - 1 }) : Option.none()

/** Serves from `floor` on, from now on. Reads that are under way keep theirs. */
export const moveFloor = (state: LogState, floor: number): void => {
  if (floor === state.floor) return
  state.floor = floor
  PubSub.publishUnsafe(state.changes, served(state))
}

/** Moves the end of the log behind entries that are durable. */
export const advance = (
  state: LogState,
  options: { readonly nextSeq: number; readonly position: Option.Option<SourcePosition> }
): void => {
  state.nextSeq = options.nextSeq
  state.position = options.position
  PubSub.publishUnsafe(state.changes, served(state))
}

/** The last chunk that has all its entries; −1 when none has. */
export const lastComplete = (state: LogState): Geometry.ChunkId =>
  Geometry.lastCompleteChunkAt(state.geometry, state.nextSeq - 1)

/** Whether the live chunk has all its entries, so that the next one must be opened before the log goes on. */
export const isLiveComplete = (state: LogState): boolean =>
  state.nextSeq > Geometry.lastSeqOf(state.geometry, state.liveChunk)
