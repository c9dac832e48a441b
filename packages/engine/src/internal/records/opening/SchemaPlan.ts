/** What opening a store with some types changes in its schema: a pure plan. */
import { RecordShape } from "@icecore/codec"
import { Result } from "effect"
import { indexTags, typeTags } from "../../../format/RecordLayout.ts"
import { isSameIndex, type StoredIndex, type StoredType, type StoreSchema } from "../../../format/StoreSchema.ts"
import * as RecordType from "../../../RecordType.ts"
import { SyncRun } from "../../../SyncRun.ts"

/** A type that cannot stand beside what is stored. */
export interface Contradiction {
  readonly type: string
  readonly detail: string
}

/** What is to be done. */
export interface SchemaPlan {
  /** Written first when anything changes: new indexes are not ready, dropped ones are in `removing`. */
  readonly before: StoreSchema
  /** Written last: every index is ready and nothing is left to remove. */
  readonly after: StoreSchema
  readonly isChange: boolean
  /** Tags whose rows go before anything is built: of dropped indexes, and of those that were being built before. */
  readonly clear: ReadonlyArray<number>
  /** Tags of indexes to build, and of their types. */
  readonly build: ReadonlyArray<{ readonly typeTag: number; readonly index: StoredIndex }>
}

/** The plan for opening a store of this schema with these types. Types of the schema that are not among them stay as they are. */
export const plan = (
  stored: StoreSchema,
  declared: ReadonlyArray<RecordType.Any>
): Result.Result<SchemaPlan, Contradiction> => {
  const names = declared.map(({ name }) => name)
  const twice = names.find((name, place) => names.indexOf(name) !== place)
  if (twice !== undefined) return Result.fail({ type: twice, detail: "two of the types have this name" })
  if (names.includes(SyncRun.name))
    return Result.fail({ type: SyncRun.name, detail: "the store keeps sync runs itself" })
  let { nextIndexTag, nextTypeTag } = stored
  const types = [...stored.types]
  const removing = [...stored.removing]
  let isChange = removing.length > 0
  for (const type of declared) {
    const place = types.findIndex(({ description }) => description.name === type.name)
    const before = types[place]
    const problem = before === undefined ? undefined : contradiction(before.description, type)
    if (problem !== undefined) return Result.fail({ type: type.name, detail: problem })
    const indexes: Array<StoredIndex> = []
    for (const [name, index] of Object.entries(type.indexes)) {
      const same = before?.indexes.find((each) => each.name === name)
      if (same !== undefined && isSameIndex(index, before?.description.indexes[name])) indexes.push(same)
      // A new type has no records, so its indexes are ready.
      else indexes.push({ name, tag: nextIndexTag++, ready: before === undefined })
    }
    const kept = new Set(indexes.map(({ tag }) => tag))
    for (const { tag } of before?.indexes ?? []) if (!kept.has(tag)) removing.push(tag)
    const next: StoredType = {
      tag: before?.tag ?? nextTypeTag++,
      description: before === undefined ? RecordType.describe(type) : merged(before.description, type),
      indexes
    }
    if (place < 0) types.push(next)
    else types[place] = next
    isChange ||= before === undefined || JSON.stringify(before) !== JSON.stringify(next)
  }
  if (nextTypeTag > typeTags.last + 1) return Result.fail({ type: names.at(-1) ?? "", detail: "no type tag is left" })
  if (nextIndexTag > indexTags.last + 1)
    return Result.fail({ type: names.at(-1) ?? "", detail: "no index tag is left" })
  const build = types.flatMap(({ indexes, tag: typeTag }) =>
    indexes.filter(({ ready }) => !ready).map((index) => ({ typeTag, index }))
  )
  const before: StoreSchema = { types, nextTypeTag, nextIndexTag, removing }
  const ready = types.map((type) => ({ ...type, indexes: type.indexes.map((index) => ({ ...index, ready: true })) }))
  return Result.succeed({
    before,
    after: { types: ready, nextTypeTag, nextIndexTag, removing: [] },
    isChange: isChange || build.length > 0,
    clear: [...removing, ...build.map(({ index }) => index.tag)],
    build
  })
}

/**
 * Why records stored under a description cannot be read and written by a declaration; undefined when they can. Either may
 * have optional fields appended that the other lacks; indexes may differ.
 */
export const contradiction = (stored: RecordType.Description, declared: RecordType.Any): string | undefined => {
  const before = RecordType.fromDescription(stored)
  if (Result.isFailure(before)) return before.failure
  const was = before.success.primaryKey.join(", ")
  const is = declared.primaryKey.join(", ")
  if (was !== is) return `its primary key is ${is}, stored under ${was}`
  return structProblem(before.success.shape, declared.shape, "")
}

/** Of two that do not contradict each other: the fields that either has, with the indexes of the declaration. */
export const merged = (stored: RecordType.Description, declared: RecordType.Any): RecordType.Description => {
  const description = RecordType.describe(declared)
  const before = Result.getOrThrow(RecordType.fromDescription(stored))
  const schema = RecordShape.toJsonSchema(mergedStruct(before.shape, declared.shape))
  return { ...description, schema, version: Math.max(description.version, stored.version) }
}

/**
 * The schema with the fields that types of another store have appended to its own, which they do not contradict; undefined when there are
 * none. Indexes and recency stay.
 */
export const withAppended = (schema: StoreSchema, others: ReadonlyArray<RecordType.Any>): StoreSchema | undefined => {
  let isChange = false
  const types = schema.types.map((stored): StoredType => {
    const { description } = stored
    const other = others.find(({ name }) => name === description.name)
    if (other === undefined) return stored
    const both = merged(RecordType.describe(other), Result.getOrThrow(RecordType.fromDescription(description)))
    if (JSON.stringify(both.schema) === JSON.stringify(description.schema)) return stored
    isChange = true
    return { ...stored, description: both }
  })
  return isChange ? { ...schema, types } : undefined
}

const mergedStruct = (stored: RecordShape.Struct, declared: RecordShape.Struct): RecordShape.Struct => {
  const count = Math.max(stored.fields.length, declared.fields.length)
  const fields = Array.from({ length: count }, (_, place): RecordShape.Field => {
    const was = stored.fields[place]
    const is = declared.fields[place]
    if (was === undefined || is === undefined) return (is ?? was)!
    return { ...is, shape: mergedShape(was.shape, is.shape) }
  })
  return { kind: "struct", fields }
}

const mergedShape = (stored: RecordShape.Shape, declared: RecordShape.Shape): RecordShape.Shape => {
  if (stored.kind === "struct" && declared.kind === "struct") return mergedStruct(stored, declared)
  if (stored.kind === "array" && declared.kind === "array") {
    return { kind: "array", item: mergedShape(stored.item, declared.item) }
  }
  if (
    (stored.kind === "record" && declared.kind === "record") ||
    (stored.kind === "nullable" && declared.kind === "nullable")
  ) {
    return { kind: declared.kind, value: mergedShape(stored.value, declared.value) }
  }
  return declared
}

const structProblem = (stored: RecordShape.Struct, declared: RecordShape.Struct, path: string): string | undefined => {
  const count = Math.max(stored.fields.length, declared.fields.length)
  for (let place = 0; place < count; place++) {
    const was = stored.fields[place]
    const is = declared.fields[place]
    const field = join(path, (is ?? was)!.name)
    if (was === undefined || is === undefined) {
      if ((is ?? was)!.optional) continue
      return was === undefined ? `its new field ${field} is not optional` : `it lacks the field ${field}`
    }
    if (was.name !== is.name) return `field ${place} is ${field}, stored as ${join(path, was.name)}`
    if (was.optional !== is.optional) {
      return `field ${field} is ${is.optional ? "optional" : "required"}, stored as ${was.optional ? "optional" : "required"}`
    }
    const problem = shapeProblem(was.shape, is.shape, field)
    if (problem !== undefined) return problem
  }
  return undefined
}

const shapeProblem = (stored: RecordShape.Shape, declared: RecordShape.Shape, path: string): string | undefined => {
  if (stored.kind === "struct" && declared.kind === "struct") return structProblem(stored, declared, path)
  if (stored.kind === "array" && declared.kind === "array") {
    return shapeProblem(stored.item, declared.item, `${path}[]`)
  }
  if (
    (stored.kind === "record" && declared.kind === "record") ||
    (stored.kind === "nullable" && declared.kind === "nullable")
  ) {
    return shapeProblem(stored.value, declared.value, path)
  }
  if (stored.kind === "literal" && declared.kind === "literal") {
    const missing = stored.values.find((value) => !declared.values.includes(value))
    return missing === undefined ? undefined : `field ${path} cannot be ${JSON.stringify(missing)}, which is stored`
  }
  return stored.kind === declared.kind ? undefined : `field ${path} is ${declared.kind}, stored as ${stored.kind}`
}

const join = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`)
