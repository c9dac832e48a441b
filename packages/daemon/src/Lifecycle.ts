/**
 * Everything that happens to a chunk after its last entry: it is frozen, then its hot database is discarded.
 *
 * Runs in its own fiber and owns every chunk below the live one. Ingestion tells it of boundaries; tellings coalesce and never
 * wait. Freezes go one after the other, oldest first. A discard waits for the last reader of the database and holds
 * up nothing. What fails is logged and tried again, later each time, and goes on by itself when it can.
 */
import type { Catalog, Geometry } from "@icecore/catalog"
import { Cause, Deferred, type Duration, Effect, Exit, Latch, Option, Schedule, type Scope } from "effect"
import type { ActivityStatus } from "./History.ts"
import type { HotSet } from "./internal/HotSet.ts"
import type * as LogState from "./internal/LogState.ts"
import { isTransient, type StorageError } from "./StorageError.ts"

/** How failures that may pass are tried again: after a first delay, doubled each time up to the longest, all with jitter. */
export interface RetryOptions {
  /** Default 100 ms. */
  readonly firstDelay?: Duration.Input
  /** Default 30 s. */
  readonly longestDelay?: Duration.Input
  /** Attempts after the first one, in a row. Default: no bound. */
  readonly times?: number
}

/** The schedule of {@link RetryOptions}, for failures that {@link isTransient} says may pass. */
export const retrySchedule = (options: RetryOptions = {}): Schedule.Schedule<unknown, { readonly _tag: string }> => {
  const delays = Schedule.min([
    Schedule.exponential(options.firstDelay ?? "100 millis"),
    Schedule.spaced(options.longestDelay ?? "30 seconds")
  ]).pipe(Schedule.jittered)
  const bounded = options.times === undefined ? delays : Schedule.upTo(delays, { times: options.times })
  return bounded.pipe(
    Schedule.setInputType<{ readonly _tag: string }>(),
    Schedule.while(({ input }) => isTransient(input))
  )
}

export interface Lifecycle {
  /** There is a complete chunk below the live one. Never waits. */
  readonly notify: Effect.Effect<void>
  /** Returns when every complete chunk is frozen and every frozen one's hot database is gone; fails when that will not come. */
  readonly settled: Effect.Effect<void, StorageError>
  readonly status: () => ActivityStatus
  /** Chunks frozen. */
  readonly frozenCount: () => number
}

export interface LifecycleOptions {
  readonly state: LogState.LogState
  readonly hotSet: HotSet<StorageError>
  readonly catalog: Catalog.Catalog
  /** Freezes a complete chunk that has an open hot database. */
  readonly freeze: (chunk: Geometry.ChunkId) => Effect.Effect<void, StorageError>
  /** Chunks frozen at the start. */
  readonly frozenCount: number
  /** Hot databases of frozen chunks, found at the start. */
  readonly discardable: ReadonlyArray<Geometry.ChunkId>
  /** Complete chunks that may wait for their freeze before ingestion waits for them. */
  readonly maxUnfrozenChunks: number
  readonly retry: RetryOptions
}

/** The lifecycle of a store that is only read: nothing happens. */
export const resting = (frozenCount: number): Lifecycle => ({
  notify: Effect.void,
  settled: Effect.void,
  status: () => ({ state: "idle", problem: Option.none() }),
  frozenCount: () => frozenCount
})

/** Starts the fiber, for the scope. */
export const make: (options: LifecycleOptions) => Effect.Effect<Lifecycle, never, Scope.Scope> = Effect.fnUntraced(
  function* (options: LifecycleOptions) {
    const { state, hotSet, catalog, freeze, maxUnfrozenChunks } = options
    const scope = yield* Effect.scope
    const wake = Latch.makeUnsafe(true)
    const quiet = Latch.makeUnsafe(false)
    const problems = new Map<string, { readonly message: string; readonly isLasting: boolean }>()
    let frozenCount = options.frozenCount
    let discardCount = 0
    let isRunning = false

    const unfrozen = (): ReadonlyArray<Geometry.ChunkId> => hotSet.chunks().filter((chunk) => chunk < state.liveChunk)

    const update = (): void => {
      const waitingCount = unfrozen().length
      if (waitingCount < maxUnfrozenChunks) state.room.openUnsafe()
      else state.room.closeUnsafe()
      if (waitingCount === 0 && discardCount === 0 && !isRunning) quiet.openUnsafe()
      else quiet.closeUnsafe()
    }

    const retrying = (work: string, effect: Effect.Effect<void, StorageError>): Effect.Effect<void, StorageError> =>
      effect.pipe(
        Effect.tapError((error) => {
          problems.set(work, { message: error.message, isLasting: false })
          return isTransient(error) ? Effect.logError(`Cannot ${work} now: ${error.message}`) : Effect.void
        }),
        Effect.retry(retrySchedule(options.retry)),
        Effect.tap(() => Effect.sync(() => problems.delete(work))),
        Effect.tapError((error) => {
          problems.set(work, { message: error.message, isLasting: true })
          Deferred.doneUnsafe(state.stuck, Effect.fail(error))
          return Effect.logError(`Cannot ${work}, not trying again: ${error.message}`)
        })
      )

    const discard = (chunk: Geometry.ChunkId): Effect.Effect<void> =>
      Effect.suspend(() => {
        discardCount++
        const closed = hotSet.retire(chunk)
        return Effect.andThen(closed, retrying(`discard hot chunk ${chunk}`, catalog.discardHot(chunk))).pipe(
          Effect.ignore,
          Effect.onExit(() =>
            Effect.sync(() => {
              discardCount--
              update()
            })
          ),
          Effect.forkIn(scope),
          Effect.asVoid
        )
      })

    const run = Effect.gen(function* () {
      for (let chunk = unfrozen()[0]; chunk !== undefined; chunk = unfrozen()[0]) {
        yield* retrying(`freeze chunk ${chunk}`, freeze(chunk))
        frozenCount++
        yield* discard(chunk)
        update()
        yield* Effect.logDebug(`Froze chunk ${chunk}`)
      }
    })

    const loop = Effect.gen(function* () {
      yield* wake.await
      wake.closeUnsafe()
      isRunning = true
      update()
      yield* run
      isRunning = false
      update()
    })

    for (const chunk of options.discardable) yield* discard(chunk)
    yield* Effect.forever(loop).pipe(
      Effect.onExit((exit) => {
        // A defect must not pass for quiet: who waits for this fiber dies of it too.
        if (Exit.isSuccess(exit) || !Cause.hasDies(exit.cause)) return Effect.void
        return Effect.andThen(Effect.logError("The lifecycle died", exit.cause), Deferred.done(state.stuck, exit))
      }),
      Effect.ignore,
      Effect.forkScoped
    )

    return {
      notify: Effect.sync(() => {
        update()
        wake.openUnsafe()
      }),
      settled: Effect.raceFirst(quiet.await, Deferred.await(state.stuck)),
      status: () => {
        const found = [...problems.values()]
        const standing = found.find(({ isLasting }) => isLasting) ?? found[0]
        if (standing === undefined) return { state: isRunning ? "running" : "idle", problem: Option.none() }
        return { state: standing.isLasting ? "failed" : "waiting", problem: Option.some(standing.message) }
      },
      frozenCount: () => frozenCount
    }
  }
)
