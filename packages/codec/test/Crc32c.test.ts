import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Crc32c } from "../src/index.ts"
import { fromHex, hasVectors, missingVectors, vectors } from "./Vectors.ts"

/** The definition, a bit at a time. */
const bitwise = (bytes: Uint8Array): number => {
  let state = 0xffff_ffff
  for (const byte of bytes) {
    state ^= byte
    for (let bit = 0; bit < 8; bit++) state = (state >>> 1) ^ (state & 1 ? 0x82f6_3b78 : 0)
  }
  return ~state >>> 0
}

describe("Crc32c", () => {
  it("Crc32c.checksum gives the check values of RFC 3720", () => {
    assert.strictEqual(Crc32c.checksum(new TextEncoder().encode("123456789")), 0xe306_9283)
    assert.strictEqual(Crc32c.checksum(new Uint8Array(32)), 0x8a91_36aa)
    assert.strictEqual(Crc32c.checksum(new Uint8Array(32).fill(0xff)), 0x62a8_ab43)
    assert.strictEqual(Crc32c.checksum(new Uint8Array(0)), 0)
  })

  it.skipIf(!hasVectors)(`Crc32c.checksum gives the golden numbers${hasVectors ? "" : ` (${missingVectors})`}`, () => {
    for (const { bytesHex, crc32c } of vectors().crc32c) assert.strictEqual(Crc32c.checksum(fromHex(bytesHex)), crc32c)
  })

  it("Crc32c.checksum is what the definition says", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => Crc32c.checksum(bytes) === bitwise(bytes)),
      { numRuns: 500 }
    )
  })

  it("Crc32c.update continues over any split, and takes a part of its bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), fc.nat(100), (bytes, one, other) => {
        const start = Math.min(one, other, bytes.length)
        const end = Math.min(Math.max(one, other), bytes.length)
        const whole = Crc32c.update(Crc32c.update(Crc32c.update(0, bytes, 0, start), bytes, start, end), bytes, end)
        assert.strictEqual(whole, bitwise(bytes))
        assert.strictEqual(Crc32c.update(0, bytes, start, end), bitwise(bytes.subarray(start, end)))
      })
    )
  })
})
