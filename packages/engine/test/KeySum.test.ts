import { assert, describe, it } from "@effect/vitest"
import * as KeySum from "../src/kernel/KeySum.ts"

const sumOf = (keys: ReadonlyArray<string>): KeySum.KeySum => {
  const sum = KeySum.make()
  for (const key of keys) {
    // Not at the start of its buffer, and with bytes behind it.
    const bytes = new TextEncoder().encode(`xyz${key}xyz`)
    KeySum.add(sum, bytes, 3, bytes.length - 3)
  }
  return sum
}

describe("KeySum", () => {
  it("equals holds for the same keys in any order, and where they lie in their buffers does not matter", () => {
    assert.isTrue(KeySum.equals(sumOf(["a", "bcdef", "", "ghij"]), sumOf(["ghij", "", "a", "bcdef"])))
  })

  it("equals does not hold when a key is missing, twice, longer by a zero byte, or other in one bit", () => {
    const keys = Array.from({ length: 50 }, (_, index) => `grant/${index}/${"k".repeat(index % 9)}`)
    const sum = sumOf(keys)
    for (const [at, key] of keys.entries()) {
      assert.isFalse(KeySum.equals(sum, sumOf(keys.toSpliced(at, 1))))
      assert.isFalse(KeySum.equals(sum, sumOf([...keys, key])))
      assert.isFalse(KeySum.equals(sum, sumOf(keys.with(at, `${key}\0`))))
      for (let position = 0; position < key.length; position++) {
        const changed = `${key.slice(0, position)}${String.fromCharCode(key.charCodeAt(position) ^ 1)}${key.slice(position + 1)}`
        assert.isFalse(KeySum.equals(sum, sumOf(keys.with(at, changed))))
      }
    }
  })

  it("equals does not hold when two keys change by the same bits", () => {
    let equal = 0
    for (let left = 0; left < 200; left++) {
      for (let right = 0; right < 200; right++) {
        const before = sumOf([`entitlement/${left}/a`, `entitlement/${right}/b`])
        const after = sumOf([`entitlement/${left}/b`, `entitlement/${right}/a`])
        if (left !== right && KeySum.equals(before, after)) equal++
      }
    }
    assert.strictEqual(equal, 0)
  })
})
