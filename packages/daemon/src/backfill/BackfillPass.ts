/**
 * One pass over a source that freezes its whole chunks.
 *
 * The source is read once, in order. Each chunk that it has whole is given to a job; several jobs write at once, and become `frozen`
 * in order. See {@link import("../Backfill.ts")} for the steps of a job. A job that must read its chunk again (another attempt, records
 * that must be smaller) asks the source for it from the position before the chunk.
 */
import { type Catalog, Geometry } from "@icecore/catalog"
import type { Zstd } from "@icecore/codec"
import { maxValueSizeBytes } from "@icecore/engine"
import type { Disk } from "@icecore/packfile"
import { type Context, Deferred, Effect, Exit, Fiber, Metric, Option, type Scope, Semaphore, Stream } from "effect"
import type { Entry } from "../Entry.ts"
import type { SourcePosition } from "../format/HotFormat.ts"
import * as ChunkFeed from "../internal/ChunkFeed.ts"
import * as Metrics from "../lifecycle/Metrics.ts"
import * as Upkeep from "../lifecycle/Upkeep.ts"
import { needSpace, writeWanted } from "../ProcessChunk.ts"
import type * as Resolve from "../Resolve.ts"
import { retrySchedule } from "../Retrying.ts"
import type { EntriesOptions, Source, SourceBatch, SourceError } from "../Source.ts"
import { isTransient, type StorageError } from "../StorageError.ts"
import { type ChunkError, describe, isContent, type Stopped, stopped, stoppedBy } from "./BackfillStop.ts"
import type { FrozenAmong, TakenKeys } from "./TakenKeys.ts"

/** What a backfill froze. */
export interface BackfillReport {
  readonly chunkCount: number
  /** Bytes of the entries. */
  readonly byteCount: number
}

/** What one pass over the source is to do. */
export interface Pass extends FrozenAmong {
  readonly source: Source
  readonly start: EntriesOptions
  /** Last chunk, inclusive. */
  readonly last: Geometry.ChunkId
  /** Whether a chunk is frozen already. */
  readonly isDone: (chunk: Geometry.ChunkId) => boolean
  /** Told of each chunk in order once it is frozen, with the position behind it where the source was read. */
  readonly onFrozen: (chunk: Geometry.ChunkId, position: Option.Option<SourcePosition>) => Effect.Effect<void>
}

export interface PassReport extends BackfillReport {
  /** Why it ended before the last chunk. */
  readonly stop: Option.Option<string>
  /** The failure of the storage that it ended with. */
  readonly failure: Exit.Exit<void, StorageError>
}

export interface BackfillPass {
  /** Reads the source from the start of the pass to the end of its last chunk. */
  readonly overSource: (pass: Pass) => Effect.Effect<PassReport>
  /** A pass over chunks that are all frozen, which needs no source. */
  readonly overFrozen: (pass: Pass) => Effect.Effect<PassReport>
}

export interface BackfillPassOptions {
  readonly upkeep: Upkeep.Upkeep
  readonly takenKeys: TakenKeys
  readonly services: Context.Context<Disk | Zstd>
  /** Bytes of entries that are held at most, however large chunks are, beside what the jobs take. */
  readonly bufferBytes: number
}

/** A chunk that is being read. */
interface Assembly {
  readonly chunk: Geometry.ChunkId
  readonly feed: ChunkFeed.ChunkFeed
  /** How to read it again. */
  readonly start: EntriesOptions
  isStarted: boolean
  byteCount: number
}

export const make = ({ upkeep, takenKeys, services, bufferBytes }: BackfillPassOptions): BackfillPass => {
  const { catalog, state, work, concurrency } = upkeep
  const { geometry } = state
  const kinds: ReadonlyArray<Resolve.ChunkKind> = Option.isSome(upkeep.keys) ? ["entries", "keys"] : ["entries"]
  const limitBytes = Math.max(1, Math.floor(bufferBytes / (concurrency + 1)))

  /** Reads a chunk of the source again. */
  const reread = (source: Source, { chunk, start }: Assembly): Stream.Stream<ReadonlyArray<Entry>, Stopped> => {
    const from = Geometry.firstSeqOf(geometry, chunk)
    const to = Geometry.lastSeqOf(geometry, chunk)
    return source.entries(start).pipe(
      Stream.mapError(stoppedBy),
      Stream.takeUntil((batch) => batch.firstSeq + batch.entries.length > to),
      Stream.map((batch) => entriesOf(batch, from, to))
    )
  }

  const job = Effect.fnUntraced(function* (
    pass: Pass,
    assembly: Assembly,
    before: Deferred.Deferred<void, Stopped>,
    behind: Deferred.Deferred<SourcePosition, Stopped>
  ): Effect.fn.Return<void, ChunkError> {
    const { chunk, feed } = assembly
    let isFresh = true
    const entries = Stream.suspend((): Stream.Stream<ReadonlyArray<Entry>, Stopped> => {
      if (!isFresh) return Stream.unwrap(Effect.as(feed.abandon, reread(pass.source, assembly)))
      isFresh = false
      return feed.entries
    })
    const inTurn = Effect.andThen(Deferred.await(before), Deferred.await(behind))
    // IMPORTANT: a chunk that is frozen and does not count as ingested would be read in the place of what is appended next. So
    // everything that may fail comes before, and nothing interrupts what comes between.
    const attempt = Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        let position: SourcePosition | undefined
        yield* restore(Effect.provideContext(needSpace({ catalog }, feed.sizeBytes()), services))
        const produce = Effect.fnUntraced(function* (wanted: ReadonlyArray<Catalog.WantedArtifact>) {
          const written = yield* writeWanted({ catalog, work, chunk }, wanted, entries)
          position = yield* inTurn
          yield* takenKeys.refuseWritten(pass, chunk)
          return written
        })
        const written = yield* catalog.writeChunk({ chunk, kinds, produce: (wanted) => restore(produce(wanted)) })
        yield* pass.onFrozen(chunk, Option.some(position ?? (yield* restore(inTurn))))
        return written
      })
    )
    const [duration, written] = yield* Effect.timed(
      Effect.retry(attempt, {
        schedule: retrySchedule(upkeep.retry),
        while: (error) => error._tag !== "Stopped" && isTransient(error)
      })
    )
    if (Option.isSome(written) && Option.isSome(written.value.keys))
      upkeep.knownRuns.set(chunk, written.value.keys.value)
    yield* Upkeep.countChunk(upkeep)
    yield* Metric.update(Metrics.chunkBuildDuration, duration)
  })

  const run = Effect.fnUntraced(function* (pass: Pass): Effect.fn.Return<PassReport, never, Scope.Scope> {
    const scope = yield* Effect.scope
    const slots = Semaphore.makeUnsafe(concurrency)
    const fibers: Set<Fiber.Fiber<void>> = new Set()
    let chunkCount = 0
    let byteCount = 0
    let stop: Option.Option<string> = Option.none()
    let failure: Exit.Exit<void, StorageError> = Exit.void
    let previous = Deferred.makeUnsafe<void, Stopped>()
    Deferred.doneUnsafe(previous, Exit.void)

    const giveUp = (detail: string): void => {
      if (Option.isNone(stop)) stop = Option.some(detail)
    }

    /** Starts what ends behind the same of the chunk before, and gives back the slot that was taken for it. */
    const enqueue = Effect.fnUntraced(function* (
      chunk: Geometry.ChunkId,
      work: (before: Deferred.Deferred<void, Stopped>) => Effect.Effect<void, ChunkError>
    ) {
      const before = previous
      const after = Deferred.makeUnsafe<void, Stopped>()
      previous = after
      const task = work(before).pipe(
        Effect.onExit((exit) =>
          Effect.gen(function* () {
            if (Exit.isFailure(exit)) {
              const error = Exit.findErrorOption(exit)
              giveUp(Option.match(error, { onNone: () => "it was interrupted", onSome: describe }))
              if (!Option.exists(error, isContent) && Exit.isSuccess(failure))
                failure = exit as Exit.Exit<never, StorageError>
            }
            yield* Exit.isSuccess(exit)
              ? Deferred.succeed(after, undefined)
              : Deferred.fail(after, stopped(`chunk ${chunk} is not frozen`))
            yield* slots.release(1)
          })
        ),
        Effect.ignoreCause
      )
      const fiber = yield* Effect.forkIn(task, scope)
      fibers.add(fiber)
      fiber.addObserver(() => fibers.delete(fiber))
    })

    const start = Effect.fnUntraced(function* (assembly: Assembly, behind: Deferred.Deferred<SourcePosition, Stopped>) {
      yield* slots.take(1)
      assembly.isStarted = true
      yield* assembly.feed.bound
      yield* enqueue(assembly.chunk, (before) =>
        Effect.gen(function* () {
          yield* job(pass, assembly, before, behind)
          chunkCount++
          byteCount += assembly.byteCount
        }).pipe(Effect.ensuring(assembly.feed.abandon))
      )
    })

    const passOver = Effect.fnUntraced(function* (chunk: Geometry.ChunkId, position: SourcePosition) {
      yield* slots.take(1)
      yield* enqueue(chunk, (before) =>
        Effect.gen(function* () {
          yield* Deferred.await(before)
          if (pass.isBefore) yield* takenKeys.refuseFrozen(pass, chunk)
          yield* pass.onFrozen(chunk, Option.some(position))
        })
      )
    })

    let current:
      | { readonly assembly: Assembly; readonly behind: Deferred.Deferred<SourcePosition, Stopped> }
      | undefined
    let resume: Uint8Array | undefined = pass.start.resume

    const take = Effect.fnUntraced(function* (batch: SourceBatch) {
      let seq = Math.max(batch.firstSeq, Geometry.firstSeqOf(geometry, pass.first))
      const end = batch.firstSeq + batch.entries.length
      while (seq < end && Option.isNone(stop)) {
        const chunk = Geometry.chunkOf(geometry, seq)
        if (chunk > pass.last) return
        const lastSeq = Geometry.lastSeqOf(geometry, chunk)
        if (current === undefined && !pass.isDone(chunk)) {
          const from = Geometry.firstSeqOf(geometry, chunk)
          const assembly: Assembly = {
            chunk,
            feed: ChunkFeed.make(limitBytes),
            start: { from, ...(resume === undefined ? {} : { resume }) },
            isStarted: false,
            byteCount: 0
          }
          current = { assembly, behind: Deferred.makeUnsafe() }
        }
        const to = Math.min(end - 1, lastSeq)
        if (current !== undefined) {
          const entries = entriesOf(batch, seq, to)
          for (const { seq: at, bytes } of entries) {
            if (!(bytes instanceof Uint8Array) || bytes.length > maxValueSizeBytes)
              return giveUp(`entry ${at} cannot be an entry`)
            current.assembly.byteCount += bytes.length
          }
          yield* current.assembly.feed.push(entries)
          const isWhole = to === lastSeq
          if (!current.assembly.isStarted && (isWhole || current.assembly.feed.sizeBytes() >= limitBytes))
            yield* start(current.assembly, current.behind)
        }
        if (to === lastSeq) {
          resume = batch.positionAfter(to - batch.firstSeq + 1)
          if (current !== undefined) {
            yield* current.assembly.feed.end
            Deferred.doneUnsafe(current.behind, Exit.succeed({ seq: to, token: resume }))
            current = undefined
          } else yield* passOver(chunk, { seq: to, token: resume })
        }
        seq = to + 1
      }
    })

    const lastSeq = Geometry.lastSeqOf(geometry, pass.last)
    yield* pass.source.entries(pass.start).pipe(
      Stream.takeUntil((batch) => Option.isSome(stop) || batch.firstSeq + batch.entries.length > lastSeq),
      Stream.runForEach(take),
      Effect.catch((error: SourceError) => Effect.sync(() => giveUp(error.message)))
    )
    const unfinished = current as typeof current
    if (unfinished !== undefined) {
      // A job that has begun on it waits for entries that do not come.
      yield* unfinished.assembly.feed.end
      Deferred.doneUnsafe(unfinished.behind, Exit.fail(stopped("the source ends within it")))
      giveUp(`source ${pass.source.name} ends within chunk ${unfinished.assembly.chunk}`)
    }
    yield* Fiber.awaitAll([...fibers])
    return { chunkCount, byteCount, stop, failure }
  })

  const overFrozen = (pass: Pass): Effect.Effect<PassReport> =>
    Effect.gen(function* () {
      for (let chunk: number = pass.first; chunk <= pass.last; chunk++) {
        yield* takenKeys.refuseFrozen(pass, Geometry.ChunkId(chunk))
        yield* pass.onFrozen(Geometry.ChunkId(chunk), Option.none())
      }
    }).pipe(
      Effect.exit,
      Effect.map((exit) => {
        const error = Exit.findErrorOption(exit)
        const failure = Option.exists(error, isContent) ? Exit.void : (exit as Exit.Exit<void, StorageError>)
        return { chunkCount: 0, byteCount: 0, stop: Option.map(error, describe), failure }
      })
    )

  return { overSource: (pass) => Effect.scoped(run(pass)), overFrozen }
}

/** The entries `from` to `to` of a batch, both inclusive, as far as it has them. */
const entriesOf = (batch: SourceBatch, from: number, to: number): ReadonlyArray<Entry> => {
  const entries: Array<Entry> = []
  const end = Math.min(batch.firstSeq + batch.entries.length - 1, to)
  for (let seq = Math.max(from, batch.firstSeq); seq <= end; seq++)
    entries.push({ seq, bytes: batch.entries[seq - batch.firstSeq]! })
  return entries
}
