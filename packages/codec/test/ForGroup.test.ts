import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as fc from "fast-check"
import { ForGroup } from "../src/index.ts"
import { fromHex, hasVectors, missingVectors, toHex, vectors } from "./Vectors.ts"

const values = (maxLength: number) =>
  fc
    .tuple(fc.integer({ min: 0, max: 32 }), fc.array(fc.nat(0xffff_ffff), { minLength: 1, maxLength }))
    .map(([width, list]) => Uint32Array.from(list, (value) => (width === 0 ? 7 : value >>> (32 - width))))

const decoded = (bytes: Uint8Array, count: number) => Result.getOrThrow(ForGroup.decodeTail(bytes, count))

const faultOf = (bytes: Uint8Array, count: number): string => {
  const result = ForGroup.decodeTail(bytes, count)
  return Result.isFailure(result) ? result.failure.fault : "none"
}

describe("ForGroup", () => {
  it("ForGroup.encode gives known bytes", () => {
    assert.strictEqual(toHex(ForGroup.encode(Uint32Array.of(120, 95))), "1900055f000000")
    assert.strictEqual(toHex(ForGroup.encode(Uint32Array.of(5, 5, 5))), "000105000000")
    assert.strictEqual(toHex(ForGroup.encode(Uint32Array.of(0, 0xffff_ffff))), "00000000ffffffff2000000000")
  })

  it.skipIf(!hasVectors)(`ForGroup gives and takes the golden bytes${hasVectors ? "" : ` (${missingVectors})`}`, () => {
    for (const { values, hex } of vectors().forGroups) {
      assert.strictEqual(toHex(ForGroup.encode(Uint32Array.from(values))), hex)
      assert.deepStrictEqual([...decoded(fromHex(hex), values.length).values], [...values])
    }
  })

  it("ForGroup.decodeTail gives back what encode took, behind any other bytes", () => {
    fc.assert(
      fc.property(values(300), fc.uint8Array({ maxLength: 9 }), (numbers, before) => {
        const group = ForGroup.encode(numbers)
        const bytes = new Uint8Array([...before, ...group])
        const result = decoded(bytes, numbers.length)
        assert.deepStrictEqual(result.values, numbers)
        assert.strictEqual(result.sizeBytes, group.length)
        assert.isAtMost(group.length, ForGroup.maxSizeBytes(numbers.length))
      })
    )
  })

  it("ForGroup.encodeInto writes its bytes and no others", () => {
    const numbers = Uint32Array.of(9, 120, 95, 9)
    const target = new Uint8Array(20).fill(0xee)
    const written = ForGroup.encodeInto(numbers, 1, 2, target, 3)
    assert.strictEqual(toHex(target.subarray(0, 3 + written + 1)), "eeeeee1900055f000000ee")
  })

  it("ForGroup.decodeTail refuses bad widths, too few bytes, overflow and bad counts", () => {
    assert.strictEqual(faultOf(fromHex("000005000000"), 3), "width")
    assert.strictEqual(faultOf(fromHex("002105000000"), 1), "width")
    assert.strictEqual(faultOf(fromHex("0105000000"), 1), "truncated")
    assert.strictEqual(faultOf(fromHex("000105000000"), 9), "truncated")
    assert.strictEqual(faultOf(fromHex("05000000"), 1), "truncated")
    assert.strictEqual(faultOf(new Uint8Array(0), 1), "truncated")
    assert.strictEqual(faultOf(fromHex("0101ffffffff"), 1), "overflow")
    assert.strictEqual(faultOf(fromHex("000105000000"), 0), "count")
    assert.strictEqual(faultOf(fromHex("000105000000"), 2 ** 32), "count")
  })

  it("ForGroup.decodeTail allocates nothing for a count that the bytes cannot hold", () => {
    assert.strictEqual(faultOf(fromHex("000105000000"), 0xffff_ffff), "truncated")
  })
})
