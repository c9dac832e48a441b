import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { measure, median, quantile } from "../src/Measure.ts"
import { ResidentMemory } from "../src/ResidentMemory.ts"

const memoryOf = (before: number, peaks: ReadonlyArray<number>) => {
  let round = 0
  return ResidentMemory.of({
    reset: Effect.succeed(before),
    peakBytes: Effect.sync(() => peaks[round++ % peaks.length]!)
  })
}

/** Takes the given seconds in turn; the first is the warm-up. */
const takes = (log: Array<string>, name: string, seconds: ReadonlyArray<number>) => {
  let call = 0
  return {
    prepare: Effect.andThen(
      Effect.sync(() => log.push(`prepare ${name}`)),
      TestClock.adjust("1 hour")
    ),
    run: Effect.suspend(() => {
      log.push(name)
      return TestClock.adjust(`${seconds[call++]!} seconds`)
    })
  }
}

describe("Measure", () => {
  it.effect("measure takes the median of the ratios of each pair, without the warm-up and the preparation", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const result = yield* measure(
        { unitsPerRound: 10, subject: takes(log, "s", [99, 2, 4, 60]), reference: takes(log, "r", [99, 1, 1, 20]) },
        { rounds: 3 }
      )
      assert.strictEqual(result.timeRatio, 3)
      assert.strictEqual(result.timeRatioLow, 2)
      assert.strictEqual(result.timeRatioHigh, 4)
      assert.strictEqual(result.subjectSeconds, 4)
      assert.strictEqual(result.referenceSeconds, 1)
    }).pipe(Effect.provideService(ResidentMemory, memoryOf(0, [1])))
  )

  it.effect("measure runs both sides in every round and takes turns at being first", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const ones = [1, 1, 1, 1]
      yield* measure(
        { unitsPerRound: 1, subject: takes(log, "s", ones), reference: takes(log, "r", ones) },
        { rounds: 3 }
      )
      assert.strictEqual(log.filter((each) => !each.startsWith("prepare")).join(""), "srsrrssr")
      assert.strictEqual(log.filter((each) => each === "prepare s").length, 4)
    }).pipe(Effect.provideService(ResidentMemory, memoryOf(0, [1])))
  )

  it.effect("measure reports the highest peak and growth of the subject's rounds", () =>
    Effect.gen(function* () {
      const result = yield* measure({ unitsPerRound: 1, subject: { run: Effect.void } }, { rounds: 3 })
      assert.strictEqual(result.peakBytes, 900)
      assert.strictEqual(result.grownBytes, 800)
      assert.isNull(result.timeRatio)
      assert.isNull(result.referenceSeconds)
    }).pipe(Effect.provideService(ResidentMemory, memoryOf(100, [500, 900, 700])))
  )

  it.effect("measure runs a pair once and without a warm-up when it is to run once", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const result = yield* measure(
        { unitsPerRound: 1, isRunOnce: true, subject: takes(log, "s", [4]), reference: takes(log, "r", [2]) },
        { rounds: 3 }
      )
      assert.strictEqual(log.filter((each) => !each.startsWith("prepare")).join(""), "sr")
      assert.strictEqual(result.rounds, 1)
      assert.strictEqual(result.timeRatio, 2)
    }).pipe(Effect.provideService(ResidentMemory, memoryOf(0, [1])))
  )

  it.effect("measure takes the peak of a subject that has a process of its own from the subject", () =>
    Effect.gen(function* () {
      const subject = { run: Effect.void, peakBytes: Effect.succeed(70) }
      const result = yield* measure({ unitsPerRound: 1, subject }, { rounds: 3 })
      assert.strictEqual(result.peakBytes, 70)
      assert.strictEqual(result.grownBytes, 70)
    }).pipe(Effect.provideService(ResidentMemory, memoryOf(100, [500])))
  )

  it.effect("measure counts what a side says of its run in place of how long it took", () =>
    Effect.gen(function* () {
      const figures = [99, 2, 8, 6]
      let call = 0
      const subject = {
        run: TestClock.adjust("1 hour"),
        seconds: Effect.sync(() => figures[call++]!)
      }
      const reference = { run: TestClock.adjust("1 hour"), seconds: Effect.succeed(2) }
      const result = yield* measure({ unitsPerRound: 1, subject, reference }, { rounds: 3 })
      assert.strictEqual(result.timeRatio, 3)
      assert.strictEqual(result.subjectSeconds, 6)
    }).pipe(Effect.provideService(ResidentMemory, memoryOf(0, [1])))
  )

  it("quantile is the value that so many lie below", () => {
    const values = Array.from({ length: 1_000 }, (_, index) => 999 - index)
    assert.strictEqual(quantile(values, 0.99), 990)
    assert.strictEqual(quantile(values, 0), 0)
    assert.strictEqual(quantile(values, 1), 999)
    assert.strictEqual(quantile([7], 0.99), 7)
  })

  it("median is the middle value, or the mean of the middle two", () => {
    assert.strictEqual(median([5, 1, 3]), 3)
    assert.strictEqual(median([10, 9, 1, 2]), 5.5)
    assert.strictEqual(median([7]), 7)
  })
})
