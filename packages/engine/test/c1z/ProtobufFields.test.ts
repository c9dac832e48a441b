import { assert, describe, it } from "@effect/vitest"
import * as ProtobufFields from "../../src/c1z/ProtobufFields.ts"
import { message, read } from "./Protobuf.ts"

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
const fromHex = (text: string) => Uint8Array.from(Buffer.from(text, "hex"))

const faultOf = (body: () => unknown): string => {
  try {
    body()
  } catch (cause) {
    if (cause instanceof ProtobufFields.ProtobufInvalid) return cause.detail
    throw cause
  }
  return "none"
}

// A varint, a double, text, a group with a varint in it, a float.
const sample = fromHex("0801" + "110000000000000840" + "1a03616263" + "23286424" + "350000803f")

describe("ProtobufFields", () => {
  it("parseFields gives every field with its number, type and bytes, groups and fixed numbers included", () => {
    const fields = ProtobufFields.parseFields(sample)
    assert.deepStrictEqual(
      fields.map(({ number, wireType }) => [number, wireType]),
      [
        [1, 0],
        [2, 1],
        [3, 2],
        [4, 3],
        [6, 5]
      ]
    )
    assert.strictEqual(fields.map((field) => hex(ProtobufFields.fieldBytes(field))).join(""), hex(sample))
    assert.strictEqual(ProtobufFields.textOf(fields[2]!), "abc")
    assert.strictEqual(ProtobufFields.smallVarintOf(fields[0]!), 1)
    assert.deepStrictEqual(ProtobufFields.parseFields(new Uint8Array(0)), [])
  })

  it("parseFields refuses every truncation that does not end between two fields", () => {
    const ends = new Set([0, ...ProtobufFields.parseFields(sample).map(({ end }) => end)])
    for (let size = 0; size < sample.length; size++) {
      const fault = faultOf(() => ProtobufFields.parseFields(sample.subarray(0, size)))
      assert.strictEqual(fault === "none", ends.has(size), `${size} bytes: ${fault}`)
    }
  })

  it("parseFields fails with ProtobufInvalid, and with nothing else, whatever bit is flipped", () => {
    for (let bit = 0; bit < sample.length * 8; bit++) {
      const bytes = sample.slice()
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      faultOf(() => ProtobufFields.parseFields(bytes))
    }
  })

  it("parseFields refuses field 0, lengths behind the end, groups without an end and in the hundreds, and varints of 11 bytes", () => {
    for (const bytes of ["0001", "0affffffff0f", "0a80808080808080808080", "0b", "0b14", "0c"]) {
      assert.notStrictEqual(
        faultOf(() => ProtobufFields.parseFields(fromHex(bytes))),
        "none",
        bytes
      )
    }
    const nested = fromHex("0b".repeat(5_000) + "0c".repeat(5_000))
    assert.include(
      faultOf(() => ProtobufFields.parseFields(nested)),
      "maximum recursion depth"
    )
    assert.include(
      faultOf(() => ProtobufFields.parseFields(fromHex(`08${"80".repeat(10)}01`))),
      "a varint of 11 bytes"
    )
  })

  it("parseFields refuses more fields than it makes objects for", () => {
    const bytes = new Uint8Array(2 * (ProtobufFields.maxFieldCount + 1)).fill(8)
    assert.include(
      faultOf(() => ProtobufFields.parseFields(bytes)),
      `more than ${ProtobufFields.maxFieldCount} fields`
    )
    assert.strictEqual(ProtobufFields.parseFields(bytes.subarray(2)).length, ProtobufFields.maxFieldCount)
  })

  it("textOf keeps zeros and byte order marks and refuses what is not UTF-8", () => {
    const textOf = (bytes: Uint8Array) => ProtobufFields.textOf(ProtobufFields.parseFields(message([1, bytes]))[0]!)
    assert.strictEqual(textOf(Buffer.from("\ufeffa\0b")), "\ufeffa\0b")
    for (const bytes of ["ff", "c080", "eda080"]) {
      assert.include(
        faultOf(() => textOf(fromHex(bytes))),
        "not UTF-8"
      )
    }
  })

  it("smallVarintOf gives no number for bytes that say more than it, nor for another type", () => {
    const numberOf = (bytes: string) => ProtobufFields.smallVarintOf(ProtobufFields.parseFields(fromHex(bytes))[0]!)
    assert.deepStrictEqual(["0800", "0801", "08ff01", "08ffffff7f"].map(numberOf), [0, 1, 255, 268_435_455])
    for (const bytes of ["088000", "088100", "08ffffffff01", "0a0101", "0d01000000"]) {
      assert.isUndefined(numberOf(bytes), bytes)
    }
    const booleans = ["0800", "0801", "0802", "088100"].map((bytes) =>
      ProtobufFields.booleanOf(ProtobufFields.parseFields(fromHex(bytes))[0]!)
    )
    assert.deepStrictEqual(booleans, [false, true, undefined, undefined])
  })

  it("makeField and makeTextField write what another reader reads", () => {
    const bytes = ProtobufFields.concatFields([
      ProtobufFields.makeField(300, Uint8Array.of(1, 2)),
      ProtobufFields.makeTextField(1, "ä\0")
    ])
    assert.deepStrictEqual(
      read(bytes).map(({ number, wireType, value }) => [number, wireType, hex(value)]),
      [
        [300, 2, "0102"],
        [1, 2, "c3a400"]
      ]
    )
  })
})
