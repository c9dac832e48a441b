import { assert, describe, it } from "@effect/vitest"
import { Crc32c } from "@icecore/codec"
import { Result } from "effect"
import { Base64Url } from "effect/encoding"
import * as PageToken from "../src/internal/records/reading/PageToken.ts"

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

const listed: PageToken.Listed = {
  typeTag: 4,
  indexTag: 0x81,
  sync: new Uint8Array(20).fill(7),
  isDefaultSync: false,
  prefix: text("owner\0")
}

const refusal = (token: string): string | undefined =>
  Result.match(PageToken.decode(token), {
    onFailure: (detail) => detail,
    onSuccess: (decoded) => PageToken.mismatch(decoded, listed)
  })

/** The token with its bytes changed and its checksum right again. */
const forged = (token: string, change: (bytes: Uint8Array) => void): string => {
  const bytes = new Uint8Array(Result.getOrThrow(Base64Url.decode(token)))
  change(bytes)
  const end = bytes.length - 4
  new DataView(bytes.buffer).setUint32(end, Crc32c.update(0, bytes, 0, end), true)
  return Base64Url.encode(bytes)
}

describe("PageToken", () => {
  // Lengths of key that leave 0, 2 and 4 unused bits in the last character.
  const tokens = ["owner\0a", "owner\0ab", "owner\0abc"].map((key) => PageToken.encode(listed, text(key)))

  it("decode gives what encode was given", () => {
    const decoded = Result.getOrThrow(PageToken.decode(tokens[1]!))
    assert.deepStrictEqual(decoded, {
      typeTag: 4,
      indexTag: 0x81,
      sync: listed.sync,
      isDefaultSync: false,
      prefixLengthBytes: 6,
      lastKey: text("owner\0ab")
    })
    assert.strictEqual(PageToken.mismatch(decoded, listed), undefined)
  })

  it("decode refuses every change of a bit, of a byte or of a character", () => {
    for (const token of tokens) {
      const bytes = Result.getOrThrow(Base64Url.decode(token))
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const changed = bytes.slice()
        changed[bit >> 3]! ^= 1 << (bit & 7)
        assert.isDefined(refusal(Base64Url.encode(changed)), `bit ${bit}`)
      }
      for (let at = 0; at < token.length; at++) {
        for (let bit = 0; bit < 16; bit++) {
          const changed = `${token.slice(0, at)}${String.fromCharCode(token.charCodeAt(at) ^ (1 << bit))}${token.slice(at + 1)}`
          assert.isDefined(refusal(changed), changed)
        }
      }
    }
  })

  it("decode refuses every truncation, appended and padded text, and what is no token", () => {
    for (const token of tokens) {
      for (let length = 0; length < token.length; length++) {
        assert.isDefined(refusal(token.slice(0, length)), `length ${length}`)
        assert.isDefined(refusal(token.slice(length + 1)), `from ${length + 1}`)
      }
      for (const junk of ["A", "AAAA", "=", "==", "\n", " ", "\0"]) {
        assert.isDefined(refusal(token + junk))
        assert.isDefined(refusal(junk + token))
      }
    }
    assert.strictEqual(refusal("A".repeat(1_000_000)), "is too long")
    assert.isDefined(refusal("ÿ".repeat(40)))
  })

  it("decode refuses another version, and a prefix that is longer than the key", () => {
    const token = tokens[0]!
    assert.isUndefined(refusal(forged(token, () => {})))
    assert.strictEqual(refusal(forged(token, (bytes) => bytes.fill(2, 0, 1))), "is of version 2, expected 1")
    assert.strictEqual(refusal(forged(token, (bytes) => bytes.fill(8, 24, 25))), "has a prefix longer than its key")
  })

  it("mismatch refuses a token of another type, index, sync, prefix, or with the sync named the other way", () => {
    const others: ReadonlyArray<readonly [Partial<PageToken.Listed>, string]> = [
      [{ typeTag: 5 }, "is of another record type"],
      [{ indexTag: 0 }, "is of another index"],
      [{ sync: new Uint8Array(20).fill(8) }, "is of another sync"],
      [{ prefix: text("own") }, "is of another prefix"],
      [{ prefix: text("owner\0a") }, "is of another prefix"],
      [{ prefix: text("other\0") }, "is of another prefix"],
      [{ prefix: text("") }, "is of another prefix"],
      [{ isDefaultSync: true }, "is of a listing that named its sync"]
    ]
    const decoded = Result.getOrThrow(PageToken.decode(tokens[2]!))
    for (const [other, detail] of others)
      assert.strictEqual(PageToken.mismatch(decoded, { ...listed, ...other }), detail)
    const ofDefault = Result.getOrThrow(
      PageToken.decode(PageToken.encode({ ...listed, isDefaultSync: true }, text("owner\0a")))
    )
    assert.strictEqual(PageToken.mismatch(ofDefault, listed), "is of a listing that did not name its sync")
  })
})
