import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { Disk, KeyIndex } from "../src/index.ts"
import { FaultEnumerator } from "../src/testing/index.ts"
import { randomNumbers } from "./Fixtures.ts"
import { both, lookUp } from "./KeyIndexLookups.ts"
import { buildSmall, keyOf, onDisk, orderOf, randomKey, readFile, replaceFile, runBytes, writeRuns } from "./Keys.ts"

describe("KeyIndex.build and damage", () => {
  const rows = Array.from({ length: 9 }, (_, at) => ({ key: keyOf(20 * at + 3), offset: 10 + at }))

  it.effect("KeyIndex.build finds every flipped bit and truncation of a run, and leaves no file", () =>
    onDisk(
      Effect.gen(function* () {
        const runs = yield* writeRuns([rows.slice(0, 5), rows.slice(5)])
        const bytes = yield* readFile("/1.bin")
        const damaged: Array<Uint8Array> = []
        for (let bit = 0; bit < bytes.length * 8; bit++) {
          const flipped = bytes.slice()
          flipped[bit >>> 3]! ^= 1 << (bit & 7)
          damaged.push(flipped)
        }
        for (let size = 0; size < bytes.length; size++) damaged.push(bytes.slice(0, size))
        for (const file of damaged) {
          yield* replaceFile("/1.bin", file)
          const error = yield* Effect.flip(buildSmall(orderOf(runs), { batchRows: 2, openFiles: 1 }))
          // A flipped bit may give two entries one key before the whole run is read.
          assert.oneOf(error._tag, ["KeyRunCorrupt", "KeyIndexDuplicateKey"])
          assert.notInclude(
            (yield* (yield* Disk).list("/")).map(({ name }) => name),
            "keys.idx"
          )
        }
      })
    )
  )

  it.effect("KeyIndex.build names the row of a run that is out of order or outside of the coverage", () =>
    onDisk(
      Effect.gen(function* () {
        const bytes = runBytes(rows)
        const swapped = bytes.slice()
        swapped.set(bytes.subarray(128, 148), 148)
        swapped.set(bytes.subarray(148, 168), 128)
        yield* replaceFile("/0.bin", swapped)
        for (const batchRows of [1, 2, 3, 100]) {
          const order = orderOf([{ path: "/0.bin" }])
          const error = yield* Effect.flip(buildSmall(order, { batchRows, pagesSizeBytes: 60 }))
          assert.deepInclude(error, { _tag: "KeyRunCorrupt", part: "order", offsetBytes: 148 })
        }
        yield* replaceFile("/0.bin", bytes)
        const at = { windowFirstSeq: 100, coverageFirstSeq: 110, coverageLastSeq: 117 }
        const outside = yield* Effect.flip(KeyIndex.build(orderOf([{ path: "/0.bin" }], at)))
        assert.deepInclude(outside, { _tag: "KeyRunCorrupt", part: "offset", offsetBytes: 8 + 8 * 20 + 16 })
        yield* KeyIndex.build(orderOf([{ path: "/0.bin" }], { ...at, coverageLastSeq: 118 }))
      })
    )
  )

  it.effect("KeyIndex.build fails with the first error and leaves nothing behind", () =>
    Effect.gen(function* () {
      const report = yield* FaultEnumerator.enumerateFaults({
        name: "building an index",
        prepare: writeRuns([rows.slice(0, 4), rows.slice(4), []]),
        scenario: buildSmall(orderOf([{ path: "/0.bin" }, { path: "/1.bin" }, { path: "/2.bin" }]), {
          batchRows: 3,
          pagesSizeBytes: 60,
          openFiles: 1,
          blockSize: 4
        }),
        check: (outcome, fault) =>
          Effect.gen(function* () {
            assert.strictEqual(Exit.isSuccess(outcome), fault === undefined)
            const names = (yield* (yield* Disk).list("/")).map(({ name }) => name)
            if (Exit.isSuccess(outcome)) yield* (yield* KeyIndex.open("/keys.idx")).verify
            else if (fault!.count === 1) assert.notInclude(names, "keys.idx")
          })
      })
      console.log(report.summary)
      assert.isAtLeast(report.runCount, 50)
    })
  )

  it.effect("KeyIndex fails with the disk's error or finds the right seq", () =>
    Effect.gen(function* () {
      const report = yield* FaultEnumerator.enumerateFaults({
        name: "reading an index",
        prepare: Effect.flatMap(writeRuns([rows]), (runs) => buildSmall(orderOf(runs), { blockSize: 3 })),
        scenario: Effect.scoped(
          Effect.gen(function* () {
            const index = yield* both("/keys.idx")
            const found: Array<number> = []
            for (const { key } of [...rows, ...rows]) found.push(yield* lookUp(index, key))
            yield* index.positioned.verify
            return found
          })
        ),
        check: (outcome, fault) =>
          Effect.sync(() => {
            assert.strictEqual(Exit.isSuccess(outcome), fault === undefined)
            const seqs = rows.map(({ offset }) => offset)
            if (Exit.isSuccess(outcome)) assert.deepStrictEqual(outcome.value, [...seqs, ...seqs])
          })
      })
      assert.isAtLeast(report.runCount, 30)
    })
  )

  it.effect("KeyIndex.build lets others run, and removes the file when it is interrupted", () =>
    onDisk(
      Effect.gen(function* () {
        const next = randomNumbers(2)
        const many = Array.from({ length: 200_000 }, (_, at) => ({ key: randomKey(next), offset: at }))
        const runs = yield* writeRuns([many])
        const fiber = yield* Effect.forkChild(KeyIndex.build(orderOf(runs)), { startImmediately: true })
        let turns = 0
        while (turns < 3 && fiber.pollUnsafe() === undefined) {
          yield* Effect.yieldNow
          turns++
        }
        assert.strictEqual(turns, 3)
        yield* Fiber.interrupt(fiber)
        assert.isTrue(Exit.isFailure(yield* Fiber.await(fiber)))
        assert.deepStrictEqual(
          (yield* (yield* Disk).list("/")).map(({ name }) => name),
          ["0.bin"]
        )
      })
    )
  )
})

describe("KeyIndex on damaged bytes", () => {
  const next = randomNumbers(77)
  const rows = Array.from({ length: 30 }, (_, at) => ({ key: randomKey(next), offset: at }))
  const strangers = Array.from({ length: 10 }, () => randomKey(next))

  /** What each way of reading says of all keys. */
  const readings = (path: string) => [
    Effect.scoped(
      Effect.flatMap(KeyIndex.open(path), (index) =>
        Effect.sync(() => [...rows.map(({ key }) => key), ...strangers].map((key) => index.lookupResident!(key)))
      )
    ),
    Effect.scoped(
      Effect.flatMap(KeyIndex.open(path, { residentLimitBytes: 0 }), (index) =>
        Effect.forEach([...rows.map(({ key }) => key), ...strangers], (key) => index.lookup(key))
      )
    )
  ]

  for (const [kind, seedCount] of [
    ["hashed", 256],
    ["plain", 0]
  ] as const) {
    it.effect(
      `KeyIndex with ${kind} blocks gives right answers or KeyIndexCorrupt for every flipped bit, truncation and tail`,
      () =>
        onDisk(
          Effect.gen(function* () {
            yield* buildSmall(orderOf(yield* writeRuns([rows])), { blockSize: 12, seedCount })
            const bytes = yield* readFile("/keys.idx")
            const sound = yield* Effect.all(readings("/keys.idx"))
            assert.deepStrictEqual(
              sound[0]!.slice(0, 30),
              rows.map(({ offset }) => offset)
            )
            assert.deepStrictEqual(sound[1], sound[0])
            const damaged: Array<Uint8Array> = []
            for (let bit = 0; bit < bytes.length * 8; bit++) {
              const flipped = bytes.slice()
              flipped[bit >>> 3]! ^= 1 << (bit & 7)
              damaged.push(flipped)
            }
            for (let size = 0; size < bytes.length; size++) damaged.push(bytes.slice(0, size))
            for (const more of [1, 16, 24, 100]) damaged.push(new Uint8Array([...bytes, ...new Uint8Array(more)]))
            for (const [at, file] of damaged.entries()) {
              yield* replaceFile("/keys.idx", file)
              for (const reading of readings("/keys.idx")) {
                assert.strictEqual((yield* Effect.flip(reading))._tag, "KeyIndexCorrupt", `damage ${at}`)
              }
              const verified = Effect.scoped(
                Effect.flatMap(KeyIndex.open("/keys.idx", { residentLimitBytes: 0 }), (index) => index.verify)
              )
              assert.strictEqual((yield* Effect.flip(verified))._tag, "KeyIndexCorrupt", `damage ${at}`)
            }
          })
        )
    )
  }

  it.effect("KeyIndex without its last write, as a crash may leave it, is no index", () =>
    onDisk(
      Effect.gen(function* () {
        yield* buildSmall(orderOf(yield* writeRuns([rows])), { blockSize: 12 })
        const bytes = yield* readFile("/keys.idx")
        for (const [start, end] of [
          [0, 96],
          [96, 150],
          [bytes.length - 40, bytes.length - 16],
          [bytes.length - 16, bytes.length]
        ] as const) {
          yield* replaceFile("/keys.idx", bytes.slice().fill(0, start, end))
          for (const reading of readings("/keys.idx")) {
            assert.strictEqual((yield* Effect.flip(reading))._tag, "KeyIndexCorrupt")
          }
        }
      })
    )
  )
})
