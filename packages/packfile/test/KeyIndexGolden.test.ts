import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { KeyIndex } from "../src/index.ts"
import { randomNumbers } from "./Fixtures.ts"
import { both, lookUp } from "./KeyIndexLookups.ts"
import { buildSmall, hexOf, keyOf, onDisk, orderOf, randomKey, readFile, replaceFile, writeRuns } from "./Keys.ts"

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
