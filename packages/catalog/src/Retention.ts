/**
 * How much of the log is kept: arithmetic on the end of the log, and what of a store lies wholly below its floor.
 */
import { Stream } from "effect"
import type { CatalogReadError } from "./CatalogError.ts"
import type { CatalogSnapshot } from "./CatalogSnapshot.ts"
import { type ArtifactKey, type HotKey, hotKey } from "./format/CatalogKey.ts"
import * as Geometry from "./Geometry.ts"

export interface Retention {
  /** Complete chunks kept at the end of the log; 0: all. */
  readonly chunks: number
  /** Lowest seq ever kept, at least the geometry's `firstSeq`. */
  readonly earliestSeq: number
}

/** The first chunk that is kept when `lastCompleteChunk` is the last complete one (−1: none is). Whole chunks are kept. */
export const floorChunkOf = (
  geometry: Geometry.Geometry,
  { chunks, earliestSeq }: Retention,
  lastCompleteChunk: Geometry.ChunkId
): Geometry.ChunkId => {
  const earliest = Geometry.chunkOf(geometry, Math.max(earliestSeq, geometry.firstSeq))
  return chunks === 0 ? earliest : Geometry.ChunkId(Math.max(earliest, lastCompleteChunk - chunks + 1))
}

/** The lowest seq that is served, inclusive: the first of {@link floorChunkOf}, or `earliestSeq` when it lies within that chunk. */
export const floorSeqOf = (
  geometry: Geometry.Geometry,
  retention: Retention,
  lastCompleteChunk: Geometry.ChunkId
): Geometry.Seq => {
  const floorChunk = floorChunkOf(geometry, retention, lastCompleteChunk)
  return Geometry.Seq(Math.max(Geometry.firstSeqOf(geometry, floorChunk), retention.earliestSeq))
}

/**
 * Everything wholly below the first chunk that is kept and not demoted yet: key indexes that end before it, then artifacts by
 * chunk, then hot databases by chunk. An index that covers a kept chunk stays. Cost: the keys below the floor.
 *
 * In this order, demoted piece by piece and interrupted anywhere, what stays is the upper end of what was there, and no index is
 * left for a window without entries.
 */
export const doomed = (
  snapshot: CatalogSnapshot,
  floorChunk: Geometry.ChunkId
): Stream.Stream<ArtifactKey | HotKey, CatalogReadError> => {
  const to = Geometry.ChunkId(floorChunk - 1)
  const indexes = snapshot.indexes.pipe(
    Stream.takeWhile(({ key }) => key.lo < floorChunk),
    Stream.filter(({ key }) => key.hi < floorChunk)
  )
  const hot = snapshot.hotChunks.pipe(
    Stream.takeWhile(({ chunk }) => chunk < floorChunk),
    Stream.filter(({ state }) => state === "ready"),
    Stream.map(({ chunk }): ArtifactKey | HotKey => hotKey(chunk))
  )
  return Stream.concat(indexes, snapshot.artifacts({ to })).pipe(
    Stream.filter(({ state }) => state !== "pruning"),
    Stream.map(({ key }): ArtifactKey | HotKey => key),
    Stream.concat(hot)
  )
}
