import { assert, describe, it } from "@effect/vitest"
import { Config, Effect, Option } from "effect"
import * as WalkDriver from "./WalkDriver.ts"
import * as WalkPlan from "./WalkPlan.ts"
import type { SubjectName } from "./WalkSubject.ts"
import { describe as describeViolation, parseReplay, replayVariable } from "./WalkViolation.ts"

/** Takes the walks; the first broken promise fails the test, told with as few steps as still break it. */
const takeAll = (subject: SubjectName, walks: ReadonlyArray<WalkPlan.PlannedWalk>): Effect.Effect<void> =>
  Effect.gen(function* () {
    const total = { steps: 0, crashes: 0, restarts: 0, settled: 0, entries: 0 }
    for (const { seed, steps } of walks) {
      const report = yield* WalkDriver.walk({ subject, seed, steps })
      if (Option.isSome(report.violation)) {
        const shrunk = yield* WalkPlan.shrink({ subject, seed, steps }, report.violation.value)
        assert.fail(describeViolation({ subject, seed, steps: shrunk.steps }, shrunk.violation))
      }
      for (const name of ["steps", "crashes", "restarts", "settled", "entries"] as const)
        total[name] += report.counts[name]
    }
    yield* Effect.sync(() => console.log(`walks on ${subject}: ${JSON.stringify(total)}`))
  })

describe("Store", () => {
  for (const subject of ["simulated-sqlite", "simulated-lmdb", "sqlite", "lmdb"] as const)
    it.live(
      `keeps its promises on ${subject} through random walks of appends, ingests, crashes, restarts, retention and old views`,
      () =>
        Effect.gen(function* () {
          const replay = yield* Config.option(Config.NonEmptyString(replayVariable))
          if (Option.isNone(replay)) return yield* takeAll(subject, yield* WalkPlan.planned(subject))
          const walk = parseReplay(replay.value)
          assert.isDefined(walk, `${replayVariable} names no walk`)
          if (walk.subject === subject) yield* takeAll(subject, [walk])
        }),
      600_000
    )
})
