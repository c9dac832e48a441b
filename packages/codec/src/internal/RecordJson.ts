/** Records as JSON and back: bytes as base64, bigint as decimal string, dates as ISO 8601, floats that JSON lacks by name. */
import { Result } from "effect"
import { Base64 } from "effect/encoding"
import * as Format from "../format/RecordFormat.ts"
import { setProperty } from "../kernel/MessagePackReader.ts"
import { isPlainObject } from "../kernel/MessagePackWriter.ts"
import { describe, RecordPath, within } from "./RecordPath.ts"
import * as RecordTree from "./RecordTree.ts"
import { RecordInvalid, type Shape, type Struct } from "./Shape.ts"
import { tailOf, type UnknownTail, unknownTail } from "./UnknownFields.ts"

type JsonObject = Record<string, unknown>

/** Property of a struct in JSON that holds what a decoder did not know. */
const tailProperty = "$unknownTail"

export const toJson = (shape: Struct, record: object): Result.Result<JsonObject, RecordInvalid> =>
  attempt(() => {
    // What cannot be encoded has no JSON either.
    RecordTree.fromRecord(shape, Format.minVersion, record, new RecordPath())
    return structToJson(shape, record)
  })

export const fromJson = (shape: Struct, json: unknown): Result.Result<JsonObject, RecordInvalid> =>
  attempt(() => {
    const record = structFromJson(shape, json, new RecordPath())
    RecordTree.fromRecord(shape, Format.minVersion, record, new RecordPath())
    return record
  })

const attempt = <A>(body: () => A): Result.Result<A, RecordInvalid> => {
  try {
    return Result.succeed(body())
  } catch (fault) {
    if (fault instanceof RecordInvalid) return Result.fail(fault)
    throw fault
  }
}

const valueToJson = (shape: Shape, value: unknown): unknown => {
  switch (shape.kind) {
    case "bytes":
      return Base64.encode(value as Uint8Array)
    case "bigint":
      return String(value)
    case "number":
      return Number.isFinite(value) ? value : String(value)
    case "date":
      return (value as Date).toISOString()
    case "nullable":
      return value === null ? null : valueToJson(shape.value, value)
    case "array":
      return (value as ReadonlyArray<unknown>).map((item) => valueToJson(shape.item, item))
    case "record":
      return mapProperties(value as JsonObject, (item) => valueToJson(shape.value, item))
    case "struct":
      return structToJson(shape, value as object)
    default:
      return value
  }
}

const mapProperties = (object: JsonObject, body: (item: unknown, key: string) => unknown): JsonObject => {
  const mapped: JsonObject = {}
  for (const key of Object.keys(object)) setProperty(mapped, key, body(object[key], key))
  return mapped
}

const structToJson = (shape: Struct, record: object): JsonObject => {
  const json: JsonObject = {}
  for (const { name, shape: fieldShape } of shape.fields) {
    const value = RecordTree.fieldOf(record, name)
    if (value !== undefined) json[name] = valueToJson(fieldShape, value)
  }
  const tail = tailOf(record)
  if (typeof tail === "object") {
    json[tailProperty] = { version: tail.version, count: tail.count, bytes: Base64.encode(tail.bytes) }
  }
  return json
}

const refuse = (path: RecordPath, expected: string, json: unknown): never => {
  throw new RecordInvalid({ path: path.toString(), expected, actual: describe(json) })
}

/** What a scalar's JSON stands for; that it is of its kind is for the tree to say. */
const valueFromJson = (shape: Shape, json: unknown, path: RecordPath): unknown => {
  switch (shape.kind) {
    case "bytes":
      return bytesFromJson(json, path)
    case "bigint":
      return typeof json === "string" && /^-?[0-9]{1,19}$/.test(json)
        ? BigInt(json)
        : refuse(path, "a string of decimal digits", json)
    case "number":
      return json === "NaN" || json === "Infinity" || json === "-Infinity" ? Number(json) : json
    case "date":
      return typeof json === "string" && isDate(json)
        ? new Date(json)
        : refuse(path, "a date and time of ISO 8601 with its offset", json)
    case "nullable":
      return json === null ? null : valueFromJson(shape.value, json, path)
    case "array":
      if (!Array.isArray(json)) return refuse(path, "an array", json)
      return json.map((item, index) => within(path, index, () => valueFromJson(shape.item, item, path)))
    case "record":
      return mapProperties(objectOf(json, path), (item, key) =>
        within(path, key, () => valueFromJson(shape.value, item, path))
      )
    case "struct":
      return structFromJson(shape, json, path)
    default:
      return json
  }
}

const isoDate = /^(\d{4}|[+-]\d{6})-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/

/** Some runtimes take the 30th of February for a day of March. */
const isDate = (text: string): boolean => {
  if (!isoDate.test(text) || Number.isNaN(Date.parse(text))) return false
  const day = text.slice(0, text.indexOf("T"))
  const start = new Date(`${day}T00:00:00Z`)
  return !Number.isNaN(start.getTime()) && start.toISOString().startsWith(day)
}

const bytesFromJson = (json: unknown, path: RecordPath): Uint8Array => {
  const bytes = typeof json === "string" ? Result.getOrUndefined(Base64.decode(json)) : undefined
  return bytes !== undefined && Base64.encode(bytes) === json ? bytes : refuse(path, "a string of base64", json)
}

const objectOf = (json: unknown, path: RecordPath): JsonObject =>
  typeof json === "object" && json !== null && isPlainObject(json)
    ? (json as JsonObject)
    : refuse(path, "an object", json)

const structFromJson = (shape: Struct, json: unknown, path: RecordPath): JsonObject => {
  const object = objectOf(json, path)
  const record: JsonObject = {}
  for (const { name, shape: fieldShape, optional } of shape.fields) {
    const value = RecordTree.fieldOf(object, name)
    if (value !== undefined) record[name] = within(path, name, () => valueFromJson(fieldShape, value, path))
    else if (!optional) within(path, name, () => refuse(path, "a value", value))
  }
  for (const key of Object.keys(object)) {
    if (key === tailProperty)
      Object.assign(record, { [unknownTail]: within(path, key, () => tailFromJson(object[key], path)) })
    else if (!shape.fields.some((field) => field.name === key)) {
      within(path, key, () => refuse(path, "no field of that name", object[key]))
    }
  }
  return record
}

const tailFromJson = (json: unknown, path: RecordPath): UnknownTail => {
  const { version, count, bytes } = objectOf(json, path)
  return { version: Number(version), count: Number(count), bytes: bytesFromJson(bytes, path) }
}
