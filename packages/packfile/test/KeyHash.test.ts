import { assert, describe, it } from "@effect/vitest"
import * as KeyHash from "../src/kernel/KeyHash.ts"
import { randomNumbers } from "./Fixtures.ts"

type Words = [number, number, number, number]

const saltFor = (seed: number, start: Words): Int32Array => {
  const salt = new Int32Array(4)
  KeyHash.saltInto(salt, seed, ...start)
  return salt
}

const bases: Readonly<Record<string, (next: () => number, at: number) => Words>> = {
  "uniform keys": (next) => [next(), next(), next(), next()],
  "counting keys": (_, at) => [0, 0, 0, at]
}

describe("KeyHash", () => {
  for (const [name, wordsFrom] of Object.entries(bases)) {
    it(`KeyHash.hashInto flips each bit of its outputs half of the time for each bit of ${name} and each seed`, () => {
      const next = randomNumbers(3)
      const [hash, other] = [new Int32Array(2), new Int32Array(2)]
      const sampleCount = 2048
      for (let bit = 0; bit < 128; bit++) {
        const flips = new Int32Array(64)
        for (let sample = 0; sample < sampleCount; sample++) {
          const words = wordsFrom(next, sample)
          const salt = saltFor(sample & 255, [0, 0, 0, 0])
          KeyHash.hashInto(hash, salt, ...words)
          words[bit >>> 5]! ^= 1 << (bit & 31)
          KeyHash.hashInto(other, salt, ...words)
          for (let output = 0; output < 64; output++) {
            flips[output]! += ((hash[output >>> 5]! ^ other[output >>> 5]!) >>> (output & 31)) & 1
          }
        }
        // Six standard deviations of fair coins.
        for (const count of flips) assert.approximately(count / sampleCount, 0.5, 6 * (0.5 / Math.sqrt(sampleCount)))
      }
    })
  }

  it("KeyHash.hashInto gives what it always gave", () => {
    const hash = new Int32Array(2)
    const next = randomNumbers(4)
    let sum = 0
    for (let seed = 0; seed < 256; seed++) {
      KeyHash.hashInto(hash, saltFor(seed, [next(), next(), next(), next()]), next(), next(), next(), next())
      sum = (Math.imul(sum, 31) + (hash[0]! ^ (hash[1]! >>> 1))) | 0
    }
    assert.strictEqual(sum, -1_459_261_021)
  })
})
