/**
 * {@link ArtifactWork} in a fixed number of worker threads.
 *
 * Starting and terminating threads under load has crashed Bun. So a thread is started when the first job comes that finds the
 * others busy, one at a time, each answering before the next is started; then it stays, and ends when it is asked to as the layer closes. A
 * thread that dies fails its jobs with {@link WorkerLost}, and the next job starts another in its place.
 *
 * A job goes to the thread with the fewest and waits for none: jobs whose entries depend on each other's progress cannot block one
 * another here.
 */
import { Zstd } from "@icecore/codec"
import { Disk } from "@icecore/packfile"
import { Effect, Layer, Option, type Scope, Semaphore, Stream } from "effect"
import { ArtifactWork, type WorkerLost } from "../ArtifactWork.ts"
import { Domain, type DomainModule } from "../Domain.ts"
import type { Entry } from "../Entry.ts"
import * as CallerSide from "../internal/work/CallerSide.ts"
import * as InlineWork from "../internal/work/InlineWork.ts"
import type { FromWorker, Outcome, Request, ToWorker } from "../internal/work/Protocol.ts"
import * as WorkerThread from "./WorkerThread.ts"

/** Bytes of one job's entries that may be on their way to its worker when nothing else is said: 4 MiB. */
export const defaultInFlightBytes: number = 4 * 1024 * 1024

export interface WorkerPoolOptions {
  /** Threads. With 0 everything runs on the calling thread. */
  readonly workers: number
  /**
   * Bytes of one job's entries that are posted and not yet taken up, unless a single entry has more. Default
   * {@link defaultInFlightBytes}.
   */
  readonly inFlightBytes?: number
}

/** Batches that fill the bytes in flight. */
const batchesInFlight = 16

/** Beside this file, in the source as in what is built from it. */
const workerUrl = (): string =>
  new URL(import.meta.url.endsWith(".ts") ? "../worker/Main.ts" : "../worker/Main.js", import.meta.url).href

/**
 * Work in `workers` threads, over their own live disk. A domain that names no module cannot be made there, so its work stays on
 * the calling thread, and so does all work with 0 workers: over the given disk and zstd.
 */
export const layer = (options: WorkerPoolOptions): Layer.Layer<ArtifactWork, never, Disk | Zstd | Domain> =>
  Layer.effect(
    ArtifactWork,
    Effect.gen(function* () {
      const domain = yield* Domain
      return options.workers === 0 || Option.isNone(domain.module)
        ? InlineWork.make({ disk: yield* Disk, zstd: yield* Zstd, domain })
        : yield* make(options, domain, domain.module.value)
    })
  )

const make = Effect.fnUntraced(function* (
  { workers: workerCount, inFlightBytes = defaultInFlightBytes }: WorkerPoolOptions,
  { name, version, options }: Domain,
  module: DomainModule
): Effect.fn.Return<ArtifactWork, never, Scope.Scope> {
  const turn = Semaphore.makeUnsafe(1)
  let started = 0
  let workers: ReadonlyArray<CallerSide.PoolWorker> = []

  const start: Effect.Effect<CallerSide.PoolWorker, WorkerLost> = Effect.suspend(() =>
    Effect.map(
      CallerSide.start({
        worker: ++started,
        startThread: (events) => WorkerThread.start<FromWorker, ToWorker>({ url: workerUrl(), ...events }),
        module,
        domain: { name, version, options },
        inFlightBytes,
        batchSizeBytes: Math.ceil(inFlightBytes / batchesInFlight)
      }),
      (worker) => {
        workers = [...workers, worker]
        return worker
      }
    )
  )

  /** A worker without jobs, one more while there may be, or the least busy one. */
  const choose: Effect.Effect<CallerSide.PoolWorker, WorkerLost> = turn.withPermit(
    Effect.suspend(() => {
      workers = workers.filter((worker) => !worker.isGone())
      let least = workers[0]
      for (const worker of workers) if (least === undefined || worker.jobCount() < least.jobCount()) least = worker
      const isFree = least !== undefined && (least.jobCount() === 0 || workers.length >= workerCount)
      return isFree ? Effect.succeed(least!) : Effect.uninterruptible(start)
    })
  )

  yield* Effect.addFinalizer(() =>
    turn.withPermit(
      Effect.suspend(() =>
        Effect.forEach(workers, (worker) => worker.stop, { concurrency: "unbounded", discard: true })
      )
    )
  )

  const run = <E, R>(request: Request, entries: Stream.Stream<ReadonlyArray<Entry>, E, R>) =>
    Effect.flatMap(choose, (worker) => worker.run(request, entries))

  return {
    domain: { name, version, options },
    workerCount,
    writeChunk: ({ entries: pack, keys, ...job }, entries) =>
      Effect.flatMap(
        run({ kind: "chunk", job, entriesPath: pathOf(pack), keysPath: pathOf(keys) }, entries),
        (outcome) =>
          outcome.kind === "chunk"
            ? Effect.succeed({
                entries: Option.fromNullOr(outcome.entries),
                keys: Option.fromNullOr(outcome.keys)
              })
            : wrongAnswer(outcome)
      ),
    writeRun: (job) =>
      Effect.flatMap(run({ kind: "run", job }, Stream.empty), (outcome) =>
        outcome.kind === "run" ? Effect.succeed(outcome.summary) : wrongAnswer(outcome)
      ),
    buildIndex: (options) =>
      Effect.flatMap(run({ kind: "index", options }, Stream.empty), (outcome) =>
        outcome.kind === "index" ? Effect.succeed(outcome.summary) : wrongAnswer(outcome)
      )
  }
})

const pathOf = (file: Option.Option<{ readonly path: string }>): string | null =>
  Option.isSome(file) ? file.value.path : null

const wrongAnswer = (outcome: Outcome): Effect.Effect<never> =>
  Effect.die(new Error(`a worker answered with the outcome of another kind of job: ${outcome.kind}`))
