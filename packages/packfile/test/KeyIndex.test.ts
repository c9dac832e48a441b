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

/** A key by the words of its prefix. */
const keyOfWords = (words: ReadonlyArray<number>): Uint8Array => {
  const key = new Uint8Array(32)
  const view = new DataView(key.buffer)
  for (const [at, word] of words.entries()) view.setInt32(4 * at, word)
  return key
}

const wordsOf = (key: Uint8Array): ReadonlyArray<number> =>
  [0, 4, 8, 12].map((at) => new DataView(key.buffer).getInt32(at))

/** Builds an index of distinct keys, looks each up, and gives its size. */
const sizeOf = (keys: ReadonlyArray<Uint8Array>, blockSize: number) =>
  onDisk(
    Effect.gen(function* () {
      const rows = keys.map((key, offset) => ({ key, offset }))
      yield* buildSmall(orderOf(yield* writeRuns([rows])), { blockSize })
      const index = yield* both("/keys.idx")
      for (const { key, offset } of rows) assert.strictEqual(yield* lookUp(index, key), offset)
      return index.resident.sizeBytes
    })
  )

describe("KeyIndex.build and keys of a structure", () => {
  const golden = 0x9e37_79b1
  const saltOf = (seed: number) => [1, 2, 3, 4].map((at) => Math.imul(4 * seed + at, golden))
  const top = 0x8000_0000

  /** By the number of the key, and words drawn at random for it. */
  const families: Record<string, (at: number, drawn: ReadonlyArray<number>) => ReadonlyArray<number>> = {
    "counters at the end": (at) => [0, 0, 0, at],
    "counters at the start": (at) => [at, 0, 0, 0],
    "counters in upper bits": (at) => [0, 0, at << 31, at << 18],
    "counters in all words": (at) => [at, at, at, at],
    "decimal numbers": (at) => wordsOf(Buffer.from(`${at}`.padStart(32, "0"))),
    "zeros before chance": (at, [a]) => [0, 0, at, a!],
    "zeros after chance": (at, [a]) => [a!, at, 0, 0],
    "ones before chance": (at, [a]) => [-1, -1, at, a!],
    "one and two bits": (at) => {
      const words = new Int32Array(4)
      for (const bit of [at & 127, (at >>> 7) & 127]) words[bit >>> 5]! ^= 1 << (bit & 31)
      return [...words.subarray(0, 3), words[3]! ^ (at >>> 14)]
    },
    "the salts of seeds": (at) => saltOf(at & 15).map((word, place) => (place === 3 ? word ^ (at >>> 4) : word)),
    "multiples of the multipliers": (at) =>
      [golden, 0x85eb_ca6b, 0xc2b2_ae35, 1].map((multiplier) => Math.imul(at, multiplier))
  }
  /** Keys in pairs with a fixed difference. */
  const differences: ReadonlyArray<ReadonlyArray<number>> = [
    [0, top, top, 0x8001_0000],
    [0, 0, 0, 1],
    [0, 0, 0, top],
    [0, 0x8000_8000, 0, 0],
    [0, top, 0, top],
    [0, 0, 0x8000_8000, 0x8000_8000],
    [top, top, top, top],
    [-1, -1, -1, -1]
  ]
  for (const difference of differences) {
    const name = difference.map((word) => (word >>> 0).toString(16)).join(" ")
    families[`pairs with the difference ${name}`] = (at, drawn) =>
      at & 1 ? drawn.map((word, place) => word ^ difference[place]!) : drawn
  }

  for (const [name, wordsFrom] of Object.entries(families)) {
    it.effect(`KeyIndex.build makes ${name} cost no more than other keys`, () =>
      Effect.gen(function* () {
        const next = randomNumbers(5)
        const keys = new Map<string, Uint8Array>()
        let drawn: ReadonlyArray<number> = []
        for (let at = 0; at < 4096; at++) {
          if (at % 2 === 0) drawn = [next(), next(), next(), next()]
          const key = keyOfWords(wordsFrom(at, drawn))
          keys.set(hexOf(key), key)
        }
        const others = Array.from(keys, () => randomKey(next))
        assert.strictEqual(yield* sizeOf([...keys.values()], 1024), yield* sizeOf(others, 1024))
      })
    )
  }
})

describe("KeyIndex.build and keys that were chosen to collide", () => {
  const blockCount = 16
  const blockSize = 64
  const seedCount = 16

  /** The prefix whose words the hash takes to `[a, b, c, d]` before it folds them: its rounds backwards. */
  const prefixOf = (state: ReadonlyArray<number>, salt: ReadonlyArray<number>): ReadonlyArray<number> => {
    const right = (value: number, bits: number): number => (value >>> bits) | (value << (32 - bits))
    let [a, b, c, d] = state as [number, number, number, number]
    for (let round = 0; round < 5; round++) {
      c = right(c, 16)
      b = right(b ^ c, 7)
      c = (c - b) | 0
      d = right(d ^ a, 13)
      a = (a - d) | 0
      a = right(a, 16)
      d = right(d ^ c, 8)
      c = (c - d) | 0
      b = right(b ^ a, 5)
      a = (a - b) | 0
    }
    return [a, b, c, d].map((word, at) => word ^ salt[at]!)
  }

  /** For each seed two keys with one hash, in the sixteenth of all keys that begins at `start`, if a block begins there. */
  const collisionsOf = (start: ReadonlyArray<number>, next: () => number): Array<Uint8Array> => {
    const keys: Array<Uint8Array> = []
    for (let seed = 0; seed < seedCount; seed++) {
      const salt = start.map((word, at) => word ^ Math.imul(4 * seed + at + 1, 0x9e37_79b1))
      const [first, second] = [next(), next()]
      for (let found = 0; found < 2; ) {
        const [a, c] = [next(), next()]
        const words = prefixOf([a, a ^ first, c, c ^ second], salt)
        if (words[0]! >>> 28 !== start[0]! >>> 28) continue
        keys.push(keyOfWords(words))
        found++
      }
    }
    return keys
  }

  /** Blocks that begin at `starts`, of keys that collide if they begin at `expected`. */
  const keysOf = (
    starts: ReadonlyArray<ReadonlyArray<number>>,
    expected: ReadonlyArray<ReadonlyArray<number>>,
    next: () => number
  ): Array<Uint8Array> =>
    starts.flatMap((start, block) => {
      const collisions = collisionsOf(expected[block]!, next)
      const others = Array.from({ length: blockSize - 1 - collisions.length }, () =>
        keyOfWords([(start[0]! | (next() >>> 4)) + 1, next(), next(), next()])
      )
      return [keyOfWords(start), ...collisions, ...others]
    })

  const starts = Array.from({ length: blockCount }, (_, block) => [block << 28, 0, 0, 0])

  it.effect("KeyIndex.build finds each of them, and lets others run after each block", () =>
    onDisk(
      Effect.gen(function* () {
        const rows = keysOf(starts, starts, randomNumbers(5)).map((key, offset) => ({ key, offset }))
        const order = orderOf(yield* writeRuns([rows]))
        const fiber = yield* Effect.forkChild(buildSmall(order, { blockSize }), { startImmediately: true })
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

  it.effect("KeyIndex.build makes them cost no more than other keys in blocks that begin elsewhere", () =>
    Effect.gen(function* () {
      const next = randomNumbers(6)
      const elsewhere = starts.map(([word]) => [word!, 0, 0, 1])
      const others = Array.from({ length: blockCount * blockSize }, () => randomKey(next))
      assert.strictEqual(yield* sizeOf(keysOf(elsewhere, starts, next), blockSize), yield* sizeOf(others, blockSize))
    })
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
    "c8140000000000009300000000000000030000000301000000000000000000009552e80eb4d3936a0102010007000076000000b60200004e" +
    "030000d803000000090000da08000092050000b601000090010000040000b6060000aa02ff152c0fdc7f12fa169e5eb2f38b9604202b4c00" +
    "0000006ce17dc7052a4307168e2157c49cafe79579d19600000000ae1a700ff74b19ea9fd768efebd414eb882c1e7b00000000eb00000000" +
    "000000b4d3936a444f4e45"
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
    const seed = file[table + 24 * block + 21]!
    const left = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits))
    const fold = (value: number, bits: number): number => value ^ (value >>> bits)
    let [a, b, c, d] = [0, 4, 8, 12].map(
      (at, word) =>
        prefix.readInt32BE(at) ^ file.readInt32BE(table + 24 * block + at) ^ Math.imul(4 * seed + word + 1, 0x9e3779b1)
    ) as [number, number, number, number]
    for (let round = 0; round < 5; round++) {
      a = (a + b) | 0
      b = left(b, 5) ^ a
      a = left(a, 16)
      c = (c + d) | 0
      d = left(d, 8) ^ c
      a = (a + d) | 0
      d = left(d, 13) ^ a
      c = (c + b) | 0
      b = left(b, 7) ^ c
      c = left(c, 16)
    }
    const first = a ^ b
    const second = c ^ d
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
        assert.strictEqual(hex.slice(2 * 96, 2 * 103), "000000070000b6")
        assert.strictEqual(hex.slice(2 * 103, 2 * 127), `${"aa".repeat(16)}86478a3600000000`)
        assert.strictEqual(hex.slice(2 * 127), "8f0000000000000069e6b224444f4e45")
      })
    )
  )
})
