import { assert, describe, it } from "@effect/vitest"
import { Geometry } from "@icecore/catalog"
import { Deferred, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { type ExecuteOptions, execute } from "../src/Execute.ts"

interface Failure {
  readonly _tag: string
}

const passing: Failure = { _tag: "DiskFull" }
const lasting: Failure = { _tag: "EngineCorrupt" }

const build = (id: number) => ({ chunk: Geometry.ChunkId(id), kinds: ["entries" as const] })
const index = (lo: number, hi: number) => ({
  window: Geometry.WindowId(0),
  lo: Geometry.ChunkId(lo),
  hi: Geometry.ChunkId(hi)
})

const make = (overrides: Partial<ExecuteOptions<Failure, never>>) => {
  const log: Array<string> = []
  const options: ExecuteOptions<Failure, never> = {
    plan: { chunks: [], indexes: [] },
    concurrency: 2,
    retry: { times: 3 },
    buildChunk: ({ chunk }) => Effect.sync(() => void log.push(`chunk ${chunk}`)),
    buildIndex: ({ lo, hi }) => Effect.sync(() => void log.push(`index ${lo}-${hi}`)),
    ...overrides
  }
  return { log, run: execute(options) }
}

describe("Execute.execute", () => {
  it.effect("builds an index after the chunks of its coverage, and does not hold up the chunks behind it", () =>
    Effect.gen(function* () {
      const gates = new Map([0, 1, 2, 3].map((id) => [id, Deferred.makeUnsafe<void>()] as const))
      const done: Array<string> = []
      const { run } = make({
        plan: { chunks: [0, 1, 2, 3].map(build), indexes: [index(0, 1), index(2, 3)] },
        concurrency: 3,
        buildChunk: ({ chunk }) =>
          Effect.andThen(
            Deferred.await(gates.get(chunk)!),
            Effect.sync(() => void done.push(`chunk ${chunk}`))
          ),
        buildIndex: ({ lo, hi }) => Effect.sync(() => void done.push(`index ${lo}-${hi}`))
      })
      const fiber = yield* Effect.forkChild(run)
      const open = (id: number) =>
        Effect.andThen(Deferred.succeed(gates.get(id)!, undefined), TestClock.adjust("1 millis"))
      yield* open(1)
      yield* open(2)
      assert.deepStrictEqual(done, ["chunk 1", "chunk 2"])
      yield* open(0)
      assert.deepStrictEqual(done, ["chunk 1", "chunk 2", "chunk 0", "index 0-1"])
      yield* open(3)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(done.slice(4), ["chunk 3", "index 2-3"])
    })
  )

  it.effect("works on no more builds at once than it was told", () =>
    Effect.gen(function* () {
      let running = 0
      let most = 0
      const { run } = make({
        plan: { chunks: Array.from({ length: 20 }, (_, id) => build(id)), indexes: [index(0, 19)] },
        concurrency: 4,
        buildChunk: () =>
          Effect.acquireUseRelease(
            Effect.sync(() => {
              running++
              most = Math.max(most, running)
            }),
            () => Effect.sleep("1 second"),
            () => Effect.sync(() => void running--)
          )
      })
      const fiber = yield* Effect.forkChild(run)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(fiber)
      assert.strictEqual(most, 4)
    })
  )

  it.effect("tries again what may pass, later each time, and no more often than it was told", () =>
    Effect.gen(function* () {
      let attempts = 0
      const { run, log } = make({
        plan: { chunks: [build(0)], indexes: [index(0, 0)] },
        buildChunk: () => Effect.suspend(() => (++attempts === 4 ? Effect.void : Effect.fail(passing)))
      })
      const fiber = yield* Effect.forkChild(run)
      yield* TestClock.adjust("50 millis")
      assert.strictEqual(attempts, 1)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(log, ["index 0-0"])
      attempts = 4
      const again = yield* Effect.forkChild(Effect.flip(run))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Fiber.join(again), passing)
      assert.strictEqual(attempts, 8)
    })
  )

  it.effect("cancels the rest at the first final failure, and keeps what is finished", () =>
    Effect.gen(function* () {
      let interrupted = 0
      const finished: Array<number> = []
      const { run, log } = make({
        plan: { chunks: [0, 1, 2, 3].map(build), indexes: [index(0, 3)] },
        buildChunk: ({ chunk }) =>
          chunk === 0
            ? Effect.sync(() => void finished.push(chunk))
            : chunk === 1
              ? Effect.onInterrupt(Effect.never, () => Effect.sync(() => void interrupted++))
              : Effect.fail(lasting)
      })
      assert.strictEqual(yield* Effect.flip(run), lasting)
      assert.deepStrictEqual(finished, [0])
      assert.strictEqual(interrupted, 1)
      assert.deepStrictEqual(log, [])
    })
  )

  it.effect("stops when it is interrupted", () =>
    Effect.gen(function* () {
      const { run } = make({ plan: { chunks: [build(0)], indexes: [] }, buildChunk: () => Effect.never })
      const fiber = yield* Effect.forkChild(run)
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
    })
  )
})
