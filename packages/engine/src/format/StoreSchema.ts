/**
 * What a record store keeps about itself: its types with their tags, and per sync whether the indexes are complete. Part of the
 * on-disk format: never change, add a version.
 *
 * The row `schema` of `meta` is JSON in UTF-8:
 *
 * ```json
 * { "format": 1, "key_layout": 1, "next_type_tag": 3, "next_index_tag": 131, "removing": [129],
 *   "types": [{ "tag": 2, "description": { … }, "indexes": [{ "name": "by_owner", "tag": 130, "ready": true }] }] }
 * ```
 *
 * `description` is that of `RecordType.describe`; every index of it is in `indexes`. An index that is not `ready` was being built when
 * the store closed: its rows mean nothing. The rows of tags in `removing` are on their way out. Tags below the next ones are
 * never given again.
 *
 * A row `sync/…` of `meta` (a SyncBook) is MessagePack of `indexes` and `counts`. `behind` means that a crash may have left records
 * without their entries and entries without their records: readers read the records instead, and who continues or ends the
 * sync writes its indexes anew. A finished sync is always `complete`.
 */
import { RecordCodec, type RecordShape } from "@icecore/codec"
import { Result, Schema } from "effect"
import * as RecordType from "../RecordType.ts"
import { type IndexLayout, indexTags, keyLayoutVersion, type TypeLayout, typeTags } from "./RecordLayout.ts"

/** Version of the row `schema`. */
const schemaFormatVersion = 1

/** An index and its tag. */
export interface StoredIndex {
  readonly name: string
  readonly tag: number
  readonly ready: boolean
}

/** A type and its tags. */
export interface StoredType {
  readonly tag: number
  readonly description: RecordType.Description
  readonly indexes: ReadonlyArray<StoredIndex>
}

/** The row `schema`. */
export interface StoreSchema {
  readonly types: ReadonlyArray<StoredType>
  readonly nextTypeTag: number
  readonly nextIndexTag: number
  /** Index tags whose rows are being removed. */
  readonly removing: ReadonlyArray<number>
}

/** Whether every record of a sync has its entries. */
export type IndexState = "complete" | "behind"

/** What is kept about one sync. */
export interface SyncBook {
  readonly indexes: IndexState
  /** Records by type name, as far as they are written. */
  readonly counts: Readonly<Record<string, number>>
}

/** A store without types. */
export const emptySchema: StoreSchema = {
  types: [],
  nextTypeTag: typeTags.first,
  nextIndexTag: indexTags.first,
  removing: []
}

const Tag = (bounds: { readonly first: number; readonly last: number }) =>
  Schema.Int.check(Schema.isBetween({ minimum: bounds.first, maximum: bounds.last }))

const NextTag = (bounds: { readonly first: number; readonly last: number }) =>
  Schema.Int.check(Schema.isBetween({ minimum: bounds.first, maximum: bounds.last + 1 }))

const SchemaRow = Schema.fromJsonString(
  Schema.Struct({
    format: Schema.Literal(schemaFormatVersion),
    key_layout: Schema.Literal(keyLayoutVersion),
    next_type_tag: NextTag(typeTags),
    next_index_tag: NextTag(indexTags),
    removing: Schema.Array(Tag(indexTags)),
    types: Schema.Array(
      Schema.Struct({
        tag: Tag(typeTags),
        description: Schema.Unknown,
        indexes: Schema.Array(Schema.Struct({ name: Schema.String, tag: Tag(indexTags), ready: Schema.Boolean }))
      })
    )
  })
)

/** A format of another version need not have a key layout. */
const decodeVersions = Schema.decodeUnknownResult(
  Schema.fromJsonString(Schema.Struct({ format: Schema.Int, key_layout: Schema.optionalKey(Schema.Unknown) }))
)

const decodeSchemaRow = Schema.decodeUnknownResult(SchemaRow)

/** The bytes of the row `schema`. */
export const encodeSchema = (schema: StoreSchema): Uint8Array =>
  new TextEncoder().encode(
    JSON.stringify({
      format: schemaFormatVersion,
      key_layout: keyLayoutVersion,
      next_type_tag: schema.nextTypeTag,
      next_index_tag: schema.nextIndexTag,
      removing: schema.removing,
      types: schema.types
    })
  )

/** A row of another version than this program knows. */
export class SchemaVersionOther {
  readonly part: "schema format" | "key layout"
  readonly expected: number
  readonly actual: number

  constructor(part: "schema format" | "key layout", expected: number, actual: number) {
    this.part = part
    this.expected = expected
    this.actual = actual
  }
}

/** The schema of a row, or what is wrong with it. */
export const decodeSchema = (bytes: Uint8Array): Result.Result<StoreSchema, string | SchemaVersionOther> => {
  let text: string
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    return Result.fail("it is no UTF-8")
  }
  const versions = decodeVersions(text)
  if (Result.isFailure(versions)) return Result.fail(versions.failure.message)
  // What the rest looks like in another version is not known here.
  const { format, key_layout: keyLayout } = versions.success
  if (format !== schemaFormatVersion) {
    return Result.fail(new SchemaVersionOther("schema format", schemaFormatVersion, format))
  }
  if (typeof keyLayout === "number" && keyLayout !== keyLayoutVersion) {
    return Result.fail(new SchemaVersionOther("key layout", keyLayoutVersion, keyLayout))
  }
  const decoded = decodeSchemaRow(text)
  if (Result.isFailure(decoded)) return Result.fail(decoded.failure.message)
  const row = decoded.success
  const types: Array<StoredType> = []
  for (const stored of row.types) {
    const type = RecordType.fromDescription(stored.description)
    if (Result.isFailure(type)) return Result.fail(`the type of tag ${stored.tag}: ${type.failure}`)
    types.push({ tag: stored.tag, description: RecordType.describe(type.success), indexes: stored.indexes })
  }
  const schema: StoreSchema = {
    types,
    nextTypeTag: row.next_type_tag,
    nextIndexTag: row.next_index_tag,
    removing: row.removing
  }
  const problem = tagsProblem(schema)
  return problem === undefined ? Result.succeed(schema) : Result.fail(problem)
}

/** The bytes of the row of a sync in `meta`. */
export const encodeSyncBook = (book: SyncBook): Uint8Array => syncBookCodec.encodeUnsafe(book)

/** The bookkeeping of a row, or what is wrong with it. */
export const decodeSyncBook = (bytes: Uint8Array): Result.Result<SyncBook, string> =>
  Result.mapError(syncBookCodec.decode(bytes), (invalid) => invalid.message)

/**
 * A stored type as it is read and written. With a declaration its records are of the declared type; it must be one that the
 * stored description agrees with.
 */
export const layoutOf = (stored: StoredType, declared?: RecordType.Any): TypeLayout => {
  const type = declared ?? Result.getOrThrow(RecordType.fromDescription(stored.description))
  const indexes: Array<IndexLayout> = []
  for (const { name, ready, tag } of stored.indexes) {
    const index = type.indexes[name]
    // An index of that name over other paths is another one.
    if (!ready || index === undefined || !isSameIndex(index, stored.description.indexes[name])) continue
    indexes.push({ name, tag, parts: type.indexParts[name]!, where: RecordType.conditionOf(index) })
  }
  return { type, tag: stored.tag, keyParts: type.keyParts, indexes }
}

/** Whether two declarations of an index give the same entries. */
export const isSameIndex = (left: RecordType.Index, right: RecordType.Index | undefined): boolean =>
  right !== undefined &&
  left.paths.join("\n") === right.paths.join("\n") &&
  left.where?.path === right.where?.path &&
  left.where?.equals === right.where?.equals

const syncBookShape: RecordShape.Struct = {
  kind: "struct",
  fields: [
    { name: "indexes", shape: { kind: "literal", values: ["complete", "behind"] }, optional: false },
    { name: "counts", shape: { kind: "record", value: { kind: "int" } }, optional: false }
  ]
}

const syncBookCodec: RecordCodec.RecordCodec<SyncBook> = RecordCodec.make<SyncBook>(syncBookShape)

const tagsProblem = (schema: StoreSchema): string | undefined => {
  const names = schema.types.map(({ description }) => description.name)
  if (new Set(names).size < names.length) return "two types have one name"
  const typeTagList = schema.types.map(({ tag }) => tag)
  const indexTagList = [...schema.removing, ...schema.types.flatMap(({ indexes }) => indexes.map(({ tag }) => tag))]
  for (const tags of [typeTagList, indexTagList]) if (new Set(tags).size < tags.length) return "a tag is given twice"
  if (typeTagList.some((tag) => tag >= schema.nextTypeTag)) return "a type has a tag that is not given yet"
  if (indexTagList.some((tag) => tag >= schema.nextIndexTag)) return "an index has a tag that is not given yet"
  for (const { description, indexes } of schema.types) {
    const described = Object.keys(description.indexes).sort().join()
    if (
      described !==
      indexes
        .map(({ name }) => name)
        .sort()
        .join()
    )
      return `type ${description.name} lacks an index tag`
  }
  return undefined
}
