import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import * as KeyFilter from "../src/kernel/KeyFilter.ts"

const prefix = FastCheck.uint8Array({ minLength: 16, maxLength: 32 })

describe("KeyFilter", () => {
  it("has every key that was added, whatever keys they are", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.array(prefix, { maxLength: 50 }), (keys) => {
        const filter = KeyFilter.make(keys.length)
        for (const key of keys) KeyFilter.add(filter, key)
        for (const key of keys) assert.isTrue(KeyFilter.mayHave(filter, key))
      })
    )
  })

  it("lets few strangers pass, also where keys differ in one byte alone, and none while it is empty", () => {
    const hashed = (at: number): Uint8Array => createHash("sha256").update(`${at}`).digest()
    const counted = (at: number): Uint8Array =>
      Uint8Array.from({ length: 16 }, (_, byte) => (byte === 5 ? at >> 8 : byte === 12 ? at : 0))
    for (const keyAt of [hashed, counted]) {
      const filter = KeyFilter.make(20_000)
      assert.isFalse(KeyFilter.mayHave(filter, keyAt(1)))
      for (let at = 0; at < 20_000; at++) KeyFilter.add(filter, keyAt(at))
      let passed = 0
      for (let at = 20_000; at < 60_000; at++) if (KeyFilter.mayHave(filter, keyAt(at))) passed++
      assert.isBelow(passed, 120)
    }
    assert.isAtMost(KeyFilter.sizeBytesOf(20_000), 40_004)
    assert.isFalse(KeyFilter.mayHave(KeyFilter.make(0), hashed(0)))
  })
})
