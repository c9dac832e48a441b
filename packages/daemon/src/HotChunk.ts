/**
 * The hot form of one chunk: an engine database that takes new entries and answers for them.
 *
 * A commit is one atomic synced batch of consecutive entries, with the position of the source behind the last of them: all of
 * it is there or nothing. How far the chunk goes is read from the data and stored nowhere else.
 */
import { Geometry } from "@icecore/catalog"
import type { Database, EngineReadError, EngineWriteError } from "@icecore/engine"
import { Data, Effect, Option, Stream } from "effect"
import type { Entry, RangeOrder } from "./Entry.ts"
import {
  decodePosition,
  decodeSeq,
  encodePosition,
  encodeSeq,
  entriesKeyspace,
  positionKey,
  type SourcePosition,
  sourceKeyspace
} from "./format/HotFormat.ts"

/** A hot database holds what no commit leaves behind: a hole, a key of another chunk, a position that does not decode. */
export class HotChunkDamaged extends Data.Error<{
  readonly path: string
  readonly chunk: number
  /** The entry that is concerned, where one is. */
  readonly seq?: number
  readonly detail: string
}> {
  readonly _tag = "HotChunkDamaged"
  override readonly name = "HotChunkDamaged"
  override get message(): string {
    const place = this.seq === undefined ? "" : `, entry ${this.seq}`
    return `Cannot read hot chunk ${this.chunk} at ${this.path}${place}: ${this.detail}`
  }
}

/** What reading a hot chunk can fail with. */
export type HotReadError = EngineReadError | HotChunkDamaged

/** Consecutive entries that are committed together. */
export interface HotCommit {
  readonly firstSeq: number
  readonly entries: ReadonlyArray<Uint8Array>
  /** Token of the source behind the last entry. Without it the position stays where it was. */
  readonly token?: Uint8Array
}

export interface HotChunk {
  readonly chunk: Geometry.ChunkId
  /** First seq of the chunk, inclusive. */
  readonly firstSeq: number
  /** Last seq of the chunk, inclusive. */
  readonly lastSeq: number
  readonly database: Database
}

/** The chunk in an open database. */
export const make = (options: {
  readonly geometry: Geometry.Geometry
  readonly chunk: Geometry.ChunkId
  readonly database: Database
}): HotChunk => ({
  chunk: options.chunk,
  firstSeq: Geometry.firstSeqOf(options.geometry, options.chunk),
  lastSeq: Geometry.lastSeqOf(options.geometry, options.chunk),
  database: options.database
})

/** The highest committed seq; none while the chunk is empty. One step into the database. */
export const highestSeq = (hot: HotChunk): Effect.Effect<Option.Option<number>, HotReadError> =>
  Effect.flatMap(Stream.runHead(hot.database.scan(entriesKeyspace, { reverse: true, limit: 1 })), (head) => {
    if (Option.isNone(head)) return Effect.succeedNone
    const seq = decodeSeq(head.value.key)
    if (seq >= hot.firstSeq && seq <= hot.lastSeq) return Effect.succeed(Option.some(seq))
    return Effect.fail(damaged(hot, "its highest key names no entry of this chunk"))
  })

/** The source's position as the last commit that had one left it. */
export const position = (hot: HotChunk): Effect.Effect<Option.Option<SourcePosition>, HotReadError> =>
  Effect.flatMap(hot.database.get(sourceKeyspace, positionKey), (value) => {
    if (Option.isNone(value)) return Effect.succeedNone
    const decoded = decodePosition(value.value)
    return decoded === undefined
      ? Effect.fail(damaged(hot, "the position of the source does not decode"))
      : Effect.succeed(Option.some(decoded))
  })

/** Commits entries, which must be the next ones of this chunk. Durable on return. */
export const commit = (hot: HotChunk, { firstSeq, entries, token }: HotCommit): Effect.Effect<void, EngineWriteError> =>
  hot.database.write((batch) => {
    for (let index = 0; index < entries.length; index++)
      batch.put(entriesKeyspace, encodeSeq(firstSeq + index), entries[index]!)
    if (token !== undefined)
      batch.put(sourceKeyspace, positionKey, encodePosition({ seq: firstSeq + entries.length - 1, token }))
  })

/**
 * Removes every entry behind `seq` and puts the position back, durably. For the entries of a commit that failed: they were
 * never acknowledged.
 */
export const rollBack = (
  hot: HotChunk,
  options: { readonly seq: number; readonly position: Option.Option<SourcePosition> }
): Effect.Effect<void, EngineWriteError> =>
  hot.database.write((batch) => {
    batch.deleteRange(entriesKeyspace, { gt: encodeSeq(options.seq) })
    if (Option.isSome(options.position)) batch.put(sourceKeyspace, positionKey, encodePosition(options.position.value))
    else batch.delete(sourceKeyspace, positionKey)
  })

/** The bytes of one entry of the chunk; none when it has no such entry. */
export const get = (hot: HotChunk, seq: number): Effect.Effect<Option.Option<Uint8Array>, EngineReadError> =>
  hot.database.get(entriesKeyspace, encodeSeq(seq))

export interface HotRange {
  /** First seq, inclusive; in the chunk. */
  readonly from: number
  /** Last seq, inclusive; in the chunk. */
  readonly to: number
  readonly order: RangeOrder
}

/** Every entry of a range, in batches. A hole, or an end before `to`, fails with {@link HotChunkDamaged}. */
export const range = (
  hot: HotChunk,
  { from, to, order }: HotRange
): Stream.Stream<ReadonlyArray<Entry>, HotReadError> => {
  const step = order === "ascending" ? 1 : -1
  return Stream.suspend(() => {
    let expected = order === "ascending" ? from : to
    const missing = (): HotChunkDamaged => damaged(hot, "it is missing", expected)
    const rows = hot.database.scan(entriesKeyspace, {
      gte: encodeSeq(from),
      lte: encodeSeq(to),
      reverse: order === "descending"
    })
    const entries = Stream.mapEffect(
      Stream.chunks(rows),
      (batch): Effect.Effect<ReadonlyArray<Entry>, HotChunkDamaged> => {
        const found: Array<Entry> = []
        for (const row of batch) {
          if (decodeSeq(row.key) !== expected) return Effect.fail(missing())
          found.push({ seq: expected, bytes: row.value })
          expected += step
        }
        return Effect.succeed(found)
      }
    )
    const complete = Stream.fromEffectDrain(
      Effect.suspend(() => (expected === (step === 1 ? to + 1 : from - 1) ? Effect.void : Effect.fail(missing())))
    )
    return Stream.concat(entries, complete)
  })
}

const damaged = (hot: HotChunk, detail: string, seq?: number): HotChunkDamaged =>
  new HotChunkDamaged({ path: hot.database.path, chunk: hot.chunk, detail, ...(seq === undefined ? {} : { seq }) })
