import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as fc from "fast-check"
import { unpackMultiple } from "msgpackr/unpack"
import { RecordCodec, RecordShape } from "../src/index.ts"
import * as RecordCompiler from "../src/internal/RecordCompiler.ts"
import { MessagePackReader } from "../src/kernel/MessagePackReader.ts"
import { MessagePackWriter } from "../src/kernel/MessagePackWriter.ts"
import { type Grant, grant, grantShape, recordsOf, shapedRecords, shapes } from "./RecordGenerators.ts"
import { toHex } from "./Vectors.ts"

/** The generated code alone, without the interpreter that it falls back to. */
const compiledOnly = (shape: RecordShape.Struct, version = 1) => {
  const code = RecordCompiler.compile(shape, version)!
  return {
    encode: (record: unknown): Uint8Array | undefined => {
      const writer = new MessagePackWriter()
      writer.startOwn()
      try {
        code.encode(record, writer)
      } catch {
        return undefined
      }
      return writer.target.slice(0, writer.at)
    },
    decode: (bytes: Uint8Array): object | undefined => {
      const reader = new MessagePackReader()
      reader.open(bytes, 0, bytes.length)
      try {
        const record = code.decode(reader)
        return reader.at === bytes.length ? record : undefined
      } catch {
        return undefined
      }
    }
  }
}

const joined = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat(parts))

/** −0 is stored as 0. */
const withoutMinusZero = (value: unknown): unknown => {
  if (typeof value === "number") return value + 0
  if (typeof value !== "object" || value === null || value instanceof Uint8Array || value instanceof Date) return value
  if (Array.isArray(value)) return value.map(withoutMinusZero)
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withoutMinusZero(item)]))
}

describe("RecordCodec, of any shape", () => {
  it("RecordCodec.compiled and RecordCodec.interpreted give the same bytes, and each other's records back", () => {
    fc.assert(
      fc.property(shapedRecords, fc.integer({ min: 1, max: RecordCodec.maxVersion }), ([shape, record], version) => {
        const interpreted = RecordCodec.interpreted(shape, { version })
        const compiled = compiledOnly(shape, version)
        const bytes = interpreted.encodeUnsafe(record)
        assert.strictEqual(toHex(compiled.encode(record)!), toHex(bytes))
        const expected = withoutMinusZero(record)
        assert.deepStrictEqual(interpreted.decodeUnsafe(bytes), expected)
        assert.deepStrictEqual(compiled.decode(bytes), expected)
      }),
      { numRuns: 300 }
    )
  })

  it("RecordCodec writes MessagePack that msgpackr reads whole", () => {
    fc.assert(
      fc.property(shapedRecords, ([shape, record]) => {
        const values = unpackMultiple(RecordCodec.make(shape, { version: 300 }).encodeUnsafe(record)) as Array<unknown>
        assert.strictEqual(values.length, 2)
        assert.strictEqual(values[0], 300)
        assert.isTrue(Array.isArray(values[1]))
      }),
      { numRuns: 300 }
    )
  })

  it("RecordCodec refuses the same records in both ways, with RecordInvalid", () => {
    const anything = fc.anything({ withBigInt: true, withDate: true, withTypedArray: true, withMap: true, maxDepth: 2 })
    const other = fc.oneof(
      anything,
      fc.constantFrom("\ud800", { "\udc00": 1 }, -(2n ** 63n) - 1n, 2n ** 63n, 2 ** 53, 1.5)
    )
    const wrong = shapedRecords.chain(([shape, record]) =>
      fc.tuple(fc.nat(Math.max(0, shape.fields.length - 1)), other, fc.boolean()).map(([index, value, isWithin]) => {
        const name = shape.fields[index]?.name ?? "none"
        const field = record[name]
        const isArray = isWithin && Array.isArray(field)
        const isObject = isWithin && Object.getPrototypeOf(field ?? 0) === Object.prototype
        const changed = isArray ? [...field, value] : isObject ? { ...(field as object), [name]: value } : value
        return [shape, { ...record, [name]: changed }] as const
      })
    )
    fc.assert(
      fc.property(wrong, ([shape, record]) => {
        const result = RecordCodec.interpreted(shape).encode(record)
        const bytes = compiledOnly(shape).encode(record)
        if (Result.isFailure(result)) {
          assert.strictEqual(result.failure._tag, "RecordInvalid")
          assert.isUndefined(bytes)
          assert.deepStrictEqual(RecordCodec.compiled(shape)!.encode(record), result)
        } else assert.strictEqual(toHex(bytes!), toHex(result.success))
      }),
      { numRuns: 600 }
    )
  })

  it("RecordCodec.encodeIntoUnsafe writes exactly the record's bytes, or gives -1 for one byte less", () => {
    fc.assert(
      fc.property(shapedRecords, fc.nat(9), ([shape, record], at) => {
        for (const codec of [RecordCodec.compiled(shape)!, RecordCodec.interpreted(shape)]) {
          const bytes = codec.encodeUnsafe(record)
          const target = new Uint8Array(at + bytes.length)
          assert.strictEqual(codec.encodeIntoUnsafe(record, target, at), target.length)
          assert.strictEqual(toHex(target.subarray(at)), toHex(bytes))
          assert.strictEqual(codec.encodeIntoUnsafe(record, target.subarray(1), at), -1)
        }
      }),
      { numRuns: 300 }
    )
  })

  it("RecordCodec.decodeUnsafe takes a range of bytes and shares nothing with them", () => {
    fc.assert(
      fc.property(shapedRecords, fc.uint8Array({ maxLength: 5 }), ([shape, record], around) => {
        for (const codec of [RecordCodec.compiled(shape)!, RecordCodec.interpreted(shape)]) {
          const bytes = codec.encodeUnsafe(record)
          const all = joined(around, bytes, around)
          const decoded = codec.decodeUnsafe(all, around.length, around.length + bytes.length)
          all.fill(0)
          assert.deepStrictEqual(decoded, withoutMinusZero(record))
        }
      }),
      { numRuns: 300 }
    )
  })

  it("RecordCodec keeps the fields of a newer version through decoding, spreading and encoding", () => {
    const grown = shapes.chain((shape) =>
      fc.tuple(fc.constant(shape), fc.nat(shape.fields.length), recordsOf(shape)).map(([newer, count, record]) => {
        const fields = newer.fields.map((field, index) => (index < count ? field : { ...field, optional: true }))
        return [{ ...newer, fields }, { ...newer, fields: fields.slice(0, count) }, record] as const
      })
    )
    fc.assert(
      fc.property(grown, ([newer, older, record]) => {
        const bytes = RecordCodec.interpreted(newer, { version: 9 }).encodeUnsafe(record)
        const decoder = compiledOnly(older, 8)
        const interpreter = RecordCodec.interpreted(older, { version: 8 })
        const decoded = interpreter.decodeUnsafe(bytes)
        assert.deepStrictEqual(decoder.decode(bytes), decoded)
        assert.strictEqual(toHex(decoder.encode({ ...decoded })!), toHex(bytes))
        assert.strictEqual(toHex(interpreter.encodeUnsafe({ ...decoded })), toHex(bytes))
      }),
      { numRuns: 300 }
    )
  })

  it("RecordCodec reads what an older version wrote, and fields that are missing at its end are absent", () => {
    const grown = shapes.chain((shape) => fc.tuple(fc.constant(shape), recordsOf(shape), shapes))
    fc.assert(
      fc.property(grown, ([older, record, appended]) => {
        const known = new Set(older.fields.map((field) => field.name))
        const added = appended.fields
          .filter((field) => !known.has(field.name))
          .map((field) => ({ ...field, optional: true }))
        const newer: RecordShape.Struct = { kind: "struct", fields: [...older.fields, ...added] }
        const bytes = RecordCodec.make(older).encodeUnsafe(record)
        assert.deepStrictEqual(compiledOnly(newer, 2).decode(bytes), withoutMinusZero(record))
        assert.deepStrictEqual(
          RecordCodec.interpreted(newer, { version: 2 }).decodeUnsafe(bytes),
          withoutMinusZero(record)
        )
      }),
      { numRuns: 300 }
    )
  })

  it("RecordCodec refuses mutated bytes, or reads a record that is written as the same bytes again, in both ways", () => {
    const mutated = shapedRecords.chain(([shape, record]) => {
      const bytes = RecordCodec.make(shape).encodeUnsafe(record)
      return fc
        .record({
          flips: fc.array(fc.tuple(fc.nat(Math.min(bytes.length, 400) - 1), fc.nat(255)), { maxLength: 3 }),
          cut: fc.option(fc.nat(bytes.length)),
          more: fc.uint8Array({ maxLength: 3 })
        })
        .map(({ flips, cut, more }) => {
          const damaged = joined(bytes.subarray(0, cut ?? bytes.length), more)
          for (const [at, value] of flips) if (at < damaged.length) damaged[at] = value
          return [shape, damaged] as const
        })
    })
    fc.assert(
      fc.property(mutated, ([shape, bytes]) => {
        const result = RecordCodec.interpreted(shape).decode(bytes)
        const record = compiledOnly(shape).decode(bytes)
        if (Result.isFailure(result)) {
          assert.strictEqual(result.failure._tag, "RecordBytesInvalid")
          assert.isUndefined(record)
        } else {
          assert.deepStrictEqual(record, result.success)
          const again = toHex(RecordCodec.interpreted(shape).encodeUnsafe(result.success))
          // A record of version 0 or older is written as one of the present version.
          if (bytes[0] === 1) assert.strictEqual(again, toHex(bytes))
          assert.strictEqual(toHex(compiledOnly(shape).encode(record)!), again)
        }
      }),
      { numRuns: 600 }
    )
  })

  it("RecordCodec refuses or rewrites each single bit and each truncation of a grant", () => {
    const codec = RecordCodec.make<Grant>(grantShape)
    const bytes = codec.encodeUnsafe(grant)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice()
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      const result = codec.decode(damaged)
      if (Result.isSuccess(result)) assert.strictEqual(toHex(codec.encodeUnsafe(result.success)), toHex(damaged))
    }
    for (let size = 0; size < bytes.length; size++) assert.isTrue(Result.isFailure(codec.decode(bytes.slice(0, size))))
  })

  it("RecordShape.fromJson gives back what toJson took, through text", () => {
    fc.assert(
      fc.property(shapedRecords, ([shape, record]) => {
        const text = JSON.stringify(Result.getOrThrow(RecordShape.toJson(shape, record)))
        const again = Result.getOrThrow(RecordShape.fromJson(shape, JSON.parse(text)))
        const codec = RecordCodec.make(shape)
        assert.strictEqual(toHex(codec.encodeUnsafe(again)), toHex(codec.encodeUnsafe(record)))
      }),
      { numRuns: 300 }
    )
  })

  it("RecordShape.fromJson takes any JSON for a record, or fails with RecordInvalid", () => {
    fc.assert(
      fc.property(shapedRecords, fc.jsonValue({ maxDepth: 2 }), fc.nat(5), ([shape, record], value, index) => {
        const whole = Result.getOrThrow(RecordShape.toJson(shape, record))
        const name = shape.fields[index]?.name ?? "none"
        const result = RecordShape.fromJson(shape, { ...whole, [name]: value })
        if (Result.isFailure(result)) assert.strictEqual(result.failure._tag, "RecordInvalid")
        else assert.isTrue(Result.isSuccess(RecordCodec.make(shape).encode(result.success)))
        if (shape.fields[index] === undefined) assert.isTrue(Result.isFailure(result))
      }),
      { numRuns: 400 }
    )
  })

  it("RecordShape.fromJsonSchema gives back what toJsonSchema took, through text, keys in any order", () => {
    const reversed = (value: unknown): unknown =>
      typeof value !== "object" || value === null || Array.isArray(value)
        ? value
        : Object.fromEntries(
            Object.entries(value)
              .reverse()
              .map(([key, item]) => [key, reversed(item)])
          )
    fc.assert(
      fc.property(shapes, (shape) => {
        const text = JSON.stringify(reversed(RecordShape.toJsonSchema(shape)))
        assert.deepStrictEqual(Result.getOrThrow(RecordShape.fromJsonSchema(JSON.parse(text))), shape)
      }),
      { numRuns: 300 }
    )
  })
})
