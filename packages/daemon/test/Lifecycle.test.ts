import { assert, describe, it } from "@effect/vitest"
import { Geometry } from "@icecore/catalog"
import { EngineCorrupt } from "@icecore/engine"
import { DiskFull } from "@icecore/packfile"
import { Clock, Deferred, Effect, Exit, Fiber, Metric, Option, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as NdjsonDomain from "../src/domain/NdjsonDomain.ts"
import * as Lifecycle from "../src/Lifecycle.ts"
import * as DiscardStage from "../src/lifecycle/DiscardStage.ts"
import { isDue } from "../src/lifecycle/RollStage.ts"
import { nothing, type Stage, type StageOutcome } from "../src/lifecycle/Stage.ts"
import type { Upkeep } from "../src/lifecycle/Upkeep.ts"
import type { StorageError } from "../src/StorageError.ts"
import * as DemoSource from "../src/source/DemoSource.ts"
import { makeMachine, withStore } from "./support/StoreHarness.ts"

const passing = new DiskFull({ operation: "write", path: "/store", code: "ENOSPC" })
const lasting = new EngineCorrupt({ path: "/store", cause: new Error("damaged"), detail: "damaged" } as never)

const stage = (
  name: string,
  run: (isForced: boolean) => Effect.Effect<StageOutcome, StorageError>,
  overrides: Partial<Stage> = {}
): Stage => ({ name, isAwaited: false, isBusy: () => false, run, ...overrides })

/** Lets the fiber go on to where it waits, whatever it does before, and then so much time pass, in steps. */
const pass = (millis: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let turn = 0; turn < 50; turn++) yield* Effect.yieldNow
    for (let step = 0; step < 20; step++) yield* TestClock.adjust(millis / 20)
    for (let turn = 0; turn < 50; turn++) yield* Effect.yieldNow
  })

const done = (clause: string): StageOutcome => ({ done: Option.some(clause) })

const make = (stages: ReadonlyArray<Stage>, retry: Lifecycle.LifecycleOptions["retry"] = {}) => {
  const stuck: Array<Exit.Exit<never, StorageError>> = []
  return Effect.map(Lifecycle.make({ stages, retry, onStuck: (exit) => stuck.push(exit) }), (lifecycle) => ({
    lifecycle,
    stuck
  }))
}

describe("Lifecycle", () => {
  it.effect("takes the stages in order at the start, and again for each telling that finds it idle", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const note = (name: string) =>
        stage(name, () =>
          Effect.as(
            Effect.sync(() => log.push(name)),
            nothing
          )
        )
      const { lifecycle } = yield* make([note("freeze"), note("prune")])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(log, ["freeze", "prune"])
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(log.length, 2)
      yield* lifecycle.notify
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(log.length, 4)
    })
  )

  it.effect("makes one run of all tellings that come during another, and waits for none", () =>
    Effect.gen(function* () {
      let runCount = 0
      const gate = Deferred.makeUnsafe<void>()
      const slow = stage("freeze", () =>
        Effect.andThen(
          Effect.sync(() => {
            runCount++
          }),
          Effect.as(Deferred.await(gate), nothing)
        )
      )
      const { lifecycle } = yield* make([slow])
      yield* TestClock.adjust("1 millis")
      for (let count = 0; count < 100; count++) yield* lifecycle.notify
      assert.strictEqual(runCount, 1)
      assert.strictEqual(lifecycle.status().state, "running")
      yield* Deferred.succeed(gate, undefined)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(runCount, 2)
      assert.strictEqual(lifecycle.status().state, "idle")
    })
  )

  it.effect("goes on with the other stages when one fails, and tries that again later each time", () =>
    Effect.gen(function* () {
      const attempts: Array<number> = []
      let isBroken = true
      let others = 0
      const broken = stage("freeze", () =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          attempts.push(now)
          return isBroken ? Effect.fail(passing) : Effect.succeed(done("froze chunk 0"))
        })
      )
      const other = stage("prune", () =>
        Effect.sync(() => {
          others++
          return nothing
        })
      )
      const { lifecycle, stuck } = yield* make([broken, other], { firstDelay: "1 second", longestDelay: "4 seconds" })
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual([attempts.length, others], [1, 1])
      assert.deepStrictEqual(lifecycle.stages(), [
        { name: "freeze", state: "waiting", problem: Option.some(passing.message) },
        { name: "prune", state: "idle", problem: Option.none() }
      ])
      assert.deepStrictEqual(lifecycle.status(), { state: "waiting", problem: Option.some(passing.message) })
      // A telling does not wake what waits for its time.
      yield* lifecycle.notify
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual([attempts.length, others], [1, 2])
      yield* TestClock.adjust("1 minute")
      const gaps = attempts.slice(1).map((at, index) => at - attempts[index]!)
      for (const [index, expected] of [1_000, 2_000, 4_000, 4_000].entries()) {
        assert.isAtLeast(gaps[index]!, expected * 0.8)
        assert.isAtMost(gaps[index]!, expected * 1.2 + 1)
      }
      const settled = yield* Effect.forkChild(lifecycle.settled)
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(settled.pollUnsafe())
      isBroken = false
      yield* TestClock.adjust("1 minute")
      assert.isAbove((yield* Fiber.join(settled)).done.length, 0)
      assert.deepStrictEqual(lifecycle.status(), { state: "idle", problem: Option.none() })
      assert.strictEqual(stuck.length, 0)
    })
  )

  it.effect("lets a stage rest that failed for good, tells who waits, and goes on with the others", () =>
    Effect.gen(function* () {
      let attempts = 0
      let others = 0
      const broken = stage(
        "freeze",
        () => {
          attempts++
          return Effect.fail(lasting)
        },
        { isAwaited: true }
      )
      const other = stage("prune", () =>
        Effect.sync(() => {
          others++
          return nothing
        })
      )
      const { lifecycle, stuck } = yield* make([broken, other])
      yield* TestClock.adjust("1 hour")
      yield* lifecycle.notify
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual([attempts, others], [1, 2])
      assert.strictEqual(lifecycle.status().state, "failed")
      assert.deepStrictEqual(stuck, [Exit.fail(lasting)])
      assert.strictEqual(yield* Effect.flip(lifecycle.settled), lasting)
    })
  )

  it.effect("gives up what may pass after as many attempts as it was told", () =>
    Effect.gen(function* () {
      let attempts = 0
      const { lifecycle } = yield* make(
        [
          stage("roll", () => {
            attempts++
            return Effect.fail(passing)
          })
        ],
        { firstDelay: "1 millis", times: 2 }
      )
      const settled = yield* Effect.forkChild(Effect.flip(lifecycle.settled))
      yield* pass(1_000)
      assert.strictEqual(yield* Fiber.join(settled), passing)
      assert.strictEqual(attempts, 3)
    })
  )

  it.effect("looks again when a stage asked for it, and is not settled while one asks for it at once or is busy", () =>
    Effect.gen(function* () {
      const log: Array<boolean> = []
      let left = 3
      let isBusy = true
      const { lifecycle } = yield* make([
        stage(
          "discard",
          (isForced) =>
            Effect.sync(() => {
              log.push(isForced)
              return left-- > 0 ? { done: Option.none(), againMillis: 0 } : nothing
            }),
          { isBusy: () => isBusy }
        ),
        stage("sweep", () => Effect.succeed({ done: Option.none(), againMillis: 60_000 }))
      ])
      const settled = yield* Effect.forkChild(lifecycle.settled)
      yield* pass(0)
      assert.strictEqual(log.length, 4)
      assert.isTrue(log.at(-1))
      assert.isUndefined(settled.pollUnsafe())
      isBusy = false
      yield* lifecycle.notify
      yield* pass(0)
      yield* Fiber.join(settled)
      assert.strictEqual(log.length, 5)
      yield* pass(59_000)
      assert.strictEqual(log.length, 5)
      yield* pass(1_000)
      assert.strictEqual(log.length, 6)
      assert.isFalse(log.at(-1))
    })
  )

  it.effect("counts failed stages and times all of them", () =>
    Effect.gen(function* () {
      const { lifecycle } = yield* make([stage("counted", () => Effect.fail(lasting))])
      yield* Effect.ignore(lifecycle.settled)
      const failures = Metric.withAttributes(
        Metric.counter("icecore_lifecycle_stage_failures_total", {
          description: "Failed stages of lifecycle runs",
          incremental: true
        }),
        { stage: "counted" }
      )
      assert.strictEqual((yield* Metric.value(failures)).count, 1)
    })
  )

  it.effect("leaves nobody waiting when it ends, who asked before, meanwhile or after", () =>
    Effect.gen(function* () {
      const gate = Deferred.makeUnsafe<void>()
      const scope = yield* Scope.make()
      const slow = stage("freeze", () => Effect.as(Deferred.await(gate), nothing))
      const { lifecycle } = yield* Scope.provide(make([slow]), scope)
      const before = yield* Effect.forkChild(lifecycle.settled)
      yield* TestClock.adjust("1 millis")
      const meanwhile = yield* Effect.forkChild(lifecycle.settled)
      yield* TestClock.adjust("1 millis")
      yield* Scope.close(scope, Exit.void)
      for (const settled of [Fiber.await(before), Fiber.await(meanwhile), Effect.exit(lifecycle.settled)])
        assert.isTrue(Exit.isFailure(yield* settled))
      assert.strictEqual(lifecycle.status().state, "failed")
    })
  )

  it.effect("gives its death to who asked before the run that it died in, and to who asks later", () =>
    Effect.gen(function* () {
      const { lifecycle } = yield* make([stage("freeze", () => Effect.die("a bug"))])
      const before = yield* Effect.forkChild(lifecycle.settled)
      for (const settled of [Fiber.await(before), Effect.exit(lifecycle.settled)])
        assert.isTrue(Exit.hasDies(yield* settled))
      assert.strictEqual(lifecycle.status().state, "failed")
    })
  )
})

describe("DiscardStage", () => {
  it.effect("leaves a chunk below the floor that is not frozen, while a start would miss it", () =>
    Effect.gen(function* () {
      const chunks = new Set([0, 1, 2].map(Geometry.ChunkId))
      const discarded: Array<number> = []
      let beginSeq = 0
      const upkeep = {
        state: { geometry: { firstSeq: 0, entriesPerChunk: 4, chunksPerWindow: 10 }, floor: 8, liveChunk: 2 },
        frozenHot: new Set([Geometry.ChunkId(0)]),
        hotSet: {
          chunks: () => [...chunks],
          retire: (chunk: Geometry.ChunkId) => Effect.sync(() => chunks.delete(chunk))
        },
        catalog: {
          beginSeq: () => beginSeq,
          discardHot: (chunk: Geometry.ChunkId) => Effect.sync(() => discarded.push(chunk))
        }
      } as unknown as Upkeep
      const { run } = yield* DiscardStage.make(upkeep, { closed: [], notify: Effect.void })
      yield* run(true)
      assert.deepStrictEqual(discarded, [0])
      beginSeq = 8
      yield* run(true)
      assert.deepStrictEqual(discarded, [0, 1])
    })
  )
})

describe("DiscardStage and RollStage", () => {
  const geometry = { firstSeq: 0, entriesPerChunk: 4, chunksPerWindow: 1 }
  const chunks = [0, 1, 2].map(Geometry.ChunkId)

  it.effect("discards the other databases when one cannot be discarded, and tells of that one", () =>
    Effect.gen(function* () {
      const discarded: Array<number> = []
      const upkeep = {
        state: { geometry, floor: 0, liveChunk: 3 },
        frozenHot: new Set(),
        hotSet: { chunks: () => [] },
        catalog: {
          beginSeq: () => 0,
          discardHot: (chunk: Geometry.ChunkId) =>
            chunk === 0 ? Effect.fail(passing) : Effect.sync(() => discarded.push(chunk))
        }
      } as unknown as Upkeep
      const { run } = yield* DiscardStage.make(upkeep, { closed: chunks, notify: Effect.void })
      assert.strictEqual(yield* Effect.flip(run(true)), passing)
      assert.deepStrictEqual(discarded, [1, 2])
    })
  )

  it.effect("builds the indexes of the other windows when one cannot be built, and comes back to that one", () => {
    let isFull = true
    const machine = makeMachine({
      domain: NdjsonDomain.layerWith({ keys: ["/hash"] }),
      mapDisk: (disk) => ({
        ...disk,
        open: (path, mode) =>
          isFull && mode !== "read" && path.endsWith("00000000-00000000.idx")
            ? Effect.fail(passing)
            : disk.open(path, mode)
      })
    })
    const entries = Array.from({ length: 9 }, (_, seq) => DemoSource.entryAt(seq))
    const again = { firstDelay: "1 millis", longestDelay: "1 millis" } as const
    return withStore(
      machine,
      ({ history, settled }) =>
        Effect.gen(function* () {
          yield* history.append(entries)
          const settling = yield* Effect.forkChild(settled)
          yield* pass(1_000)
          const { keys, stages } = yield* history.status
          assert.deepStrictEqual(
            Option.map(keys, ({ indexCount }) => indexCount),
            Option.some(1)
          )
          assert.deepInclude(stages[1], { name: "roll", state: "waiting" })
          isFull = false
          yield* pass(1_000)
          yield* Fiber.join(settling)
          assert.deepInclude(Option.getOrThrow((yield* history.status).keys), { indexCount: 2, uncoveredRunCount: 0 })
        }),
      { geometry, graceMillis: 0, retry: again, backfill: { maxRetries: 1 } }
    )
  })
})

describe("RollStage.isDue", () => {
  const idle = { lastChunk: 999, isBackfilling: false }

  it("waits until the runs that are not covered are a share of those that are", () => {
    const due = (hi: number, coveredTo: number) =>
      isDue({ ...idle, wanted: { lo: 0, hi }, coverage: coveredTo < 0 ? undefined : { lo: 0, hi: coveredTo } })
    assert.isTrue(due(0, -1))
    assert.isTrue(due(11, 10))
    assert.isTrue(due(63, 61))
    assert.isFalse(due(330, 322))
    assert.isTrue(due(332, 322))
  })

  it("does not wait when the window is finished or its index must grow downwards", () => {
    const coverage = { lo: 5, hi: 998 }
    assert.isTrue(isDue({ ...idle, wanted: { lo: 5, hi: 999 }, coverage }))
    assert.isTrue(isDue({ ...idle, wanted: { lo: 4, hi: 998 }, coverage }))
    assert.isTrue(isDue({ lastChunk: 999, isBackfilling: true, wanted: { lo: 5, hi: 999 }, coverage }))
  })

  it("puts off more while a backfill runs", () => {
    const backfill = { lastChunk: 999, isBackfilling: true }
    assert.isFalse(isDue({ ...backfill, wanted: { lo: 0, hi: 6 }, coverage: undefined }))
    assert.isTrue(isDue({ ...backfill, wanted: { lo: 0, hi: 7 }, coverage: undefined }))
    assert.isFalse(isDue({ ...backfill, wanted: { lo: 0, hi: 123 }, coverage: { lo: 0, hi: 99 } }))
    assert.isTrue(isDue({ ...backfill, wanted: { lo: 0, hi: 124 }, coverage: { lo: 0, hi: 99 } }))
  })
})
