import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Option, Result, Stream } from "effect"
import * as ByteSource from "../src/ByteSource.ts"
import { Disk } from "../src/Disk.ts"
import * as PackReader from "../src/PackReader.ts"
import * as PackWriter from "../src/PackWriter.ts"
import { CrashRecorder, FaultEnumerator, type FaultyDisk, SimulatedDisk } from "../src/testing/index.ts"

const path = "/1.pack"

const itemsOf = (seed: number): ReadonlyArray<Uint8Array> =>
  Array.from({ length: 40 }, (_, index) => new Uint8Array(100 + index * 20).fill(index + seed))

const write = (seed: number, overwrite: boolean): Effect.Effect<void, unknown, Disk> =>
  Effect.scoped(
    Effect.gen(function* () {
      const writer = yield* PackWriter.make(path, {
        itemsPerRecord: 4,
        contentHash: true,
        concurrency: 2,
        bytesPerSync: 4096,
        overwrite
      })
      yield* writer.appendAll(itemsOf(seed))
      yield* writer.finish()
    })
  )

const readAll: Effect.Effect<ReadonlyArray<Uint8Array>, unknown, Disk> = Effect.scoped(
  Effect.gen(function* () {
    const reader = yield* PackReader.open(yield* ByteSource.fromFile(path))
    yield* reader.verify()
    return yield* Stream.runCollect(reader.range(0, reader.itemCount))
  })
)

const isSame = (actual: ReadonlyArray<Uint8Array>, seed: number): boolean => {
  const items = itemsOf(seed)
  return actual.length === items.length && items.every((item, index) => Buffer.compare(item, actual[index]!) === 0)
}

/** A run fails if and only if a fault hit it, and with the first of its faults. */
const assertFirstWins = (outcome: Exit.Exit<unknown, unknown>, fault: FaultyDisk.InjectedFault | undefined): void => {
  if (Exit.isSuccess(outcome)) {
    assert.isUndefined(fault, `it succeeds in spite of ${fault?.operation}`)
  } else {
    assert.strictEqual(Option.getOrUndefined(Cause.findErrorOption(outcome.cause)), fault?.error)
  }
}

describe("PackWriter under faults", () => {
  it.effect("fails with the first error and leaves nothing behind", () =>
    Effect.gen(function* () {
      const report = yield* FaultEnumerator.enumerateFaults({
        name: "writing a pack",
        scenario: write(1, false),
        check: (outcome, fault) =>
          Effect.gen(function* () {
            assertFirstWins(outcome, fault)
            const disk = yield* Disk
            const names = (yield* disk.list("/")).map((entry) => entry.name)
            // Where the removal itself is made to fail, the file stays.
            if (Exit.isSuccess(outcome)) assert.isTrue(isSame(yield* readAll, 1))
            else if (fault!.count === 1) assert.deepStrictEqual(names, [])
          })
      })
      console.log(report.summary)
      assert.isAtLeast(report.runCount, 30)
    })
  )

  it.effect("keeps the old file whole until the new one is, whatever fails", () =>
    Effect.gen(function* () {
      const report = yield* FaultEnumerator.enumerateFaults({
        name: "overwriting a pack",
        prepare: write(1, false),
        scenario: write(2, true),
        check: (outcome, fault) =>
          Effect.gen(function* () {
            assertFirstWins(outcome, fault)
            const items = yield* readAll
            assert.isTrue(isSame(items, 2) || (Exit.isFailure(outcome) && isSame(items, 1)))
            const disk = yield* Disk
            const names = (yield* disk.list("/")).map((entry) => entry.name)
            if (fault === undefined || fault.count === 1) assert.deepStrictEqual(names, ["1.pack"])
          })
      })
      console.log(report.summary)
      assert.isAtLeast(report.runCount, 30)
    })
  )

  it.effect("stops with DiskFull on a full disk and leaves its space free", () =>
    Effect.gen(function* () {
      for (let capacityBytes = 0; ; capacityBytes += 4096) {
        const { disk } = SimulatedDisk.make(CrashRecorder.make(), { capacityBytes })
        const outcome = yield* Effect.result(Effect.provideService(write(1, false), Disk, disk))
        if (Result.isSuccess(outcome)) {
          assert.isAbove(capacityBytes, 4096)
          assert.isTrue(isSame(yield* Effect.provideService(readAll, Disk, disk), 1))
          return
        }
        assert.propertyVal(outcome.failure, "_tag", "DiskFull")
        assert.deepStrictEqual(yield* disk.list("/"), [])
        assert.strictEqual(yield* disk.freeSpaceBytes("/"), capacityBytes)
      }
    })
  )
})

describe("PackReader under faults", () => {
  it.effect("fails with the first error or returns the right items", () =>
    Effect.gen(function* () {
      const report = yield* FaultEnumerator.enumerateFaults({
        name: "reading a pack",
        prepare: write(1, false),
        scenario: readAll,
        check: (outcome, fault) =>
          Effect.sync(() => {
            assertFirstWins(outcome, fault)
            if (Exit.isSuccess(outcome)) assert.isTrue(isSame(outcome.value, 1))
          })
      })
      console.log(report.summary)
      assert.isAtLeast(report.runCount, 10)
    })
  )
})
