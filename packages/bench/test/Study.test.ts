import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Schema, Stream } from "effect"
import { maxLineLength, maxSeriesCount, render } from "../src/plot/Plot.ts"
import type { Sample, Study } from "../src/Study.ts"
import { plotOf, StudyReport } from "../src/StudyReport.ts"
import * as StudyRun from "../src/StudyRun.ts"
import { studies } from "../src/studies/index.ts"

/** A study whose samples are made up, and in which order they were taken. */
const madeUp = (sampleOf: (series: string, size: number, round: number) => Sample) => {
  const taken: Array<string> = []
  const directories: Array<string> = []
  const names = ["fast", "slow", "reference"]
  const study: Study = {
    name: "made-up",
    title: "Made up",
    notes: ["Nothing is measured."],
    x: { label: "things", steps: "decimal" },
    sizes: [10, 100, 1_000],
    quickSizes: [1, 2],
    series: [{ name: "fast" }, { name: "slow" }, { name: "reference", isReference: true }],
    setup: ({ directory, size }) =>
      Effect.sync(() => {
        directories.push(directory)
        return names.map((name) => {
          let round = 0
          return Effect.sync(() => {
            taken.push(`${size} ${name}`)
            return sampleOf(name, size, round++)
          })
        })
      })
  }
  return { directories, study, taken }
}

const flat: Sample = { seconds: 1, peakBytes: 2e6, ownPeakBytes: 1e6 }

describe("StudyRun", () => {
  it.effect("run takes the median time and the largest peaks of each series and size", () =>
    Effect.gen(function* () {
      const { study } = madeUp((series, size, round) => ({
        seconds: (series === "slow" ? 10 : 1) * size + [5, 0, 1][round]!,
        peakBytes: [30e6, 50e6, 40e6][round]!,
        ownPeakBytes: [3e6, 1e6, 2e6][round]!
      }))
      const reports = yield* Stream.runCollect(StudyRun.run(study, { rounds: 3, isQuick: false }))
      const last = reports.at(-1)!
      assert.deepStrictEqual(last.series[1], {
        name: "slow",
        points: [10, 100, 1_000].map((size) => ({ size, seconds: size * 10 + 1, peakBytes: 50e6, ownPeakBytes: 3e6 }))
      })
      assert.strictEqual(last.series[0]!.points[0]!.seconds, 11)
      assert.isTrue(last.series[2]!.isReference)
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("run lets the series take turns, and leaves out sizes above the largest that was asked for", () =>
    Effect.gen(function* () {
      const { study, taken } = madeUp(() => flat)
      yield* Stream.runDrain(StudyRun.run(study, { rounds: 2, isQuick: false, maxSize: 10 }))
      assert.deepStrictEqual(
        taken,
        ["fast", "slow", "reference", "slow", "reference", "fast"].map((name) => `10 ${name}`)
      )
      const quick = madeUp(() => flat)
      const [report] = yield* Stream.runCollect(StudyRun.run(quick.study, { rounds: 1, isQuick: true }))
      assert.isTrue(report!.isQuick)
      assert.deepStrictEqual(new Set(quick.taken.map((each) => each.split(" ")[0])), new Set(["1", "2"]))
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("run gives what it has after each size, and a failure of the next takes nothing away", () =>
    Effect.gen(function* () {
      const { study } = madeUp(() => flat)
      const setup: Study["setup"] = (options) =>
        options.size === 100 ? Effect.fail(new Error("the disk is full")) : study.setup(options)
      const seen: Array<StudyReport> = []
      const error = yield* Effect.flip(
        Stream.runForEach(StudyRun.run({ ...study, setup }, { rounds: 1, isQuick: false }), (report) =>
          Effect.sync(() => void seen.push(report))
        )
      )
      assert.strictEqual((error as Error).message, "the disk is full")
      assert.deepStrictEqual(
        seen.map(({ series }) => series[0]!.points.map(({ size }) => size)),
        [[10]]
      )
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("run makes each input in a directory of its own, removed before the next", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const { directories, study } = madeUp(() => flat)
      yield* Stream.runForEach(StudyRun.run(study, { rounds: 1, isQuick: false }), () =>
        Effect.gen(function* () {
          assert.isFalse(yield* files.exists(directories.at(-1)!))
        })
      )
      assert.strictEqual(new Set(directories).size, 3)
    }).pipe(Effect.provide(NodeServices.layer))
  )
})

describe("StudyReport", () => {
  it.effect("StudyReport encodes to JSON and back, and plots every series with machine, day and load below", () =>
    Effect.gen(function* () {
      const { study } = madeUp(() => flat)
      const [, , ran] = yield* Stream.runCollect(StudyRun.run(study, { rounds: 1, isQuick: false }))
      const machine = { platform: "linux", architecture: "x64", processors: 2, runtime: "Bun 1" }
      const report = { ...ran!, startedAtMillis: Date.UTC(2026, 10, 21, 22), machine, load: { low: 0.31, high: 2 } }
      assert.deepStrictEqual(
        yield* Schema.decodeEffect(StudyReport)(yield* Schema.encodeEffect(StudyReport)(report)),
        report
      )
      const plot = plotOf(study, report)
      assert.deepStrictEqual(
        plot.series.map(({ name }) => name),
        ["fast", "slow", "reference"]
      )
      assert.deepStrictEqual(plot.series[0]!.points[1], { x: 100, values: [1, 2, 1] })
      assert.deepStrictEqual(plot.caption, [
        "Nothing is measured.",
        "2 processors (linux, x64), Bun 1, 2026-11-21, load 0.3 to 2.0",
        "Median time and largest peak of 1."
      ])
      assert.match(
        plotOf(study, { ...report, isQuick: true }).caption.at(-1)!,
        /A quick run: its figures mean little\.$/
      )
      assert.match(render(plot), /Nothing is measured\./)
    }).pipe(Effect.provide(NodeServices.layer))
  )
})

describe("studies", () => {
  it("studies have names of their own, ascending sizes, no more series and no longer lines than a plot can show", () => {
    assert.strictEqual(new Set(studies.map(({ name }) => name)).size, studies.length)
    for (const { name, notes, quickSizes, series, sizes } of studies) {
      for (const each of [sizes, quickSizes])
        assert.deepStrictEqual(
          [...each],
          each.toSorted((a, b) => a - b)
        )
      assert.isAtMost(series.length, maxSeriesCount, name)
      assert.isAtMost(Math.max(...notes.map(({ length }) => length)), maxLineLength, name)
      assert.strictEqual(new Set(series.map((each) => each.name)).size, series.length)
    }
  })
})
