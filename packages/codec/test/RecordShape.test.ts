import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { RecordCodec, RecordShape } from "../src/index.ts"
import { fromHex } from "./Vectors.ts"

const shapeOf = (fields: Schema.Struct.Fields): RecordShape.Struct =>
  Result.getOrThrow(RecordShape.fromSchema(Schema.Struct(fields)))

const fieldShape = (schema: Schema.Top): RecordShape.Field => shapeOf({ value: schema }).fields[0]!

const required = (shape: RecordShape.Shape): RecordShape.Field => ({ name: "value", shape, optional: false })

const optional = (shape: RecordShape.Shape): RecordShape.Field => ({ name: "value", shape, optional: true })

const fault = (result: Result.Result<unknown, RecordShape.RecordShapeUnsupported>): string =>
  Result.getOrThrow(Result.flip(result)).message

const jsonFault = (fields: Schema.Struct.Fields, json: unknown): readonly [string, string] => {
  const { path, actual } = Result.getOrThrow(Result.flip(RecordShape.fromJson(shapeOf(fields), json)))
  return [path, actual]
}

describe("RecordShape", () => {
  it("RecordShape.fromSchema takes the decoded side of every kind, in declared order", () => {
    assert.deepStrictEqual(fieldShape(Schema.String), required({ kind: "string" }))
    assert.deepStrictEqual(fieldShape(Schema.NonEmptyString.pipe(Schema.brand("Id"))), required({ kind: "string" }))
    assert.deepStrictEqual(fieldShape(Schema.Boolean), required({ kind: "boolean" }))
    assert.deepStrictEqual(fieldShape(Schema.Int.check(Schema.isGreaterThan(3))), required({ kind: "int" }))
    assert.deepStrictEqual(fieldShape(Schema.Finite), required({ kind: "number" }))
    assert.deepStrictEqual(fieldShape(Schema.NumberFromString), required({ kind: "number" }))
    assert.deepStrictEqual(fieldShape(Schema.BigInt), required({ kind: "bigint" }))
    assert.deepStrictEqual(fieldShape(Schema.DateFromMillis), required({ kind: "date" }))
    assert.deepStrictEqual(fieldShape(Schema.Uint8Array), required({ kind: "bytes" }))
    assert.deepStrictEqual(fieldShape(Schema.Json), required({ kind: "json" }))
    assert.deepStrictEqual(fieldShape(Schema.Unknown), required({ kind: "json" }))
    assert.deepStrictEqual(fieldShape(Schema.NullOr(Schema.Json)), required({ kind: "json" }))
    assert.deepStrictEqual(fieldShape(Schema.Literals(["b", "a"])), required({ kind: "literal", values: ["b", "a"] }))
    assert.deepStrictEqual(
      fieldShape(Schema.Array(Schema.NullOr(Schema.Int))),
      required({ kind: "array", item: { kind: "nullable", value: { kind: "int" } } })
    )
    assert.deepStrictEqual(
      fieldShape(Schema.Record(Schema.String, Schema.Struct({ value: Schema.Int }))),
      required({ kind: "record", value: { kind: "struct", fields: [required({ kind: "int" })] } })
    )
    assert.deepStrictEqual(fieldShape(Schema.optionalKey(Schema.Date)), optional({ kind: "date" }))
    assert.deepStrictEqual(fieldShape(Schema.optional(Schema.Date)), optional({ kind: "date" }))
    assert.deepStrictEqual(
      fieldShape(Schema.optional(Schema.NullOr(Schema.Literals(["a", "b"])))),
      optional({ kind: "nullable", value: { kind: "literal", values: ["a", "b"] } })
    )
    const names = shapeOf({ z: Schema.Int, a: Schema.Int, m: Schema.Int }).fields.map((field) => field.name)
    assert.deepStrictEqual(names, ["z", "a", "m"])
  })

  it("RecordShape.fromSchema names the path of what it cannot take", () => {
    const failed = (schema: Schema.Top): string =>
      fault(RecordShape.fromSchema(Schema.Struct({ a: Schema.Struct({ b: schema }) })))
    assert.include(failed(Schema.Tuple([Schema.String])), "a.b is a tuple")
    assert.include(failed(Schema.Array(Schema.Symbol)), "a.b[] is a schema of Symbol")
    assert.include(failed(Schema.Union([Schema.String, Schema.Int])), "a.b is another")
    assert.include(failed(Schema.Literal(5)), "a.b is the literal 5")
    assert.include(failed(Schema.DateTimeUtc), "a.b is a declaration")
    assert.include(failed(Schema.Record(Schema.Number, Schema.Int)), "a.b is an object with other index signatures")
    assert.include(failed(Schema.Null), "a.b is")
    assert.include(fault(RecordShape.fromSchema(Schema.String)), "the whole is of kind string")
  })

  it("RecordShape.check refuses names, literals, kinds and depths that records cannot have", () => {
    const of = (shape: RecordShape.Shape, name = "value"): string =>
      fault(RecordShape.check({ kind: "struct", fields: [{ name, shape, optional: false }] }))
    const int: RecordShape.Shape = { kind: "int" }
    for (const name of ["", "__proto__", "$unknownTail", "\ud800"]) assert.include(of(int, name), "a field named")
    assert.include(of({ kind: "struct", fields: [required(int), optional(int)] }), "value.value is a field named")
    for (const values of [[], ["a", "a"], ["\ud800"]]) assert.include(of({ kind: "literal", values }), "value is [")
    assert.include(of({ kind: "set" } as unknown as RecordShape.Shape), "of kind set")
    let deep: RecordShape.Shape = int
    for (let depth = 2; depth < RecordShape.maxDepth; depth++) deep = { kind: "array", item: deep }
    assert.isTrue(Result.isSuccess(RecordShape.check({ kind: "struct", fields: [required(deep)] })))
    assert.include(of({ kind: "array", item: deep }), "is deeper, expected at most 64")
    const many = Array.from({ length: RecordShape.maxFieldCount + 1 }, (_, index) => ({
      ...required(int),
      name: `f${index}`
    }))
    assert.include(fault(RecordShape.check({ kind: "struct", fields: many })), "one of 1001")
  })

  it("RecordShape.toJsonSchema gives JSON Schema with the order of fields", () => {
    const shape = shapeOf({
      id: Schema.String,
      data: Schema.optionalKey(Schema.Uint8Array),
      at: Schema.NullOr(Schema.Date)
    })
    assert.deepStrictEqual(RecordShape.toJsonSchema(shape), {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      type: "object",
      properties: {
        id: { type: "string" },
        data: { type: "string", contentEncoding: "base64" },
        at: { anyOf: [{ type: "string", format: "date-time" }, { type: "null" }] }
      },
      required: ["id", "at"],
      "x-icecore-order": ["id", "data", "at"]
    })
  })

  it("RecordShape.fromJsonSchema refuses what is not a record's JSON Schema, and says where", () => {
    const whole = RecordShape.toJsonSchema(shapeOf({ id: Schema.String }))
    const refused = (changes: object): string => fault(RecordShape.fromJsonSchema({ ...whole, ...changes }))
    assert.include(refused({ "x-icecore-order": ["id", "other"] }), "x-icecore-order")
    assert.include(refused({ "x-icecore-order": ["other"] }), "x-icecore-order")
    assert.include(refused({ "x-icecore-order": [] }), "x-icecore-order")
    assert.include(refused({ "x-icecore-order": ["id", "id"] }), "x-icecore-order")
    assert.include(refused({ "x-icecore-order": undefined }), "without")
    assert.include(refused({ required: ["other"] }), "required")
    assert.include(refused({ properties: { id: { type: "null" } } }), 'id is of type "null"')
    assert.include(refused({ properties: { id: { "x-icecore-kind": "later" } } }), 'id is of kind "later"')
    assert.include(refused({ properties: { id: { type: "string", enum: [1] } } }), "id is [1]")
    assert.include(refused({ properties: { id: 5 } }), "id is 5")
    for (const schema of [null, 5, "x", [], { type: "string" }]) {
      assert.isTrue(Result.isFailure(RecordShape.fromJsonSchema(schema)))
    }
    let deep: unknown = { type: "integer" }
    for (let depth = 0; depth < 100_000; depth++) deep = { type: "array", items: deep }
    assert.include(refused({ properties: { id: deep } }), "deeper")
  })

  it("RecordShape.toJson writes bytes, bigints, dates and floats as texts", () => {
    const shape = shapeOf({
      bytes: Schema.Uint8Array,
      bigint: Schema.BigInt,
      date: Schema.Date,
      number: Schema.Number,
      absent: Schema.optionalKey(Schema.Int)
    })
    const record = { bytes: fromHex("0001ff"), bigint: -(2n ** 63n), date: new Date(1), number: -Infinity }
    const json = {
      bytes: "AAH/",
      bigint: "-9223372036854775808",
      date: "1970-01-01T00:00:00.001Z",
      number: "-Infinity"
    }
    assert.deepStrictEqual(Result.getOrThrow(RecordShape.toJson(shape, record)), json)
    assert.deepStrictEqual(Result.getOrThrow(RecordShape.fromJson(shape, json)), record)
    assert.isTrue(Result.isFailure(RecordShape.toJson(shape, { ...record, number: "x" })))
  })

  it("RecordShape.fromJson names the path of what is wrong, missing or unknown", () => {
    const inner = {
      list: Schema.Array(Schema.Struct({ at: Schema.Date, data: Schema.optionalKey(Schema.Uint8Array) }))
    }
    const at = "2026-02-28T12:00:00Z"
    assert.deepStrictEqual(jsonFault(inner, { list: [{ at }, {}] }), ["list[1].at", "undefined"])
    for (const text of ["2026-02-30T00:00:00Z", "2026-02-28", "yesterday", "2026-02-28T12:00:00"]) {
      assert.deepStrictEqual(jsonFault(inner, { list: [{ at: text }] }), ["list[0].at", `string "${text}"`])
    }
    for (const data of ["AAH", "AA==\n", "AB==", "-_8="]) {
      assert.strictEqual(jsonFault(inner, { list: [{ at, data }] })[0], "list[0].data", data)
    }
    assert.deepStrictEqual(jsonFault(inner, { list: [], other: 1 }), ["other", "number 1"])
    assert.deepStrictEqual(jsonFault({ big: Schema.BigInt }, { big: "9223372036854775808" })[0], "big")
    assert.deepStrictEqual(jsonFault({ big: Schema.BigInt }, { big: 5 }), ["big", "number 5"])
    assert.deepStrictEqual(jsonFault(inner, []), ["", "an array"])
  })

  it("RecordShape carries unknown fields through JSON", () => {
    const codec = RecordCodec.make(shapeOf({ id: Schema.String }))
    const whole = fromHex("0993a161c3c40100")
    const json = Result.getOrThrow(RecordShape.toJson(codec.shape, codec.decodeUnsafe(whole)))
    assert.deepStrictEqual(json, { id: "a", $unknownTail: { version: 9, count: 2, bytes: "w8QBAA==" } })
    const again = Result.getOrThrow(RecordShape.fromJson(codec.shape, JSON.parse(JSON.stringify(json))))
    assert.deepStrictEqual(codec.encodeUnsafe(again), whole)
    const bad = RecordShape.fromJson(codec.shape, {
      id: "a",
      $unknownTail: { version: 9, count: 3, bytes: "w8QBAA==" }
    })
    assert.isTrue(Result.isFailure(bad))
  })
})
