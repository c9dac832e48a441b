/** Shapes of records out of schemas: of what a program holds, the decoded side. */
import { Result, type Schema, SchemaAST } from "effect"
import { type Field, isNilable, type RecordShapeUnsupported, type Shape, type Struct } from "./Shape.ts"
import { check, childPath, unsupported } from "./ShapeCheck.ts"

type Shaped<A extends Shape> = Result.Result<A, RecordShapeUnsupported>

export const fromSchema = (schema: Schema.Top): Shaped<Struct> =>
  Result.flatMap(shapeOf(SchemaAST.toType(schema.ast), ""), (shape) =>
    shape.kind === "struct" ? check(shape) : unsupported("", "a struct", `of kind ${shape.kind}`)
  )

const shapeOf = (ast: SchemaAST.AST, path: string): Shaped<Shape> => {
  switch (ast._tag) {
    case "String":
      return Result.succeed({ kind: "string" })
    case "Boolean":
      return Result.succeed({ kind: "boolean" })
    case "BigInt":
      return Result.succeed({ kind: "bigint" })
    case "Number":
      return Result.succeed({ kind: (ast.checks ?? []).some(isIntCheck) ? "int" : "number" })
    case "Unknown":
      return Result.succeed({ kind: "json" })
    case "Literal":
      return typeof ast.literal === "string"
        ? Result.succeed({ kind: "literal", values: [ast.literal] })
        : unsupported(path, "a literal string", `the literal ${String(ast.literal)}`)
    case "Declaration":
      return declarationOf(ast, path)
    case "Arrays":
      return arrayOf(ast, path)
    case "Objects":
      return objectsOf(ast, path)
    case "Union":
      return unionOf(ast.types, path)
    default:
      return unsupported(path, expectedKinds, `a schema of ${ast._tag}`)
  }
}

const expectedKinds =
  "a string, literal, boolean, number, bigint, date, bytes, JSON, array, record, struct or one of these or null"

const representationOf = (annotations: unknown): unknown =>
  (annotations as { readonly representation?: { readonly id?: unknown } } | undefined)?.representation?.id

const isIntCheck = (check: SchemaAST.Check<unknown>): boolean =>
  representationOf(check.annotations) === "effect/schema/isInt" ||
  (check._tag === "FilterGroup" && check.checks.some(isIntCheck))

const declarations: ReadonlyMap<unknown, Shape> = new Map<unknown, Shape>([
  ["effect/schema/Date", { kind: "date" }],
  ["effect/schema/Uint8Array", { kind: "bytes" }],
  ["effect/schema/Json", { kind: "json" }],
  ["effect/schema/MutableJson", { kind: "json" }]
])

const declarationOf = (ast: SchemaAST.Declaration, path: string): Shaped<Shape> => {
  const id = representationOf(ast.annotations)
  const shape = declarations.get(id)
  return shape === undefined
    ? unsupported(path, expectedKinds, `a declaration ${id ?? "of its own"}`)
    : Result.succeed(shape)
}

const arrayOf = (ast: SchemaAST.Arrays, path: string): Shaped<Shape> => {
  const item = ast.rest[0]
  if (ast.elements.length > 0 || ast.rest.length !== 1 || item === undefined) {
    return unsupported(path, "an array whose items have one schema", "a tuple")
  }
  return Result.map(shapeOf(item, childPath(path, "[]")), (shape) => ({ kind: "array", item: shape }))
}

const objectsOf = (ast: SchemaAST.Objects, path: string): Shaped<Shape> => {
  const signature = ast.indexSignatures[0]
  if (signature !== undefined) {
    if (ast.propertySignatures.length > 0 || ast.indexSignatures.length > 1 || signature.parameter._tag !== "String") {
      return unsupported(path, "a record of any string keys", "an object with other index signatures")
    }
    return Result.map(shapeOf(signature.type, childPath(path, "{}")), (shape) => ({ kind: "record", value: shape }))
  }
  const fields: Array<Field> = []
  for (const { name, type } of ast.propertySignatures) {
    if (typeof name !== "string") return unsupported(path, "names that are strings", `a field named ${String(name)}`)
    const present = withoutUndefined(type)
    const shape = oneOrUnionOf(present.types, childPath(path, name))
    if (Result.isFailure(shape)) return Result.fail(shape.failure)
    fields.push({ name, shape: shape.success, optional: present.isOptional })
  }
  return Result.succeed({ kind: "struct", fields })
}

/** `Schema.optional` is a union with undefined, `Schema.optionalKey` is not. */
const withoutUndefined = (
  type: SchemaAST.AST
): { readonly types: ReadonlyArray<SchemaAST.AST>; readonly isOptional: boolean } => {
  const all = type._tag === "Union" ? type.types : [type]
  const types = all.filter((one) => one._tag !== "Undefined")
  return { types, isOptional: SchemaAST.isOptional(type) || types.length < all.length }
}

const oneOrUnionOf = (types: ReadonlyArray<SchemaAST.AST>, path: string): Shaped<Shape> =>
  types.length === 1 ? shapeOf(types[0]!, path) : unionOf(types, path)

const unionOf = (types: ReadonlyArray<SchemaAST.AST>, path: string): Shaped<Shape> => {
  const others = types.filter((type) => type._tag !== "Null")
  if (others.length < types.length) {
    return Result.map(oneOrUnionOf(others, path), (shape) =>
      isNilable(shape) ? shape : { kind: "nullable", value: shape }
    )
  }
  const values: Array<string> = []
  for (const type of types) {
    const shape = shapeOf(type, path)
    if (Result.isFailure(shape)) return Result.fail(shape.failure)
    if (shape.success.kind !== "literal")
      return unsupported(path, "a union of literal strings, or with null", "another")
    values.push(...shape.success.values)
  }
  return values.length === 0
    ? unsupported(path, expectedKinds, "an empty union")
    : Result.succeed({ kind: "literal", values: [...new Set(values)] })
}
