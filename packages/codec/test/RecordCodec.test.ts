import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { RecordCodec, type RecordShape } from "../src/index.ts"
import { MessagePackWriter } from "../src/kernel/MessagePackWriter.ts"
import { type Grant, grant, grantShape } from "./RecordGenerators.ts"
import { fromHex, toHex } from "./Vectors.ts"

const field = (name: string, shape: RecordShape.Shape, optional = false): RecordShape.Field => ({
  name,
  shape,
  optional
})

const structOf = (...fields: ReadonlyArray<RecordShape.Field>): RecordShape.Struct => ({ kind: "struct", fields })

const scalar = (kind: RecordShape.Scalar["kind"]): RecordShape.Struct => structOf(field("value", { kind }))

const both = <A = Record<string, unknown>>(
  shape: RecordShape.Struct,
  version = 1
): ReadonlyArray<RecordCodec.RecordCodec<A>> => [
  RecordCodec.compiled<A>(shape, { version })!,
  RecordCodec.interpreted<A>(shape, { version })
]

/** The path and what was found, of a record that is refused. */
const refusal = (shape: RecordShape.Struct, record: object): ReadonlyArray<string> => {
  const [one, other] = both(shape).map((codec) => Result.flip(codec.encode(record as Record<string, unknown>)))
  const fault = Result.getOrThrow(one!)
  assert.deepStrictEqual(Result.getOrThrow(other!), fault)
  return [fault.path, fault.actual]
}

/** The path and detail of bytes that are refused. */
const damage = (shape: RecordShape.Struct, hex: string): ReadonlyArray<string> => {
  const [one, other] = both(shape).map((codec) => Result.flip(codec.decode(fromHex(hex))))
  const fault = Result.getOrThrow(one!)
  assert.deepStrictEqual(Result.getOrThrow(other!), fault)
  return [fault.path, fault.detail]
}

const nested = (depth: number): unknown => {
  let value: unknown = 1
  for (let index = 0; index < depth; index++) value = index % 2 === 0 ? [value] : { a: value }
  return value
}

describe("RecordCodec", () => {
  it("RecordCodec gives and takes known bytes", () => {
    const noted = structOf(
      field("id", { kind: "string" }),
      field("count", { kind: "int" }, true),
      field("note", { kind: "nullable", value: { kind: "string" } })
    )
    const known: ReadonlyArray<readonly [RecordShape.Struct, object, string]> = [
      [noted, { id: "ab", note: null }, "0193a26162c0c0"],
      [noted, { id: "", count: -33, note: "é" }, "0193a0d0dfa2c3a9"],
      [scalar("bytes"), { value: Uint8Array.of(0, 255) }, "0191c40200ff"],
      [scalar("boolean"), { value: true }, "0191c3"],
      [scalar("int"), { value: 1_763_740_000_000_000 }, "0191cb43191072e0b46000"],
      [scalar("int"), { value: 4_294_967_295 }, "0191ceffffffff"],
      [scalar("bigint"), { value: -2n }, "0191d3fffffffffffffffe"],
      [scalar("number"), { value: 0.5 }, "0191cb3fe0000000000000"],
      [scalar("number"), { value: Number.NaN }, "0191cb7ff8000000000000"],
      [scalar("date"), { value: new Date(258) }, "0191cd0102"],
      [scalar("json"), { value: { b: [null, false], a: 1 } }, "019182a16101a16292c0c2"],
      [structOf(field("value", { kind: "json" }, true)), { value: null }, "019191c0"],
      [structOf(field("value", { kind: "json" }, true)), {}, "0190"],
      [structOf(field("on", { kind: "literal", values: ["a", "b"] })), { on: "b" }, "0191a162"],
      [
        structOf(field("map", { kind: "record", value: scalar("int") })),
        { map: { "😀": { value: 1 }, "\uffff": { value: 2 } } },
        "019182a3efbfbf9102a4f09f98809101"
      ]
    ]
    for (const [shape, record, hex] of known) {
      for (const codec of both(shape)) {
        assert.strictEqual(toHex(codec.encodeUnsafe(record as Record<string, unknown>)), hex)
        assert.deepStrictEqual(codec.decodeUnsafe(fromHex(hex)), record as Record<string, unknown>)
      }
    }
  })

  it("RecordCodec of a grant gives known bytes, whatever the order of properties and keys", () => {
    const hex =
      "0199b967726f75703a656e673a6d656d6265723a757365723a616461b067726f75703a656e673a6d656d626572a475736572a361646181" +
      "b067726f75703a616c6c3a6d656d62657291c39291b067726f75703a616c6c3a6d656d626572c2c39192a66f726967696ec4030001ff" +
      "cb43191072e0b46000"
    const reversed = Object.fromEntries(Object.entries(grant).reverse()) as unknown as Grant
    for (const codec of both<Grant>(grantShape)) {
      assert.strictEqual(toHex(codec.encodeUnsafe(grant)), hex)
      assert.strictEqual(toHex(codec.encodeUnsafe(reversed)), hex)
      assert.deepStrictEqual(codec.decodeUnsafe(fromHex(hex)), grant)
    }
  })

  it("RecordCodec.fromSchema types the record by the schema", () => {
    const User = Schema.Struct({ id: Schema.String, seen: Schema.optionalKey(Schema.Date) })
    const codec = Result.getOrThrow(RecordCodec.fromSchema(User, { version: 3 }))
    const user: typeof User.Type = codec.decodeUnsafe(codec.encodeUnsafe({ id: "ada", seen: new Date(5) }))
    assert.deepStrictEqual(user, { id: "ada", seen: new Date(5) })
    assert.strictEqual(codec.implementation, "compiled")
    assert.strictEqual(codec.version, 3)
    const failed = RecordCodec.fromSchema(Schema.Struct({ id: Schema.Symbol }))
    assert.isTrue(Result.isFailure(failed) && failed.failure.path === "id")
  })

  it("RecordCodec.encode names the path of a value that is not of the shape, and what is there", () => {
    const wrong = (changes: object): object => ({ ...grant, ...changes })
    assert.deepStrictEqual(refusal(grantShape, wrong({ external_id: 5 })), ["external_id", "number 5"])
    assert.deepStrictEqual(refusal(grantShape, wrong({ external_id: undefined })), ["external_id", "undefined"])
    assert.deepStrictEqual(refusal(grantShape, wrong({ external_id: "a\ud800" })), [
      "external_id",
      'string "a\\ud800" with a lone surrogate'
    ])
    assert.deepStrictEqual(refusal(grantShape, wrong({ discovered_at: 2 ** 53 })), [
      "discovered_at",
      "number 9007199254740992"
    ])
    assert.deepStrictEqual(refusal(grantShape, wrong({ sources: { "a b": { is_direct: 1 } } })), [
      'sources["a b"].is_direct',
      "number 1"
    ])
    assert.deepStrictEqual(refusal(grantShape, wrong({ annotations: [grant.annotations[0], null] })), [
      "annotations[1]",
      "null"
    ])
    assert.deepStrictEqual(refusal(grantShape, wrong({ sources: new Map() })), ["sources", "an object"])
    assert.deepStrictEqual(refusal(scalar("date"), { value: new Date(Number.NaN) }), ["value", "an invalid date"])
    assert.deepStrictEqual(refusal(scalar("bigint"), { value: 2n ** 63n }), ["value", "bigint 9223372036854775808"])
    assert.deepStrictEqual(refusal(scalar("json"), { value: { a: [undefined] } }), ["value.a[0]", "undefined"])
    assert.deepStrictEqual(refusal(scalar("json"), { value: Number.NaN }), ["value", "number NaN"])
    assert.deepStrictEqual(refusal(scalar("json"), { value: new Date(0) }), ["value", "a date"])
  })

  it("RecordCodec.encode refuses JSON that is deeper than 64 or contains itself", () => {
    const codec = RecordCodec.make(scalar("json"))
    const deep = { value: nested(64) }
    assert.deepStrictEqual(codec.decodeUnsafe(codec.encodeUnsafe(deep)), deep)
    assert.strictEqual(refusal(scalar("json"), { value: nested(65) })[0]?.split(/[.[]/).length, 65)
    const circle: Array<unknown> = []
    circle.push(circle, circle)
    assert.deepStrictEqual(refusal(scalar("json"), { value: circle }), ["value[0]", "an array"])
  })

  it("MessagePackWriter writes JSON of the full depth after JSON that it refused", () => {
    const writer = new MessagePackWriter()
    writer.startOwn()
    assert.throws(() => writer.json([[undefined]]))
    writer.json(nested(64))
  })

  it("RecordCodec.decode names the path of what is not of the shape", () => {
    assert.deepStrictEqual(damage(scalar("string"), ""), ["", "the bytes end at byte 0"])
    assert.deepStrictEqual(damage(scalar("string"), "0091a161"), ["", "found schema version 0 at byte 1"])
    assert.deepStrictEqual(damage(scalar("string"), "ce8000000091a161"), [
      "",
      "found schema version 2147483648 at byte 5"
    ])
    assert.deepStrictEqual(damage(scalar("string"), "0190"), ["value", "found no value for a required field at byte 2"])
    assert.deepStrictEqual(damage(scalar("string"), "0191c0"), ["value", "found nil, expected a string, at byte 2"])
    assert.deepStrictEqual(damage(scalar("string"), "0191a16100"), ["", "found more bytes behind the record at byte 4"])
    assert.deepStrictEqual(damage(scalar("string"), "0191a26162".slice(0, 8)), [
      "value",
      "expected 2 bytes or more, found 1, at byte 3"
    ])
    assert.deepStrictEqual(damage(scalar("string"), "0191a1ff"), [
      "value",
      "found a string that is not UTF-8 at byte 4"
    ])
    assert.strictEqual(damage(scalar("date"), "0191cb433f23456789abcd")[0], "value")
  })

  it("RecordCodec.decode refuses every value that is not in its one form", () => {
    const other: ReadonlyArray<readonly [RecordShape.Struct, string]> = [
      [scalar("string"), "0191d90161"],
      [scalar("string"), "0191da000161"],
      [scalar("bytes"), "0191c5000100"],
      [scalar("int"), "0191cc05"],
      [scalar("int"), "0191cd00ff"],
      [scalar("int"), "0191d0ff"],
      [scalar("int"), "0191cb3ff0000000000000"],
      [scalar("int"), "cc0191cc80"],
      [scalar("int"), "0191cb3ff8000000000000"],
      [scalar("int"), "0191cb4340000000000000"],
      [scalar("json"), "0191cb7ff0000000000000"],
      [scalar("number"), "0191ca3f000000"],
      [scalar("number"), "0191cb7ff8000000000001"],
      [scalar("number"), "0191cb8000000000000000"],
      [scalar("bigint"), "019105"],
      [scalar("json"), "019182a16201a16101"],
      [scalar("json"), "019182a16101a16101"],
      [scalar("string"), "01dc0001a161"],
      [structOf(field("value", { kind: "int" }, true)), "0191c0"],
      [structOf(field("value", { kind: "json" }, true), field("next", { kind: "int" })), "0192920506"],
      [scalar("int"), "019205c0"]
    ]
    for (const [shape, hex] of other) assert.isString(damage(shape, hex)[1], hex)
  })

  it("RecordCodec.decode refuses counts and sizes that the bytes cannot hold, before making room for them", () => {
    const list = structOf(field("value", { kind: "array", item: { kind: "int" } }))
    const map = structOf(field("value", { kind: "record", value: { kind: "int" } }))
    const before = process.memoryUsage().arrayBuffers
    for (let round = 0; round < 100; round++) {
      for (const shape of [list, scalar("json")]) {
        assert.strictEqual(damage(shape, "0191ddffffffff")[1], "expected 4294967295 bytes or more, found 0, at byte 7")
      }
      assert.strictEqual(damage(map, "0191dfffffffff")[1], "expected 8589934590 bytes or more, found 0, at byte 7")
      damage(scalar("string"), "0191dbffffffff")
      damage(scalar("bytes"), "0191c6ffffffff")
      damage(scalar("int"), "01ddffffffff01")
    }
    assert.isBelow(process.memoryUsage().arrayBuffers - before, 64 * 1024 * 1024)
  })

  it("RecordCodec.decode refuses JSON and unknown fields that are nested too deeply", () => {
    const array = "91"
    assert.strictEqual(damage(scalar("json"), `0191${array.repeat(100_000)}01`)[0], "value")
    assert.include(damage(scalar("int"), `019201${array.repeat(129)}01`)[1], "nested")
    for (const codec of both(scalar("int"))) codec.decodeUnsafe(fromHex(`019201${array.repeat(128)}01`))
  })

  it("RecordCodec keeps unknown fields of the record and of structs within, and the version they came with", () => {
    const older = structOf(field("inner", scalar("int")))
    const hex = "059292050690"
    for (const codec of both(older, 2)) {
      const bytes = fromHex(hex)
      const record = codec.decodeUnsafe(bytes)
      bytes.fill(0)
      assert.strictEqual(toHex(codec.encodeUnsafe({ ...record })), hex)
      const { inner } = record as { readonly inner: { readonly value: number } }
      assert.strictEqual(toHex(codec.encodeUnsafe({ ...record, inner: { ...inner, value: 9 } })), "059292090690")
      assert.strictEqual(toHex(codec.encodeUnsafe({ inner: { value: 9 } })), "02919109")
    }
  })

  it("RecordCodec refuses unknown fields that no decoder has read", () => {
    const tails: ReadonlyArray<unknown> = [
      5,
      { version: 1, count: 1, bytes: new Uint8Array() },
      { version: 1, count: 1, bytes: fromHex("c0") },
      { version: 1, count: 1, bytes: fromHex("0101") },
      { version: 1, count: -1, bytes: new Uint8Array() },
      { version: -1, count: 0, bytes: new Uint8Array() },
      { version: 1, count: 0, bytes: "" }
    ]
    for (const tail of tails) refusal(scalar("int"), { value: 1, [RecordCodec.unknownTail]: tail })
  })

  it("RecordCodec takes undefined for absent, and no inherited property for a field", () => {
    const shape = structOf(field("constructor", { kind: "string" }, true), field("toString", { kind: "int" }, true))
    for (const codec of both(shape)) {
      assert.strictEqual(toHex(codec.encodeUnsafe({})), "0190")
      assert.strictEqual(toHex(codec.encodeUnsafe({ constructor: undefined, toString: 1 })), "0192c001")
    }
  })

  it("RecordCodec writes a record whose getter writes another with the same codec", () => {
    for (const codec of both(structOf(field("a", { kind: "string" }), field("b", { kind: "bytes" })))) {
      const inner = { a: "inner", b: Uint8Array.of(1) }
      const outer = {
        a: "outer",
        get b() {
          return codec.encodeUnsafe(inner)
        }
      }
      assert.deepStrictEqual(codec.decodeUnsafe(codec.encodeUnsafe(outer)), {
        a: "outer",
        b: codec.encodeUnsafe(inner)
      })
    }
  })

  it("RecordCodec gives a buffer of the caller's own, also after a record of several megabytes", () => {
    for (const codec of both(scalar("bytes"))) {
      const large = codec.encodeUnsafe({ value: new Uint8Array(3_000_000).fill(7) })
      const small = codec.encodeUnsafe({ value: Uint8Array.of(1) })
      codec.encodeUnsafe({ value: Uint8Array.of(2) })
      assert.strictEqual(toHex(small), "0191c40101")
      assert.strictEqual((codec.decodeUnsafe(large).value as Uint8Array).length, 3_000_000)
      assert.isAtMost(small.buffer.byteLength, 64)
    }
  })

  it("RecordCodec.make falls back to the interpreter where the runtime refuses code from text", () => {
    const original = globalThis.Function
    globalThis.Function = function Refused() {
      throw new EvalError("refused")
    } as unknown as typeof Function
    try {
      assert.strictEqual(RecordCodec.make(grantShape).implementation, "interpreted")
      assert.isUndefined(RecordCodec.compiled(grantShape))
    } finally {
      globalThis.Function = original
    }
  })

  it("RecordCodec.make throws for shapes and versions that cannot be", () => {
    const twice = structOf(field("a", { kind: "int" }), field("a", { kind: "int" }))
    assert.throws(() => RecordCodec.make(twice), "Cannot make record shape: a is a field named")
    for (const version of [0, 1.5, 2 ** 31]) assert.throws(() => RecordCodec.make(grantShape, { version }), "version")
  })
})
