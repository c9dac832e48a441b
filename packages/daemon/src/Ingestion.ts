/**
 * Feeding the log from a source.
 *
 * Goes on behind the last committed entry, from the position that was committed with it. A commit that fails for a reason that
 * may pass (a full disk, an I/O error, keys that are just derived anew) is tried again, later each time, while the source waits: no entry is skipped or
 * doubled, because each attempt starts where the log really ends.
 */
import { Geometry } from "@icecore/catalog"
import { Clock, Data, Effect, Exit, Option, type Scope, Stream } from "effect"
import type { Backfill, BackfillReport } from "./Backfill.ts"
import type { Entry } from "./Entry.ts"
import { type ActivityStatus, AppendRefused, type HistoryReadError } from "./History.ts"
import type * as LogState from "./internal/LogState.ts"
import { findOther } from "./kernel/EntryBytes.ts"
import type { AppendError, LogWriter } from "./LogWriter.ts"
import type { ReadView } from "./ReadView.ts"
import { type RetryOptions, retrySchedule } from "./Retrying.ts"
import type { EntriesOptions, Source, SourceBatch, SourceError } from "./Source.ts"
import { isTransient } from "./StorageError.ts"

/** The source gives other bytes for an entry than those that were ingested: it is not the log that this store holds. */
export class SourceDiverged extends Data.Error<{ readonly source: string; readonly seq: number }> {
  readonly _tag = "SourceDiverged"
  override readonly name = "SourceDiverged"
  override get message(): string {
    return `Cannot ingest from source ${this.source}: its entry ${this.seq} is not the one that was ingested before`
  }
}

export type IngestionError = SourceError | SourceDiverged | AppendRefused | AppendError | HistoryReadError

/** What a source brought until it ended. */
export interface IngestionReport {
  readonly entryCount: number
  /** Bytes of the entries. */
  readonly byteCount: number
  /** The seq that the log went on at. */
  readonly firstSeq: number
  /** The seq that the log goes on at now. */
  readonly nextSeq: number
  /** Chunks that were frozen without a hot database. */
  readonly backfilledChunkCount: number
  readonly durationMillis: number
}

export interface Ingestion {
  /**
   * Commits what the source has until it ends, or for ever. Fails when the source does, when storage fails for good, or with
   * {@link AppendRefused} while another source feeds the log.
   */
  readonly run: (source: Source) => Effect.Effect<IngestionReport, IngestionError>
  /** Only the part of {@link Ingestion.run} that needs no hot database: see {@link import("./Backfill.ts")}. */
  readonly backfill: (source: Source) => Effect.Effect<BackfillReport, IngestionError>
  readonly status: () => ActivityStatus
}

export interface IngestionOptions {
  readonly state: LogState.LogState
  readonly writer: LogWriter
  readonly view: ReadView
  readonly backfill: Backfill
  readonly retry: RetryOptions
  /** Tells the lifecycle that there is something to derive, which ingestion waits for. Must not wait. */
  readonly notify: Effect.Effect<void>
}

export const make = ({ state, writer, view, backfill, retry, notify }: IngestionOptions): Ingestion => {
  let activity = idle

  const append = (batch: SourceBatch): Effect.Effect<unknown, AppendError> =>
    Effect.suspend(() => {
      const done = Math.max(0, state.nextSeq - batch.firstSeq)
      return writer.append({
        entries: done === 0 ? batch.entries : batch.entries.slice(done),
        expectedSeq: batch.firstSeq + done,
        tokenAfter: (count) => batch.positionAfter(done + count),
        keepBefore: true
      })
    })

  const commit = (batch: SourceBatch): Effect.Effect<unknown, AppendError> =>
    append(batch).pipe(
      Effect.tapError((error) => {
        if (!isTransient(error)) return Effect.void
        activity = { state: "waiting", problem: Option.some(error.message) }
        const told = Effect.logError(`Ingestion waits: ${error.message}`)
        return error._tag === "KeysAbsent" ? Effect.andThen(told, notify) : told
      }),
      Effect.retry(retrySchedule(retry)),
      Effect.tap(() =>
        Effect.sync(() => {
          if (activity.state === "waiting") activity = running
        })
      )
    )

  /** Checks the entries of a batch that the log has already, as far as they are still kept. */
  const compare = (source: Source, batch: SourceBatch): Effect.Effect<void, SourceDiverged | HistoryReadError> =>
    Effect.suspend(() => {
      const from = Math.max(batch.firstSeq, state.floor)
      const to = Math.min(batch.firstSeq + batch.entries.length, state.nextSeq) - 1
      if (to < from) return Effect.void
      return Stream.runForEach(view.rangeInside({ from, to }), (entries: ReadonlyArray<Entry>) => {
        const other = findOther(entries, batch)
        return other === undefined
          ? Effect.void
          : Effect.fail(new SourceDiverged({ source: source.name, seq: other.seq }))
      })
      // The floor may rise meanwhile.
    }).pipe(Effect.catchTag("EntryBelowFloor", () => compare(source, batch)))

  const take = (source: Source) => (batch: SourceBatch) =>
    state.nextSeq === batch.firstSeq
      ? commit(batch)
      : Effect.andThen(
          compare(source, batch),
          Effect.suspend(() => (batch.firstSeq + batch.entries.length > state.nextSeq ? commit(batch) : Effect.void))
        )

  const seat = (source: Source): Effect.Effect<void, AppendRefused, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.suspend(() => {
        if (Option.isSome(state.feeder)) return Effect.fail(new AppendRefused({ source: state.feeder.value.name }))
        state.feeder = Option.some(source)
        return Effect.void
      }),
      () =>
        Effect.sync(() => {
          state.feeder = Option.none()
        })
    )

  /** Commits what the source has, up to before `end`. */
  const feed = (source: Source, end: number, onTaken: (batch: SourceBatch, from: number) => void) =>
    source.entries(startOf(state)).pipe(
      Stream.takeUntil((batch) => batch.firstSeq + batch.entries.length >= end),
      Stream.runForEach((batch) =>
        Effect.suspend(() => {
          const from = state.nextSeq
          return Effect.map(take(source)(before(batch, end)), () => onTaken(batch, from))
        })
      )
    )

  /** Whole chunks, from the beginning of the next one on. Returns the bytes of the entries that came before it. */
  const fillIn = Effect.fnUntraced(function* (source: Source) {
    const filled = yield* backfill.fill(source)
    const { geometry, position } = state
    // Entries that came some other way since are compared before anything follows them.
    const next = Geometry.chunkOf(geometry, state.nextSeq)
    const isCompared = Option.match(position, { onNone: () => true, onSome: ({ seq }) => seq === state.nextSeq - 1 })
    const isBegun = state.nextSeq > Geometry.firstSeqOf(geometry, next)
    const end = isBegun ? Geometry.lastSeqOf(geometry, next) + 1 : state.nextSeq
    let byteCount = 0
    if (isBegun || !isCompared)
      yield* feed(source, end, (batch, from) => {
        byteCount += sizeOf(before(batch, end), from)
      })
    yield* Effect.retry(writer.roll, retrySchedule(retry))
    if (state.nextSeq < end) return { chunkCount: filled.chunkCount, byteCount }
    const report = yield* backfill.run(source, startOf(state))
    yield* Effect.retry(writer.roll, retrySchedule(retry))
    return { chunkCount: filled.chunkCount + report.chunkCount, byteCount: byteCount + report.byteCount }
  })

  const run = Effect.fn("Ingestion.run")(function* (source: Source) {
    yield* seat(source)
    activity = running
    const startMillis = yield* Clock.currentTimeMillis
    const firstSeq = state.nextSeq
    let byteCount = 0
    let backfilledChunkCount = 0
    if (source.isBounded && source.isRepeatable) {
      const report = yield* fillIn(source)
      byteCount += report.byteCount
      backfilledChunkCount = report.chunkCount
    }
    yield* feed(source, Number.POSITIVE_INFINITY, (batch, from) => {
      byteCount += sizeOf(batch, from)
    })
    const durationMillis = (yield* Clock.currentTimeMillis) - startMillis
    const entryCount = state.nextSeq - firstSeq
    return { entryCount, byteCount, firstSeq, nextSeq: state.nextSeq, backfilledChunkCount, durationMillis }
  })

  const fillAlone = Effect.fn("Ingestion.backfill")(function* (source: Source) {
    yield* seat(source)
    activity = running
    return yield* fillIn(source)
  })

  const settle = (exit: Exit.Exit<unknown, IngestionError>): void => {
    const error = Exit.findErrorOption(exit)
    if (Option.isNone(error)) activity = idle
    else if (error.value._tag !== "AppendRefused")
      activity = { state: "failed", problem: Option.some(error.value.message) }
  }

  const settling = <A>(effect: Effect.Effect<A, IngestionError, Scope.Scope>): Effect.Effect<A, IngestionError> =>
    Effect.onExit(Effect.scoped(effect), (exit) => Effect.sync(() => settle(exit)))

  return {
    run: (source) => settling(run(source)),
    backfill: (source) => settling(fillAlone(source)),
    status: () => activity
  }
}

const idle: ActivityStatus = { state: "idle", problem: Option.none() }

const running: ActivityStatus = { state: "running", problem: Option.none() }

/**
 * Where the source goes on: behind its own position. Entries that came some other way since are read again and compared, so
 * that a log of two origins cannot pass for one.
 */
const startOf = ({ nextSeq, position }: LogState.LogState): EntriesOptions =>
  Option.match(position, {
    onNone: () => ({ from: nextSeq }),
    onSome: ({ seq, token }) => ({ from: seq + 1, resume: token })
  })

/** The part of a batch before `end`. */
const before = (batch: SourceBatch, end: number): SourceBatch =>
  batch.firstSeq + batch.entries.length <= end
    ? batch
    : { ...batch, entries: batch.entries.slice(0, end - batch.firstSeq) }

/** Bytes of the entries of a batch from seq `from` on. */
const sizeOf = ({ firstSeq, entries }: SourceBatch, from: number): number => {
  let sizeBytes = 0
  for (let index = Math.max(0, from - firstSeq); index < entries.length; index++) sizeBytes += entries[index]!.length
  return sizeBytes
}
