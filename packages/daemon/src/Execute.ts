/**
 * Carrying out a plan of {@link import("./Resolve.ts")}.
 *
 * Builds run at once up to one limit, chunks in order; an index is built when all chunk builds of its coverage are done. A build that
 * fails for a reason that may pass is tried again, later each time; one that fails for good ends the others. Whatever is
 * finished stays finished, so that the next plan is shorter. May be interrupted at any moment.
 */
import { Deferred, Effect } from "effect"
import type { ChunkBuild, IndexBuild, Plan } from "./Resolve.ts"
import { type RetryOptions, retrySchedule } from "./Retrying.ts"

export interface ExecuteOptions<E extends { readonly _tag: string }, R> {
  readonly plan: Pick<Plan, "chunks" | "indexes">
  /** Builds under way at once: 1 or more. */
  readonly concurrency: number
  readonly retry: RetryOptions
  readonly buildChunk: (build: ChunkBuild) => Effect.Effect<void, E, R>
  readonly buildIndex: (build: IndexBuild) => Effect.Effect<void, E, R>
}

/** Returns when everything is built. Fails with the first failure that is final. */
export const execute = <E extends { readonly _tag: string }, R>(
  options: ExecuteOptions<E, R>
): Effect.Effect<void, E, R> =>
  Effect.suspend(() => {
    const { plan, concurrency, retry } = options
    const built = new Map<number, Deferred.Deferred<void>>()
    for (const { chunk } of plan.chunks) built.set(chunk, Deferred.makeUnsafe())

    const chunkTask = (build: ChunkBuild): Effect.Effect<void, E, R> =>
      options.buildChunk(build).pipe(
        Effect.retry(retrySchedule(retry)),
        Effect.tap(() => Deferred.succeed(built.get(build.chunk)!, undefined))
      )
    const indexTask = (build: IndexBuild): Effect.Effect<void, E, R> => {
      const needed = plan.chunks.filter(({ chunk }) => build.lo <= chunk && chunk <= build.hi)
      const ready = Effect.forEach(needed, ({ chunk }) => Deferred.await(built.get(chunk)!), { discard: true })
      return Effect.andThen(ready, Effect.retry(options.buildIndex(build), retrySchedule(retry)))
    }
    return Effect.forEach(inOrder(plan, chunkTask, indexTask), (task) => task, { concurrency, discard: true })
  })

/**
 * Each index behind the last chunk that it may wait for: tasks are begun in this order, so that one which waits and takes up a
 * place never waits for one that has none.
 */
const inOrder = <A>(
  plan: Pick<Plan, "chunks" | "indexes">,
  chunkTask: (build: ChunkBuild) => A,
  indexTask: (build: IndexBuild) => A
): ReadonlyArray<A> => {
  const tasks: Array<A> = []
  let next = 0
  for (const index of plan.indexes) {
    while (next < plan.chunks.length && plan.chunks[next]!.chunk <= index.hi)
      tasks.push(chunkTask(plan.chunks[next++]!))
    tasks.push(indexTask(index))
  }
  while (next < plan.chunks.length) tasks.push(chunkTask(plan.chunks[next++]!))
  return tasks
}
