import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, type Layer, Option, Result } from "effect"
import { Disk } from "../src/Disk.ts"
import { CrashEnumerator, type CrashViolation, SimulatedDisk } from "../src/testing/index.ts"

const withVariables = (variables: Record<string, string>): Layer.Layer<never> =>
  ConfigProvider.layer(ConfigProvider.fromEnv({ env: variables }))

/** Makes three files, one after the other, and acknowledges each. */
const scenario = (options: {
  readonly isSynced: boolean
  readonly states?: number
  readonly recover?: Effect.Effect<unknown, unknown, Disk>
}): CrashEnumerator.CrashScenario<Disk, string> => ({
  name: "making files / it's one",
  layer: SimulatedDisk.layer,
  states: options.states ?? 0,
  scenario: (acknowledge) =>
    Effect.gen(function* () {
      const disk = yield* Disk
      for (const path of ["/a", "/b", "/c"]) {
        const file = yield* disk.open(path, "create")
        yield* file.writeAt(new Uint8Array(10_000).fill(1), 0)
        yield* file.sync
        if (options.isSynced) yield* disk.syncDirectory("/")
        yield* acknowledge(path)
      }
    }),
  recover: options.recover ?? Effect.void,
  check: (acknowledged) =>
    Effect.gen(function* () {
      const disk = yield* Disk
      for (const path of acknowledged) assert.isTrue(Option.isSome(yield* disk.stat(path)), `${path} is gone`)
    })
})

const violationOf = (
  options: Parameters<typeof scenario>[0]
): Effect.Effect<CrashViolation | CrashEnumerator.CrashScenarioFailed> =>
  Effect.orDie(Effect.flip(CrashEnumerator.enumerate(scenario(options))))

describe("CrashEnumerator", () => {
  it.effect("runs at least the wanted number of states, each step with every kind of crash", () =>
    Effect.gen(function* () {
      const report = yield* CrashEnumerator.enumerate(scenario({ isSynced: true, states: 500 }))
      assert.strictEqual(report.stepCount, 12)
      assert.isAtLeast(report.stateCount, 500)
      assert.isAtLeast(report.stateCount + report.duplicateCount, 13 * 14)
      assert.deepStrictEqual(report.incomparable, [])
    }).pipe(Effect.provide(withVariables({})))
  )

  it.effect("takes the number of states from ICECORE_CRASH_STATES", () =>
    Effect.gen(function* () {
      const report = yield* CrashEnumerator.enumerate(scenario({ isSynced: true, states: 50 }))
      assert.strictEqual(report.wantedCount, 700)
      assert.isAtLeast(report.stateCount, 700)
    }).pipe(Effect.provide(withVariables({ ICECORE_CRASH_STATES: "700" })))
  )

  it.effect("is the same twice", () =>
    Effect.gen(function* () {
      const first = yield* CrashEnumerator.enumerate(scenario({ isSynced: true, states: 300 }))
      const second = yield* CrashEnumerator.enumerate(scenario({ isSynced: true, states: 300 }))
      assert.deepStrictEqual(first, second)
    }).pipe(Effect.provide(withVariables({})))
  )

  it.effect("names the state that breaks the promise, and replays only it", () =>
    Effect.gen(function* () {
      const violation = yield* violationOf({ isSynced: false }).pipe(Effect.provide(withVariables({})))
      assert.strictEqual(violation._tag, "CrashViolation")
      assert.match(violation.message, /\/[abc] is gone/)
      assert.match(violation.message, /seed 1, [123] acknowledged/)
      const [, quoted] = /ICECORE_CRASH_REPLAY='(.*)' bun/.exec(violation.message)!
      const replay = quoted!.replaceAll("'\\''", "'")
      assert.match(replay, /^making files \/ it's one\/\d+\.[a-z]+:\d+/)
      const again = yield* violationOf({ isSynced: false }).pipe(
        Effect.provide(withVariables({ ICECORE_CRASH_REPLAY: replay }))
      )
      assert.deepStrictEqual(again.message.split("\n  crash")[1], violation.message.split("\n  crash")[1])
      const sound = yield* CrashEnumerator.enumerate(scenario({ isSynced: true })).pipe(
        Effect.provide(withVariables({ ICECORE_CRASH_REPLAY: "another scenario/1.lost:1" }))
      )
      assert.strictEqual(sound.stateCount, 0)
    })
  )

  it.effect("crashes recovery too, and finds what only a second crash shows", () =>
    Effect.gen(function* () {
      // Rewrites the file in place on every start: gone for good when that is cut short.
      const recover = Effect.gen(function* () {
        const disk = yield* Disk
        if (Option.isNone(yield* disk.stat("/a"))) return
        yield* disk.unlink("/a")
        yield* disk.syncDirectory("/")
        yield* Effect.scoped(disk.open("/a", "create"))
        yield* disk.syncDirectory("/")
      })
      const violation = yield* violationOf({ isSynced: true, recover, states: 500 })
      assert.strictEqual(violation._tag, "CrashViolation")
      if (violation._tag === "CrashViolation") assert.isDefined(violation.second)
    }).pipe(Effect.provide(withVariables({})))
  )

  it.effect("finds a second recovery that changes something", () =>
    Effect.gen(function* () {
      const recover = Effect.gen(function* () {
        const disk = yield* Disk
        const { length } = yield* disk.list("/")
        yield* Effect.scoped(disk.open(`/left-${length}`, "create"))
        yield* disk.syncDirectory("/")
      })
      const violation = yield* violationOf({ isSynced: true, recover })
      assert.include(violation.message, "a second recovery changes what the first one left")
    }).pipe(Effect.provide(withVariables({})))
  )

  it.effect("fails when the scenario fails without a crash", () =>
    Effect.gen(function* () {
      const outcome = yield* Effect.result(
        CrashEnumerator.enumerate({ ...scenario({ isSynced: true }), scenario: () => Effect.fail("no luck") })
      )
      assert.isTrue(Result.isFailure(outcome))
      if (Result.isFailure(outcome)) assert.strictEqual(outcome.failure._tag, "CrashScenarioFailed")
    }).pipe(Effect.provide(withVariables({})))
  )
})
