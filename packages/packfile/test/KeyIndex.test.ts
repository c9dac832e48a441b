import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Disk, KeyIndex } from "../src/index.ts"
import { randomNumbers } from "./Fixtures.ts"
import { both, lookUp } from "./KeyIndexLookups.ts"
import {
  buildSmall,
  type KeyRow,
  keyOf,
  onDisk,
  orderOf,
  randomKey,
  readFile,
  replaceFile,
  runBytes,
  writeRuns
} from "./Keys.ts"

const shapes: Readonly<Record<string, (next: () => number, at: number) => Uint8Array>> = {
  "uniform keys": randomKey,
  "keys with one beginning": (next) => randomKey(next).fill(7, 0, 8),
  "counting keys": (_, at) => {
    const key = new Uint8Array(32)
    new DataView(key.buffer).setUint32(12, at)
    return key
  },
  "keys at both ends": (next) => randomKey(next).fill(next() & 1 ? 0xff : 0, 0, 6)
}

/** Shares rows out to runs at random; some stay empty. */
const share = (rows: ReadonlyArray<KeyRow>, runCount: number, next: () => number): Array<Array<KeyRow>> => {
  const lists = Array.from({ length: runCount }, (): Array<KeyRow> => [])
  for (const row of rows) lists[next() % runCount]!.push(row)
  return lists
}

describe("KeyIndex", () => {
  for (const [shape, keyFrom] of Object.entries(shapes)) {
    it.effect(`KeyIndex finds each of ${shape} with its seq, and few strangers, in blocks and runs of any number`, () =>
      Effect.gen(function* () {
        let strangers = 0
        let passed = 0
        for (const [seed, count] of [1, 2, 3, 7, 60, 299, 4096, 4097, 20_000].entries()) {
          const next = randomNumbers(seed + 100)
          const rows = Array.from({ length: count }, (_, at) => ({ key: keyFrom(next, at), offset: 50 + at }))
          const order = { windowFirstSeq: 1000, coverageFirstSeq: 1050, coverageLastSeq: 1050 + count }
          yield* onDisk(
            Effect.gen(function* () {
              const runs = yield* writeRuns(share(rows, 1 + (next() % 9), next))
              const settings = { blockSize: 1 + (next() % Math.min(count, 4096)), batchRows: 1 + (next() % 500) }
              yield* buildSmall(orderOf(runs, order), { ...settings, pagesSizeBytes: 2000, openFiles: 2 })
              const index = yield* both("/keys.idx")
              yield* index.positioned.verify
              assert.strictEqual(index.resident.header.keyCount, count)
              for (const { key, offset } of rows) assert.strictEqual(yield* lookUp(index, key), 1000 + offset)
              for (let stranger = 0; stranger < 2000; stranger++) {
                strangers++
                if ((yield* lookUp(index, keyFrom(next, 1e6 + strangers))) >= 0) passed++
              }
            })
          )
        }
        assert.isBelow(passed, (strangers / 256) * 1.3)
      })
    )
  }

  it.effect("KeyIndex.build gives the same bytes for the same keys, however they are shared out to runs", () =>
    onDisk(
      Effect.gen(function* () {
        const next = randomNumbers(1)
        const rows = Array.from({ length: 20_000 }, (_, at) => ({ key: randomKey(next), offset: at }))
        const files: Array<Uint8Array> = []
        for (const runCount of [1, 1, 3, 40]) {
          const path = `/${files.length}.idx`
          const runs = yield* writeRuns(share(rows, runCount, next))
          yield* KeyIndex.build(orderOf(runs, { path }))
          for (const run of runs) yield* (yield* Disk).unlink(run.path)
          files.push(yield* readFile(path))
        }
        for (const file of files) assert.isTrue(Buffer.from(file).equals(files[0]!))
        assert.isAtMost(files[0]!.length / rows.length, 4.5)
      })
    )
  )

  it.effect("KeyIndex of no keys, and of no runs, is a valid one that finds nothing", () =>
    onDisk(
      Effect.gen(function* () {
        for (const [at, runs] of [[], yield* writeRuns([[], []])].entries()) {
          const path = `/${at}.idx`
          const built = yield* KeyIndex.build(orderOf(runs, { path }))
          assert.deepInclude(built, { keyCount: 0, duplicateCount: 0 })
          const index = yield* both(path)
          yield* index.resident.verify
          assert.strictEqual(yield* lookUp(index, keyOf(1)), -1)
          assert.strictEqual(index.resident.header.blockCount, 0)
        }
      })
    )
  )

  it.effect("KeyIndex records its coverage, and payloads of four bytes where three do not do", () =>
    onDisk(
      Effect.gen(function* () {
        const rows = [
          { key: keyOf(1), offset: 20 },
          { key: keyOf(2), offset: 20 + 2 ** 24 - 1 },
          { key: keyOf(3), offset: 20 + 2 ** 24 }
        ]
        const at = { windowFirstSeq: 2 ** 40, coverageFirstSeq: 2 ** 40 + 20, coverage: { window: 3, lo: 7, hi: 9 } }
        for (const [count, payloadSizeBytes] of [
          [2, 3],
          [3, 4]
        ] as const) {
          const path = `/${count}.idx`
          const runs = yield* writeRuns([rows.slice(0, count)])
          yield* KeyIndex.build(orderOf(runs, { ...at, path, coverageLastSeq: 2 ** 40 + rows[count - 1]!.offset }))
          yield* (yield* Disk).unlink("/0.bin")
          const index = yield* both(path)
          assert.deepInclude(index.resident.header, { payloadSizeBytes, coverage: at.coverage, keyCount: count })
          for (const { key, offset } of rows.slice(0, count)) {
            assert.strictEqual(yield* lookUp(index, key), 2 ** 40 + offset)
          }
        }
      })
    )
  )

  it.effect("KeyIndex keeps the prefixes of a block for which no seed does", () =>
    onDisk(
      Effect.gen(function* () {
        const next = randomNumbers(9)
        const rows = Array.from({ length: 1000 }, (_, at) => ({ key: randomKey(next), offset: at }))
        const order = orderOf(yield* writeRuns([rows]))
        yield* buildSmall(order, { blockSize: 128, seedCount: 0 })
        const index = yield* both("/keys.idx")
        yield* index.resident.verify
        for (const { key, offset } of rows) assert.strictEqual(yield* lookUp(index, key), offset)
        for (let stranger = 0; stranger < 1000; stranger++) {
          assert.strictEqual(yield* lookUp(index, randomKey(next)), -1)
        }
      })
    )
  )
})

describe("KeyIndex and keys of several entries", () => {
  const repeated = keyOf(0x5a)
  const lists = (next: () => number): Array<Array<KeyRow>> => {
    const others = Array.from({ length: 500 }, (_, at) => ({ key: randomKey(next), offset: 1000 + at }))
    const repeats = [40, 7, 900, 8, 300].map((offset) => ({ key: repeated, offset }))
    return share([...others, ...repeats], 4, next)
  }

  for (const [policy, winner] of [
    ["first", 7],
    ["last", 900]
  ] as const) {
    it.effect(`KeyIndex.build with duplicates "${policy}" keeps seq ${winner} of 7, 8, 40, 300 and 900`, () =>
      Effect.gen(function* () {
        for (let seed = 0; seed < 20; seed++) {
          yield* onDisk(
            Effect.gen(function* () {
              const runs = yield* writeRuns(lists(randomNumbers(seed)))
              const built = yield* buildSmall(orderOf(runs, { duplicates: policy }), {
                blockSize: 1 + seed,
                batchRows: 1 + 3 * seed
              })
              assert.deepInclude(built, { keyCount: 501, duplicateCount: 4 })
              const index = yield* both("/keys.idx")
              assert.strictEqual(yield* lookUp(index, repeated), winner)
              assert.deepInclude(index.resident.header, { duplicates: policy, duplicateCount: 4 })
            })
          )
        }
      })
    )
  }

  it.effect("KeyIndex.build refuses the key, names its two smallest seqs and leaves no file", () =>
    Effect.gen(function* () {
      for (let seed = 0; seed < 20; seed++) {
        yield* onDisk(
          Effect.gen(function* () {
            const runs = yield* writeRuns(lists(randomNumbers(seed)))
            const order = orderOf(runs, { windowFirstSeq: 100, coverageFirstSeq: 100 })
            const error = yield* Effect.flip(buildSmall(order, { blockSize: 1 + seed, batchRows: 1 + 3 * seed }))
            assert.deepInclude(error, {
              _tag: "KeyIndexDuplicateKey",
              key: "5a".repeat(16),
              firstSeq: 107,
              secondSeq: 108
            })
            const names = (yield* (yield* Disk).list("/")).map(({ name }) => name)
            assert.notInclude(names, "keys.idx")
          })
        )
      }
    })
  )

  it.effect("KeyIndex.build takes a run in which one entry has a key twice, as other writers may make it", () =>
    onDisk(
      Effect.gen(function* () {
        const one = runBytes([{ key: repeated, offset: 7 }])
        const twice = new Uint8Array([...one, ...one.subarray(8)])
        twice[0] = 2
        yield* replaceFile("/0.bin", twice)
        const built = yield* KeyIndex.build(orderOf([{ path: "/0.bin" }]))
        assert.deepInclude(built, { keyCount: 1, duplicateCount: 1 })
        assert.strictEqual(yield* lookUp(yield* both("/keys.idx"), repeated), 7)
      })
    )
  )
})
