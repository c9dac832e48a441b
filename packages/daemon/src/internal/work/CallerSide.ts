/**
 * The calling thread's side of the protocol: one worker, and the jobs that it has.
 *
 * IMPORTANT: the calling thread serves reads meanwhile. All it does for a job is to copy the entries into batches.
 */
import { Deferred, Effect, Exit, Queue, Stream } from "effect"
import { type ArtifactWorkError, WorkerLost } from "../../ArtifactWork.ts"
import type { DomainModule } from "../../Domain.ts"
import type { Entry } from "../../Entry.ts"
import type { WorkerThread } from "../../live/WorkerThread.ts"
import * as EntryPacking from "./EntryPacking.ts"
import * as ErrorTransfer from "./ErrorTransfer.ts"
import type { DomainIdentity, EntryBatch, FromWorker, Outcome, Request, ToWorker } from "./Protocol.ts"

export interface StartOptions {
  /** How errors call it. */
  readonly worker: number
  readonly startThread: (events: {
    readonly onMessage: (message: FromWorker) => void
    readonly onEnd: (detail: string) => void
  }) => WorkerThread<ToWorker>
  readonly module: DomainModule
  /** The domain that the module must make. */
  readonly domain: DomainIdentity
  /** Bytes of one job that are posted and not yet taken up, unless a single batch has more. */
  readonly inFlightBytes: number
  /** Bytes of entries that are posted together. */
  readonly batchSizeBytes: number
}

/** A worker that has answered. */
export interface PoolWorker {
  readonly jobCount: () => number
  readonly isGone: () => boolean
  /**
   * Does a job, whose entries are run as often as the worker asks for them. When it is interrupted, or the entries fail, it ends once
   * the worker has removed the files.
   */
  readonly run: <E, R>(
    request: Request,
    entries: Stream.Stream<ReadonlyArray<Entry>, E, R>
  ) => Effect.Effect<Outcome, E | ArtifactWorkError, R>
  /** Asks the thread to end, and waits for it, but not long. The process does not wait for it from here on. */
  readonly stop: Effect.Effect<void>
}

type Reply = Extract<FromWorker, { readonly type: "pull" | "done" | "failed" }> | { readonly type: "lost" }

interface CallerJob {
  readonly id: number
  readonly replies: Queue.Queue<Reply>
  isAnswered: boolean
  attempt: number
  inFlightBytes: number
  /** Called when bytes were taken up. */
  onRoom: (() => void) | undefined
}

const startPatience = "30 seconds"
const stopPatience = "2 seconds"

/** Starts a thread and waits until it has made the domain. Not to be interrupted: it takes {@link startPatience} at most. */
export const start: (options: StartOptions) => Effect.Effect<PoolWorker, WorkerLost> = Effect.fnUntraced(function* (
  options: StartOptions
) {
  const { worker, module, inFlightBytes, batchSizeBytes } = options
  const ready = Deferred.makeUnsafe<void, WorkerLost>()
  const gone = Deferred.makeUnsafe<void>()
  const jobs = new Map<number, CallerJob>()
  let lastId = 0
  let loss: WorkerLost | undefined
  const lost = (detail: string): WorkerLost => new WorkerLost({ worker, detail })

  const onMessage = (message: FromWorker): void => {
    switch (message.type) {
      case "ready": {
        const fault = mismatch(options.domain, message.domain)
        Deferred.doneUnsafe(ready, fault === undefined ? Effect.void : Effect.fail(lost(fault)))
        return
      }
      case "unready":
        Deferred.doneUnsafe(ready, Effect.fail(lost(message.detail)))
        return
      case "ack":
        takenUp(jobs.get(message.id), message)
        return
      default:
        answer(jobs.get(message.id), message)
    }
  }

  const onEnd = (detail: string): void => {
    loss = lost(detail)
    Deferred.doneUnsafe(ready, Effect.fail(loss))
    for (const job of jobs.values()) answer(job, { type: "lost" })
    Deferred.doneUnsafe(gone, Effect.void)
  }

  const thread = options.startThread({ onMessage, onEnd })

  const stop = Effect.suspend(() => {
    thread.hold(false)
    if (loss !== undefined) return Effect.void
    thread.post({ type: "stop" })
    return Effect.asVoid(Effect.timeoutOption(Deferred.await(gone), stopPatience))
  })

  const open = (): Effect.Effect<CallerJob, WorkerLost> =>
    Effect.flatMap(Queue.unbounded<Reply>(), (replies) => {
      if (loss !== undefined) return Effect.fail(loss)
      const job: CallerJob = {
        id: ++lastId,
        replies,
        isAnswered: false,
        attempt: 0,
        inFlightBytes: 0,
        onRoom: undefined
      }
      jobs.set(job.id, job)
      thread.hold(true)
      return Effect.succeed(job)
    })

  const close = (job: CallerJob): void => {
    jobs.delete(job.id)
    if (jobs.size === 0) thread.hold(false)
  }

  const post = (job: CallerJob, batch: EntryBatch): Effect.Effect<void> =>
    Effect.suspend(() => {
      const sizeBytes = EntryPacking.sizeBytesOf(batch)
      if (job.inFlightBytes > 0 && job.inFlightBytes + sizeBytes > inFlightBytes)
        return Effect.andThen(room(job), post(job, batch))
      job.inFlightBytes += sizeBytes
      const { id, attempt } = job
      thread.post({ type: "batch", id, attempt, batch }, [batch.bytes, batch.ends])
      return Effect.void
    })

  /** Sends every entry, and that there are no more. */
  const feed = <E, R>(job: CallerJob, entries: Stream.Stream<ReadonlyArray<Entry>, E, R>): Effect.Effect<void, E, R> =>
    Effect.suspend(() => {
      const packer = EntryPacking.make(batchSizeBytes)
      const flush = Effect.suspend(() => {
        const batch = EntryPacking.take(packer)
        return batch === undefined ? Effect.void : post(job, batch)
      })
      const push = (batch: ReadonlyArray<Entry>, from: number): Effect.Effect<void> =>
        Effect.suspend(() => {
          for (let index = from; index < batch.length; index++)
            if (!EntryPacking.add(packer, batch[index]!)) return Effect.andThen(flush, push(batch, index))
          return Effect.void
        })
      const end = Effect.sync(() => thread.post({ type: "end", id: job.id, attempt: job.attempt }))
      return Effect.andThen(
        Stream.runForEach(entries, (batch) => push(batch, 0)),
        Effect.andThen(flush, end)
      )
    })

  const converse = Effect.fnUntraced(function* <E, R>(
    job: CallerJob,
    entries: Stream.Stream<ReadonlyArray<Entry>, E, R>
  ): Effect.fn.Return<Outcome, E | ArtifactWorkError, R> {
    let reply = yield* Queue.take(job.replies)
    while (reply.type === "pull") {
      job.attempt = reply.attempt
      job.inFlightBytes = 0
      const feeding = Effect.andThen(feed(job, entries), Effect.never)
      reply = yield* Effect.raceFirst(feeding, Queue.take(job.replies))
    }
    if (reply.type === "done") return reply.outcome
    if (reply.type === "lost") return yield* loss ?? lost("it is gone")
    switch (reply.failure.kind) {
      case "error":
        return yield* Effect.fail(ErrorTransfer.decode(reply.failure.error))
      case "cancelled":
        return yield* lost("it was stopped")
      case "defect":
        return yield* Effect.die(new Error(reply.failure.text))
    }
  })

  const run: PoolWorker["run"] = (request, entries) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const job = yield* open()
        thread.post({ type: "job", id: job.id, request })
        const exit = yield* Effect.exit(restore(converse(job, entries)))
        if (!job.isAnswered) {
          thread.post({ type: "cancel", id: job.id })
          while (!job.isAnswered) yield* Queue.take(job.replies)
        }
        close(job)
        return yield* exit
      })
    )

  const begun = Effect.andThen(
    Effect.try({
      try: () => thread.post({ type: "hello", url: module.url, options: module.options }),
      catch: (error) => lost(`cannot post the options of its domain: ${String(error)}`)
    }),
    Effect.timeoutOrElse(Deferred.await(ready), {
      duration: startPatience,
      orElse: () => Effect.fail(lost(`it did not answer within ${startPatience}`))
    })
  )
  const exit = yield* Effect.exit(begun)
  if (Exit.isFailure(exit)) yield* stop
  yield* exit
  thread.hold(false)
  return { jobCount: () => jobs.size, isGone: () => loss !== undefined, run, stop }
}, Effect.uninterruptible)

const answer = (job: CallerJob | undefined, reply: Reply): void => {
  if (job === undefined) return
  if (reply.type !== "pull") job.isAnswered = true
  Queue.offerUnsafe(job.replies, reply)
}

const takenUp = (
  job: CallerJob | undefined,
  { attempt, sizeBytes }: { readonly attempt: number; readonly sizeBytes: number }
): void => {
  if (job === undefined || job.attempt !== attempt) return
  job.inFlightBytes -= sizeBytes
  job.onRoom?.()
}

/** Waits until bytes of the job are taken up. */
const room = (job: CallerJob): Effect.Effect<void> =>
  Effect.callback((resume) => {
    job.onRoom = () => {
      job.onRoom = undefined
      resume(Effect.void)
    }
    return Effect.sync(() => {
      job.onRoom = undefined
    })
  })

const mismatch = (expected: DomainIdentity, actual: DomainIdentity): string | undefined => {
  for (const field of ["name", "version", "options"] as const)
    if (actual[field] !== expected[field])
      return `its domain has ${field} ${JSON.stringify(actual[field])}, expected ${JSON.stringify(expected[field])}`
  return undefined
}
