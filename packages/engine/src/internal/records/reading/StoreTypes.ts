/** The types of a store as one reader reads them: the stored tags with the declared types, where there are such. */
import { Effect, Option, Result } from "effect"
import type { EngineReadError, Reader } from "../../../Engine.ts"
import { metaKeyspace, schemaKey, type TypeLayout } from "../../../format/RecordLayout.ts"
import { layoutOf, type SchemaVersionOther, type StoredType, type StoreSchema } from "../../../format/StoreSchema.ts"
import {
  NotRecordStore,
  RecordMisuse,
  RecordTypeChanged,
  RecordTypeUnknown,
  StoreCorrupt,
  StoreVersionUnknown
} from "../../../RecordError.ts"
import type * as RecordType from "../../../RecordType.ts"
import { compareBytes } from "../../Bounds.ts"
import { contradiction } from "../opening/SchemaPlan.ts"
import * as SchemaMemory from "./SchemaMemory.ts"

/** The tag of a type of which the store has no rows. No row has it. */
export const noTag = 0

/** The types at one moment. */
export interface StoreTypes {
  readonly schema: StoreSchema
  /** The stored row that all this is of. */
  readonly schemaBytes: Uint8Array
  /** Those declared, or all that are stored. */
  readonly layouts: ReadonlyArray<TypeLayout>
  /** All stored types, declared or not. */
  readonly storedLayouts: ReadonlyArray<TypeLayout>
  /** The layout of a type that a caller names, whose declaration may be another than the reader's. */
  readonly layoutFor: (type: RecordType.Any) => Effect.Effect<TypeLayout, RecordTypeUnknown | RecordMisuse>
}

export interface ReadTypesOptions {
  readonly reader: Reader
  readonly path: string
  readonly declared: ReadonlyArray<RecordType.Any> | undefined
}

/** What reading the types can fail with. */
export type TypesReadError = EngineReadError | StoreCorrupt | StoreVersionUnknown | NotRecordStore | RecordTypeChanged

export const readTypes: (options: ReadTypesOptions) => Effect.Effect<StoreTypes, TypesReadError> = Effect.fnUntraced(
  function* (options) {
    const { path, reader } = options
    const schemaBytes = yield* reader.get(metaKeyspace, schemaKey())
    if (Option.isNone(schemaBytes)) return yield* new NotRecordStore({ path, detail: "it has no schema" })
    const described = SchemaMemory.describe(schemaBytes.value)
    if (Result.isFailure(described)) return yield* schemaError(path, described.failure)
    const types = typesOf(options, described.success, schemaBytes.value)
    return Result.isFailure(types) ? yield* types.failure : types.success
  }
)

/** What is wrong with a row of the schema, as an error. */
export const schemaError = (path: string, problem: string | SchemaVersionOther): StoreCorrupt | StoreVersionUnknown => {
  if (typeof problem === "string") return new StoreCorrupt({ path, part: "schema", detail: problem })
  const { actual, expected, part } = problem
  return new StoreVersionUnknown({ path, part, expected, actual })
}

/** Whether the types are still those of the store at another moment. */
export const areCurrent = (types: StoreTypes, reader: Reader): Effect.Effect<boolean, EngineReadError> =>
  Effect.map(
    reader.get(metaKeyspace, schemaKey()),
    (bytes) => Option.isSome(bytes) && compareBytes(bytes.value, types.schemaBytes) === 0
  )

const typesOf = (
  { declared, path }: ReadTypesOptions,
  { layouts: describedLayouts, schema }: SchemaMemory.DescribedSchema,
  schemaBytes: Uint8Array
): Result.Result<StoreTypes, RecordTypeChanged> => {
  const stored = new Map(schema.types.map((type) => [type.description.name, type]))
  const declaredLayouts: Array<TypeLayout> = []
  for (const type of declared ?? []) {
    const layout = layoutIn(stored, type)
    if (typeof layout === "string") return Result.fail(new RecordTypeChanged({ path, type: type.name, detail: layout }))
    declaredLayouts.push(layout ?? withoutRows(type))
  }
  const known = new Map(declaredLayouts.map((layout) => [layout.type.name, layout]))
  const storedLayouts = describedLayouts.map((layout) => known.get(layout.type.name) ?? layout)
  const layouts = declared === undefined ? storedLayouts : declaredLayouts
  const byType = new WeakMap<RecordType.Any, TypeLayout>(
    [...storedLayouts, ...layouts].map((layout) => [layout.type, layout])
  )

  const find = (type: RecordType.Any): TypeLayout | RecordTypeUnknown | RecordMisuse => {
    const layout = layoutIn(stored, type) ?? known.get(type.name)
    if (layout === undefined) return new RecordTypeUnknown({ path, type: type.name })
    if (typeof layout !== "string") return layout
    return new RecordMisuse({ path, detail: `record type ${type.name} is not the one that is stored: ${layout}` })
  }

  const layoutFor: StoreTypes["layoutFor"] = (type) =>
    Effect.suspend(() => {
      const before = byType.get(type)
      if (before !== undefined) return Effect.succeed(before)
      const found = find(type)
      if ("_tag" in found) return Effect.fail(found)
      byType.set(type, found)
      return Effect.succeed(found)
    })

  return Result.succeed({ schema, schemaBytes, layouts, storedLayouts, layoutFor })
}

/** The layout of a stored type; undefined when it is not stored, what contradicts it when the declaration is of another. */
const layoutIn = (stored: ReadonlyMap<string, StoredType>, type: RecordType.Any): TypeLayout | string | undefined => {
  const found = stored.get(type.name)
  if (found === undefined) return undefined
  return contradiction(found.description, type) ?? layoutOf(found, type)
}

const withoutRows = (type: RecordType.Any): TypeLayout => ({ type, tag: noTag, keyParts: type.keyParts, indexes: [] })
