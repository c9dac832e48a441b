/** Whether a shape is one that records can have. */
import { Result } from "effect"
import { maxDepth } from "../format/RecordFormat.ts"
import { maxFieldCount, RecordShapeUnsupported, type Shape, type Struct } from "./Shape.ts"

/** Names that would not be plain properties, or mean something else in JSON. */
const reservedNames: ReadonlyArray<string> = ["__proto__", "$unknownTail"]

/** The shape itself when it is sound. */
export const check = (shape: Struct): Result.Result<Struct, RecordShapeUnsupported> => {
  if (shape?.kind !== "struct") return unsupported("", "a struct", `of kind ${shape?.kind}`)
  const fault = faultOf(shape, "", 1)
  return fault === undefined ? Result.succeed(shape) : Result.fail(fault)
}

/** A failure of `RecordShapeUnsupported`. */
export const unsupported = (
  path: string,
  expected: string,
  actual: string
): Result.Result<never, RecordShapeUnsupported> => Result.fail(new RecordShapeUnsupported({ path, expected, actual }))

/** The path of a field, or of what is within an array, record or nullable: `[]`, `{}` and nothing. */
export const childPath = (path: string, child: string): string =>
  path === "" || child.startsWith("[") || child.startsWith("{") ? path + child : `${path}.${child}`

const faultOf = (shape: Shape, path: string, depth: number): RecordShapeUnsupported | undefined => {
  if (depth > maxDepth) {
    const expected = `at most ${maxDepth} nested shapes`
    return new RecordShapeUnsupported({ path, expected, actual: "deeper" })
  }
  switch (shape.kind) {
    case "struct":
      return structFault(shape, path, depth)
    case "array":
      return faultOf(shape.item, childPath(path, "[]"), depth + 1)
    case "record":
      return faultOf(shape.value, childPath(path, "{}"), depth + 1)
    case "nullable":
      return faultOf(shape.value, path, depth + 1)
    case "literal":
      return literalFault(shape.values, path)
    default:
      return scalars.has(shape.kind)
        ? undefined
        : new RecordShapeUnsupported({ path, expected: "a known kind", actual: `of kind ${shape.kind}` })
  }
}

const scalars: ReadonlySet<string> = new Set("string,bytes,boolean,int,bigint,number,date,json".split(","))

const literalFault = (values: ReadonlyArray<string>, path: string): RecordShapeUnsupported | undefined => {
  const isSound =
    values.length > 0 &&
    new Set(values).size === values.length &&
    values.every((value) => typeof value === "string" && value.isWellFormed())
  if (isSound) return undefined
  const expected = "one or more different well-formed strings"
  return new RecordShapeUnsupported({ path, expected, actual: JSON.stringify(values) })
}

const structFault = (shape: Struct, path: string, depth: number): RecordShapeUnsupported | undefined => {
  if (shape.fields.length > maxFieldCount) {
    const expected = `at most ${maxFieldCount} fields`
    return new RecordShapeUnsupported({ path, expected, actual: `one of ${shape.fields.length}` })
  }
  const seen = new Set<string>()
  for (const { name, shape: fieldShape } of shape.fields) {
    const fieldPath = childPath(path, name)
    if (name === "" || !name.isWellFormed() || reservedNames.includes(name) || seen.has(name)) {
      const expected = "names that are different, well-formed, not empty and not reserved"
      return new RecordShapeUnsupported({ path: fieldPath, expected, actual: `a field named ${JSON.stringify(name)}` })
    }
    seen.add(name)
    const fault = faultOf(fieldShape, fieldPath, depth + 1)
    if (fault !== undefined) return fault
  }
  return undefined
}
