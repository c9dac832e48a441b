/**
 * Whole chunks of a bounded source straight into frozen files, without a hot database.
 *
 * The source is read once, in order. Each chunk that it has whole is given to a job; several jobs write at once, and become `frozen`
 * in order:
 *
 * 1. write the files of the chunk, synced and read back;
 * 2. wait until the chunk before is frozen;
 * 3. look every key of the chunk's run up in the history before it: a duplicate is refused where duplicates are errors, another key
 *    with the same prefix always;
 * 4. `frozen`, by the catalog's write protocol;
 * 5. the end of the log advances behind the chunk, and the position of the source goes into the live hot database, which has no
 *    entries of its own yet.
 *
 * So what is frozen is the beginning of the source at any moment, a start after a crash redoes no chunk that was, and nothing of a
 * chunk counts as ingested before all of it does. At the first chunk that cannot be (an entry that is refused, a key that is taken,
 * a source that fails) the backfill ends before it, and ordinary ingestion goes on at its first entry and meets exactly what is
 * wrong. What the source has beyond its last whole chunk is left to ingestion, too.
 *
 * {@link Backfill.fill} does the same for history before the beginning of the store, which a wider retention asks for: only when all
 * of it is frozen does the history begin with it. First the source must prove that it is the log: it goes on at the position of the
 * last entry, and gives the first chunk that is kept; chunks that an earlier attempt froze and of which it gives other entries are made
 * anew. So the source is read up to the end of that chunk once before it is read to be filled in. Where duplicate keys are errors, each key of it, those of chunks that were frozen by an
 * earlier attempt too, is looked up in the chunks before its own that are to be filled in and in the history behind them all,
 * which may have taken it since. The first key that is taken ends the widening, and status names both entries.
 *
 * Memory: `bufferBytes` of entries, however large chunks are, beside what the jobs take. A job that must read its chunk again
 * (another attempt, records that must be smaller) asks the source for it from the position before the chunk.
 */
import { type Catalog, CatalogKey, Geometry, Layout } from "@icecore/catalog"
import type { Zstd } from "@icecore/codec"
import { maxValueSizeBytes } from "@icecore/engine"
import { type Disk, KeyRun } from "@icecore/packfile"
import { type Context, Deferred, Effect, Exit, Fiber, Metric, Option, Result, Scope, Semaphore, Stream } from "effect"
import { Hex } from "effect/encoding"
import type { ArtifactWorkError } from "./ArtifactWork.ts"
import { expectedRun } from "./BuildKeyIndex.ts"
import type { DomainKeys } from "./Domain.ts"
import * as EntriesPack from "./EntriesPack.ts"
import type { Entry } from "./Entry.ts"
import type { SourcePosition } from "./format/HotFormat.ts"
import * as HotChunk from "./HotChunk.ts"
import { SourceDiverged } from "./Ingestion.ts"
import * as ChunkFeed from "./internal/ChunkFeed.ts"
import * as LogState from "./internal/LogState.ts"
import * as Metrics from "./lifecycle/Metrics.ts"
import * as Upkeep from "./lifecycle/Upkeep.ts"
import { needSpace, writeWanted } from "./ProcessChunk.ts"
import type { ReadView } from "./ReadView.ts"
import * as Resolve from "./Resolve.ts"
import { retrySchedule } from "./Retrying.ts"
import type { EntriesOptions, Source, SourceBatch, SourceError } from "./Source.ts"
import { isTransient, type StorageError } from "./StorageError.ts"

/** What a backfill froze. */
export interface BackfillReport {
  readonly chunkCount: number
  /** Bytes of the entries. */
  readonly byteCount: number
}

export interface Backfill {
  /**
   * Freezes the whole chunks that the source has behind the end of the log, which must be the beginning of a chunk. Ends
   * without an error where ordinary ingestion must go on, and when the storage fails for a reason that may pass, after the
   * retries of each build. Fails when the storage does for good.
   */
  readonly run: (source: Source, start: EntriesOptions) => Effect.Effect<BackfillReport, StorageError>
  /**
   * Freezes what retention asks for before the beginning of history, as far as the source has it. See {@link Upkeep.retentionStatus}.
   * Fails when the source gives another first chunk than the one that is kept.
   */
  readonly fill: (source: Source) => Effect.Effect<BackfillReport, StorageError | SourceDiverged>
}

export interface BackfillOptions {
  readonly upkeep: Upkeep.Upkeep
  readonly range: ReadView["range"]
  readonly occupied: ReadView["occupied"]
  readonly occupant: ReadView["occupant"]
  readonly services: Context.Context<Disk | Zstd>
  readonly bufferBytes: number
  /** Wakes the lifecycle. */
  readonly notify: Effect.Effect<void>
}

/** Why a job gave its chunk up. */
interface Stopped {
  readonly _tag: "Stopped"
  readonly detail: string
}

const stopped = (detail: string): Stopped => ({ _tag: "Stopped", detail })

type JobError = Stopped | StorageError | ArtifactWorkError

/** A chunk that is being read. */
interface Assembly {
  readonly chunk: Geometry.ChunkId
  readonly feed: ChunkFeed.ChunkFeed
  /** How to read it again. */
  readonly start: EntriesOptions
  isStarted: boolean
  byteCount: number
}

/** What one pass over the source is to do. */
interface Pass {
  readonly source: Source
  readonly start: EntriesOptions
  readonly first: Geometry.ChunkId
  /** Last chunk, inclusive. */
  readonly last: Geometry.ChunkId
  /** Whether a chunk is frozen already. */
  readonly isDone: (chunk: Geometry.ChunkId) => boolean
  /** Whether it lies before the beginning of history, so that the keys of its chunks are not among those that are kept. */
  readonly isBefore: boolean
  /** Told of each chunk in order once it is frozen, with the position behind it where the source was read. */
  readonly onFrozen: (chunk: Geometry.ChunkId, position: Option.Option<SourcePosition>) => Effect.Effect<void>
}

interface PassReport extends BackfillReport {
  /** Why it ended before the last chunk. */
  readonly stop: Option.Option<string>
  /** The failure of the storage that it ended with. */
  readonly failure: Exit.Exit<void, StorageError>
}

export const make = (options: BackfillOptions): Backfill => {
  const { upkeep, range, occupied, occupant, services, bufferBytes, notify } = options
  const { catalog, state, work, concurrency } = upkeep
  const { geometry } = state
  const kinds: ReadonlyArray<Resolve.ChunkKind> = Option.isSome(upkeep.keys) ? ["entries", "keys"] : ["entries"]
  const isChecked = Option.isSome(upkeep.keys)
  const limitBytes = Math.max(1, Math.floor(bufferBytes / (concurrency + 1)))

  const runPath = (chunk: Geometry.ChunkId): string =>
    Layout.filesOf(catalog.layout, CatalogKey.chunkKey(chunk, "keys"))[0]!

  const packOf = (chunk: Geometry.ChunkId) =>
    EntriesPack.open({
      path: Layout.entriesPath(catalog.layout, chunk),
      chunk,
      firstSeq: Geometry.firstSeqOf(geometry, chunk),
      entryCount: geometry.entriesPerChunk
    })

  /**
   * Fails when a key of a chunk's run is taken by an entry before the chunk, or by two of its own; in a widening also by one behind.
   * Where duplicates are kept, it is another key with the same prefix that fails: no look-up tells the two apart.
   */
  const refuseTaken = Effect.fnUntraced(function* (
    { first, isBefore }: Pick<Pass, "first" | "isBefore">,
    chunk: Geometry.ChunkId,
    { rows }: KeyRun.KeyRun,
    { duplicates, of: keysOf }: DomainKeys
  ): Effect.fn.Return<void, JobError, Disk | Zstd | Scope.Scope> {
    const below = isBefore ? { from: first, to: Geometry.ChunkId(chunk - 1) } : undefined
    const windowFirst = Geometry.firstChunkOf(geometry, Geometry.windowOf(geometry, chunk))
    const seqOf = ({ offset }: KeyRun.RunRow): number => Geometry.firstSeqOf(geometry, windowFirst) + offset
    const ownPack = yield* Effect.cached(Scope.provide(packOf(chunk), yield* Effect.scope))

    const entryAt = Effect.fnUntraced(function* (seq: number) {
      const number = Geometry.chunkOf(geometry, seq)
      if (number === chunk) return yield* EntriesPack.get(yield* ownPack, seq)
      const kept = yield* Effect.mapError(occupant(seq), unknown)
      return Option.isSome(kept) ? kept.value : yield* EntriesPack.get(yield* packOf(number), seq)
    }, Effect.scoped)

    /** The keys of an entry that begin so, as text. */
    const keysLike = (seq: number, prefix: Uint8Array) =>
      Effect.map(entryAt(seq), (entry) =>
        Result.getOrElse(keysOf(entry), () => [])
          .filter((key) => isSame(prefix, key))
          .map(Hex.encode)
      )

    const meet = Effect.fnUntraced(function* (row: KeyRun.RunRow, other: number) {
      const one = seqOf(row)
      const [lower, upper] = [Math.min(one, other), Math.max(one, other)]
      if (duplicates === "error") return yield* Effect.fail(stopped(`entries ${lower} and ${upper} have one key`))
      const keys = new Set([...(yield* keysLike(lower, row.prefix)), ...(yield* keysLike(upper, row.prefix))])
      if (keys.size > 1) yield* Effect.fail(stopped(`entries ${lower} and ${upper} have keys that begin alike`))
    })

    let previous: KeyRun.RunRow | undefined
    yield* Stream.runForEachArray(
      rows,
      Effect.fnUntraced(function* (page) {
        const distinct: Array<KeyRun.RunRow> = []
        for (const row of page) {
          if (previous === undefined || !isSame(previous.prefix, row.prefix)) distinct.push(row)
          else if (previous.offset !== row.offset) yield* meet(row, seqOf(previous))
          previous = row
        }
        const keys = distinct.map(({ prefix }) => prefix)
        const seqs = yield* Effect.mapError(occupied(keys, below), unknown)
        for (const [at, seq] of seqs.entries()) if (seq >= 0) yield* meet(distinct[at]!, seq)
      })
    )
  })

  const checkWritten = (pass: Pass, chunk: Geometry.ChunkId): Effect.Effect<void, JobError> =>
    KeyRun.open(runPath(chunk)).pipe(
      Effect.flatMap((run) => refuseTaken(pass, chunk, run, Option.getOrThrow(upkeep.keys))),
      Effect.scoped,
      Effect.provideContext(services)
    )

  /** The same of a chunk that is frozen, whose run an index may have replaced. */
  const checkFrozen = (
    pass: Pick<Pass, "first" | "isBefore">,
    chunk: Geometry.ChunkId
  ): Effect.Effect<void, JobError> =>
    Effect.gen(function* () {
      yield* Upkeep.buildChunk(upkeep, { chunk, kinds: ["keys"] })
      const run = yield* KeyRun.open(runPath(chunk), yield* expectedRun(catalog, chunk))
      yield* run.verify()
      yield* refuseTaken(pass, chunk, run, Option.getOrThrow(upkeep.keys))
    }).pipe(
      Effect.catchTag("KeyRunCorrupt", ({ message }) =>
        Effect.andThen(
          Effect.ignore(catalog.demote([CatalogKey.chunkKey(chunk, "keys")])),
          Effect.fail(stopped(`${message}; it will be derived anew from the frozen entries`))
        )
      ),
      Effect.scoped,
      Effect.provideContext(services)
    )

  /** Reads a chunk of the source again. */
  const reread = (source: Source, { chunk, start }: Assembly): Stream.Stream<ReadonlyArray<Entry>, Stopped> => {
    const from = Geometry.firstSeqOf(geometry, chunk)
    const to = Geometry.lastSeqOf(geometry, chunk)
    return source.entries(start).pipe(
      Stream.mapError((error) => stopped(error.message)),
      Stream.takeUntil((batch) => batch.firstSeq + batch.entries.length > to),
      Stream.map((batch) => entriesOf(batch, from, to))
    )
  }

  const job = Effect.fnUntraced(function* (
    pass: Pass,
    assembly: Assembly,
    before: Deferred.Deferred<void, Stopped>,
    behind: Deferred.Deferred<SourcePosition, Stopped>
  ): Effect.fn.Return<void, JobError> {
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
          if (isChecked) yield* checkWritten(pass, chunk)
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
      work: (before: Deferred.Deferred<void, Stopped>) => Effect.Effect<void, JobError>
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
          if (isChecked && pass.isBefore) yield* checkFrozen(pass, chunk)
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

  /** The position goes where a restart looks for it. Without it, one chunk is read and compared again. */
  const keepPosition = (position: SourcePosition): Effect.Effect<void> =>
    upkeep.hotSet
      .use(state.liveChunk, (hot) => HotChunk.putPosition(hot, position))
      .pipe(
        Effect.catch((error) => Effect.logWarning(`The position of the source was not kept: ${error.message}`)),
        Effect.asVoid
      )

  const backfilling = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        upkeep.isBackfilling = true
      }),
      () => effect,
      () =>
        Effect.suspend(() => {
          upkeep.isBackfilling = false
          return notify
        })
    )

  /** A disk that is full now keeps no entry waiting that a hot database may still take. */
  const orLater = (work: string, failure: Exit.Exit<void, StorageError>): Effect.Effect<void, StorageError> =>
    Effect.catchIf(failure, isTransient, (error) => Effect.logError(`Cannot ${work} now: ${error.message}`))

  const runForward = Effect.fn("Backfill.run")(function* (
    source: Source,
    start: EntriesOptions
  ): Effect.fn.Return<BackfillReport, StorageError> {
    const first = Geometry.chunkOf(geometry, state.nextSeq)
    if (Geometry.firstSeqOf(geometry, first) !== state.nextSeq) return { chunkCount: 0, byteCount: 0 }
    const onFrozen: Pass["onFrozen"] = (chunk, position) =>
      Effect.uninterruptible(
        Effect.gen(function* () {
          if (chunk === state.liveChunk) upkeep.frozenHot.add(chunk)
          upkeep.frozenTo = chunk
          LogState.advance(state, { nextSeq: Geometry.lastSeqOf(geometry, chunk) + 1, position })
          if (Option.isSome(position)) yield* keepPosition(position.value)
          yield* notify
        })
      )
    const last = Geometry.ChunkId(
      Math.min(Geometry.maxChunkId, Geometry.lastCompleteChunkAt(geometry, Number.MAX_SAFE_INTEGER))
    )
    const pass: Pass = { source, start, first, last, isDone: () => false, isBefore: false, onFrozen }
    const report = yield* backfilling(Effect.scoped(run(pass)))
    yield* orLater("backfill", report.failure)
    if (report.chunkCount > 0 && Option.isSome(report.stop))
      yield* Effect.logDebug(`The backfill ended behind chunk ${upkeep.frozenTo}: ${report.stop.value}`)
    return report
  })

  /** A pass over chunks that are all frozen, which needs no source. */
  const checkAll = (pass: Pass): Effect.Effect<PassReport> =>
    Effect.gen(function* () {
      for (let chunk: number = pass.first; chunk <= pass.last; chunk++) {
        if (isChecked) yield* checkFrozen(pass, Geometry.ChunkId(chunk))
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

  /** Holds a part of a batch against what is stored of it. Returns the first seq that differs. */
  const compare = <E, R>(
    batch: SourceBatch,
    stored: Stream.Stream<ReadonlyArray<Entry>, E, R>
  ): Effect.Effect<Option.Option<number>, E, R> =>
    stored.pipe(
      Stream.map((entries) => entries.find(({ seq, bytes }) => !isEqual(bytes, batch.entries[seq - batch.firstSeq]!))),
      Stream.filter((entry) => entry !== undefined),
      Stream.map(({ seq }) => seq),
      Stream.runHead
    )

  /** Whether a chunk that is frozen holds what the source gives. One that is damaged does not. */
  const isFrozenAs = (batch: SourceBatch, chunk: Geometry.ChunkId, from: number, to: number) =>
    packOf(chunk).pipe(
      Effect.flatMap((pack) => compare(batch, EntriesPack.range(pack, { from, to, order: "ascending" }))),
      Effect.map(Option.isNone),
      Effect.catch((error) => (isFault(error) ? Effect.fail(error) : Effect.succeed(false))),
      Effect.scoped,
      Effect.provideContext(services)
    )

  /**
   * Holds the source against the log before anything that it gives counts: it goes on at the position, and gives the first chunk that is
   * kept. Returns the frozen chunks before that one for which it gives other entries. Reads the source up to the end of that chunk.
   */
  const prove = Effect.fnUntraced(function* (
    pass: Pass
  ): Effect.fn.Return<ReadonlySet<Geometry.ChunkId>, Stopped | StorageError | SourceDiverged> {
    const { source, start } = pass
    const { floor, nextSeq, position } = state
    const giveUp = (error: SourceError) => stopped(error.message)
    if (Option.isSome(position)) {
      const { seq, token } = position.value
      yield* Effect.mapError(Stream.runHead(source.entries({ from: seq + 1, resume: token })), giveUp)
    }
    const keptTo = Math.min(nextSeq - 1, Geometry.lastSeqOf(geometry, Geometry.chunkOf(geometry, floor)))
    const others = new Set<Geometry.ChunkId>()
    let comparedTo = floor - 1
    const take = Effect.fnUntraced(function* (batch: SourceBatch) {
      const end = batch.firstSeq + batch.entries.length
      let seq = Math.max(batch.firstSeq, start.from)
      while (seq < Math.min(end, Geometry.firstSeqOf(geometry, Geometry.ChunkId(pass.last + 1)))) {
        const chunk = Geometry.chunkOf(geometry, seq)
        const to = Math.min(end - 1, Geometry.lastSeqOf(geometry, chunk))
        if (pass.isDone(chunk) && !others.has(chunk) && !(yield* isFrozenAs(batch, chunk, seq, to))) others.add(chunk)
        seq = to + 1
      }
      const kept = { from: Math.max(batch.firstSeq, floor), to: Math.min(end - 1, keptTo) }
      if (kept.to < kept.from) return
      const other = yield* Effect.mapError(compare(batch, range(kept)), unknown)
      if (Option.isSome(other)) return yield* new SourceDiverged({ source: source.name, seq: other.value })
      comparedTo = kept.to
    })
    yield* source.entries(start).pipe(
      Stream.mapError(giveUp),
      Stream.takeUntil((batch) => batch.firstSeq + batch.entries.length > Math.max(keptTo, floor - 1)),
      Stream.runForEach(take)
    )
    if (Option.isNone(position) && comparedTo < floor && floor <= keptTo)
      yield* Effect.fail(
        stopped(`source ${source.name} ends before entry ${floor}, so that nothing of it can be compared`)
      )
    return others
  })

  /** History goes on beginning where it does. */
  const leave = (wanted: number, detail: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      const begin = catalog.beginSeq()
      const first = Geometry.firstSeqOf(geometry, Geometry.chunkOf(geometry, begin))
      upkeep.floorProblem = Option.some(`entries ${wanted} to ${first - 1} were not filled in: ${detail}`)
      return Effect.logWarning(`History begins at ${begin}, and retention asks for ${wanted}: ${detail}`)
    })

  const fill = Effect.fn("Backfill.fill")(function* (
    source: Source
  ): Effect.fn.Return<BackfillReport, StorageError | SourceDiverged> {
    const begin = Geometry.chunkOf(geometry, catalog.beginSeq())
    const first = Upkeep.wantedFloorChunk(upkeep)
    if (first >= begin) return { chunkCount: 0, byteCount: 0 }
    const last = Geometry.ChunkId(begin - 1)
    const request: Resolve.ResolveRequest = {
      geometry,
      hasKeys: Option.isSome(upkeep.keys),
      floorChunk: first,
      lastComplete: last,
      from: first,
      to: last,
      indexes: false
    }
    const facts = yield* Effect.scoped(Effect.flatMap(catalog.snapshot, (snapshot) => Resolve.read(snapshot, request)))
    const missing = new Set<number>(Resolve.plan(request, facts).chunks.map(({ chunk }) => chunk))
    let filledTo: number = first - 1
    const pass: Pass = {
      source,
      start: { from: Geometry.firstSeqOf(geometry, first) },
      first,
      last,
      isDone: (chunk) => !missing.has(chunk),
      isBefore: true,
      onFrozen: (chunk) =>
        Effect.sync(() => {
          filledTo = chunk
        })
    }
    const from = Geometry.firstSeqOf(geometry, first)
    const proven = yield* Effect.result(prove(pass))
    if (Result.isFailure(proven)) {
      const error = proven.failure
      yield* leave(from, error._tag === "Stopped" ? error.detail : error.message)
      if (error._tag === "SourceDiverged") return yield* error
      if (error._tag !== "Stopped") yield* orLater("compare the source with what is kept", Exit.fail(error))
      return { chunkCount: 0, byteCount: 0 }
    }
    for (const chunk of proven.success) {
      yield* Effect.logWarning(`Chunk ${chunk} is not what source ${source.name} gives, and is made anew`)
      yield* catalog.demote([CatalogKey.chunkKey(chunk, "entries"), CatalogKey.chunkKey(chunk, "keys")])
      missing.add(chunk)
    }
    const report = missing.size === 0 ? yield* checkAll(pass) : yield* Effect.scoped(run(pass))
    yield* orLater("fill in what is before the beginning of history", report.failure)
    if (filledTo < last) {
      yield* leave(
        from,
        Option.getOrElse(report.stop, () => `source ${source.name} does not have them`)
      )
      return report
    }
    upkeep.floorProblem = Option.none()
    yield* catalog.setBeginSeq(Math.max(from, upkeep.retention.earliestSeq))
    upkeep.rollFrom = Geometry.WindowId(Math.min(upkeep.rollFrom, Geometry.windowOf(geometry, first)))
    LogState.moveFloor(state, Upkeep.floorSeq(upkeep))
    const to = Geometry.firstSeqOf(geometry, begin) - 1
    yield* Effect.logInfo(`Entries ${from} to ${to} were filled in from source ${source.name}`)
    yield* notify
    return report
  })

  return { run: runForward, fill }
}

/** The entries `from` to `to` of a batch, both inclusive, as far as it has them. */
const entriesOf = (batch: SourceBatch, from: number, to: number): ReadonlyArray<Entry> => {
  const entries: Array<Entry> = []
  const end = Math.min(batch.firstSeq + batch.entries.length - 1, to)
  for (let seq = Math.max(from, batch.firstSeq); seq <= end; seq++)
    entries.push({ seq, bytes: batch.entries[seq - batch.firstSeq]! })
  return entries
}

const isSame = (left: Uint8Array, right: Uint8Array): boolean => {
  for (let index = 0; index < left.length; index++) if (left[index] !== right[index]) return false
  return true
}

const isEqual = (left: Uint8Array, right: Uint8Array): boolean => left.length === right.length && isSame(left, right)

/** What says nothing about the bytes of a file. */
const isFault = ({ _tag }: StorageError): boolean => _tag === "DiskFailed" || _tag === "DiskFull"

/** What keeps older keys from being known keeps ordinary ingestion from going on, too, and is told there. */
const unknown = (error: { readonly message: string }): Stopped => stopped(error.message)

/** What ends a pass without being a failure of the storage. */
const isContent = ({ _tag }: JobError): boolean => _tag === "Stopped" || _tag === "EntryRefused"

const describe = (error: JobError): string => (error._tag === "Stopped" ? error.detail : error.message)
