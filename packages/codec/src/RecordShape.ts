/**
 * What a record looks like, as plain data: which fields, of which kinds, in which order.
 *
 * A shape is what the bytes of a record depend on, and nothing else. It can be taken from a `Schema.Struct`, written as
 * JSON Schema and read back, so that a program without the declaration can still show every field.
 */
import type { Result, Schema } from "effect"
import * as RecordJson from "./internal/RecordJson.ts"
import type { RecordInvalid, RecordShapeUnsupported, Struct } from "./internal/Shape.ts"
import * as ShapeCheck from "./internal/ShapeCheck.ts"
import * as ShapeFromSchema from "./internal/ShapeFromSchema.ts"
import * as ShapeJsonSchema from "./internal/ShapeJsonSchema.ts"

export * from "./internal/Shape.ts"

/** The shape itself when it is one that records can have: depth, field names, literals. */
export const check: (shape: Struct) => Result.Result<Struct, RecordShapeUnsupported> = ShapeCheck.check

/**
 * The shape of the decoded side (`Type`) of a struct: what programs hold, not what it encodes to. Brands and checks other
 * than `Schema.isInt` are no part of a shape.
 */
export const fromSchema: <S extends Schema.Top>(schema: S) => Result.Result<Struct, RecordShapeUnsupported> =
  ShapeFromSchema.fromSchema

/** JSON Schema 2020-12 of what {@link toJson} gives, with `x-icecore-kind` and `x-icecore-order` where it cannot say it. */
export const toJsonSchema: (shape: Struct) => Record<string, unknown> = ShapeJsonSchema.toJsonSchema

/** The shape that {@link toJsonSchema} was given. */
export const fromJsonSchema: (jsonSchema: unknown) => Result.Result<Struct, RecordShapeUnsupported> =
  ShapeJsonSchema.fromJsonSchema

/** A record as JSON: bytes as base64, bigint as decimal string, dates as ISO 8601, floats that JSON lacks by name. */
export const toJson: (shape: Struct, record: object) => Result.Result<Record<string, unknown>, RecordInvalid> =
  RecordJson.toJson

/** The record that {@link toJson} was given. A property that is no field is refused. */
export const fromJson: (shape: Struct, json: unknown) => Result.Result<Record<string, unknown>, RecordInvalid> =
  RecordJson.fromJson
