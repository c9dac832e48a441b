/**
 * Everything that happens to the history behind its end, again and again, in stages: freeze, roll the index, discard, prune, sweep.
 *
 * Runs in its own fiber and owns every chunk below the live one. Ingestion tells it of boundaries; tellings coalesce and never wait.
 * Each run takes the stages in order. A stage that fails is logged and tried again, later each time, and stops no other
 * stage; one that failed for a reason that does not pass rests until the next start. A run that did something says so in one
 * line of the log.
 */
import { Cause, Clock, Deferred, Duration, Effect, Exit, Latch, Option, Random, type Scope } from "effect"
import type { ActivityStatus, StageStatus } from "./History.ts"
import * as Metrics from "./lifecycle/Metrics.ts"
import type { Stage } from "./lifecycle/Stage.ts"
import type { RetryOptions } from "./Retrying.ts"
import { isTransient, type StorageError } from "./StorageError.ts"

/** What the stages of one run did, as clauses for people. */
export interface LifecycleReport {
  readonly done: ReadonlyArray<string>
}

export interface Lifecycle {
  /** There is something to do, such as a complete chunk below the live one. Never waits. */
  readonly notify: Effect.Effect<void>
  /**
   * Returns when a whole run, begun after this was asked for, has left nothing to do: everything complete is frozen and
   * indexed, what is due is gone. Fails when that will not come.
   */
  readonly settled: Effect.Effect<LifecycleReport, StorageError>
  readonly status: () => ActivityStatus
  readonly stages: () => ReadonlyArray<StageStatus>
}

export interface LifecycleOptions {
  readonly stages: ReadonlyArray<Stage>
  readonly retry: RetryOptions
  /** Told once when a stage that ingestion waits for has failed for good. */
  readonly onStuck: (exit: Exit.Exit<never, StorageError>) => void
}

/** The lifecycle of a store that is only read: nothing happens. */
export const resting: Lifecycle = {
  notify: Effect.void,
  settled: Effect.succeed({ done: [] }),
  status: () => ({ state: "idle", problem: Option.none() }),
  stages: () => []
}

interface Cell {
  readonly stage: Stage
  failureCount: number
  /** When it may be tried again; 0: at once. */
  notBeforeMillis: number
  /** When there is something to do though nobody says so; infinite: never. */
  againMillis: number
  problem: Option.Option<string>
  /** Why it rests. */
  lasting: Option.Option<StorageError>
}

/** Whether a stage has something to do that does not wait for its time. */
const isUnfinished = ({ stage, problem, againMillis }: Cell, startMillis: number): boolean =>
  Option.isSome(problem) || stage.isBusy() || againMillis <= startMillis

/** Starts the fiber, for the scope. */
export const make: (options: LifecycleOptions) => Effect.Effect<Lifecycle, never, Scope.Scope> = Effect.fnUntraced(
  function* ({ stages, retry, onStuck }: LifecycleOptions) {
    const firstDelayMillis = Duration.toMillis(retry.firstDelay ?? "100 millis")
    const longestDelayMillis = Duration.toMillis(retry.longestDelay ?? "30 seconds")
    const wake = Latch.makeUnsafe(true)
    const cells = stages.map(
      (stage): Cell => ({
        stage,
        failureCount: 0,
        notBeforeMillis: 0,
        againMillis: Number.POSITIVE_INFINITY,
        problem: Option.none(),
        lasting: Option.none()
      })
    )
    let waiting: Array<Deferred.Deferred<LifecycleReport, StorageError>> = []
    // Those who wait for the run that is under way.
    let asked: ReadonlyArray<Deferred.Deferred<LifecycleReport, StorageError>> = []
    let isRunning = false
    let ended: Option.Option<Exit.Exit<never, never>> = Option.none()

    const failed = (cell: Cell, error: StorageError): Effect.Effect<void> =>
      Effect.gen(function* () {
        const { name, isAwaited } = cell.stage
        cell.problem = Option.some(error.message)
        cell.failureCount++
        if (isTransient(error) && cell.failureCount <= (retry.times ?? Number.POSITIVE_INFINITY)) {
          const delayMillis = Math.min(firstDelayMillis * 2 ** (cell.failureCount - 1), longestDelayMillis)
          const share = yield* Random.nextBetween(0.8, 1.2)
          cell.notBeforeMillis = (yield* Clock.currentTimeMillis) + delayMillis * share
          return yield* Effect.logError(`Cannot ${name} now: ${error.message}`)
        }
        cell.lasting = Option.some(error)
        if (isAwaited) onStuck(Exit.fail(error))
        yield* Effect.logError(`Cannot ${name}, not trying again: ${error.message}`)
      })

    const runStage = (cell: Cell, isForced: boolean): Effect.Effect<Option.Option<string>> =>
      Effect.gen(function* () {
        cell.againMillis = Number.POSITIVE_INFINITY
        const [duration, exit] = yield* Effect.timed(Effect.exit(cell.stage.run(isForced)))
        yield* Metrics.stageEnded(cell.stage.name, duration, Exit.isSuccess(exit))
        if (Exit.isFailure(exit)) {
          const error = Exit.findErrorOption(exit)
          // A defect or an interruption is not a failure of the stage alone.
          if (Option.isNone(error)) return yield* Effect.failCause(exit.cause as Cause.Cause<never>)
          yield* failed(cell, error.value)
          return Option.none()
        }
        const { done, againMillis } = exit.value
        cell.failureCount = 0
        cell.notBeforeMillis = 0
        cell.problem = Option.none()
        if (againMillis !== undefined)
          cell.againMillis = againMillis === 0 ? 0 : (yield* Clock.currentTimeMillis) + againMillis
        return done
      })

    const run = Effect.gen(function* () {
      asked = waiting
      waiting = []
      const startMillis = yield* Clock.currentTimeMillis
      const done: Array<string> = []
      for (const cell of cells) {
        if (Option.isSome(cell.lasting) || cell.notBeforeMillis > (yield* Clock.currentTimeMillis)) continue
        const clause = yield* runStage(cell, asked.length > 0)
        if (Option.isSome(clause)) done.push(clause.value)
      }
      if (done.length > 0) {
        const durationMillis = (yield* Clock.currentTimeMillis) - startMillis
        yield* Effect.logInfo(`Lifecycle: ${done.join("; ")} (${durationMillis} ms)`)
      }
      const lasting = cells.find(({ lasting }) => Option.isSome(lasting))?.lasting ?? Option.none()
      if (Option.isSome(lasting)) for (const each of asked) Deferred.doneUnsafe(each, Exit.fail(lasting.value))
      else if (wake.isOpen() || cells.some((cell) => isUnfinished(cell, startMillis)))
        // Something is left or came meanwhile: those who wait, wait for the next run.
        waiting = [...asked, ...waiting]
      else for (const each of asked) Deferred.doneUnsafe(each, Exit.succeed({ done }))
      asked = []
    })

    /** Until there is something to do. */
    const idle = Effect.gen(function* () {
      const dueMillis = Math.min(
        ...cells
          .filter(({ lasting }) => Option.isNone(lasting))
          .map(({ notBeforeMillis, againMillis, problem }) => (Option.isSome(problem) ? notBeforeMillis : againMillis))
      )
      if (dueMillis === Number.POSITIVE_INFINITY) return yield* wake.await
      const leftMillis = dueMillis - (yield* Clock.currentTimeMillis)
      if (leftMillis > 0) yield* Effect.raceFirst(wake.await, Effect.sleep(Math.ceil(leftMillis)))
    })

    const loop = Effect.gen(function* () {
      yield* idle
      wake.closeUnsafe()
      isRunning = true
      yield* run
      isRunning = false
    })

    yield* Effect.forever(loop).pipe(
      Effect.onExit((exit) => {
        // A defect must not pass for quiet, and nobody is to wait for what has ended: who waits for this fiber ends as it does.
        ended = Option.some(exit)
        isRunning = false
        onStuck(exit)
        for (const each of [...asked, ...waiting]) Deferred.doneUnsafe(each, exit)
        return Exit.isFailure(exit) && Cause.hasDies(exit.cause)
          ? Effect.logError("The lifecycle died", exit.cause)
          : Effect.void
      }),
      Effect.ignoreCause,
      Effect.forkScoped
    )

    const statusOf = ({ problem, lasting, stage }: Cell): ActivityStatus => {
      if (Option.isSome(lasting)) return { state: "failed", problem }
      if (Option.isSome(problem)) return { state: "waiting", problem }
      return { state: stage.isBusy() ? "running" : "idle", problem }
    }

    return {
      notify: Effect.sync(() => {
        wake.openUnsafe()
      }),
      settled: Effect.suspend((): Effect.Effect<LifecycleReport, StorageError> => {
        if (Option.isSome(ended)) return ended.value
        const each = Deferred.makeUnsafe<LifecycleReport, StorageError>()
        waiting.push(each)
        wake.openUnsafe()
        return Deferred.await(each)
      }),
      status: () => {
        if (Option.isSome(ended))
          return { state: "failed", problem: Option.some("it ended, and nothing is done any more") }
        const statuses = cells.map(statusOf)
        const standing =
          statuses.find(({ state }) => state === "failed") ?? statuses.find(({ state }) => state === "waiting")
        return standing ?? { state: isRunning ? "running" : "idle", problem: Option.none() }
      },
      stages: () => cells.map((cell) => ({ name: cell.stage.name, ...statusOf(cell) }))
    }
  }
)
