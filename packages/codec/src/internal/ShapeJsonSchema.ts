/** Shapes of records as JSON Schema 2020-12 and back. */
import { Result } from "effect"
import { maxDepth } from "../format/RecordFormat.ts"
import type { Field, RecordShapeUnsupported, Shape, Struct } from "./Shape.ts"
import { check, childPath, unsupported } from "./ShapeCheck.ts"

type JsonSchema = Record<string, unknown>

const kindKeyword = "x-icecore-kind"
const orderKeyword = "x-icecore-order"
const dialect = "https://json-schema.org/draft/2020-12/schema"

export const toJsonSchema = (shape: Struct): JsonSchema => ({ $schema: dialect, ...jsonSchemaOf(shape) })

const jsonSchemaOf = (shape: Shape): JsonSchema => {
  switch (shape.kind) {
    case "string":
    case "boolean":
      return { type: shape.kind }
    case "literal":
      return { type: "string", enum: [...shape.values] }
    case "bytes":
      return { type: "string", contentEncoding: "base64" }
    case "int":
      return { type: "integer", minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }
    case "bigint":
      return { type: "string", pattern: "^-?[0-9]+$", [kindKeyword]: "bigint" }
    case "number":
      return { anyOf: [{ type: "number" }, { enum: ["NaN", "Infinity", "-Infinity"] }], [kindKeyword]: "number" }
    case "date":
      return { type: "string", format: "date-time" }
    case "json":
      return { [kindKeyword]: "json" }
    case "nullable":
      return { anyOf: [jsonSchemaOf(shape.value), { type: "null" }] }
    case "array":
      return { type: "array", items: jsonSchemaOf(shape.item) }
    case "record":
      return { type: "object", additionalProperties: jsonSchemaOf(shape.value) }
    case "struct":
      return {
        type: "object",
        properties: Object.fromEntries(shape.fields.map((field) => [field.name, jsonSchemaOf(field.shape)])),
        required: shape.fields.filter((field) => !field.optional).map((field) => field.name),
        [orderKeyword]: shape.fields.map((field) => field.name)
      }
  }
}

type Shaped<A extends Shape> = Result.Result<A, RecordShapeUnsupported>

export const fromJsonSchema = (jsonSchema: unknown): Shaped<Struct> =>
  Result.flatMap(shapeOf(jsonSchema, "", 1), (shape) =>
    shape.kind === "struct" ? check(shape) : unsupported("", "a struct", `of kind ${shape.kind}`)
  )

const shapeOf = (schema: unknown, path: string, depth: number): Shaped<Shape> => {
  if (!isObject(schema)) return unsupported(path, "a JSON Schema", JSON.stringify(schema) ?? String(schema))
  if (depth > maxDepth) return unsupported(path, `at most ${maxDepth} nested shapes`, "deeper")
  const kind = schema[kindKeyword]
  if (kind === "bigint" || kind === "number" || kind === "json") return Result.succeed({ kind })
  if (kind !== undefined) return unsupported(path, "a known kind", `of kind ${JSON.stringify(kind)}`)
  if (Array.isArray(schema.anyOf)) return nullableOf(schema.anyOf, path, depth)
  switch (schema.type) {
    case "string":
      return stringOf(schema, path)
    case "boolean":
      return Result.succeed({ kind: "boolean" })
    case "integer":
      return Result.succeed({ kind: "int" })
    case "array":
      return Result.map(shapeOf(schema.items, childPath(path, "[]"), depth + 1), (item) => ({ kind: "array", item }))
    case "object":
      return isObject(schema.properties)
        ? structOf(schema, schema.properties, path, depth)
        : Result.map(shapeOf(schema.additionalProperties, childPath(path, "{}"), depth + 1), (value) => ({
            kind: "record",
            value
          }))
    default:
      return unsupported(path, "a type that records have", `of type ${JSON.stringify(schema.type)}`)
  }
}

const isObject = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const stringOf = (schema: JsonSchema, path: string): Shaped<Shape> => {
  if (schema.enum !== undefined) {
    return isStrings(schema.enum)
      ? Result.succeed({ kind: "literal", values: schema.enum })
      : unsupported(path, "an enum of strings", JSON.stringify(schema.enum))
  }
  if (schema.contentEncoding === "base64") return Result.succeed({ kind: "bytes" })
  return Result.succeed({ kind: schema.format === "date-time" ? "date" : "string" })
}

const isStrings = (value: unknown): value is ReadonlyArray<string> =>
  Array.isArray(value) && value.every((item) => typeof item === "string")

const nullableOf = (anyOf: ReadonlyArray<unknown>, path: string, depth: number): Shaped<Shape> =>
  anyOf.length === 2 && isObject(anyOf[1]) && anyOf[1].type === "null"
    ? Result.map(shapeOf(anyOf[0], path, depth + 1), (value) => ({ kind: "nullable", value }))
    : unsupported(path, "a schema or null", "another union")

const structOf = (schema: JsonSchema, properties: JsonSchema, path: string, depth: number): Shaped<Struct> => {
  const names = Object.keys(properties)
  const order = schema[orderKeyword]
  const required = schema.required
  if (!isStrings(order) || order.length !== names.length || !order.every((name) => Object.hasOwn(properties, name))) {
    return unsupported(path, `${orderKeyword} with the names of all properties`, JSON.stringify(order) ?? "without")
  }
  if (!isStrings(required) || !required.every((name) => Object.hasOwn(properties, name))) {
    return unsupported(path, "required with names of properties", JSON.stringify(required) ?? "without")
  }
  const fields: Array<Field> = []
  for (const name of order) {
    const shape = shapeOf(properties[name], childPath(path, name), depth + 1)
    if (Result.isFailure(shape)) return Result.fail(shape.failure)
    fields.push({ name, shape: shape.success, optional: !required.includes(name) })
  }
  return Result.succeed({ kind: "struct", fields })
}
