/**
 * The hot form of one chunk: an engine database that takes new entries and answers for them.
 *
 * A commit is one atomic synced batch of consecutive entries, with their keys and the position of the source behind the last of
 * them: all of it is there or nothing. How far the chunk goes is read from the data and stored nowhere else.
 */
import { Geometry } from "@icecore/catalog"
import type { Database, EngineReadError, EngineWriteError } from "@icecore/engine"
import { Data, Effect, Option, Stream } from "effect"
import type { DuplicatePolicy } from "./Domain.ts"
import type { Entry, RangeOrder } from "./Entry.ts"
import {
  decodeKeyedSeq,
  decodePosition,
  decodeSeq,
  encodeKeyedSeq,
  encodePosition,
  encodeSeq,
  entriesKeyspace,
  type KeyedSeq,
  keyPrefixOf,
  keysKeyspace,
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
  /** The keys of each entry, in their order. Without it they have none. */
  readonly keys?: ReadonlyArray<ReadonlyArray<Uint8Array>>
  /** Which entry a key finds that several have. Default `error`: no two have one, and nobody asks. */
  readonly duplicates?: DuplicatePolicy
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

/** Puts the source's position alone, durably: of a chunk without entries, while older chunks are made without hot databases. */
export const putPosition = (hot: HotChunk, value: SourcePosition): Effect.Effect<void, EngineWriteError> =>
  hot.database.write((batch) => batch.put(sourceKeyspace, positionKey, encodePosition(value)))

/** Commits entries, which must be the next ones of this chunk. Durable on return. */
export const commit = (
  hot: HotChunk,
  { firstSeq, entries, keys = [], duplicates, token }: HotCommit
): Effect.Effect<void, EngineWriteError> => {
  const write = (isKept: (prefix: Uint8Array) => boolean) =>
    hot.database.write((batch) => {
      for (let index = 0; index < entries.length; index++)
        batch.put(entriesKeyspace, encodeSeq(firstSeq + index), entries[index]!)
      for (let step = 0; step < keys.length; step++) {
        // Later puts win, so the entry that is to be found comes last.
        const index = duplicates === "first" ? keys.length - 1 - step : step
        for (const key of keys[index]!) {
          const prefix = keyPrefixOf(key)
          if (!isKept(prefix)) batch.put(keysKeyspace, prefix, encodeKeyedSeq(key, firstSeq + index))
        }
      }
      if (token !== undefined)
        batch.put(sourceKeyspace, positionKey, encodePosition({ seq: firstSeq + entries.length - 1, token }))
    })
  if (duplicates !== "first") return write(() => false)
  const prefixes = keys.flatMap((ofEntry) => ofEntry.map(keyPrefixOf))
  return Effect.flatMap(hot.database.getMany(keysKeyspace, prefixes), (found) => {
    const kept = new Set(prefixes.filter((_, index) => Option.isSome(found[index]!)).map(textOf))
    return write((prefix) => kept.has(textOf(prefix)))
  })
}

/** Each byte as one character: the cheapest text that tells prefixes apart. */
const textOf = (prefix: Uint8Array): string => String.fromCharCode(...prefix)

export interface RollBack {
  /** The last entry that stays. */
  readonly seq: number
  readonly position: Option.Option<SourcePosition>
  /** The keys of an entry as they were committed. Without it entries have none. */
  readonly keysOf?: (entry: Uint8Array) => ReadonlyArray<Uint8Array>
}

/**
 * Removes every entry behind `seq` with its keys and puts the position back, durably, in one batch. For the entries of a commit
 * that failed: they were never acknowledged.
 *
 * A key of theirs may have taken the place of one that stays: then the last entry that stays and has it gets it back. Where there
 * is such a key, every entry of the chunk that stays is read, down to the last that has one.
 */
export const rollBack: (hot: HotChunk, options: RollBack) => Effect.Effect<void, EngineWriteError | HotReadError> =
  Effect.fnUntraced(function* (hot: HotChunk, { seq, position, keysOf }: RollBack) {
    const removed = keysOf === undefined ? [] : yield* keyRowsBehind(hot, seq, keysOf)
    const restored = removed.length === 0 ? [] : yield* formerRows(hot, seq, keysOf!, removed)
    yield* hot.database.write((batch) => {
      batch.deleteRange(entriesKeyspace, { gt: encodeSeq(seq) })
      for (const prefix of removed) batch.delete(keysKeyspace, prefix)
      for (const row of restored) batch.put(keysKeyspace, keyPrefixOf(row.key), encodeKeyedSeq(row.key, row.seq))
      if (Option.isSome(position)) batch.put(sourceKeyspace, positionKey, encodePosition(position.value))
      else batch.delete(sourceKeyspace, positionKey)
    })
  })

type KeysOf = NonNullable<RollBack["keysOf"]>

/** The prefixes that find an entry behind `seq`. */
const keyRowsBehind: (
  hot: HotChunk,
  seq: number,
  keysOf: KeysOf
) => Effect.Effect<ReadonlyArray<Uint8Array>, HotReadError> = Effect.fnUntraced(function* (hot, seq, keysOf) {
  const found: Array<Uint8Array> = []
  const rows = hot.database.scan(entriesKeyspace, { gt: encodeSeq(seq) })
  yield* Stream.runForEachArray(rows, (entries) =>
    Effect.gen(function* () {
      const prefixes = entries.flatMap(({ value }) => keysOf(value).map(keyPrefixOf))
      for (const [index, keyed] of (yield* findKeys(hot, prefixes)).entries())
        if (Option.isSome(keyed) && keyed.value.seq > seq) found.push(prefixes[index]!)
    })
  )
  return found
})

interface KeyRow {
  readonly key: Uint8Array
  readonly seq: number
}

/** For each prefix the last entry up to `seq` that has a key with it, where there is one. */
const formerRows: (
  hot: HotChunk,
  seq: number,
  keysOf: KeysOf,
  prefixes: ReadonlyArray<Uint8Array>
) => Effect.Effect<ReadonlyArray<KeyRow>, HotReadError> = Effect.fnUntraced(function* (hot, seq, keysOf, prefixes) {
  const wanted = new Set(prefixes.map(textOf))
  const found: Array<KeyRow> = []
  if (seq < hot.firstSeq) return found
  const batches = range(hot, { from: hot.firstSeq, to: seq, order: "descending" })
  yield* Stream.runDrain(
    Stream.takeWhile(batches, (entries) => {
      for (const entry of entries)
        for (const key of keysOf(entry.bytes))
          if (wanted.delete(textOf(keyPrefixOf(key)))) found.push({ key, seq: entry.seq })
      return wanted.size > 0
    })
  )
  return found
})

/** For each prefix of a key the entry of this chunk that it finds: the rest of the key must be compared. */
export const findKeys = (
  hot: HotChunk,
  prefixes: ReadonlyArray<Uint8Array>
): Effect.Effect<ReadonlyArray<Option.Option<KeyedSeq>>, HotReadError> =>
  Effect.flatMap(hot.database.getMany(keysKeyspace, prefixes), (values) => {
    const found: Array<Option.Option<KeyedSeq>> = []
    for (const value of values) {
      const keyed = Option.isNone(value) ? undefined : decodeKeyedSeq(value.value)
      if (keyed === undefined ? Option.isSome(value) : keyed.seq < hot.firstSeq || keyed.seq > hot.lastSeq)
        return Effect.fail(damaged(hot, "a key names no entry of this chunk"))
      found.push(Option.fromUndefinedOr(keyed))
    }
    return Effect.succeed(found)
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
