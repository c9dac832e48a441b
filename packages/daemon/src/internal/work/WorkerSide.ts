/** The worker's side of the protocol: the same work as inline, with entries that come as messages. */
import { Zstd } from "@icecore/codec"
import { Disk } from "@icecore/packfile"
import { Cause, Effect, Exit, Fiber, type Layer, Option, Predicate, Queue, Result, type Scope, Stream } from "effect"
import type { ArtifactWork, ArtifactWorkError } from "../../ArtifactWork.ts"
import type { Domain } from "../../Domain.ts"
import type { Entry } from "../../Entry.ts"
import type { WorkerParent } from "../../live/WorkerParent.ts"
import * as EntryPacking from "./EntryPacking.ts"
import * as ErrorTransfer from "./ErrorTransfer.ts"
import * as InlineWork from "./InlineWork.ts"
import type { EntryBatch, Failure, FromWorker, Outcome, Request, ToWorker } from "./Protocol.ts"

type Parent = WorkerParent<ToWorker, FromWorker>

/** How long a worker has nothing to do before it collects its garbage. */
const restDelay = "100 millis"

export interface ServeOptions {
  readonly services: Layer.Layer<Disk | Zstd>
  /** Run when the worker has had nothing to do for a moment. */
  readonly collectGarbage: Effect.Effect<void>
}

/** Serves until the parent says stop. A bug of ours ends the thread, which the parent sees. */
export const serve = (parent: Parent, { services, collectGarbage }: ServeOptions): void => {
  const serving = Effect.gen(function* () {
    const inbox = yield* Queue.unbounded<ToWorker>()
    parent.listen((message) => Queue.offerUnsafe(inbox, message))
    yield* Effect.scoped(Effect.provide(attend(parent, inbox, collectGarbage), services))
    parent.close()
  })
  Effect.runFork(serving).addObserver((exit) => {
    if (Exit.isFailure(exit))
      queueMicrotask(() => {
        throw Cause.squash(exit.cause)
      })
  })
}

const attend = Effect.fnUntraced(function* (
  parent: Parent,
  inbox: Queue.Queue<ToWorker>,
  collectGarbage: Effect.Effect<void>
): Effect.fn.Return<void, never, Disk | Zstd | Scope.Scope> {
  let work: ArtifactWork | undefined
  let begun = 0
  const jobs = new Map<number, WorkerJob>()
  const collectWhenIdle = (last: number): Effect.Effect<void> =>
    Effect.suspend(() => (jobs.size === 0 && begun === last ? collectGarbage : Effect.void))
  for (;;) {
    const message = yield* Queue.take(inbox)
    switch (message.type) {
      case "hello": {
        const domain = yield* Effect.result(loadDomain(message.url, message.options))
        if (Result.isFailure(domain)) {
          parent.post({ type: "unready", detail: domain.failure })
          break
        }
        const { name, version, options } = domain.success
        work = InlineWork.make({ disk: yield* Disk, zstd: yield* Zstd, domain: domain.success })
        parent.post({ type: "ready", domain: { name, version, options } })
        break
      }
      case "job": {
        if (work === undefined) break
        begun++
        const fiber = yield* begin(parent, work, jobs, message.id, message.request)
        const rested = Effect.andThen(Fiber.await(fiber), Effect.sleep(restDelay))
        yield* Effect.forkScoped(Effect.andThen(rested, collectWhenIdle(begun)))
        break
      }
      case "batch":
      case "end": {
        const job = jobs.get(message.id)
        if (job?.attempt === message.attempt)
          Queue.offerUnsafe(job.batches, message.type === "end" ? undefined : message.batch)
        break
      }
      case "cancel": {
        const fiber = jobs.get(message.id)?.fiber
        if (fiber !== undefined) yield* Effect.forkScoped(Fiber.interrupt(fiber))
        break
      }
      case "stop":
        return
    }
  }
})

const loadDomain = (url: string, options: unknown): Effect.Effect<Domain, string> =>
  Effect.tryPromise({
    try: async () => {
      const module: unknown = await import(url)
      if (Predicate.hasProperty(module, "make") && typeof module.make === "function")
        return module.make(options) as Domain
      throw new Error("it exports no make")
    },
    catch: (error) => `cannot make the domain of ${url}: ${error instanceof Error ? error.message : String(error)}`
  })

/** A job under way. */
interface WorkerJob {
  /** Runs of the stream so far; batches of an earlier one are passed over. */
  attempt: number
  /** Batches that came and wait; undefined is the end of them. */
  batches: Queue.Queue<EntryBatch | undefined>
  fiber: Fiber.Fiber<Outcome, ArtifactWorkError> | undefined
}

const begin = Effect.fnUntraced(function* (
  parent: Parent,
  work: ArtifactWork,
  jobs: Map<number, WorkerJob>,
  id: number,
  request: Request
) {
  const job: WorkerJob = { attempt: 0, batches: yield* Queue.unbounded<EntryBatch | undefined>(), fiber: undefined }
  jobs.set(id, job)
  const answer = (exit: Exit.Exit<Outcome, ArtifactWorkError>) =>
    Effect.sync(() => {
      jobs.delete(id)
      parent.post(
        Exit.isSuccess(exit)
          ? { type: "done", id, outcome: exit.value }
          : { type: "failed", id, failure: failureOf(exit.cause) }
      )
    })
  const fiber = yield* Effect.forkScoped(Effect.onExit(perform(work, request, entriesOf(parent, id, job)), answer))
  job.fiber = fiber
  return fiber
})

/** The entries as the parent sends them, from the first one on each time that they are run. */
const entriesOf = (parent: Parent, id: number, job: WorkerJob): Stream.Stream<ReadonlyArray<Entry>> =>
  Stream.unwrap(
    Effect.map(Queue.unbounded<EntryBatch | undefined>(), (batches) => {
      const attempt = ++job.attempt
      job.batches = batches
      parent.post({ type: "pull", id, attempt })
      return Stream.paginate(undefined, () =>
        Effect.map(Queue.take(batches), (batch) => {
          if (batch === undefined) return [[], Option.none()] as const
          parent.post({ type: "ack", id, attempt, sizeBytes: EntryPacking.sizeBytesOf(batch) })
          return [[EntryPacking.unpack(batch)], Option.some(undefined)] as const
        })
      )
    })
  )

const perform = (
  work: ArtifactWork,
  request: Request,
  entries: Stream.Stream<ReadonlyArray<Entry>>
): Effect.Effect<Outcome, ArtifactWorkError> => {
  switch (request.kind) {
    case "chunk": {
      const fileAt = (path: string | null) => Option.map(Option.fromNullOr(path), (path) => ({ path }))
      const job = { ...request.job, entries: fileAt(request.entriesPath), keys: fileAt(request.keysPath) }
      return Effect.map(work.writeChunk(job, entries), (written) => ({
        kind: "chunk",
        entries: Option.getOrNull(written.entries),
        keys: Option.getOrNull(written.keys)
      }))
    }
    case "run":
      return Effect.map(work.writeRun(request.job), (summary) => ({ kind: "run", summary }))
    case "index":
      return Effect.map(work.buildIndex(request.options), (summary) => ({ kind: "index", summary }))
  }
}

const failureOf = (cause: Cause.Cause<ArtifactWorkError>): Failure => {
  if (Cause.hasInterruptsOnly(cause)) return { kind: "cancelled" }
  const error = Cause.findErrorOption(cause)
  return Option.isSome(error)
    ? { kind: "error", error: ErrorTransfer.encode(error.value) }
    : { kind: "defect", text: Cause.pretty(cause) }
}
