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
import type { Schema } from "effect"

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
export interface RecordType<
  out Name extends string = string,
  in out A = any,
  in out K = any,
  out I extends string = string
> {
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
  readonly schema: RecordShape.JsonSchema
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

/** Declares a type. A declaration that cannot work is a bug of the program: this throws, saying what is wrong. */
export const make = <
  const Name extends string,
  Fields extends Schema.Struct.Fields,
  const P extends string,
  const I extends string = never
>(
  declaration: Declaration<Name, Fields, P, I>
): RecordType<
  Name,
  Schema.Struct.Type<Fields>,
  KeyAt<Schema.Struct.Type<Fields>, P>,
  I
> => {
  const shape = RecordShape.fromSchemaUnsafe(declaration.fields)
  return fromShape(shape, { version: 1, indexes: {} as { readonly [Index_ in I]: Index }, ...declaration })
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
