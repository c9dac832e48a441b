import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import {
  decodeKeyedSeq,
  decodePosition,
  decodeSeq,
  encodeKeyedSeq,
  encodePosition,
  encodeSeq,
  hotKeyspaces,
  keyPrefixOf
} from "../src/format/HotFormat.ts"

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")

const seqs = FastCheck.nat({ max: Number.MAX_SAFE_INTEGER })

describe("HotFormat", () => {
  it("encodeSeq gives the documented bytes", () => {
    assert.strictEqual(hex(encodeSeq(258)), "0000000000000102")
    assert.strictEqual(hex(encodeSeq(0)), "0000000000000000")
    assert.strictEqual(hex(encodeSeq(2 ** 32)), "0000000100000000")
    assert.strictEqual(hex(encodeSeq(Number.MAX_SAFE_INTEGER)), "001fffffffffffff")
  })

  it("encodePosition gives the documented bytes", () => {
    const token = new TextEncoder().encode("{}")
    assert.strictEqual(hex(encodePosition({ seq: 258, token })), "00000000000001027b7d")
  })

  it("decodeSeq inverts encodeSeq, and keys sort as seqs do", () => {
    FastCheck.assert(
      FastCheck.property(seqs, seqs, (left, right) => {
        assert.strictEqual(decodeSeq(encodeSeq(left)), left)
        assert.strictEqual(Math.sign(Buffer.compare(encodeSeq(left), encodeSeq(right))), Math.sign(left - right))
      })
    )
  })

  it("decodeSeq refuses keys of another length and numbers that are not exact", () => {
    for (const bytes of [[], [1], [0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0, 0]])
      assert.strictEqual(decodeSeq(new Uint8Array(bytes)), -1)
    assert.strictEqual(decodeSeq(new Uint8Array([0, 0x20, 0, 0, 0, 0, 0, 0])), -1)
    assert.strictEqual(decodeSeq(new Uint8Array(8).fill(0xff)), -1)
  })

  it("decodeSeq reads a key that lies inside a larger buffer", () => {
    assert.strictEqual(decodeSeq(new Uint8Array([9, 9, 0, 0, 0, 0, 0, 0, 1, 2, 9]).subarray(2, 10)), 258)
  })

  it("decodePosition inverts encodePosition and refuses what is too short", () => {
    FastCheck.assert(
      FastCheck.property(seqs, FastCheck.uint8Array({ maxLength: 40 }), (seq, token) => {
        assert.deepStrictEqual(decodePosition(encodePosition({ seq, token })), { seq, token })
      })
    )
    for (let length = 0; length < 8; length++) assert.isUndefined(decodePosition(new Uint8Array(length)))
    assert.isUndefined(decodePosition(new Uint8Array(12).fill(0xff)))
  })

  it("encodeKeyedSeq and keyPrefixOf give the documented bytes", () => {
    const key = Uint8Array.from({ length: 32 }, (_, index) => index)
    assert.strictEqual(hex(keyPrefixOf(key)), "000102030405060708090a0b0c0d0e0f")
    assert.strictEqual(hex(encodeKeyedSeq(key, 258)), "101112131415161718191a1b1c1d1e1f0000000000000102")
    assert.deepStrictEqual(hotKeyspaces, ["entries", "keys", "source"])
  })

  it("decodeKeyedSeq inverts encodeKeyedSeq and refuses another length and a number that is not exact", () => {
    const keys = FastCheck.uint8Array({ minLength: 32, maxLength: 32 })
    FastCheck.assert(
      FastCheck.property(keys, seqs, (key, seq) => {
        assert.deepStrictEqual(decodeKeyedSeq(encodeKeyedSeq(key, seq)), { rest: key.slice(16), seq })
      })
    )
    for (const length of [0, 16, 23, 25, 32]) assert.isUndefined(decodeKeyedSeq(new Uint8Array(length)))
    assert.isUndefined(decodeKeyedSeq(new Uint8Array(24).fill(0xff)))
  })
})
