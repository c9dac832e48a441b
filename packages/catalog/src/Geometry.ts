/**
 * How sequence numbers map to chunks and windows. All of it is arithmetic on three pinned numbers.
 */
import { Brand, Data, Effect } from "effect"

/** Sequence number of an entry: a safe integer, dense, from `firstSeq`. */
export type Seq = number & Brand.Brand<"Seq">
export const Seq: Brand.Constructor<Seq> = Brand.nominal<Seq>()

/** Number of a chunk, from 0. −1 means "before the first chunk" and is never written to disk. */
export type ChunkId = number & Brand.Brand<"ChunkId">
export const ChunkId: Brand.Constructor<ChunkId> = Brand.nominal<ChunkId>()

/** Number of a window, from 0. */
export type WindowId = number & Brand.Brand<"WindowId">
export const WindowId: Brand.Constructor<WindowId> = Brand.nominal<WindowId>()

/** The chunk before the first one. */
export const beforeFirstChunk: ChunkId = ChunkId(-1)

/** Chunks and windows are named with 8 digits, so there are at most 10^8 of them. */
export const maxChunkId = 99_999_999

export interface Geometry {
  /** Sequence number of the first entry of chunk 0. */
  readonly firstSeq: number
  /** Entries in a chunk: 1 to 2^32 − 1. */
  readonly entriesPerChunk: number
  /** Chunks in a window: 1 or more. */
  readonly chunksPerWindow: number
}

/** A geometry whose numbers cannot work. */
export class GeometryInvalid extends Data.Error<{
  readonly field: keyof Geometry
  readonly expected: string
  readonly actual: number
}> {
  readonly _tag = "GeometryInvalid"
  override readonly name = "GeometryInvalid"
  override get message(): string {
    return `Cannot use geometry: ${this.field} is ${this.actual}, expected ${this.expected}`
  }
}

export const defaults: Geometry = { firstSeq: 0, entriesPerChunk: 10_000, chunksPerWindow: 1_000 }

const isIntegerIn = (value: number, low: number, high: number): boolean =>
  Number.isSafeInteger(value) && value >= low && value <= high

/** What is wrong with the numbers; undefined when nothing is. */
export const fault = (geometry: Geometry): GeometryInvalid | undefined => {
  const { firstSeq, entriesPerChunk, chunksPerWindow } = geometry
  if (!isIntegerIn(entriesPerChunk, 1, 0xffff_ffff))
    return new GeometryInvalid({ field: "entriesPerChunk", expected: "1 to 4294967295", actual: entriesPerChunk })
  if (!isIntegerIn(chunksPerWindow, 1, maxChunkId + 1))
    return new GeometryInvalid({ field: "chunksPerWindow", expected: "1 to 100000000", actual: chunksPerWindow })
  if (!isIntegerIn(firstSeq, 0, Number.MAX_SAFE_INTEGER))
    return new GeometryInvalid({ field: "firstSeq", expected: "0 to 2^53 - 1", actual: firstSeq })
  return undefined
}

/** Entries of a window at most in a store with keys, whose runs count them in 32 bits: 2^32. */
export const maxKeyedEntriesPerWindow = 0x1_0000_0000

/** What is wrong with the numbers for a store with keys: {@link fault}, or too many entries in a window. */
export const keyedFault = (geometry: Geometry): GeometryInvalid | undefined => {
  const { entriesPerChunk, chunksPerWindow } = geometry
  const invalid = fault(geometry)
  if (invalid !== undefined || entriesPerChunk * chunksPerWindow <= maxKeyedEntriesPerWindow) return invalid
  const most = Math.floor(maxKeyedEntriesPerWindow / entriesPerChunk)
  return new GeometryInvalid({
    field: "chunksPerWindow",
    expected: `1 to ${most}, because with keys a window of chunks of ${entriesPerChunk} entries has at most 2^32 entries`,
    actual: chunksPerWindow
  })
}

/** Checks the numbers and fills in {@link defaults}. */
export const make = (options: Partial<Geometry> = {}): Effect.Effect<Geometry, GeometryInvalid> => {
  const geometry: Geometry = { ...defaults, ...options }
  const invalid = fault(geometry)
  return invalid === undefined ? Effect.succeed(geometry) : Effect.fail(invalid)
}

/** The largest seq that can be kept: the last of chunk {@link maxChunkId}, or 2^53 − 1. */
export const maxSeqOf = (geometry: Geometry): Seq =>
  Seq(Math.min(lastSeqOf(geometry, ChunkId(maxChunkId)), Number.MAX_SAFE_INTEGER))

/** Chunk that holds `seq`. Any seq below `firstSeq` is in {@link beforeFirstChunk}. */
export const chunkOf = (geometry: Geometry, seq: number): ChunkId =>
  seq < geometry.firstSeq ? beforeFirstChunk : ChunkId(Math.floor((seq - geometry.firstSeq) / geometry.entriesPerChunk))

/** First seq of the chunk, inclusive. */
export const firstSeqOf = (geometry: Geometry, chunk: ChunkId): Seq =>
  Seq(chunk * geometry.entriesPerChunk + geometry.firstSeq)

/** Last seq of the chunk, inclusive. */
export const lastSeqOf = (geometry: Geometry, chunk: ChunkId): Seq =>
  Seq((chunk + 1) * geometry.entriesPerChunk + geometry.firstSeq - 1)

/** Window that holds the chunk. */
export const windowOf = (geometry: Geometry, chunk: ChunkId): WindowId =>
  WindowId(Math.floor(chunk / geometry.chunksPerWindow))

/** First chunk of the window, inclusive. */
export const firstChunkOf = (geometry: Geometry, window: WindowId): ChunkId =>
  ChunkId(window * geometry.chunksPerWindow)

/** Last chunk of the window, inclusive. */
export const lastChunkOf = (geometry: Geometry, window: WindowId): ChunkId =>
  ChunkId((window + 1) * geometry.chunksPerWindow - 1)

/** The largest chunk whose last seq is `seq` or less; {@link beforeFirstChunk} when no chunk is complete yet. */
export const lastCompleteChunkAt = (geometry: Geometry, seq: number): ChunkId =>
  seq < lastSeqOf(geometry, ChunkId(0)) ? beforeFirstChunk : ChunkId(chunkOf(geometry, seq + 1) - 1)
