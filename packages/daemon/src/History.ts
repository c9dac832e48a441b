/**
 * The history of one log, for Effect programs: append at the end, read any part.
 *
 * Every entry in the served range is readable at any moment, whether its chunk is hot, being frozen or frozen. Three answers
 * must not be confused, so they are three errors, each with the range that is served: below the floor, not yet ingested, and
 * absent although it should be there (damage). Anything else a read can fail with is the storage's own error, unchanged.
 */
import type { Geometry } from "@icecore/catalog"
import { Context, Data, type Effect, type Option, type Stream } from "effect"
import type { Entry, RangeOrder } from "./Entry.ts"
import type { ExplainRequest, Explanation } from "./Explanation.ts"
import type { StorageError } from "./StorageError.ts"

/** Sequence numbers that are served now, both inclusive. */
export interface ServedRange {
  readonly floor: number
  readonly latest: number
}

const describeServed = (served: Option.Option<ServedRange>): string =>
  served._tag === "None"
    ? "nothing is served yet"
    : `entries ${served.value.floor} to ${served.value.latest} are served`

/** The entry lies before the first one that is kept, or before the first seq of the log. */
export class EntryBelowFloor extends Data.Error<{
  readonly seq: number
  readonly served: Option.Option<ServedRange>
}> {
  readonly _tag = "EntryBelowFloor"
  override readonly name = "EntryBelowFloor"
  override get message(): string {
    return `Cannot read entry ${this.seq}: it is below the floor; ${describeServed(this.served)}`
  }
}

/** The entry lies behind the latest one. */
export class EntryNotIngested extends Data.Error<{
  readonly seq: number
  readonly served: Option.Option<ServedRange>
}> {
  readonly _tag = "EntryNotIngested"
  override readonly name = "EntryNotIngested"
  override get message(): string {
    return `Cannot read entry ${this.seq}: it is not ingested yet; ${describeServed(this.served)}`
  }
}

/** The entry lies in the served range and is not there: the storage is damaged. `detail` says where it was looked for. */
export class EntryAbsent extends Data.Error<{
  readonly seq: number
  readonly chunk: number
  readonly served: Option.Option<ServedRange>
  readonly detail: string
}> {
  readonly _tag = "EntryAbsent"
  override readonly name = "EntryAbsent"
  override get message(): string {
    return `Cannot read entry ${this.seq}: chunk ${this.chunk} should hold it: ${this.detail}; ${describeServed(this.served)}`
  }
}

/**
 * The keys of a served chunk are nowhere: what they were in was damaged, and is derived anew from the frozen entries as soon as that may be.
 * Until then no key can be told to be new, or unknown.
 */
export class KeysAbsent extends Data.Error<{
  readonly chunk: number
  readonly served: Option.Option<ServedRange>
}> {
  readonly _tag = "KeysAbsent"
  override readonly name = "KeysAbsent"
  override get message(): string {
    return `Cannot look up keys of chunk ${this.chunk}: no hot database, key run or key index has them; ${describeServed(this.served)}`
  }
}

/** A seq that is no safe integer of 0 or more, a range whose `from` is over its `to`, a limit below 1, or a key of other than 32 bytes. */
export class HistoryRequestInvalid extends Data.Error<{
  readonly field: "seq" | "from" | "to" | "limit" | "key"
  readonly expected: string
  readonly actual: number
}> {
  readonly _tag = "HistoryRequestInvalid"
  override readonly name = "HistoryRequestInvalid"
  override get message(): string {
    return `Cannot read history: ${this.field} is ${this.actual}, expected ${this.expected}`
  }
}

/** The domain of the log names no keys, so no entry can be found by one. */
export class KeysUndefined extends Data.Error<{ readonly domain: string }> {
  readonly _tag = "KeysUndefined"
  override readonly name = "KeysUndefined"
  override get message(): string {
    return `Cannot find an entry by key: domain ${this.domain} has no keys`
  }
}

/** As many reads as are allowed at once are under way. Trying again later helps. */
export class ViewsExhausted extends Data.Error<{ readonly limit: number }> {
  readonly _tag = "ViewsExhausted"
  override readonly name = "ViewsExhausted"
  override get message(): string {
    return `Cannot read history: ${this.limit} reads are under way, which is the limit`
  }
}

/** The read took longer than what it reads is kept for. Reading on from where it stopped helps. */
export class ViewExpired extends Data.Error<{ readonly ageMillis: number; readonly limitMillis: number }> {
  readonly _tag = "ViewExpired"
  override readonly name = "ViewExpired"
  override get message(): string {
    return `Cannot read history on: the read began ${this.ageMillis} ms ago, allowed are ${this.limitMillis} ms`
  }
}

/** An appended entry is longer than an entry may be. Nothing was appended. */
export class EntryTooLarge extends Data.Error<{
  readonly seq: number
  readonly actual: number
  readonly limit: number
}> {
  readonly _tag = "EntryTooLarge"
  override readonly name = "EntryTooLarge"
  override get message(): string {
    return `Cannot append entry ${this.seq}: it has ${this.actual} bytes, allowed are at most ${this.limit}`
  }
}

/** A source feeds the log, so programs may not append. Nothing was appended. */
export class AppendRefused extends Data.Error<{ readonly source: string }> {
  readonly _tag = "AppendRefused"
  override readonly name = "AppendRefused"
  override get message(): string {
    return `Cannot append: source ${this.source} feeds this log`
  }
}

/** The log goes on at another seq than the caller expected. Nothing was appended. */
export class AppendConflict extends Data.Error<{ readonly expected: number; readonly actual: number }> {
  readonly _tag = "AppendConflict"
  override readonly name = "AppendConflict"
  override get message(): string {
    return `Cannot append at ${this.expected}: the log goes on at ${this.actual}`
  }
}

/** The domain does not take these bytes as an entry. Nothing was appended. */
export class EntryRefused extends Data.Error<{ readonly seq: number; readonly reason: string }> {
  readonly _tag = "EntryRefused"
  override readonly name = "EntryRefused"
  override get message(): string {
    return `Cannot append entry ${this.seq}: ${this.reason}`
  }
}

/** An earlier entry has one of the entry's keys, and the domain allows no duplicates. */
export class DuplicateKey extends Data.Error<{
  /** In hex. */
  readonly key: string
  readonly firstSeq: number
  /** The seq that the entry would have got. */
  readonly secondSeq: number
}> {
  readonly _tag = "DuplicateKey"
  override readonly name = "DuplicateKey"
  override get message(): string {
    return `Cannot append entry ${this.secondSeq}: entry ${this.firstSeq} has its key ${this.key}`
  }
}

/** Another key of an entry begins with the same 16 bytes, which look-ups do not tell apart. Refused whatever the policy. */
export class KeyCollision extends Data.Error<{
  /** In hex, as the other one. */
  readonly key: string
  readonly otherKey: string
  /** The entry with the other key; the same one when it has both. */
  readonly firstSeq: number
  /** The seq that the entry would have got. */
  readonly secondSeq: number
}> {
  readonly _tag = "KeyCollision"
  override readonly name = "KeyCollision"
  override get message(): string {
    return `Cannot append entry ${this.secondSeq}: its key ${this.key} begins as key ${this.otherKey} of entry ${this.firstSeq}`
  }
}

/** No more chunks can be named, or no more entries be numbered exactly. Nothing was appended. */
export class LogFull extends Data.Error<{ readonly seq: number; readonly limit: number }> {
  readonly _tag = "LogFull"
  override readonly name = "LogFull"
  override get message(): string {
    return `Cannot append entry ${this.seq}: the geometry ends at ${this.limit}`
  }
}

/** The store was opened for reading only. */
export class StoreReadOnly extends Data.Error<{ readonly path: string }> {
  readonly _tag = "StoreReadOnly"
  override readonly name = "StoreReadOnly"
  override get message(): string {
    return `Cannot append to store ${this.path}: it is open for reading only`
  }
}

export type HistoryReadError =
  | EntryBelowFloor
  | EntryNotIngested
  | EntryAbsent
  | KeysAbsent
  | HistoryRequestInvalid
  | KeysUndefined
  | ViewsExhausted
  | ViewExpired
  | StorageError

export type HistoryAppendError =
  | EntryTooLarge
  | EntryRefused
  | DuplicateKey
  | KeyCollision
  | AppendRefused
  | AppendConflict
  | LogFull
  | StoreReadOnly
  | HistoryReadError

export interface RangeOptions {
  /** First seq of the range, inclusive, in either order. Default: the floor. */
  readonly from?: number
  /** Last seq of the range, inclusive, in either order. Default, and when it lies behind the latest: the latest. */
  readonly to?: number
  /** Default `ascending`. */
  readonly order?: RangeOrder
  /** Entries at most, counted in the order asked for. Default: no bound. */
  readonly limit?: number
}

export interface AppendOptions {
  /** The seq that the first of these entries must get; {@link AppendConflict} otherwise. Makes a retry after an unclear failure safe. */
  readonly expectedSeq?: number
}

/** What {@link History.append} made durable. Both inclusive. */
export interface Appended {
  readonly firstSeq: number
  readonly lastSeq: number
}

/** How a long-running part is doing. `waiting` retries by itself, after what `problem` says; `failed` needs somebody to act. */
export interface ActivityStatus {
  readonly state: "idle" | "running" | "waiting" | "failed"
  /** The last failure as one line, while it stands. */
  readonly problem: Option.Option<string>
}

export interface ChunkCounts {
  /** Chunks whose entries are in frozen files. */
  readonly frozen: number
  /** Complete chunks that wait for their freeze or are in it. */
  readonly freezing: number
  /** Chunks that have a hot database, the live one included. */
  readonly hot: number
}

/** A stage of the lifecycle: `freeze`, `roll`, `discard`, `prune` or `sweep`. */
export interface StageStatus extends ActivityStatus {
  readonly name: string
}

/** What is kept of the log. */
export interface RetentionStatus {
  /** Complete chunks that are kept; 0: all. */
  readonly chunks: number
  /** Lowest seq that is ever kept. */
  readonly earliestSeq: number
  /** Lowest seq that retention asks for now. What is served begins above it while older entries are not to be had. */
  readonly wantedFloor: number
  /** Why history begins above {@link RetentionStatus.wantedFloor}; none when it does not. */
  readonly problem: Option.Option<string>
}

/** How far keys are indexed. */
export interface KeysStatus {
  /** Windows that have a key index. */
  readonly indexCount: number
  /** Complete chunks that a key index covers. */
  readonly indexedChunkCount: number
  /** Frozen chunks that no index covers yet: their key runs are searched one by one. */
  readonly uncoveredRunCount: number
}

/** What this process has built, counted when it is done. */
export interface BuildCounts {
  /** Chunks whose entries were frozen, by freezes and backfills. */
  readonly chunks: number
  readonly indexes: number
}

export interface SourceStatus {
  readonly name: string
  /** The highest seq the source has; none while it has nothing or does not know. */
  readonly tip: Option.Option<number>
}

export interface HistoryStatus {
  /** None while nothing is ingested. */
  readonly served: Option.Option<ServedRange>
  /** The seq that the next entry gets. */
  readonly nextSeq: number
  /** The chunk that takes new entries. */
  readonly liveChunk: number
  readonly chunks: ChunkCounts
  /** None while no source feeds the log. */
  readonly source: Option.Option<SourceStatus>
  readonly ingestion: ActivityStatus
  /** Of the lifecycle as a whole; see {@link HistoryStatus.stages} for its parts. */
  readonly freezing: ActivityStatus
  readonly stages: ReadonlyArray<StageStatus>
  readonly retention: RetentionStatus
  /** None when the domain has no keys. */
  readonly keys: Option.Option<KeysStatus>
  readonly builds: BuildCounts
  readonly geometry: Geometry.Geometry
  readonly domain: { readonly name: string; readonly version: number }
  readonly engines: { readonly hot: string; readonly catalog: string }
  /** Bytes that may still be written where entries are frozen. */
  readonly freeSpaceBytes: number
}

export interface History {
  /**
   * Appends entries at the end, in order, each of at most 16 MiB, and returns when all are durable (with none, at once: `lastSeq` is then
   * one below `firstSeq`). When one of them is refused, none is appended. Batches that fit into
   * one commit are atomic; a longer list is committed in pieces, in order. The buffers may be reused on completion.
   * Where the domain has keys each is looked up in the whole history first, which can fail as any read does.
   */
  readonly append: (
    entries: ReadonlyArray<Uint8Array>,
    options?: AppendOptions
  ) => Effect.Effect<Appended, HistoryAppendError>
  /** The bytes of one entry. */
  readonly get: (seq: number) => Effect.Effect<Uint8Array, HistoryReadError>
  /**
   * The entries of a range, in batches of at least one, over one consistent view: entries that arrive later do not show. A
   * `from` behind the latest fails with {@link EntryNotIngested}, one below the floor with {@link EntryBelowFloor}; with no
   * bounds an empty log gives an empty stream. Stopping early is fine. Memory does not grow with the range. A stream that is
   * older than views may be fails with {@link ViewExpired}.
   */
  readonly range: (options?: RangeOptions) => Stream.Stream<ReadonlyArray<Entry>, HistoryReadError>
  /**
   * The entry that has a key of 32 bytes; none when no entry of the served range has it. Of several the newest, or the oldest
   * where the domain's duplicates are `first`. Every answer was checked against the entry itself.
   */
  readonly find: (key: Uint8Array) => Effect.Effect<Option.Option<Entry>, HistoryReadError>
  /** Reads as {@link History.get} or {@link History.find} do, and says which tiers were asked and what each answered. */
  readonly explain: (request: ExplainRequest) => Effect.Effect<Explanation, HistoryReadError>
  /** What is served now; none while nothing is ingested. */
  readonly served: Effect.Effect<Option.Option<ServedRange>>
  /** What is served, now and whenever it changes. A slow reader sees the newest, not every step. Never ends. */
  readonly changes: Stream.Stream<Option.Option<ServedRange>>
  /** Costs no read of the history itself. */
  readonly status: Effect.Effect<HistoryStatus, StorageError>
}

export const History: Context.Service<History, History> = Context.Service("@icecore/daemon/History")
