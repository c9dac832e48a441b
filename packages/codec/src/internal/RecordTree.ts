/** Records as the trees of arrays, maps and scalars that msgpackr packs, checked against their shape on the way. */
import * as Format from "../format/RecordFormat.ts"
import { isPlainObject, sortedKeys } from "../kernel/MessagePackWriter.ts"
import { describe, type RecordPath, within } from "./RecordPath.ts"
import { isNilable, RecordInvalid, type Shape, type Struct } from "./Shape.ts"
import { tailOf, tailValues } from "./UnknownFields.ts"

const maxInt64 = 0x7fff_ffff_ffff_ffffn

/** The version to write and the fields. Throws {@link RecordInvalid}. */
export const fromRecord = (
  shape: Struct,
  version: number,
  record: unknown,
  path: RecordPath
): { readonly version: number; readonly fields: Array<unknown> } => {
  const fields = structTree(shape, record, path)
  const tail = tailOf(record as object)
  return { version: Math.max(version, typeof tail === "object" ? tail.version : 0), fields }
}

const refuse = (path: RecordPath, expected: string, value: unknown): never => {
  throw new RecordInvalid({ path: path.toString(), expected, actual: describe(value) })
}

const treeOf = (shape: Shape, value: unknown, path: RecordPath): unknown => {
  switch (shape.kind) {
    case "string":
      return stringTree(value, path)
    case "literal":
      return shape.values.includes(value as string) ? value : refuse(path, oneOf(shape.values), value)
    case "bytes":
      return value instanceof Uint8Array ? value : refuse(path, "bytes", value)
    case "boolean":
      return typeof value === "boolean" ? value : refuse(path, "a boolean", value)
    case "int":
      return Number.isSafeInteger(value) ? value : refuse(path, "a safe integer", value)
    case "number":
      return typeof value === "number" ? canonicalNumber(value) : refuse(path, "a number", value)
    case "bigint":
      return typeof value === "bigint" && value <= maxInt64 && value >= -maxInt64 - 1n
        ? value
        : refuse(path, "a bigint of 64 bits", value)
    case "date":
      return value instanceof Date && !Number.isNaN(value.getTime())
        ? value.getTime()
        : refuse(path, "a valid date", value)
    case "json":
      return jsonTree(value, path, [])
    case "nullable":
      return value === null ? null : treeOf(shape.value, value, path)
    case "array":
      return Array.isArray(value)
        ? Array.from(value, (item, index) => within(path, index, () => treeOf(shape.item, item, path)))
        : refuse(path, "an array", value)
    case "record":
      return recordTree(value, path, (item) => treeOf(shape.value, item, path))
    case "struct":
      return structTree(shape, value, path)
  }
}

/** msgpackr writes whatever bits a NaN has. */
const canonicalNumber = (value: number): number => (Number.isNaN(value) ? Number.NaN : value)

const stringTree = (value: unknown, path: RecordPath): string =>
  typeof value === "string" && value.isWellFormed() ? value : refuse(path, "a well-formed string", value)

const oneOf = (values: ReadonlyArray<string>): string => values.map((value) => JSON.stringify(value)).join(" or ")

const recordTree = (value: unknown, path: RecordPath, valueTree: (item: unknown) => unknown): Map<string, unknown> => {
  if (typeof value !== "object" || value === null || !isPlainObject(value)) return refuse(path, "a plain object", value)
  const tree = new Map<string, unknown>()
  for (const key of sortedKeys(value)) {
    if (!key.isWellFormed()) refuse(path, "an object whose keys are well-formed", value)
    tree.set(
      key,
      within(path, key, () => valueTree((value as Record<string, unknown>)[key]))
    )
  }
  return tree
}

const jsonTree = (value: unknown, path: RecordPath, ancestors: ReadonlyArray<unknown>): unknown => {
  if (value === null || typeof value === "boolean") return value
  if (typeof value === "string") return stringTree(value, path)
  if (typeof value === "number" && Number.isFinite(value)) return value
  if (typeof value !== "object") return refuse(path, "a JSON value", value)
  if (ancestors.length >= Format.maxDepth) return refuse(path, `at most ${Format.maxDepth} nested values`, value)
  if (ancestors.includes(value)) return refuse(path, "a JSON value that does not contain itself", value)
  const inner = [...ancestors, value]
  return Array.isArray(value)
    ? Array.from(value, (item, index) => within(path, index, () => jsonTree(item, path, inner)))
    : recordTree(value, path, (item) => jsonTree(item, path, inner))
}

const structTree = (shape: Struct, value: unknown, path: RecordPath): Array<unknown> => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse(path, "an object", value)
  const tree: Array<unknown> = []
  let count = 0
  for (const field of shape.fields) {
    const item = fieldOf(value, field.name)
    if (item === undefined && field.optional) tree.push(null)
    else {
      const itemTree = within(path, field.name, () => treeOf(field.shape, item, path))
      count = tree.push(field.optional && isNilable(field.shape) ? [itemTree] : itemTree)
    }
  }
  const tail = tailOf(value)
  if (typeof tail === "string") {
    throw new RecordInvalid({ path: path.toString(), expected: "unknown fields as they were decoded", actual: tail })
  }
  return tail === undefined || tail.count === 0 ? tree.slice(0, count) : [...tree, ...tailValues(tail)]
}

/** A field that is named like a method of all objects must be the object's own. */
export const fieldOf = (value: object, name: string): unknown =>
  name in Object.prototype && !Object.hasOwn(value, name) ? undefined : (value as Record<string, unknown>)[name]
