/** Puts an open record store together: schema, writer, reader. */
import { Effect, Option, type Scope, Semaphore } from "effect"
import { type Database, Engine } from "../../../Engine.ts"
import { storeKeyspaces, type TypeLayout } from "../../../format/RecordLayout.ts"
import { layoutOf, type StoreSchema } from "../../../format/StoreSchema.ts"
import { RecordMisuse } from "../../../RecordError.ts"
import * as RecordReader from "../../../RecordReader.ts"
import type { RecordOpenError, RecordStore, RecordStoreOptions } from "../../../RecordStore.ts"
import type * as RecordType from "../../../RecordType.ts"
import { replaceSync } from "../replacing/ReplaceSync.ts"
import { cleanup } from "../writing/Cleanup.ts"
import * as Intake from "../writing/Intake.ts"
import { put, putResolved, type Resolve, removeMany } from "../writing/Puts.ts"
import { removeSync } from "../writing/RemoveSync.ts"
import { isSettled } from "../writing/Settle.ts"
import { checkpointSync, endSync, resumeSync, startSync } from "../writing/SyncLife.ts"
import { alone, settleCurrent, settleFor, type Writer } from "../writing/Writer.ts"
import { adoptFields } from "./AdoptFields.ts"
import { openSchema } from "./OpenSchema.ts"
import { defaultArenaBytes, maxArenaBytes, minArenaBytes } from "./StoreLimits.ts"

export const open: (options: RecordStoreOptions) => Effect.Effect<RecordStore, RecordOpenError, Engine | Scope.Scope> =
  Effect.fn("RecordStore.open")(function* (options) {
    const { arenaBytes = defaultArenaBytes, cacheSizeBytes, mode = "create", path, types } = options
    if (!(Number.isSafeInteger(arenaBytes) && arenaBytes >= minArenaBytes && arenaBytes <= maxArenaBytes)) {
      const detail = `arenaBytes is ${arenaBytes}, expected ${minArenaBytes} to ${maxArenaBytes}`
      return yield* new RecordMisuse({ path, detail })
    }
    const engine = yield* Engine
    const database = yield* engine.open({
      path,
      keyspaces: storeKeyspaces,
      mode,
      ...(cacheSizeBytes === undefined ? {} : { cacheSizeBytes })
    })
    const intake = Intake.make(arenaBytes)
    const schema = yield* openSchema(database, path, types, { mode, intake })
    const writer: Writer = {
      database,
      path,
      schema,
      layouts: layoutsOf(schema, types),
      intake,
      lock: Semaphore.makeUnsafe(1),
      current: undefined
    }
    const reader = yield* RecordReader.make({
      reader: database.snapshot,
      path,
      types: [...writer.layouts.values()].map(({ type }) => type),
      beforeRead: (sync) => (sync === undefined ? Effect.void : settleFor(writer, sync))
    })
    yield* Effect.addFinalizer(() => close(writer))
    return {
      ...reader,
      ...operations(writer, database, engine.name),
      check: (checkOptions) => Effect.andThen(settleFor(writer, "all"), reader.check(checkOptions))
    }
  })

const layoutsOf = (schema: StoreSchema, types: ReadonlyArray<RecordType.Any>): ReadonlyMap<string, TypeLayout> =>
  new Map(
    schema.types.map((stored) => {
      const { name } = stored.description
      return [
        name,
        layoutOf(
          stored,
          types.find((type) => type.name === name)
        )
      ]
    })
  )

type Operations = Omit<RecordStore, keyof RecordReader.RecordReader>

const operations = (writer: Writer, database: Database, engineName: string): Operations => ({
  database,
  engineName,
  startSync: (options) => alone(writer, startSync(writer, options)),
  resumeSync: (sync) => alone(writer, resumeSync(writer, sync)),
  checkpointSync: (token) => alone(writer, checkpointSync(writer, token)),
  endSync: (options = {}) => alone(writer, endSync(writer, options)),
  currentSync: Effect.sync(() => Option.fromUndefinedOr(writer.current?.run)),
  put: (type, records) => alone(writer, put(writer, type, records)),
  putIfNewer: (type, records) => alone(writer, putIfNewer(writer, type, records)),
  putResolved: (type, records, resolve) => alone(writer, putResolved(writer, type, records, resolve as Resolve)),
  delete: (type, key) => Effect.map(alone(writer, removeMany(writer, type, [key])), (count) => count > 0),
  deleteMany: (type, keys) => alone(writer, removeMany(writer, type, keys)),
  cleanup: (policy, options = {}) => alone(writer, cleanup(writer, policy, options)),
  adoptFields: (types) => alone(writer, adoptFields(writer, types)),
  // Not `alone`: it may be interrupted.
  replaceSync: (options) => writer.lock.withPermits(1)(replaceSync(writer, options)),
  removeSync: (sync) => alone(writer, removeSync(writer, sync)),
  flush: alone(writer, Effect.andThen(settleCurrent(writer), database.flush))
})

const putIfNewer = (
  writer: Writer,
  type: RecordType.Any,
  records: ReadonlyArray<unknown>
): ReturnType<typeof putResolved> => {
  const { recency } = type
  if (recency === undefined) {
    const detail = `record type ${type.name} has no field that says how new a record is`
    return Effect.fail(new RecordMisuse({ path: writer.path, detail }))
  }
  const timeOf = (record: unknown): number => (record as { readonly [field: string]: number })[recency]!
  return putResolved(writer, type, records, (existing, record) =>
    Option.isSome(existing) && timeOf(record) <= timeOf(existing.value) ? Option.none() : Option.some(record)
  )
}

/** What was put is written as far as possible; a store that cannot is closed all the same. */
const close = (writer: Writer): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { current, intake } = writer
    if (current === undefined || isSettled(current, intake)) return Effect.void
    return Effect.catch(alone(writer, Effect.andThen(settleCurrent(writer), writer.database.flush)), (error) =>
      Effect.logWarning("Records that were put before the store closed are lost").pipe(
        Effect.annotateLogs({ path: writer.path, reason: error.message })
      )
    )
  })
