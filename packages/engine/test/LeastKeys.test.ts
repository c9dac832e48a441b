import { assert, describe, it } from "@effect/vitest"
import { compareBytes } from "../src/internal/Bounds.ts"
import * as LeastKeys from "../src/kernel/LeastKeys.ts"

/** The numbers 0 to `count` − 1 in an order that `seed` makes, as keys of 4 bytes. */
const shuffled = (count: number, seed: number): Array<Uint8Array> => {
  const keys = Array.from({ length: count }, (_, index) => {
    const key = new Uint8Array(4)
    new DataView(key.buffer).setUint32(0, index)
    return key
  })
  let state = seed
  for (let at = count - 1; at > 0; at--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const other = state % (at + 1)
    const moved = keys[at]!
    keys[at] = keys[other]!
    keys[other] = moved
  }
  return keys
}

describe("LeastKeys", () => {
  it("finish gives the least keys in order, whatever the order they came in", () => {
    for (const [count, limit] of [
      [0, 1],
      [1, 1],
      [2, 1],
      [5, 5],
      [6, 5],
      [100, 1],
      [1_000, 7],
      [1_000, 999],
      [1_000, 2_000]
    ] as const) {
      for (let seed = 1; seed <= 5; seed++) {
        const keys = shuffled(count, seed)
        const least = LeastKeys.make<Uint8Array>(limit)
        let most = 0
        for (const key of keys) {
          if (LeastKeys.admits(least, key)) LeastKeys.add(least, key, key)
          most = Math.max(most, least.kept.length)
        }
        const expected = keys.toSorted(compareBytes).slice(0, limit)
        assert.deepStrictEqual(
          LeastKeys.finish(least),
          expected.map((key) => ({ key, item: key }))
        )
        assert.strictEqual(least.wasCut, count > limit, `${count} of ${limit}`)
        assert.isAtMost(most, 2 * limit)
      }
    }
  })
})
