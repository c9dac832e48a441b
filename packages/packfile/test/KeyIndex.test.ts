import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { Disk, KeyIndex } from "../src/index.ts"
import { FaultEnumerator } from "../src/testing/index.ts"
import { randomNumbers } from "./Fixtures.ts"
import {
  buildSmall,
  hexOf,
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

const both = Effect.fnUntraced(function* (path: string) {
  const resident = yield* KeyIndex.open(path)
  const positioned = yield* KeyIndex.open(path, { residentLimitBytes: 0 })
  assert.isDefined(resident.lookupResident)
  assert.isUndefined(positioned.lookupResident)
  return { resident, positioned }
})

/** Every way to look a key up must say the same. */
const lookUp = Effect.fnUntraced(function* (
  { resident, positioned }: { readonly resident: KeyIndex.KeyIndex; readonly positioned: KeyIndex.KeyIndex },
  key: Uint8Array
) {
  const seq = resident.lookupResident!(key)
  assert.strictEqual(yield* resident.lookup(key), seq)
  assert.strictEqual(yield* positioned.lookup(key), seq)
  return seq
})

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
                if ((yield* lookUp(index, keyFrom(next, 1e6 + stranger))) >= 0) passed++
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

describe("KeyIndex.build and keys that were chosen to collide", () => {
  /** Hashes like `key` with every other seed: only upper bits differ, which the multiplications of the hash do not spread. */
  const twinOf = (key: Uint8Array): Uint8Array => {
    const twin = key.slice()
    for (const at of [4, 8, 12]) twin[at]! ^= 0x80
    twin[13]! ^= 0x01
    return twin
  }

  it.effect("KeyIndex.build finds each of them, and lets others run after each block", () =>
    onDisk(
      Effect.gen(function* () {
        const next = randomNumbers(5)
        const blockCount = 40
        const keys = Array.from({ length: 32 * blockCount }, () => randomKey(next)).flatMap((key) => [key, twinOf(key)])
        const rows = keys.map((key, offset) => ({ key, offset }))
        const order = orderOf(yield* writeRuns([rows]))
        const fiber = yield* Effect.forkChild(buildSmall(order, { blockSize: 64 }), { startImmediately: true })
        let turns = 0
        for (; fiber.pollUnsafe() === undefined; turns++) yield* Effect.yieldNow
        yield* Fiber.join(fiber)
        assert.isAtLeast(turns, blockCount - 1)
        const index = yield* both("/keys.idx")
        assert.isAbove(index.resident.sizeBytes, 19 * rows.length)
        for (const { key, offset } of rows) assert.strictEqual(yield* lookUp(index, key), offset)
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

describe("KeyIndex on golden bytes", () => {
  const golden =
    "4963654b6579497801000000040000000a00000000000000020000000000000014000000000000001500000000000000b414000000000000" +
    "c8140000000000009300000000000000030000000301000000000000000000000931740a1e7c3c4003000200030000b100000009020000a6" +
    "070000820402030001000065090000ba05000047080000a8010000060000570400002802ff152c0fdc7f12fa169e5eb2f38b96d3f3ed8400" +
    "0000006ce17dc7052a4307168e2157c49cafe71f755af600000000ae1a700ff74b19ea9fd768efebd414ebc1db864f00000000eb00000000" +
    "0000001e7c3c40444f4e45"
  const next = randomNumbers(7)
  const rows = Array.from({ length: 10 }, (_, at) => ({ key: randomKey(next), offset: 300 + at }))
  const order = {
    coverage: { window: 2, lo: 20, hi: 21 },
    windowFirstSeq: 5000,
    coverageFirstSeq: 5300,
    coverageLastSeq: 5320
  }

  /** A reader of its own, of the format's pages alone: blocks of four keys, hashed, with payloads of three bytes. */
  const findGolden = (file: Buffer, key: Uint8Array): number => {
    const prefix = Buffer.from(key.subarray(0, 16))
    const table = Number(file.readBigUInt64LE(64))
    const keyCount = Number(file.readBigUInt64LE(16))
    let block = -1
    let start = 96
    for (let at = 0; at < file.readUInt32LE(72); at++) {
      if (prefix.compare(file, table + 24 * at, table + 24 * at + 16) > -1) block = at
    }
    if (block < 0) return -1
    start += 20 * block
    const keys = Math.min(4, keyCount - 4 * block)
    const buckets = Math.ceil(keys / 3)
    const slots = Math.ceil((keys * 100) / 99)
    const seed = Math.imul(file[table + 24 * block + 21]!, 0x9e3779b1)
    const [a, b, c, d] = [0, 4, 8, 12].map((at) => prefix.readInt32BE(at)) as [number, number, number, number]
    const fold = (value: number, bits: number): number => value ^ (value >>> bits)
    let first = fold(Math.imul(a ^ seed, 0x85ebca6b), 16)
    let second = fold(Math.imul((b + seed) | 0, 0xc2b2ae35), 15)
    first = (fold(Math.imul(first ^ c, 0x27d4eb2f), 15) + second) | 0
    second = fold((Math.imul(second ^ d, 0x165667b1) + first) | 0, 16)
    first = fold(Math.imul(first ^ second, 0x9e3779b1), 13)
    second = fold(Math.imul((second + first) | 0, 0x85ebca6b), 16)
    const square = ((first >>> 16) * (first >>> 16)) >>> 0
    const skewed = square - (square >>> 3) + (first >>> 3)
    const pilot = file[start + (((skewed >>> 16) * buckets) >>> 16)]!
    const mask = fold(Math.imul(fold(Math.imul(pilot + 1, 0x9e3779b1), 16), 0x85ebca6b), 13)
    let slot = ((Math.imul(second ^ mask, 0xc2b2ae35) >>> 16) * slots) >>> 16
    if (slot >= keys) slot = file.readUInt16LE(start + buckets + 2 * (slot - keys))
    const entry = start + buckets + 2 * (slots - keys) + 4 * slot
    return file[entry + 3] === (first & 0xff) ? Number(file.readBigUInt64LE(48)) + file.readUIntLE(entry, 3) : -1
  }

  it.effect("KeyIndex.build makes the golden file, and both readers find its keys", () =>
    onDisk(
      Effect.gen(function* () {
        const runs = yield* writeRuns([rows.slice(0, 6), rows.slice(6)])
        yield* buildSmall(orderOf(runs, order), { blockSize: 4 })
        assert.strictEqual(hexOf(yield* readFile("/keys.idx")), golden)
        yield* replaceFile("/golden.idx", Buffer.from(golden, "hex"))
        const index = yield* both("/golden.idx")
        yield* index.resident.verify
        for (const { key, offset } of rows) {
          assert.strictEqual(yield* lookUp(index, key), 5000 + offset)
          assert.strictEqual(findGolden(Buffer.from(golden, "hex"), key), 5000 + offset)
        }
        const other = randomNumbers(8)
        for (let stranger = 0; stranger < 3000; stranger++) {
          const key = randomKey(other)
          assert.strictEqual(findGolden(Buffer.from(golden, "hex"), key), yield* lookUp(index, key))
        }
      })
    )
  )

  it.effect("KeyIndex of one key has the bytes that the format shows", () =>
    onDisk(
      Effect.gen(function* () {
        const runs = yield* writeRuns([[{ key: keyOf(0xaa), offset: 7 }]])
        yield* KeyIndex.build(orderOf(runs, { coverageLastSeq: 9 }))
        const hex = hexOf(yield* readFile("/keys.idx"))
        assert.strictEqual(hex.slice(2 * 96, 2 * 103), "00000007000099")
        assert.strictEqual(hex.slice(2 * 103, 2 * 127), `${"aa".repeat(16)}7cf5244800000000`)
        assert.strictEqual(hex.slice(2 * 127), "8f000000000000000dc0df33444f4e45")
      })
    )
  )
})
