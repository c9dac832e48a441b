import { assert, describe } from "@effect/vitest"
import { RecordReader, SyncChange } from "@icecore/engine"
import { Grant, Resource } from "@icecore/engine/access"
import { Deferred, Effect, Fiber, Option, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Compactor, Throttle } from "../src/index.ts"
import { digestBeside, digestOf, fill, grantsOf, openStore, withoutIndexes } from "./CompactorFixtures.ts"
import { A, B, C, contentsOf, refusal, sourceOf, test, world } from "./CompactorWorld.ts"

describe("Compactor", () => {
  test(
    "compact makes a sync what source has, by every index, and counts what that changed",
    Effect.gen(function* () {
      const { base, compact, other, source } = yield* world
      const beside = yield* digestBeside(base.database, A)
      const before = yield* base.getSync(A)

      const report = yield* compact({ base, source })

      assert.strictEqual(yield* digestOf(base, A), yield* digestOf(other, A))
      assert.strictEqual(yield* digestBeside(base.database, A), beside)
      assert.deepStrictEqual((yield* base.check()).findings, [])
      assert.strictEqual(report._tag, "SyncReplaced")
      assert.deepStrictEqual(Option.some(report.before!), before)
      assert.deepStrictEqual(Option.some(report.run), yield* other.getSync(A))
      const [grants, resources] = report.types.map(({ bytes, ...counts }) => counts)
      assert.deepStrictEqual(grants, {
        type: "Grant",
        addedCount: 500,
        replacedCount: 500,
        removedCount: 2_000,
        unchangedCount: 500
      })
      assert.deepStrictEqual(resources, {
        type: "Resource",
        addedCount: 0,
        replacedCount: 3,
        removedCount: 0,
        unchangedCount: 0
      })
      assert.isAbove(report.types[0]!.bytes, 100_000)
      assert.isAbove(report.bytes, report.types[0]!.bytes)
    })
  )

  test(
    "compact takes the sync that is named, else the one that ended last",
    Effect.gen(function* () {
      const { base, compact, other, source } = yield* world
      yield* fill(other, C, grantsOf(0, 1_600, 3))
      assert.strictEqual((yield* compact({ base, source })).run.sync_id, C)
      assert.strictEqual((yield* compact({ base, source, syncId: A })).run.sync_id, A)
    })
  )

  test(
    "compact of an empty sync empties it and says so with the count removed",
    Effect.gen(function* () {
      const { base, compact, engine } = yield* world
      const other = yield* openStore(engine, { path: "/empty" })
      yield* other.startSync({ type: "full", syncId: A })
      yield* other.endSync()
      const beside = yield* digestBeside(base.database, A)
      const report = yield* compact({ base, source: yield* sourceOf(engine, other) })
      assert.deepInclude(report, { _tag: "SyncEmpty", removedCount: 3_003 })
      assert.strictEqual(yield* digestOf(base, A), yield* digestOf(other, A))
      assert.strictEqual(yield* digestBeside(base.database, A), beside)
      assert.deepStrictEqual((yield* base.check()).findings, [])
    })
  )

  test(
    "compact is planned as it is done, and planning changes nothing",
    Effect.gen(function* () {
      const { base, compact, planCompact, source } = yield* world
      const before = yield* contentsOf(base)
      const plan = yield* planCompact({ base, source })
      assert.strictEqual(yield* contentsOf(base), before)
      assert.deepStrictEqual(
        plan.steps
          .slice(0, 3)
          .map(({ action, baseRows, index, sourceRows, type }) => [action, type, index, sourceRows, baseRows]),
        [
          ["copy", "Grant", undefined, 1_500, 3_000],
          ["copy", "Resource", undefined, 3, 3],
          ["copy", "Grant", "by_entitlement", 1_500, 3_000]
        ]
      )
      const { bytes, plan: done } = yield* compact({ base, source })
      assert.deepStrictEqual(done, plan)
      assert.isAbove(plan.bytes, bytes / 2)
      assert.isBelow(plan.bytes, bytes * 2)
    })
  )

  test(
    "compact makes the indexes that source lacks, and leaves those that only source has",
    Effect.gen(function* () {
      const { base, compact, engine } = yield* world
      const fewer = yield* openStore(engine, {
        path: "/fewer",
        types: [Resource, withoutIndexes(Grant, "by_principal")]
      })
      yield* fill(fewer, A, grantsOf(100, 2_000, 5))
      const { plan } = yield* compact({ base, source: yield* sourceOf(engine, fewer) })
      assert.deepStrictEqual(
        plan.steps.filter(({ action }) => action === "build").map(({ index }) => index),
        ["by_principal"]
      )
      assert.deepStrictEqual((yield* base.check()).findings, [])
      const whole = yield* openStore(engine, { path: "/whole" })
      yield* fill(whole, A, grantsOf(100, 2_000, 5))
      assert.strictEqual(yield* digestOf(base, A), yield* digestOf(whole, A))

      yield* compact({ base: fewer, source: yield* sourceOf(engine, whole) })
      assert.deepStrictEqual((yield* fewer.check()).findings, [])
    })
  )

  test(
    "compact takes a sync that has not ended as it is, when it is told to",
    Effect.gen(function* () {
      const { base, compact, other, source } = yield* world
      yield* fill(other, C, grantsOf(0, 800, 1), { isUnfinished: true })
      const report = yield* compact({ base, source, syncId: C, unfinished: "copy" })
      assert.isUndefined(report.run.ended_at)
      assert.strictEqual(yield* digestOf(base, C), yield* digestOf(other, C))
      yield* base.resumeSync(C)
      yield* base.put(Grant, grantsOf(800, 10, 1))
      assert.deepStrictEqual((yield* base.endSync()).counts, { Grant: 810, Resource: 3 })
      assert.deepStrictEqual((yield* base.check()).findings, [])
    })
  )

  test(
    "compact leaves base as it was when it is interrupted, and base takes the next one",
    Effect.gen(function* () {
      const { base, compact, other, source } = yield* world
      const before = yield* contentsOf(base)
      for (const steps of [1, 2, 4]) {
        const reached = yield* Deferred.make<void>()
        let left = steps
        const onProgress = () =>
          --left > 0 ? Effect.void : Effect.andThen(Deferred.succeed(reached, undefined), Effect.never)
        const fiber = yield* Effect.forkChild(compact({ base, source, onProgress }))
        yield* Deferred.await(reached)
        assert.strictEqual(yield* contentsOf(base), before, "readers see nothing of it")
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(yield* contentsOf(base), before)
      }
      yield* compact({ base, source })
      assert.strictEqual(yield* digestOf(base, A), yield* digestOf(other, A))
    })
  )

  test(
    "compact takes one moment of source, which goes on",
    Effect.gen(function* () {
      const { base, compact, other, source } = yield* world
      const before = yield* digestOf(other, A)
      let isFirst = true
      const onProgress = () => {
        if (!isFirst) return Effect.void
        isFirst = false
        return Effect.orDie(Effect.asVoid(other.removeSync(A)))
      }
      yield* compact({ base, source, onProgress })
      assert.strictEqual(yield* digestOf(base, A), before)
    })
  )

  test(
    "compact writes no faster than the rate of its throttle, and tells of its progress",
    Effect.gen(function* () {
      const { base, source } = yield* world
      const { compact } = Compactor.make({ bytesPerSecond: 10_000 })
      const told: Array<Compactor.Progress> = []
      const onProgress = (progress: Compactor.Progress) => Effect.sync(() => told.push(progress))
      const fiber = yield* Effect.forkChild(
        compact({ base, source, onProgress: (each) => Effect.asVoid(onProgress(each)) })
      )
      let seconds = 0
      while (fiber.pollUnsafe() === undefined) {
        yield* Effect.yieldNow
        yield* TestClock.adjust(1_000)
        seconds++
      }
      const { bytes } = yield* Fiber.join(fiber)
      assert.isAtLeast(seconds, Math.floor((bytes - Throttle.burstBytes - 10_000) / 10_000))
      assert.isAtMost(seconds, Math.ceil(bytes / 10_000) + 1)
      assert.isAbove(told.length, 3)
      assert.deepStrictEqual(
        told,
        told.toSorted((left, right) => left.bytes - right.bytes)
      )
      assert.isAtMost(told.at(-1)!.bytes, bytes)
      for (const [at, { bytes, rowCount }] of told.slice(1).entries()) {
        assert.isAtMost(rowCount - told[at]!.rowCount, 2_000)
        assert.isAtMost(bytes - told[at]!.bytes, 2 * Throttle.burstBytes)
      }
    })
  )

  test(
    "merge and diff wait for the throttle between their steps",
    Effect.gen(function* () {
      const { base, engine, source } = yield* world
      const sides = [{ source: yield* sourceOf(engine, base), syncId: A }, { source }] as const
      const into = yield* openStore(engine, { path: "/into", types: [Resource, Grant, SyncChange.SyncChange] })
      const { diff, merge } = Compactor.make({ bytesPerSecond: 1 })
      let steps = 0
      const onProgress = () =>
        Effect.sync(() => {
          steps++
        })
      const calls = [
        merge({ sources: sides, into, onProgress }),
        diff({ base: sides[0], applied: sides[1], into, onProgress })
      ]
      for (const call of calls) {
        const fiber = yield* Effect.forkChild(call as Effect.Effect<unknown, unknown>)
        for (let before = -1; before < steps; ) {
          before = steps
          yield* Effect.repeat(Effect.yieldNow, { times: 1_000 })
        }
        assert.isUndefined(fiber.pollUnsafe(), "it waits")
        yield* Fiber.interrupt(fiber)
      }
      assert.isAbove(steps, 1)
      assert.deepStrictEqual(yield* into.listSyncs, [])
    })
  )

  test(
    "clone brings a sync into a store that does not have it, and refuses one that does",
    Effect.gen(function* () {
      const { base, clone, engine, other, planClone, source } = yield* world
      const { tags } = yield* refusal(base, clone({ into: base, source }))
      assert.strictEqual(tags, "CompactBaseFailed/SyncExists")
      assert.strictEqual((yield* refusal(base, planClone({ into: base, source }))).tags, tags)
      const into = yield* openStore(engine, { path: "/into" })
      const plan = yield* planClone({ into, source })
      assert.deepStrictEqual(yield* into.listSyncs, [])
      const report = yield* clone({ into, source })
      assert.deepStrictEqual(report.plan, plan)
      assert.isUndefined(report.before)
      assert.strictEqual(yield* digestOf(into, A), yield* digestOf(other, A))
    })
  )

  test(
    "copy brings every sync as it is, over those that are there",
    Effect.gen(function* () {
      const { base, copy, other, planCopy, source } = yield* world
      yield* fill(other, C, grantsOf(0, 800, 1), { isUnfinished: true })
      const beside = yield* digestOf(base, B)
      const plans = yield* planCopy({ into: base, source })
      const told: Array<Compactor.CopyProgress> = []
      const { syncs } = yield* copy({
        into: base,
        source,
        onProgress: (progress) =>
          Effect.sync(() => {
            told.push(progress)
          })
      })
      assert.deepStrictEqual(
        syncs.map(({ run }) => run.sync_id),
        [A, C]
      )
      assert.deepStrictEqual(
        syncs.map(({ plan }) => plan),
        plans
      )
      for (const sync of [A, C]) assert.strictEqual(yield* digestOf(base, sync), yield* digestOf(other, sync))
      assert.strictEqual(yield* digestOf(base, B), beside)
      assert.deepStrictEqual((yield* base.check()).findings, [])
      assert.deepStrictEqual(
        new Set(told.map(({ position, run, syncCount }) => `${position} ${syncCount} ${run.sync_id}`)),
        new Set([`0 2 ${A}`, `1 2 ${C}`])
      )
      assert.deepStrictEqual(
        told,
        told.toSorted((left, right) => left.bytes - right.bytes)
      )
    })
  )

  test(
    "compact shows a snapshot that was taken before it all old, and one taken after it all new",
    Effect.gen(function* () {
      const { base, compact, other, source } = yield* world
      const old = yield* digestOf(base, A)
      const readerOf = Effect.flatMap(base.database.snapshot, (snapshot) =>
        RecordReader.make({ reader: Effect.succeed(snapshot), path: "/base" })
      )
      const scope = yield* Effect.scope
      const before = yield* readerOf
      const during: Array<RecordReader.RecordReader> = []
      yield* compact({
        base,
        source,
        onProgress: () =>
          (during.length > 2 ? Effect.succeed(before) : Scope.provide(readerOf, scope)).pipe(
            Effect.map((reader) => {
              if (reader !== before) during.push(reader)
            }),
            Effect.orDie
          )
      })
      assert.isAbove(during.length, 1)
      for (const reader of [before, ...during]) assert.strictEqual(yield* digestOf(reader, A), old)
      assert.strictEqual(yield* digestOf(yield* readerOf, A), yield* digestOf(other, A))
    })
  )
})
