/**
 * Record types of several stores and archives, as one store has them that takes records of all.
 */
import { Data, Result } from "effect"
import { contradiction, merged } from "./internal/records/opening/SchemaPlan.ts"
import * as RecordType from "./RecordType.ts"

/** Two declare a type of one name in ways that cannot stand beside each other. */
export class TypesContradict extends Data.Error<{
  readonly type: string
  readonly path: string
  /** Where the type was declared otherwise. */
  readonly before: string
  readonly detail: string
}> {
  readonly _tag = "TypesContradict"
  override readonly name = "TypesContradict"
  override get message(): string {
    return `Cannot use ${this.path} with ${this.before}: of record type ${this.type} ${this.detail}`
  }
}

/** Some types, and where they are from. */
export interface TypeSource {
  readonly path: string
  readonly types: ReadonlyArray<RecordType.Any>
}

/**
 * Each type once, in the order in which they come. Where one of a name has fields appended that another lacks, it has them; its indexes and
 * its recency are those of the first.
 */
export const make = (
  sources: ReadonlyArray<TypeSource>
): Result.Result<ReadonlyArray<RecordType.Any>, TypesContradict> => {
  const found = new Map<string, { readonly type: RecordType.Any; readonly path: string }>()
  for (const { path, types } of sources) {
    for (const type of types) {
      const before = found.get(type.name)
      const united = before === undefined ? Result.succeed(type) : unite(before.type, type)
      if (Result.isFailure(united)) {
        return Result.fail(new TypesContradict({ type: type.name, path, before: before!.path, detail: united.failure }))
      }
      found.set(type.name, { type: united.success, path: before?.path ?? path })
    }
  }
  return Result.succeed([...found.values()].map(({ type }) => type))
}

/** Whether the first type has every field of the second: records of that lose nothing as records of the first. */
export const covers = (first: RecordType.Any, second: RecordType.Any): boolean => {
  const united = unite(first, second)
  return (
    Result.isSuccess(united) &&
    JSON.stringify(RecordType.describe(united.success)) === JSON.stringify(RecordType.describe(first))
  )
}

/** A type with the fields of both. */
const unite = (first: RecordType.Any, second: RecordType.Any): Result.Result<RecordType.Any, string> => {
  const before = RecordType.describe(first)
  const after = RecordType.describe(second)
  if (JSON.stringify(before) === JSON.stringify(after)) return Result.succeed(first)
  const problem = contradiction(before, second)
  // A literal may have values that only one of the two knows: that one is the declaration.
  if (problem !== undefined && contradiction(after, first) !== undefined) return Result.fail(problem)
  const { recency: _, ...both } = problem === undefined ? merged(before, second) : merged(after, first)
  return RecordType.fromDescription({
    ...both,
    indexes: before.indexes,
    ...(before.recency === undefined ? {} : { recency: before.recency })
  })
}
