import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Schema } from "effect"
import { Command } from "effect/cli"
import { plotCommand, selectStudies } from "../src/PlotCommand.ts"
import { render } from "../src/plot/Plot.ts"
import { plotOf, StudyReport } from "../src/StudyReport.ts"
import { studies } from "../src/studies/index.ts"

const plot = Command.runWith(plotCommand, { version: "0.0.0" })

describe("PlotCommand", () => {
  it.effect("selectStudies takes those whose name starts with the filter, and names all when there are none", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* selectStudies(""), studies)
      const [first] = studies
      assert.deepStrictEqual(yield* selectStudies(first!.name), [first!])
      const error = yield* Effect.flip(selectStudies("nothing"))
      assert.strictEqual(error.message, `Cannot plot nothing: there are ${studies.map(({ name }) => name).join(", ")}`)
    })
  )

  it.effect("plotCommand draws again what was measured before, and measures nothing", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const out = yield* files.makeTempDirectoryScoped()
      const [study] = studies
      const report: StudyReport = {
        version: 1,
        name: study!.name,
        startedAtMillis: 0,
        machine: { platform: "linux", architecture: "x64", processors: 2, runtime: "Bun 1" },
        isQuick: false,
        rounds: 1,
        load: { low: 0, high: 1 },
        series: [{ name: "compact", points: [{ size: 10, seconds: 1, peakBytes: 2e6, ownPeakBytes: 1e6 }] }]
      }
      yield* files.writeFileString(`${out}/${study!.name}.json`, yield* Schema.encodeEffect(StudyReport)(report))
      yield* plot(["--study", study!.name, "--redraw", "--out", out])
      assert.strictEqual(yield* files.readFileString(`${out}/${study!.name}.svg`), render(plotOf(study!, report)))
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  it.effect("plotCommand runs a study, and leaves what it measured beside the plot", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const out = yield* files.makeTempDirectoryScoped()
      const flags = ["--quick", "--rounds", "1", "--out", out]
      yield* plot(["--study", "compactor-by-sources", "--max-size", "2", ...flags])
      yield* plot(["--study", "compactor-by-size", "--max-size", "1000", ...flags])
      for (const { name, series } of studies) {
        const json = yield* files.readFileString(`${out}/${name}.json`)
        const report = yield* Schema.decodeEffect(StudyReport)(json)
        assert.deepStrictEqual(
          report.series.map((each) => [each.name, each.points.length]),
          series.map((each) => [each.name, 1])
        )
        assert.match(yield* files.readFileString(`${out}/${name}.svg`), /A quick run/)
      }
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )
})
