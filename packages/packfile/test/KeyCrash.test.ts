import { assert, describe, it } from "@effect/vitest"
import { Crc32c } from "@icecore/codec"
import { Effect, type Layer, Option, Result } from "effect"
import { Disk, KeyIndex, KeyRun } from "../src/index.ts"
import { CrashEnumerator, type CrashWorld, SimulatedDisk, WithoutBarrier } from "../src/testing/index.ts"
import { randomNumbers } from "./Fixtures.ts"
import { buildSmall, orderOf, randomKey, runBytes } from "./Keys.ts"

const directory = "/keys"
const next = randomNumbers(4)
const rows = Array.from({ length: 900 }, (_, at) => ({ key: randomKey(next), offset: at }))
const bytes = runBytes(rows)
const expected = { keyCount: rows.length, checksum: Crc32c.checksum(bytes) }
const runPath = `${directory}/0.bin`
const indexPath = `${directory}/0.idx`

type Step = "run" | "index"

const checkRun = Effect.scoped(Effect.flatMap(KeyRun.open(runPath, expected), (run) => run.verify()))

/** An index that opens and verifies has every key. */
const checkIndex = Effect.scoped(
  Effect.gen(function* () {
    const index = yield* KeyIndex.open(indexPath, { residentLimitBytes: 0 })
    yield* index.verify
    for (const { key, offset } of rows) assert.strictEqual(yield* index.lookup(key), offset)
  })
)

const checks: Readonly<Record<Step, readonly [string, Effect.Effect<unknown, unknown, Disk>]>> = {
  run: [runPath, checkRun],
  index: [indexPath, checkIndex]
}

const syncKeys = Effect.flatMap(Disk, (disk) => disk.syncDirectory(directory))

const scenario = (
  name: string,
  layer: (world: CrashWorld) => Layer.Layer<Disk>,
  states: number
): CrashEnumerator.CrashScenario<Disk, Step> => ({
  name,
  layer,
  states,
  prepare: Effect.gen(function* () {
    const disk = yield* Disk
    yield* disk.makeDirectory(directory)
    yield* disk.syncDirectory("/")
  }),
  scenario: (acknowledge) =>
    Effect.gen(function* () {
      yield* KeyRun.write(runPath, bytes)
      yield* syncKeys
      yield* acknowledge("run")
      const order = orderOf([{ path: runPath, expected }], { path: indexPath })
      yield* buildSmall(order, { blockSize: 300 })
      yield* syncKeys
      yield* acknowledge("index")
    }),
  // Removes what does not verify, as an owner does that will make it again.
  recover: Effect.gen(function* () {
    const disk = yield* Disk
    for (const [path, check] of Object.values(checks)) {
      const isWhole = Result.isSuccess(yield* Effect.result(check))
      if (!isWhole && Option.isSome(yield* disk.stat(path))) yield* disk.unlink(path)
    }
    yield* disk.syncDirectory(directory)
  }),
  check: (acknowledged) =>
    Effect.gen(function* () {
      const disk = yield* Disk
      for (const [step, [path, check]] of Object.entries(checks)) {
        const isThere = Option.isSome(yield* disk.stat(path))
        if (isThere) yield* check
        else assert.isFalse(acknowledged.includes(step as Step), `the ${step} is gone`)
      }
    })
})

describe("KeyRun and KeyIndex under crashes", () => {
  it.effect(
    "KeyRun.write and KeyIndex.build leave files that are whole, absent or refused, and whole once they returned",
    () =>
      Effect.gen(function* () {
        const report = yield* CrashEnumerator.enumerate(scenario("writing keys", SimulatedDisk.layer, 1000))
        console.log(report.summary)
        assert.isAtLeast(report.stateCount, report.wantedCount)
      })
  )

  for (const nth of [0, 1]) {
    it.effect(`${nth === 0 ? "KeyRun.write" : "KeyIndex.build"} breaks its promise without its sync`, () =>
      Effect.gen(function* () {
        const { isRemoved, violation } = yield* WithoutBarrier.enumerate({ kind: "sync", nth }, (layer) =>
          scenario(`without sync ${nth}`, layer, 1000)
        )
        assert.isTrue(isRemoved)
        assert.isDefined(violation)
      })
    )
  }
})
