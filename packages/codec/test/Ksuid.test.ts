import { assert, describe, it } from "@effect/vitest"
import { Effect, Random, Result } from "effect"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import { Ksuid } from "../src/index.ts"
import { fromHex, hasVectors, missingVectors, toHex, vectors } from "./Vectors.ts"

const ids = fc.uint8Array({ minLength: 20, maxLength: 20 })

const ofBytes = (bytes: Uint8Array): Ksuid.Ksuid => Result.getOrThrow(Ksuid.fromBytes(bytes))

describe("Ksuid", () => {
  it("Ksuid gives known texts and times", () => {
    const id = ofBytes(fromHex("0669f7efb5a1cd34b5f99d1154fb6853345c9735"))
    assert.strictEqual(id, "0ujtsYcgvSTl8PAuAdqWYSMnLOv")
    assert.strictEqual(Ksuid.secondsOf(id), 1_507_608_047)
    assert.strictEqual(ofBytes(new Uint8Array(20)), "000000000000000000000000000")
    assert.strictEqual(ofBytes(new Uint8Array(20).fill(0xff)), "aWgEPTl1tmebfsQzFP4bxwgy80V")
  })

  it.skipIf(!hasVectors)(`Ksuid gives and takes the golden texts${hasVectors ? "" : ` (${missingVectors})`}`, () => {
    for (const { hex, text, unixSeconds } of vectors().ksuids) {
      const id = Result.getOrThrow(Ksuid.parse(text))
      assert.strictEqual(ofBytes(fromHex(hex)), text)
      assert.strictEqual(toHex(Ksuid.toBytes(id)), hex)
      assert.strictEqual(Ksuid.secondsOf(id), unixSeconds)
    }
  })

  it("Ksuid.toBytes gives back the bytes, and texts order as bytes do", () => {
    fc.assert(
      fc.property(ids, ids, fc.nat(20), (one, other, shared) => {
        other.set(one.subarray(0, shared))
        const [left, right] = [ofBytes(one), ofBytes(other)]
        assert.strictEqual(toHex(Ksuid.toBytes(left)), toHex(one))
        assert.strictEqual(Ksuid.order(left, right), Buffer.compare(one, other))
        assert.strictEqual(Result.getOrThrow(Ksuid.parse(left)), left)
      })
    )
  })

  it("Ksuid.fromBytes takes 20 bytes from anywhere and refuses fewer", () => {
    const bytes = fromHex(`eeee${"11".repeat(20)}ee`)
    assert.strictEqual(Result.getOrThrow(Ksuid.fromBytes(bytes, 2)), ofBytes(new Uint8Array(20).fill(0x11)))
    assert.isTrue(Result.isFailure(Ksuid.fromBytes(bytes, 4)))
  })

  it("Ksuid.parse refuses other lengths, other characters and more than 20 bytes", () => {
    const bad = [
      "",
      "0".repeat(26),
      "0".repeat(28),
      `${"0".repeat(26)}-`,
      `${"0".repeat(26)}é`,
      "aWgEPTl1tmebfsQzFP4bxwgy80W"
    ]
    for (const text of bad) {
      const result = Ksuid.parse(text)
      assert.isTrue(Result.isFailure(result) && result.failure._tag === "KsuidInvalid", text)
    }
  })

  it.effect("Ksuid.make takes the second of Clock and 16 bytes of Random", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_507_608_047_999)
      const one = yield* Random.withSeed(Ksuid.make, "seed")
      const again = yield* Random.withSeed(Ksuid.make, "seed")
      const other = yield* Random.withSeed(Ksuid.make, "other")
      assert.strictEqual(Ksuid.secondsOf(one), 1_507_608_047)
      assert.strictEqual(one, again)
      assert.notStrictEqual(one, other)
      assert.isAbove(new Set(Ksuid.toBytes(one).subarray(4)).size, 8)
    })
  )

  it.effect("Ksuid.make takes times that it cannot hold for the nearest that it can", () =>
    Effect.gen(function* () {
      assert.strictEqual(Ksuid.secondsOf(yield* Ksuid.make), Ksuid.epochSeconds)
      yield* TestClock.setTime(9e15)
      assert.strictEqual(Ksuid.secondsOf(yield* Ksuid.make), Ksuid.epochSeconds + 0xffff_ffff)
    })
  )
})
