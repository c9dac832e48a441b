/**
 * Brings the schema of a store to the types that it is opened with.
 *
 * 1. Write the schema with new types; new indexes not `ready`, dropped ones in `removing`: whoever opens the store after a crash
 *    knows which rows mean nothing.
 * 2. Remove the rows of the dropped indexes, and what an earlier attempt left of the new ones.
 * 3. Build the new indexes in every sync.
 * 4. Write the schema with every index ready.
 *
 * All of it is buffered: the engine keeps the order of writes, so a crash leaves one of these steps begun and those after it not, and
 * the next opening does them again. Nothing is promised before a synced write of the store, which makes all of it durable.
 *
 * An index that a stored record keeps from being built is given up, so that the store can be opened without it.
 *
 * A sync whose indexes are behind gets its entries like any other, and all of them anew when it is resumed.
 */
import { Effect, Option, Result } from "effect"
import { Hex } from "effect/encoding"
import { type Database, maxKeySizeBytes } from "../../../Engine.ts"
import { allEntryRunsPrefix } from "../../../format/EntryRun.ts"
import {
  indexesKeyspace,
  metaKeyspace,
  recordsKeyspace,
  schemaKey,
  syncsKeyspace,
  type TypeLayout,
  tagPrefix
} from "../../../format/RecordLayout.ts"
import {
  decodeSchema,
  emptySchema,
  encodeSchema,
  layoutOf,
  type StoredIndex,
  type StoreSchema
} from "../../../format/StoreSchema.ts"
import { NotRecordStore, type RecordCorrupt, RecordTypeChanged } from "../../../RecordError.ts"
import type { RecordReadError } from "../../../RecordReader.ts"
import type { RecordOpenError } from "../../../RecordStore.ts"
import type * as RecordType from "../../../RecordType.ts"
import { readRuns } from "../reading/RunReads.ts"
import { schemaError } from "../reading/StoreTypes.ts"
import type { Intake } from "../writing/Intake.ts"
import { mergeEntries, mergeRuns } from "../writing/Merge.ts"
import { tooLong } from "../writing/RecordKeys.ts"
import { writeAnew } from "../writing/Settle.ts"
import * as SyncSession from "../writing/SyncSession.ts"
import { hasRows } from "./KeyspaceRows.ts"
import { plan, type SchemaPlan } from "./SchemaPlan.ts"

/** The schema that the store has afterwards. */
export const openSchema: (
  database: Database,
  path: string,
  types: ReadonlyArray<RecordType.Any>,
  options: { readonly mode: "create" | "existing" | "readOnly"; readonly intake: Intake }
) => Effect.Effect<StoreSchema, RecordOpenError> = Effect.fnUntraced(function* (database, path, types, options) {
  const { intake, mode } = options
  const row = yield* database.get(metaKeyspace, schemaKey())
  if (Option.isNone(row)) {
    if (mode !== "create") return yield* new NotRecordStore({ path, detail: "it has no schema" })
    for (const keyspace of [recordsKeyspace, indexesKeyspace, syncsKeyspace]) {
      if (!(yield* hasRows(database, keyspace))) continue
      return yield* new NotRecordStore({ path, detail: `it has no schema, and rows in ${keyspace}` })
    }
  }
  const stored = Option.isNone(row) ? Result.succeed(emptySchema) : decodeSchema(row.value)
  if (Result.isFailure(stored)) return yield* schemaError(path, stored.failure)
  const planned = plan(stored.success, types)
  if (Result.isFailure(planned)) return yield* new RecordTypeChanged({ path, ...planned.failure })
  if (mode === "readOnly") return stored.success
  yield* removeRuns(database)
  if (Option.isSome(row) && !planned.success.isChange) return stored.success
  yield* carryOut({ database, path }, planned.success, intake)
  return planned.success.after
})

/** Runs of entries are their writer's alone, and it is gone. */
const removeRuns = Effect.fnUntraced(function* (database: Database): Effect.fn.Return<void, RecordOpenError> {
  const prefix = allEntryRunsPrefix()
  if (!(yield* hasRows(database, metaKeyspace, prefix))) return
  yield* database.write((batch) => batch.deleteRange(metaKeyspace, { prefix }), { durability: "buffered" })
})

const carryOut = Effect.fnUntraced(function* (
  target: { readonly database: Database; readonly path: string },
  { after, before, build, clear }: SchemaPlan,
  intake: Intake
): Effect.fn.Return<void, RecordOpenError> {
  const { database, path } = target
  const write = (schema: StoreSchema) =>
    database.write((batch) => batch.put(metaKeyspace, schemaKey(), encodeSchema(schema)), { durability: "buffered" })
  if (clear.length > 0) {
    yield* write(before)
    yield* database.write(
      (batch) => {
        for (const tag of clear) batch.deleteRange(indexesKeyspace, { prefix: tagPrefix(tag) })
      },
      { durability: "buffered" }
    )
    for (const { index, typeTag } of build) {
      const type = after.types.find(({ tag }) => tag === typeTag)!
      yield* Effect.logInfo("Building an index").pipe(
        Effect.annotateLogs({ path, type: type.description.name, index: index.name })
      )
      const layout = layoutOf(type)
      const onlyIndex = { ...layout, indexes: layout.indexes.filter(({ tag }) => tag === index.tag) }
      yield* Effect.catchTag(buildIndex(target, onlyIndex, intake), "RecordCorrupt", (error) =>
        Effect.andThen(
          write(withoutUnready(before)),
          Effect.fail(error.detail === tooLong ? new RecordTypeChanged(unfit(path, index, error)) : error)
        )
      )
    }
  }
  yield* write(after)
})

const buildIndex = Effect.fnUntraced(function* (
  target: { readonly database: Database; readonly path: string },
  layout: TypeLayout,
  intake: Intake
): Effect.fn.Return<void, RecordReadError> {
  for (const run of yield* readRuns(target.database, target.path)) {
    const session = SyncSession.make(run, { indexes: "complete", counts: {} }, [layout], { isFresh: true })
    for (const keys of session.keysByTag.values()) yield* writeAnew(target, session, keys, intake)
    yield* mergeEntries(target, session, intake)
    yield* mergeRuns(target, session, intake.limitBytes)
  }
})

/** The schema without the indexes that are not built; what there is of their rows goes with the next opening. */
const withoutUnready = (schema: StoreSchema): StoreSchema => {
  const given = schema.types.flatMap(({ indexes }) => indexes.filter(({ ready }) => !ready))
  const types = schema.types.map((type) => {
    const indexes = type.indexes.filter(({ ready }) => ready)
    const kept = new Set(indexes.map(({ name }) => name))
    const described = Object.entries(type.description.indexes).filter(([name]) => kept.has(name))
    return { ...type, indexes, description: { ...type.description, indexes: Object.fromEntries(described) } }
  })
  return { ...schema, types, removing: [...schema.removing, ...given.map(({ tag }) => tag)] }
}

const unfit = (path: string, { name }: StoredIndex, { key, type }: RecordCorrupt) => ({
  path,
  type,
  detail: `its index ${name} cannot have the stored record 0x${Hex.encode(key)}, whose entry would be longer than ${maxKeySizeBytes} bytes`
})
