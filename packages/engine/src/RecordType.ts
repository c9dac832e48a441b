/**
 * Record types: what a record store holds. A type is declared once, and its key layout, its value codec, the upkeep of its
 * indexes and its listings come from that.
 *
 * ```ts
 * const Account = RecordType.make({
 *   name: "Account",
 *   fields: Schema.Struct({ id: Schema.String, owner: Schema.String, active: Schema.Boolean, discovered_at: Schema.Int }),
 *   primaryKey: ["id"],
 *   indexes: { by_owner: { paths: ["owner"], where: { path: "active", equals: true } } }
 * })
 * ```
 *
 * A type has a description that is plain JSON: a store keeps it, so that a reader without the declaration shows every field.
 */
import { RecordCodec, RecordShape } from "@icecore/codec"
import { Result, Schema } from "effect"

/** The kinds of fields that keys can be made of. */
const keyKinds = ["string", "literal", "bytes", "int", "bigint", "boolean", "date"] as const

/** The kind of one part of a key. Its bytes and their order are those of `format/RecordLayout.ts`. */
export type KeyKind = (typeof keyKinds)[number]

/** What a field can be compared with in the `where` of an index. */
export type Comparable = string | number | boolean

/** One index: an entry for each record that has all the paths and satisfies `where`. */
export interface Index {
  /** What the index is ordered by; the primary key follows. Dotted paths into structs, at least one. */
  readonly paths: ReadonlyArray<string>
  /** Only records whose field at `path` is this. */
  readonly where?: { readonly path: string; readonly equals: Comparable }
}

/** One path of a key with the kind of its field. */
export interface KeyPart {
  readonly path: ReadonlyArray<string>
  readonly kind: KeyKind
}

/** What records an index takes in, when not all. */
export interface Condition {
  readonly path: ReadonlyArray<string>
  readonly equals: Comparable
}

/** A declared type. `A` is the record, `K` what names one, `I` the names of the indexes. */
// biome-ignore lint/suspicious/noExplicitAny: a type that is only named is a type of any records.
export interface RecordType<Name extends string = string, A = any, K = any, I extends string = string> {
  readonly name: Name
  readonly shape: RecordShape.Struct
  readonly codec: RecordCodec.RecordCodec<A>
  /** Dotted paths, at least one; all of them are always there. */
  readonly primaryKey: ReadonlyArray<string>
  readonly indexes: { readonly [Index_ in I]: Index }
  /** The field that says how new a record is, of kind int. Absent: `putIfNewer` is refused. */
  readonly recency: string | undefined
  /** The parts of the primary key, in order. */
  readonly keyParts: ReadonlyArray<KeyPart>
  /** The parts of each index, in order, without those of the primary key. */
  readonly indexParts: { readonly [Index_ in I]: ReadonlyArray<KeyPart> }
  /** Not there at run time: carries the type of what names a record. */
  readonly "~key"?: (key: K) => K
}

/** Any record type. */
// biome-ignore lint/suspicious/noExplicitAny: the type of the record is not known where any type will do.
export type Any = RecordType<string, any, any, string>

/** The record of a type. */
export type Record<T extends Any> = T extends RecordType<string, infer A, infer _K, string> ? A : never

/** What names a record of a type: the fields of its primary key. */
export type Key<T extends Any> = T extends RecordType<string, infer _A, infer K, string> ? K : never

/** The names of the indexes of a type. */
export type IndexName<T extends Any> = T extends RecordType<string, infer _A, infer _K, infer I> ? I : never

/** A type as plain JSON. */
export interface Description {
  readonly name: string
  /** The version that the codec writes before each value. */
  readonly version: number
  /** JSON Schema 2020-12 of the fields, in their stored order. */
  readonly schema: { readonly [keyword: string]: unknown }
  readonly primaryKey: ReadonlyArray<string>
  readonly indexes: { readonly [index: string]: Index }
  readonly recency?: string
}

/** The part of a record at one dotted path. */
type AtPath<A, P extends string> = P extends `${infer Head}.${infer Rest}`
  ? Head extends keyof A
    ? { readonly [H in Head]: AtPath<A[Head], Rest> }
    : never
  : P extends keyof A
    ? { readonly [Q in P]: A[P] }
    : never

type Intersection<U> = (U extends unknown ? (each: U) => void : never) extends (all: infer I) => void ? I : never

type Flat<A> = { readonly [F in keyof A]: A[F] }

/** What names a record: the fields at the given paths. */
export type KeyAt<A, P extends string> = Flat<Intersection<P extends string ? AtPath<A, P> : never>>

/** What a type is declared with. */
export interface Declaration<
  Name extends string,
  Fields extends Schema.Struct.Fields,
  P extends string,
  I extends string
> {
  /** 1 to 64 characters of `[A-Za-z][A-Za-z0-9_]*`. */
  readonly name: Name
  /** Fields are only ever appended, and those appended are optional: the stored order is the declared one. */
  readonly fields: Schema.Struct<Fields>
  /** Written before each value. Default 1. */
  readonly version?: number
  readonly primaryKey: ReadonlyArray<P>
  readonly indexes?: { readonly [Index_ in I]: Index }
  /** Default `discovered_at` where there is such a field of whole numbers. */
  readonly recency?: string
}

/** What a type is declared with, its fields as a shape. */
export interface ShapeDeclaration {
  readonly name: string
  readonly shape: RecordShape.Struct
  readonly version: number
  readonly primaryKey: ReadonlyArray<string>
  readonly indexes: { readonly [index: string]: Index }
  readonly recency?: string
}

/** Declares a type. A declaration that cannot work is a bug of the program: this throws, saying what is wrong. */
export const make = <
  const Name extends string,
  Fields extends Schema.Struct.Fields,
  const P extends string,
  const I extends string = never
>(
  declaration: Declaration<Name, Fields, P, I>
): RecordType<Name, Schema.Struct.Type<Fields>, KeyAt<Schema.Struct.Type<Fields>, P>, I> => {
  const { indexes, name, primaryKey, version } = declaration
  const shape = RecordShape.fromSchema(declaration.fields)
  if (Result.isFailure(shape)) throw new Error(`Cannot declare record type ${name}: ${shape.failure.message}`)
  const recency = declaration.recency ?? defaultRecency(shape.success)
  const type = fromShape({
    name,
    shape: shape.success,
    version: version ?? RecordCodec.defaultVersion,
    primaryKey,
    indexes: indexes ?? {},
    ...(recency === undefined ? {} : { recency })
  })
  if (Result.isFailure(type)) throw new Error(`Cannot declare record type ${name}: ${type.failure}`)
  return type.success as RecordType<Name, Schema.Struct.Type<Fields>, KeyAt<Schema.Struct.Type<Fields>, P>, I>
}

/** A type of a shape, its records plain objects; or what is wrong with the declaration. */
export const fromShape = (declaration: ShapeDeclaration): Result.Result<Any, string> => {
  const { name, primaryKey, shape } = declaration
  const problem = declarationProblem(declaration)
  if (problem !== undefined) return Result.fail(problem)
  const indexParts: { [index: string]: ReadonlyArray<KeyPart> } = {}
  for (const [index, { paths }] of Object.entries(declaration.indexes)) {
    indexParts[index] = paths.map((path) => partAt(shape, path) as KeyPart)
  }
  return Result.succeed({
    name,
    shape,
    codec: RecordCodec.make(shape, { version: declaration.version }),
    primaryKey,
    indexes: declaration.indexes,
    recency: declaration.recency,
    keyParts: primaryKey.map((path) => partAt(shape, path) as KeyPart),
    indexParts
  })
}

/** The description that a store keeps of a type. */
export const describe = (type: Any): Description => ({
  name: type.name,
  version: type.codec.version,
  schema: RecordShape.toJsonSchema(type.shape),
  primaryKey: type.primaryKey,
  indexes: type.indexes,
  ...(type.recency === undefined ? {} : { recency: type.recency })
})

/** The type that a description is of, whoever wrote it; or what is wrong with it. */
export const fromDescription = (description: unknown): Result.Result<Any, string> => {
  const decoded = decodeDescription(description)
  if (Result.isFailure(decoded)) return Result.fail(decoded.failure.message)
  const { schema, ...rest } = decoded.success
  const shape = RecordShape.fromJsonSchema(schema)
  return Result.isFailure(shape) ? Result.fail(shape.failure.message) : fromShape({ ...rest, shape: shape.success })
}

/** The parts of the condition of an index. */
export const conditionOf = ({ where }: Index): Condition | undefined =>
  where === undefined ? undefined : { path: where.path.split("."), equals: where.equals }

const Comparable = Schema.Union([Schema.String, Schema.Int, Schema.Boolean])

const StoredDescription = Schema.Struct({
  name: Schema.String,
  version: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: RecordCodec.maxVersion })),
  schema: Schema.Record(Schema.String, Schema.Unknown),
  primaryKey: Schema.Array(Schema.String),
  indexes: Schema.Record(
    Schema.String,
    Schema.Struct({
      paths: Schema.Array(Schema.String),
      where: Schema.optionalKey(Schema.Struct({ path: Schema.String, equals: Comparable }))
    })
  ),
  recency: Schema.optionalKey(Schema.String)
})

const decodeDescription = Schema.decodeUnknownResult(StoredDescription)

const namePattern = /^[A-Za-z][A-Za-z0-9_]{0,63}$/

/** Indexes of one type at most, and paths of one key. */
const maxIndexCount = 32
const maxPathCount = 16

const defaultRecency = (shape: RecordShape.Struct): string | undefined =>
  shape.fields.find(({ name, shape: { kind } }) => name === "discovered_at" && kind === "int")?.name

const declarationProblem = (declaration: ShapeDeclaration): string | undefined => {
  const { indexes, name, primaryKey, recency, shape } = declaration
  if (!namePattern.test(name)) return `its name is ${JSON.stringify(name)}, expected ${namePattern.source}`
  const keyProblem = pathsProblem(shape, "its primary key", primaryKey, true)
  if (keyProblem !== undefined) return keyProblem
  const entries = Object.entries(indexes)
  if (entries.length > maxIndexCount) return `it has ${entries.length} indexes, expected at most ${maxIndexCount}`
  for (const [index, { paths, where }] of entries) {
    if (!namePattern.test(index))
      return `an index has the name ${JSON.stringify(index)}, expected ${namePattern.source}`
    const problem = pathsProblem(shape, `index ${index}`, paths, false) ?? whereProblem(shape, index, where)
    if (problem !== undefined) return problem
  }
  if (recency === undefined) return undefined
  const field = shape.fields.find((each) => each.name === recency)
  return field?.shape.kind === "int" && !field.optional
    ? undefined
    : `its recency is ${recency}, expected a field of whole numbers that is always there`
}

const pathsProblem = (
  shape: RecordShape.Struct,
  what: string,
  paths: ReadonlyArray<string>,
  always: boolean
): string | undefined => {
  if (paths.length === 0 || paths.length > maxPathCount) {
    return `${what} has ${paths.length} paths, expected 1 to ${maxPathCount}`
  }
  if (new Set(paths).size < paths.length) return `${what} names a path twice`
  for (const path of paths) {
    const part = partAt(shape, path)
    if (typeof part === "string") return `${what} has the path ${path}: ${part}`
    if (always && part.optional) return `${what} has the path ${path}, which can be absent`
  }
  return undefined
}

const whereProblem = (shape: RecordShape.Struct, index: string, where: Index["where"]): string | undefined => {
  if (where === undefined) return undefined
  const part = partAt(shape, where.path)
  if (typeof part === "string") return `the condition of index ${index} has the path ${where.path}: ${part}`
  const expected = comparableKinds[part.kind]
  if (typeof where.equals !== expected)
    return `the condition of index ${index} compares a ${part.kind} with a ${typeof where.equals}`
  // A store could not keep such a condition, and no record satisfies it.
  return canBe(part.kind, where.equals)
    ? undefined
    : `the condition of index ${index} compares a ${part.kind} with ${JSON.stringify(where.equals)}, which none is`
}

const canBe = (kind: KeyKind, value: Comparable): boolean =>
  typeof value === "string" ? value.isWellFormed() : kind !== "int" || Number.isSafeInteger(value)

/** What a field of a kind can be compared with; bytes, bigint and date have no JSON of their own. */
const comparableKinds: { readonly [K in KeyKind]?: string } = {
  string: "string",
  literal: "string",
  int: "number",
  boolean: "boolean"
}

/** The field at a path, or why there is none that a key can be made of. */
const partAt = (shape: RecordShape.Struct, path: string): (KeyPart & { readonly optional: boolean }) | string => {
  const steps = path.split(".")
  let struct = shape
  let optional = false
  for (const [index, step] of steps.entries()) {
    const field = struct.fields.find(({ name }) => name === step)
    if (field === undefined) return `there is no field ${step}`
    const nullable = field.shape.kind === "nullable"
    const inner = field.shape.kind === "nullable" ? field.shape.value : field.shape
    optional ||= field.optional || nullable
    if (index === steps.length - 1) {
      const kind = keyKinds.find((each) => each === inner.kind)
      return kind === undefined ? `a key cannot have a ${inner.kind}` : { path: steps, kind, optional }
    }
    if (inner.kind !== "struct") return `${step} is no struct`
    struct = inner
  }
  return "it is empty"
}
