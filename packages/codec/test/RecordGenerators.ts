/** Shapes and records of them, at random, and the shape of a grant as an identity store has it. */
import { Result, Schema } from "effect"
import * as fc from "fast-check"
import { RecordShape } from "../src/index.ts"

/** Text with what breaks codecs: NUL, a byte order mark, two to four bytes a character, lengths around every head. */
export const texts: fc.Arbitrary<string> = fc.oneof(
  { arbitrary: fc.string({ unit: "binary", maxLength: 12 }), weight: 10 },
  {
    arbitrary: fc.string({
      unit: fc.constantFrom("\0", "\x01", "a", "é", "€", "😀", "\ufeff", "\uffff"),
      maxLength: 8
    }),
    weight: 10
  },
  { arbitrary: fc.constantFrom(15, 31, 32, 95, 96, 97, 255, 256).map((length) => "x".repeat(length)), weight: 4 },
  { arbitrary: fc.constantFrom(10, 16, 86, 128).map((length) => `\ufeff${"é€".repeat(length)}`), weight: 4 },
  { arbitrary: fc.constantFrom("x".repeat(65_535), "y".repeat(65_536), "é€".repeat(22_000)), weight: 1 }
)

const keys = fc.oneof(
  fc.string({ unit: "binary", maxLength: 6 }),
  fc.constantFrom("__proto__", "constructor", "0", "10", "\uffff", "😀", "", "$unknownTail")
)

const names = fc.oneof(
  fc.string({ unit: fc.constantFrom(..."abc_0"), minLength: 1, maxLength: 4 }),
  fc.constantFrom(
    "constructor",
    "toString",
    "hasOwnProperty",
    "7",
    "a b",
    "é",
    '"',
    "\\",
    "\u2028",
    "record",
    "w",
    "no"
  )
)

const ints = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer({ min: -40_000, max: 70_000 }),
  fc
    .constantFrom(
      0,
      0x1f,
      0x20,
      0x7f,
      0x80,
      0xff,
      0x7fff,
      0x8000,
      0xffff,
      0x7fff_ffff,
      0x8000_0000,
      0xffff_ffff,
      2 ** 53 - 2
    )
    .chain((edge) => fc.constantFrom(edge, edge + 1, -edge, -edge - 1))
)

const floats = fc.oneof(fc.double(), fc.constantFrom(-0, Number.NaN, Infinity, -Infinity, 2 ** 60, 0.1), ints)

/** Without −0, which JSON texts keep and records do not. */
export const json: fc.Arbitrary<unknown> = fc.letrec<{ readonly value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom(null, true, false, 0.5, 2 ** 40),
    texts,
    ints,
    fc.array(tie("value"), { maxLength: 20 }),
    fc.dictionary(keys, tie("value"), { maxKeys: 20, noNullPrototype: true })
  )
})).value

const scalars: Readonly<Record<RecordShape.Scalar["kind"], fc.Arbitrary<unknown>>> = {
  string: texts,
  bytes: fc.oneof(
    { arbitrary: fc.uint8Array({ maxLength: 40 }), weight: 10 },
    { arbitrary: fc.constantFrom(255, 256, 65_535, 65_536).map((size) => new Uint8Array(size)), weight: 1 }
  ),
  boolean: fc.boolean(),
  int: ints,
  bigint: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  number: floats,
  date: fc.date({ noInvalidDate: true }),
  json
}

export const shapes: fc.Arbitrary<RecordShape.Struct> = fc.letrec<{
  readonly shape: RecordShape.Shape
  readonly struct: RecordShape.Struct
}>((tie) => ({
  shape: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom(...(Object.keys(scalars) as Array<RecordShape.Scalar["kind"]>)).map((kind) => ({ kind })),
    fc
      .uniqueArray(fc.string({ unit: "grapheme", maxLength: 4 }), { minLength: 1, maxLength: 4 })
      .map((values): RecordShape.Shape => ({ kind: "literal", values })),
    tie("shape").map((item): RecordShape.Shape => ({ kind: "array", item })),
    tie("shape").map((value): RecordShape.Shape => ({ kind: "record", value })),
    tie("shape").map((value): RecordShape.Shape => ({ kind: "nullable", value })),
    tie("struct")
  ),
  struct: fc
    .uniqueArray(fc.record({ name: names, shape: tie("shape"), optional: fc.boolean() }), {
      maxLength: 6,
      selector: (field) => field.name
    })
    .map((fields): RecordShape.Struct => ({ kind: "struct", fields }))
})).struct

const valuesOf = (shape: RecordShape.Shape): fc.Arbitrary<unknown> => {
  switch (shape.kind) {
    case "literal":
      return fc.constantFrom(...shape.values)
    case "array":
      return fc.array(valuesOf(shape.item), { maxLength: 18 })
    case "record":
      return fc.dictionary(keys, valuesOf(shape.value), { maxKeys: 18, noNullPrototype: true })
    case "nullable":
      return fc.option(valuesOf(shape.value))
    case "struct":
      return recordsOf(shape)
    default:
      return scalars[shape.kind]
  }
}

export const recordsOf = (shape: RecordShape.Struct): fc.Arbitrary<Record<string, unknown>> =>
  fc
    .tuple(
      ...shape.fields.map(({ shape: inner, optional }) =>
        optional ? fc.option(valuesOf(inner), { nil: absent }) : valuesOf(inner)
      )
    )
    .map((values) =>
      Object.fromEntries(
        shape.fields.map(({ name }, index) => [name, values[index]]).filter(([, value]) => value !== absent)
      )
    )

const absent = Symbol("absent")

/** A shape and a record of it. */
export const shapedRecords: fc.Arbitrary<readonly [RecordShape.Struct, Record<string, unknown>]> = shapes.chain(
  (shape) => recordsOf(shape).map((record) => [shape, record] as const)
)

export interface Grant {
  readonly external_id: string
  readonly entitlement_id: string
  readonly principal_resource_type_id: string
  readonly principal_resource_id: string
  readonly sources: Readonly<Record<string, { readonly is_direct: boolean }>>
  readonly expansion?: { readonly entitlement_ids: ReadonlyArray<string>; readonly shallow: boolean }
  readonly needs_expansion: boolean
  readonly annotations: ReadonlyArray<{ readonly type: string; readonly value: Uint8Array }>
  readonly discovered_at: number
}

const GrantSchema: Schema.Codec<Grant> = Schema.Struct({
  external_id: Schema.String,
  entitlement_id: Schema.String,
  principal_resource_type_id: Schema.String,
  principal_resource_id: Schema.String,
  sources: Schema.Record(Schema.String, Schema.Struct({ is_direct: Schema.Boolean })),
  expansion: Schema.optionalKey(
    Schema.Struct({ entitlement_ids: Schema.Array(Schema.String), shallow: Schema.Boolean })
  ),
  needs_expansion: Schema.Boolean,
  annotations: Schema.Array(Schema.Struct({ type: Schema.String, value: Schema.Uint8Array })),
  discovered_at: Schema.Int
})

export const grantShape: RecordShape.Struct = Result.getOrThrow(RecordShape.fromSchema(GrantSchema))

export const grant: Grant = {
  external_id: "group:eng:member:user:ada",
  entitlement_id: "group:eng:member",
  principal_resource_type_id: "user",
  principal_resource_id: "ada",
  sources: { "group:all:member": { is_direct: true } },
  expansion: { entitlement_ids: ["group:all:member"], shallow: false },
  needs_expansion: true,
  annotations: [{ type: "origin", value: Uint8Array.of(0, 1, 255) }],
  discovered_at: 1_763_740_000_000_000
}
