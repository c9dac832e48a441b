/**
 * Feeding the log from a source.
 *
 * Goes on behind the last committed entry, from the position that was committed with it. A commit that fails for a reason that
 * may pass (a full disk, an I/O error) is tried again, later each time, while the source waits: no entry is skipped or
 * doubled, because each attempt starts where the log really ends.
 */
import { Clock, Data, Effect, Exit, Option, type Scope, Stream } from "effect"
import type { Entry } from "./Entry.ts"
import { type ActivityStatus, AppendRefused, type HistoryReadError } from "./History.ts"
import type * as LogState from "./internal/LogState.ts"
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
  readonly durationMillis: number
}

export interface Ingestion {
  /**
   * Commits what the source has until it ends, or for ever. Fails when the source does, when storage fails for good, or with
   * {@link AppendRefused} while another source feeds the log.
   */
  readonly run: (source: Source) => Effect.Effect<IngestionReport, IngestionError>
  readonly status: () => ActivityStatus
}

export interface IngestionOptions {
  readonly state: LogState.LogState
  readonly writer: LogWriter
  readonly view: ReadView
  readonly retry: RetryOptions
}

export const make = ({ state, writer, view, retry }: IngestionOptions): Ingestion => {
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
        return Effect.logError(`Ingestion waits: ${error.message}`)
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
      return Stream.runForEach(view.range({ from, to }), (entries: ReadonlyArray<Entry>) => {
        const other = entries.find(({ seq, bytes }) => !isEqual(bytes, batch.entries[seq - batch.firstSeq]!))
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

  const run = Effect.fn("Ingestion.run")(function* (source: Source) {
    yield* seat(source)
    activity = running
    const startMillis = yield* Clock.currentTimeMillis
    const firstSeq = state.nextSeq
    let byteCount = 0
    yield* Stream.runForEach(source.entries(startOf(state)), (batch) =>
      Effect.map(take(source)(batch), () => {
        for (let index = Math.max(0, firstSeq - batch.firstSeq); index < batch.entries.length; index++)
          byteCount += batch.entries[index]!.length
      })
    )
    const durationMillis = (yield* Clock.currentTimeMillis) - startMillis
    return { entryCount: state.nextSeq - firstSeq, byteCount, firstSeq, nextSeq: state.nextSeq, durationMillis }
  })

  const settle = (exit: Exit.Exit<unknown, IngestionError>): void => {
    const error = Exit.findErrorOption(exit)
    if (Option.isNone(error)) activity = idle
    else if (error.value._tag !== "AppendRefused")
      activity = { state: "failed", problem: Option.some(error.value.message) }
  }

  return {
    run: (source) => Effect.onExit(Effect.scoped(run(source)), (exit) => Effect.sync(() => settle(exit))),
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

const isEqual = (left: Uint8Array, right: Uint8Array): boolean => {
  if (left.length !== right.length) return false
  for (let index = 0; index < left.length; index++) if (left[index] !== right[index]) return false
  return true
}
