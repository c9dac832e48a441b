import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Tuple } from "../src/index.ts"
import { fromHex, hasVectors, missingVectors, toHex, vectors } from "./Vectors.ts"

interface Kind<A> {
  readonly values: fc.Arbitrary<A>
  readonly append: (target: Uint8Array, at: number, value: A) => number
  readonly read: (bytes: Uint8Array, at: number, end: number) => A
  readonly compare: (one: A, other: A) => number
}

const byOrder = <A extends number | bigint | boolean>(one: A, other: A): number =>
  one < other ? -1 : one > other ? 1 : 0

const encoder = new TextEncoder()

const kinds: Readonly<Record<string, Kind<never>>> = {
  string: {
    values: fc.oneof(
      fc.string({ unit: "binary", maxLength: 8 }),
      fc.string({ unit: fc.constantFrom("\0", "\x01", "a") })
    ),
    append: Tuple.appendString,
    read: Tuple.readString,
    compare: (one: string, other: string) => Buffer.compare(encoder.encode(one), encoder.encode(other))
  },
  bytes: {
    values: fc.oneof(fc.uint8Array({ maxLength: 8 }), fc.uint8Array({ maxLength: 6, max: 2 })),
    append: Tuple.appendBytes,
    read: Tuple.readBytes,
    compare: Buffer.compare
  },
  boolean: { values: fc.boolean(), append: Tuple.appendBoolean, read: Tuple.readBoolean, compare: byOrder },
  int32: {
    values: fc.oneof(fc.integer(), fc.integer({ min: -300, max: 300 })),
    append: Tuple.appendInt32,
    read: Tuple.readInt32,
    compare: byOrder
  },
  uint32: {
    values: fc.oneof(fc.nat(0xffff_ffff), fc.nat(300)),
    append: Tuple.appendUint32,
    read: Tuple.readUint32,
    compare: byOrder
  },
  int64: {
    values: fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: -300n, max: 300n })),
    append: Tuple.appendInt64,
    read: Tuple.readInt64,
    compare: byOrder
  },
  uint64: {
    values: fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.bigInt({ min: 0n, max: 300n })),
    append: Tuple.appendUint64,
    read: Tuple.readUint64,
    compare: byOrder
  }
} as never

const encoded = <A>(append: Kind<A>["append"], value: A): Uint8Array => {
  const target = new Uint8Array(200)
  return target.slice(0, append(target, 0, value))
}

const tagOf = (body: () => unknown): string => {
  try {
    body()
    return "none"
  } catch (fault) {
    return (fault as { readonly _tag: string })._tag
  }
}

const joined = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const target = new Uint8Array(1_000)
  let at = 0
  parts.forEach((part, index) => {
    if (index > 0) at = Tuple.separator(target, at)
    at = Tuple.appendBytes(target, at, part)
  })
  return target.slice(0, at)
}

const split = (bytes: Uint8Array): Array<Uint8Array> => {
  const parts: Array<Uint8Array> = []
  for (let at = 0; ; ) {
    const end = Tuple.partEnd(bytes, at, bytes.length)
    parts.push(Tuple.readBytes(bytes, at, end))
    if (end === bytes.length) return parts
    at = end + 1
  }
}

describe("Tuple", () => {
  it("Tuple gives known bytes", () => {
    assert.strictEqual(toHex(encoded(Tuple.appendString, "a\0\x01é€😀")), "6101010102c3a9e282acf09f9880")
    assert.strictEqual(toHex(encoded(Tuple.appendBytes, fromHex("000102ff"))), "0101010202ff")
    assert.strictEqual(toHex(encoded(Tuple.appendBoolean, false)), "0101")
    assert.strictEqual(toHex(encoded(Tuple.appendBoolean, true)), "0102")
    assert.strictEqual(toHex(encoded(Tuple.appendInt32, 1)), "80010101010102")
    assert.strictEqual(toHex(encoded(Tuple.appendInt32, -1)), "7fffffff")
    assert.strictEqual(toHex(encoded(Tuple.appendUint32, 0x0203_0405)), "02030405")
    assert.strictEqual(toHex(encoded(Tuple.appendInt64, -1n)), "7fffffffffffffff")
    assert.strictEqual(toHex(encoded(Tuple.appendUint64, 0x0203_0405_0607_0809n)), "0203040506070809")
    assert.strictEqual(toHex(joined([fromHex("61"), new Uint8Array(), fromHex("62")])), "61000062")
  })

  it.skipIf(!hasVectors)(`Tuple gives and takes the golden bytes${hasVectors ? "" : ` (${missingVectors})`}`, () => {
    const { tuples, tupleOrder, int32, int64 } = vectors()
    for (const { partsHex, hex } of [...tuples, ...tupleOrder]) {
      assert.strictEqual(toHex(joined(partsHex.map(fromHex))), hex)
      assert.deepStrictEqual(split(fromHex(hex)).map(toHex), [...partsHex])
    }
    const ordered = tupleOrder.map(({ hex }) => hex)
    assert.deepStrictEqual(
      [...ordered].sort((one, other) => Buffer.compare(fromHex(one), fromHex(other))),
      ordered
    )
    const plain = (bytes: Uint8Array): string => toHex(Tuple.readBytes(bytes, 0, bytes.length))
    for (const { value, hex } of int32) assert.strictEqual(plain(encoded(Tuple.appendInt32, value)), hex)
    for (const { value, hex } of int64) assert.strictEqual(plain(encoded(Tuple.appendInt64, BigInt(value))), hex)
  })

  for (const [name, kind] of Object.entries(kinds)) {
    const separated = (value: never): Uint8Array => Uint8Array.of(...encoded(kind.append, value), Tuple.separatorByte)

    it(`Tuple gives back the ${name} that it took, from between others`, () => {
      fc.assert(
        fc.property(kind.values, (value) => {
          const target = new Uint8Array(200).fill(0xee)
          const at = Tuple.separator(target, Tuple.appendString(target, 3, "x\0"))
          const end = kind.append(target, at, value)
          Tuple.separator(target, end)
          assert.strictEqual(Tuple.partEnd(target, at, target.length), end)
          assert.strictEqual(Tuple.partEnd(target, at, end), end)
          assert.strictEqual(kind.compare(kind.read(target, at, end), value), 0)
          assert.strictEqual(target[end + 1], 0xee)
        }),
        { numRuns: 1_000 }
      )
    })

    it(`Tuple orders parts as the values of ${name}, and no part with its separator is a prefix of another`, () => {
      fc.assert(
        fc.property(kind.values, kind.values, (one, other) => {
          const [left, right] = [separated(one), separated(other)]
          assert.strictEqual(Math.sign(Buffer.compare(left, right)), Math.sign(kind.compare(one, other)))
          const isPrefix = Buffer.compare(left, right.subarray(0, left.length)) === 0
          assert.strictEqual(isPrefix, kind.compare(one, other) === 0)
        }),
        { numRuns: 2_000 }
      )
    })

    it(`Tuple writes ${name} into exactly the bytes it needs, and throws TupleOverflow for one less`, () => {
      fc.assert(
        fc.property(kind.values, (value) => {
          const bytes = encoded(kind.append, value)
          const target = new Uint8Array(bytes.length + 5)
          assert.strictEqual(kind.append(target, 5, value), target.length)
          assert.strictEqual(toHex(target.subarray(5)), toHex(bytes))
          if (bytes.length > 0) {
            assert.strictEqual(
              tagOf(() => kind.append(new Uint8Array(bytes.length + 4), 5, value)),
              "TupleOverflow"
            )
          }
        }),
        { numRuns: 500 }
      )
    })

    it(`Tuple reads any bytes as ${name} or throws TupleCorrupt`, () => {
      fc.assert(
        fc.property(fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ maxLength: 20, max: 3 })), (bytes) => {
          assert.include(
            ["none", "TupleCorrupt"],
            tagOf(() => kind.read(bytes, 0, bytes.length))
          )
        }),
        { numRuns: 2_000 }
      )
    })
  }

  it("Tuple.compareStrings orders strings as their bytes, those beyond the first plane behind all others", () => {
    const units = fc.constantFrom("a", "\u00e9", "\ud7ff", "\ue000", "\uffff", "\u{10000}", "\u{10ffff}")
    const text = fc.oneof(fc.string({ unit: "binary", maxLength: 6 }), fc.string({ unit: units, maxLength: 4 }))
    fc.assert(
      fc.property(text, text, (one, other) => {
        const expected = Buffer.compare(encoder.encode(one), encoder.encode(other))
        assert.strictEqual(Math.sign(Tuple.compareStrings(one, other)), expected)
      })
    )
  })

  it("Tuple orders keys of several parts by their first part that differs", () => {
    const keys = fc.array(fc.uint8Array({ maxLength: 3, max: 3 }), { minLength: 2, maxLength: 2 })
    fc.assert(
      fc.property(keys, keys, (one, other) => {
        const expected = Buffer.compare(one[0]!, other[0]!) || Buffer.compare(one[1]!, other[1]!)
        assert.strictEqual(Math.sign(Buffer.compare(joined(one), joined(other))), expected)
      }),
      { numRuns: 2_000 }
    )
  })

  it("Tuple takes safe integers for 64 bits as it takes bigints", () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        assert.deepStrictEqual(encoded(Tuple.appendInt64, value), encoded(Tuple.appendInt64, BigInt(value)))
        const size = Math.abs(value)
        assert.deepStrictEqual(encoded(Tuple.appendUint64, size), encoded(Tuple.appendUint64, BigInt(size)))
      })
    )
    assert.deepStrictEqual(encoded(Tuple.appendInt64, -0), encoded(Tuple.appendInt64, 0))
  })

  it("Tuple.separator throws TupleOverflow at the end of its buffer", () => {
    assert.strictEqual(Tuple.separator(new Uint8Array(3), 2), 3)
    assert.strictEqual(
      tagOf(() => Tuple.separator(new Uint8Array(3), 3)),
      "TupleOverflow"
    )
  })

  it("Tuple throws TupleValueInvalid for what has no encoding", () => {
    for (const text of ["\ud800", "a\udc00", "\udc00\ud800", "\ud800a"]) {
      assert.strictEqual(
        tagOf(() => encoded(Tuple.appendString, text)),
        "TupleValueInvalid"
      )
    }
    for (const value of [2 ** 31, -(2 ** 31) - 1, 0.5, Number.NaN]) {
      assert.strictEqual(
        tagOf(() => encoded(Tuple.appendInt32, value)),
        "TupleValueInvalid"
      )
    }
    for (const value of [2 ** 32, -1, 0.5]) {
      assert.strictEqual(
        tagOf(() => encoded(Tuple.appendUint32, value)),
        "TupleValueInvalid"
      )
    }
    for (const value of [2n ** 63n, -(2n ** 63n) - 1n, 2 ** 53, 0.5]) {
      assert.strictEqual(
        tagOf(() => encoded(Tuple.appendInt64, value)),
        "TupleValueInvalid"
      )
    }
    for (const value of [2n ** 64n, -1n, -1, 2 ** 53]) {
      assert.strictEqual(
        tagOf(() => encoded(Tuple.appendUint64, value)),
        "TupleValueInvalid"
      )
    }
  })

  it("Tuple throws TupleCorrupt for separators within parts, bad escapes, sizes, booleans and UTF-8", () => {
    const corrupt = (hex: string, read: Kind<unknown>["read"]): void =>
      assert.strictEqual(
        tagOf(() => read(fromHex(hex), 0, hex.length / 2)),
        "TupleCorrupt",
        hex
      )
    for (const hex of ["610062", "01", "0100", "0103", "6101"]) {
      corrupt(hex, Tuple.readBytes)
      corrupt(hex, Tuple.readString)
    }
    assert.strictEqual(
      tagOf(() => Tuple.readBytes(fromHex("610101"), 0, 2)),
      "TupleCorrupt"
    )
    for (const hex of ["ff", "c3", "eda080"]) corrupt(hex, Tuple.readString)
    for (const hex of ["", "02", "01020102"]) corrupt(hex, Tuple.readBoolean)
    for (const hex of ["", "020202", "0202020202", "010101010101", "02020202020202020202"]) {
      corrupt(hex, Tuple.readInt32)
      corrupt(hex, Tuple.readUint32)
      corrupt(hex, Tuple.readInt64)
      corrupt(hex, Tuple.readUint64)
    }
  })
})
