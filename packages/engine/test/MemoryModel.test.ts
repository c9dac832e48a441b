import { assert, it } from "@effect/vitest"
import { CrashRecorder, SurvivorChoice } from "@icecore/packfile/testing"
import { Effect } from "effect"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import { type EngineModelReport, engineModel } from "../src/testing/index.ts"

const kindsWithoutCrash = 13

for (const seed of [1, 2, 3]) {
  it.effect(`engineModel agrees with MemoryEngine over 10,000 operations of seed ${seed}`, () =>
    Effect.gen(function* () {
      const report: EngineModelReport = yield* engineModel({ path: "/model", seed, operations: 10_000 })
      assert.strictEqual(Object.keys(report).length, kindsWithoutCrash)
    }).pipe(Effect.provide(MemoryEngine.layer))
  )

  it.effect(`engineModel agrees with MemoryEngine over 10,000 operations of seed ${seed}, crashes included`, () =>
    Effect.gen(function* () {
      const recorder = CrashRecorder.make()
      const crash = (nextInt: (bound: number) => number) =>
        Effect.sync(() =>
          recorder.restore(
            recorder.survive(recorder.capture(), () => SurvivorChoice.survivorRandom("random", nextInt(0x7fff_ffff)))
          )
        )
      const report = yield* engineModel({ path: "/model", seed, operations: 10_000, crash }).pipe(
        Effect.provide(MemoryEngine.layerCrashing(recorder))
      )
      assert.isAbove(report.crash!, 100)
    })
  )
}
