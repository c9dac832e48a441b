/** What a shape is, and what is wrong with one or with a value of it. Exported by `RecordShape.ts`. */
import { Data } from "effect"

export { maxDepth } from "../format/RecordFormat.ts"

/** Most fields of one struct. */
export const maxFieldCount = 1_000

/**
 * Kinds without parameters: `int` is a safe integer, `bigint` a signed 64-bit integer, `number` any 64-bit float (−0 is kept
 * as 0), `date` a `Date` of whole milliseconds, `json` any JSON value.
 */
export interface Scalar {
  readonly kind: "string" | "bytes" | "boolean" | "int" | "bigint" | "number" | "date" | "json"
}

/** One of some strings. */
export interface Literal {
  readonly kind: "literal"
  readonly values: ReadonlyArray<string>
}

/** An array of any length whose items have one shape. */
export interface ArrayOf {
  readonly kind: "array"
  readonly item: Shape
}

/** An object from any strings to values of one shape. */
export interface RecordOf {
  readonly kind: "record"
  readonly value: Shape
}

/** The value or null. */
export interface Nullable {
  readonly kind: "nullable"
  readonly value: Shape
}

/** One field of a {@link Struct}. An absent optional field has no property; undefined is taken for absent. */
export interface Field {
  readonly name: string
  readonly shape: Shape
  readonly optional: boolean
}

/** Named fields in the order in which they are stored. Fields are only ever appended, and appended ones are optional. */
export interface Struct {
  readonly kind: "struct"
  readonly fields: ReadonlyArray<Field>
}

export type Shape = Scalar | Literal | ArrayOf | RecordOf | Nullable | Struct

/** The schema, JSON Schema or shape at `path` cannot be the shape of a record. `path` is dotted; empty for the whole. */
export class RecordShapeUnsupported extends Data.Error<{
  readonly path: string
  readonly expected: string
  readonly actual: string
}> {
  readonly _tag = "RecordShapeUnsupported"
  override readonly name = "RecordShapeUnsupported"
  override get message(): string {
    return `Cannot make record shape: ${this.path || "the whole"} is ${this.actual}, expected ${this.expected}`
  }
}

/** A value is not what the shape says at `path`: dotted, with `[n]` for items and `["key"]` for keys that are no names. */
export class RecordInvalid extends Data.Error<{
  readonly path: string
  readonly expected: string
  readonly actual: string
}> {
  readonly _tag = "RecordInvalid"
  override readonly name = "RecordInvalid"
  override get message(): string {
    return `Cannot use record: ${this.path || "the whole"} is ${this.actual}, expected ${this.expected}`
  }
}

/** Whether nil stands for a value of the shape: in an optional field, where nil is absence, it needs a wrapper. */
export const isNilable = (shape: Shape): boolean => shape.kind === "nullable" || shape.kind === "json"
