import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { randomNumbers } from "./Fixtures.ts"
import { both, lookUp } from "./KeyIndexLookups.ts"
import { buildSmall, hexOf, onDisk, orderOf, randomKey, writeRuns } from "./Keys.ts"

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
