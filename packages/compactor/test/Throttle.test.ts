import { assert, describe, it } from "@effect/vitest"
import type { RecordReader } from "@icecore/engine"
import { Grant } from "@icecore/engine/access"
import { Deferred, Effect, Fiber, Latch, Stream } from "effect"
import { TestClock } from "effect/testing"
import { burstBytes, defaultMaxPauseMillis, make } from "../src/Throttle.ts"
import { idOf } from "./CompactorFixtures.ts"

/** Whether the effect ends within so many milliseconds, and not before. */
const takesMillis = Effect.fnUntraced(function* (effect: Effect.Effect<void>, millis: number) {
  const fiber = yield* Effect.forkChild(effect)
  const settle = Effect.repeat(Effect.yieldNow, { times: 5 })
  yield* settle
  if (millis > 0) {
    yield* TestClock.adjust(millis - 1)
    yield* settle
    assert.isUndefined(fiber.pollUnsafe(), `it ended in less than ${millis} ms`)
    yield* TestClock.adjust(1)
    yield* settle
  }
  assert.isDefined(fiber.pollUnsafe(), `it took more than ${millis} ms`)
  yield* Fiber.join(fiber)
})

/** A reader whose calls end when the gate is opened. */
const gated = (gate: Effect.Effect<void>): RecordReader.RecordReader => {
  const call = () => gate as Effect.Effect<never>
  return {
    path: "/gated",
    types: [Grant],
    get: call,
    getMany: call,
    list: call,
    stream: () => Stream.fromEffect(call()),
    listSyncs: call(),
    getSync: call,
    latestFinishedSync: call,
    stats: call,
    check: call
  }
}

const calls: Record<string, (reader: RecordReader.RecordReader) => Effect.Effect<unknown, unknown>> = {
  get: ({ get }) => get(Grant, { external_id: "g" }),
  getMany: ({ getMany }) => getMany(Grant, []),
  list: ({ list }) => list(Grant),
  stream: ({ stream }) => Stream.runDrain(stream(Grant)),
  listSyncs: ({ listSyncs }) => listSyncs,
  getSync: ({ getSync }) => getSync(idOf(1)),
  latestFinishedSync: ({ latestFinishedSync }) => latestFinishedSync(),
  stats: ({ stats }) => stats(),
  check: ({ check }) => check()
}

describe("Throttle", () => {
  it.effect("pass lets one burst through at once, and what is more at the rate, whoever passes it", () =>
    Effect.gen(function* () {
      const { pass } = make({ bytesPerSecond: burstBytes })
      yield* takesMillis(pass(burstBytes), 0)
      yield* takesMillis(pass(burstBytes / 2), 500)
      yield* takesMillis(pass(burstBytes * 2), 2_000)
      const other = yield* Effect.forkChild(pass(burstBytes))
      yield* takesMillis(pass(burstBytes), 2_000)
      yield* Fiber.join(other)
    })
  )

  it.effect("pass saves up no more than one burst while nothing passes", () =>
    Effect.gen(function* () {
      const { pass } = make({ bytesPerSecond: burstBytes })
      yield* TestClock.adjust(3_600_000)
      yield* takesMillis(pass(burstBytes), 0)
      yield* takesMillis(pass(burstBytes), 1_000)
      yield* TestClock.adjust(250)
      yield* takesMillis(pass(burstBytes), 750)
      yield* TestClock.adjust(3_600_000)
      yield* takesMillis(pass(burstBytes), 0)
      yield* takesMillis(pass(burstBytes), 1_000)
    })
  )

  it.effect("pass can be interrupted while it waits", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(make({ bytesPerSecond: 1 }).pass(burstBytes * 2))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
    })
  )

  it.effect("pass gives other fibers a turn, and none where it is not to pause for readers", () =>
    Effect.gen(function* () {
      let turns = 0
      const count = Effect.sync(() => {
        turns++
      })
      yield* Effect.forkChild(count)
      yield* make({ pauseForReaders: false }).pass(1)
      assert.strictEqual(turns, 0)
      yield* make().pass(1)
      assert.strictEqual(turns, 1)
    })
  )

  for (const [name, call] of Object.entries(calls)) {
    it.effect(`pass waits for a watched ${name} that is in flight`, () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const { pass, watch } = make()
        const reader = watch(gated(Deferred.await(gate)))
        yield* takesMillis(pass(1), 0)
        const reading = yield* Effect.forkChild(call(reader))
        yield* Effect.yieldNow
        const passing = yield* Effect.forkChild(pass(1))
        yield* TestClock.adjust(defaultMaxPauseMillis - 1)
        yield* Effect.repeat(Effect.yieldNow, { times: 5 })
        assert.isUndefined(passing.pollUnsafe())
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(passing)
        yield* Fiber.join(reading)
        yield* takesMillis(pass(1), 0)
      })
    )
  }

  it.effect("pass waits for a call no longer than the pause, and only once", () =>
    Effect.gen(function* () {
      const { pass, watch } = make()
      const reader = watch(gated(Effect.never))
      yield* Effect.forkChild(reader.listSyncs)
      yield* Effect.yieldNow
      yield* takesMillis(pass(1), defaultMaxPauseMillis)
      yield* takesMillis(pass(1), 0)
      yield* Effect.forkChild(reader.listSyncs)
      yield* Effect.yieldNow
      yield* takesMillis(pass(1), defaultMaxPauseMillis)
    })
  )

  it.effect("pass waits until the last of several calls has ended", () =>
    Effect.gen(function* () {
      const { pass, watch } = make()
      const [first, second] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      for (const gate of [first, second]) yield* Effect.forkChild(watch(gated(Deferred.await(gate))).listSyncs)
      const settle = Effect.repeat(Effect.yieldNow, { times: 5 })
      yield* settle
      const passing = yield* Effect.forkChild(pass(1))
      yield* settle
      yield* Deferred.succeed(first, undefined)
      yield* settle
      assert.isUndefined(passing.pollUnsafe())
      yield* Deferred.succeed(second, undefined)
      yield* Fiber.join(passing)
    })
  )

  it.effect("pass forgets a call that was interrupted", () =>
    Effect.gen(function* () {
      const { pass, watch } = make()
      const reading = yield* Effect.forkChild(watch(gated(Effect.never)).listSyncs)
      yield* Effect.yieldNow
      yield* Fiber.interrupt(reading)
      yield* takesMillis(pass(1), 0)
    })
  )

  it.effect("pass does not wait for a stream whose consumer is at work", () =>
    Effect.gen(function* () {
      const gate = yield* Latch.make(false)
      const { pass, watch } = make()
      const reader = watch({ ...gated(Effect.void), stream: () => Stream.make(1, 2) as Stream.Stream<never> })
      const reading = yield* Effect.forkChild(Stream.runForEach(reader.stream(Grant), () => gate.await))
      yield* Effect.repeat(Effect.yieldNow, { times: 5 })
      assert.isUndefined(reading.pollUnsafe())
      yield* takesMillis(pass(1), 0)
      yield* gate.open
      yield* Fiber.join(reading)
    })
  )

  it.effect("pass does not wait for readers where it is not to pause, or not at all", () =>
    Effect.gen(function* () {
      for (const options of [{ pauseForReaders: false }, { maxPauseMillis: 0 }]) {
        const { pass, watch } = make(options)
        yield* Effect.forkChild(watch(gated(Effect.never)).listSyncs)
        yield* Effect.yieldNow
        yield* takesMillis(pass(1), 0)
      }
    })
  )

  it("make throws for options out of bounds", () => {
    for (const options of [{ bytesPerSecond: 0 }, { bytesPerSecond: Number.NaN }, { maxPauseMillis: -1 }])
      assert.throws(() => make(options), /expected/)
    assert.doesNotThrow(() => make({ bytesPerSecond: 0.5, maxPauseMillis: 0 }))
  })
})
