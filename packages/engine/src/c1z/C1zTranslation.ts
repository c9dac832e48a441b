/** Translates a whole database of an older archive into a record store, sync by sync and table by table. */
import { Effect } from "effect"
import type { EngineError } from "../Engine.ts"
import * as HeapWatch from "../HeapWatch.ts"
import type { SqliteConnection } from "../live/SqliteDriver.ts"
import type { RecordReadError } from "../RecordReader.ts"
import type { RecordPutError, RecordStore, RecordWriteError } from "../RecordStore.ts"
import type { SyncRun } from "../SyncRun.ts"
import { type C1zError, C1zLimitExceeded, C1zRowInvalid, C1zSchemaInvalid, C1zUnreadable } from "./C1zError.ts"
import { makeResolve } from "./C1zReferents.ts"
import { type C1zReport, makeNameCounts, type NameCounts, type TableReport } from "./C1zReport.ts"
import { type C1zRow, makePages } from "./C1zRows.ts"
import { type C1zRun, readRuns } from "./C1zRuns.ts"
import { type CheckedSchema, checkSchema, syncRuns } from "./C1zSchema.ts"
import { type C1zTable, type SyncContext, tables } from "./C1zTables.ts"
import { ProtobufInvalid } from "./ProtobufFields.ts"
import * as RemainderMemo from "./RemainderMemo.ts"

/** What translating can fail with. */
export type TranslationError = C1zError | EngineError | RecordReadError

/** What a translation has and counts. */
interface Translation {
  readonly connection: SqliteConnection
  readonly path: string
  readonly store: RecordStore
  readonly schema: CheckedSchema
  readonly kept: NameCounts
  readonly dropped: NameCounts
  readonly counts: ReadonlyMap<string, TableCounts>
  readonly watchHeap: () => void
}

type TableCounts = { -readonly [name in keyof TableReport]: TableReport[name] }

/** Puts every row into the store, whose types are those of `@icecore/engine/access`, and says what became of them. */
export const translate: (options: {
  readonly connection: SqliteConnection
  /** The archive's, for messages. */
  readonly path: string
  readonly store: RecordStore
}) => Effect.Effect<C1zReport, TranslationError> = Effect.fnUntraced(function* ({ connection, path, store }) {
  const dropped = makeNameCounts()
  const schema = yield* attempt(path, () => checkSchema(connection, path))
  const runs = yield* attempt(path, () => readRuns(connection, path, schema, dropped))
  const counts = new Map(tables.map(({ shape }) => [shape.name, emptyCounts(schema, shape.name)]))
  const translation: Translation = {
    connection,
    path,
    store,
    schema,
    kept: makeNameCounts(),
    dropped,
    counts,
    watchHeap: HeapWatch.make()
  }
  const resolveOf = yield* attempt(path, () => makeResolve(connection, schema))
  for (const run of runs) {
    yield* translateRun(translation, run, {
      resolve: resolveOf(run.syncId),
      memo: RemainderMemo.make(),
      keep: (path) => translation.kept.add(path),
      isFinished: run.endedAt !== undefined,
      dropped
    })
  }
  return reportOf(translation, runs.length)
})

const emptyCounts = (schema: CheckedSchema, table: string): TableCounts => ({
  rowCount: schema.tables.get(table)!.rowCount,
  translatedCount: 0,
  withoutRunCount: 0,
  replacedCount: 0,
  annotatedCount: 0
})

const translateRun = Effect.fnUntraced(function* (
  translation: Translation,
  run: C1zRun,
  context: SyncContext
): Effect.fn.Return<void, TranslationError> {
  const { store } = translation
  const { type, parent, syncId, startedAt, token } = run
  const start = { type, syncId, startedAt, ...(parent === undefined ? {} : { parent }) }
  yield* storing(store.startSync(start), run.row, "sync_id")
  const translatedCounts = new Map<string, number>()
  for (const table of tables)
    translatedCounts.set(table.type.name, yield* translateTable(translation, run, table, context))
  if (token !== "") yield* storing(store.checkpointSync(token), run.row, "sync_token")
  const stored: SyncRun["counts"] =
    run.endedAt === undefined
      ? (yield* storing(store.stats({ sync: syncId }), run.row, "sync_id")).counts
      : (yield* storing(store.endSync({ endedAt: run.endedAt }), run.row, "ended_at")).counts
  for (const { shape, type } of tables) {
    translation.counts.get(shape.name)!.replacedCount += translatedCounts.get(type.name)! - (stored[type.name] ?? 0)
  }
})

/** Translates the rows of one sync, and says how many. */
const translateTable = Effect.fnUntraced(function* (
  { connection, path, store, schema, counts, watchHeap }: Translation,
  run: C1zRun,
  table: C1zTable,
  context: SyncContext
): Effect.fn.Return<number, TranslationError> {
  const checked = schema.tables.get(table.shape.name)!
  if (checked.rowCount === 0) return 0
  const count = counts.get(table.shape.name)!
  const pages = yield* attempt(path, () => makePages(connection, path, checked))
  const sync = new TextEncoder().encode(run.syncId)
  let translatedCount = 0
  for (let from: number | undefined = checked.firstRow; from !== undefined; ) {
    const start: number = from
    watchHeap()
    const { rows, next } = yield* attempt(path, () => pages(sync, start))
    const records = yield* attempt(path, () =>
      rows.map((row) => {
        let isAnnotated = false
        const keep = (name: string) => {
          isAnnotated = true
          context.keep(name)
        }
        const record = translateRow(table, row, { ...context, keep })
        if (isAnnotated) count.annotatedCount++
        return record
      })
    )
    yield* Effect.catch(store.put(table.type, records), (error) => putFailure(error, rows))
    translatedCount += records.length
    from = next
  }
  count.translatedCount += translatedCount
  return translatedCount
})

/** Damage within a message is told with its row and the path that leads there. */
const translateRow = (table: C1zTable, row: C1zRow, context: SyncContext): unknown => {
  try {
    return table.translate(row, context)
  } catch (cause) {
    if (!(cause instanceof ProtobufInvalid)) throw cause
    throw row.invalid(fieldOf(cause.place, table), cause.detail)
  }
}

/** Paths within messages begin with the name of the message, which is in the column `data`; others name their column. */
const fieldOf = (place: string, { type }: C1zTable): string =>
  place === "" || place === type.name ? "data" : place.replace(`${type.name}.`, "data.")

/** A record that cannot be stored is the fault of its row. */
const putFailure = (error: RecordPutError, rows: ReadonlyArray<C1zRow>): Effect.Effect<never, TranslationError> => {
  if (error._tag !== "RecordRefused" && error._tag !== "RecordKeySize") return storingFailure(error)
  const field = error._tag === "RecordRefused" && error.field !== "" ? error.field : "data"
  return Effect.fail(rows[error.position]!.invalid(field, error.message))
}

/** Runs a change of the store. What it refuses about a run is the fault of its row. */
const storing = <
  A,
  E extends RecordWriteError | { readonly _tag: "SyncExists" | "SyncTypeMismatch"; readonly message: string }
>(
  change: Effect.Effect<A, E>,
  row: C1zRow,
  column: string
): Effect.Effect<A, TranslationError> =>
  Effect.catch(
    change,
    (error: E): Effect.Effect<never, TranslationError> =>
      error._tag === "RecordMisuse" || error._tag === "SyncExists"
        ? Effect.fail(row.invalid(column, error.message))
        : storingFailure(error as Exclude<E, { readonly _tag: "SyncExists" }>)
  )

/** What a store that is ours alone cannot refuse is a bug. */
const storingFailure = (
  error: RecordPutError | { readonly _tag: "SyncTypeMismatch" | "SyncExists" }
): Effect.Effect<never, TranslationError> => {
  switch (error._tag) {
    case "NoCurrentSync":
    case "RecordMisuse":
    case "RecordCountLimit":
    case "RecordRefused":
    case "RecordKeySize":
    case "SyncExists":
    case "SyncInUse":
    case "SyncTypeMismatch":
      return Effect.die(error)
    default:
      return Effect.fail(error)
  }
}

const reportOf = ({ schema, counts, kept, dropped }: Translation, runCount: number): C1zReport => {
  const runs = { ...emptyCounts(schema, syncRuns.name), translatedCount: runCount }
  for (const [name, count] of schema.others) dropped.add(name, count)
  for (const [name, { others }] of schema.tables) {
    for (const [column, count] of others) dropped.add(`${name}.${column}`, count)
  }
  const reports: Record<string, TableReport> = { [syncRuns.name]: runs }
  for (const [name, count] of counts) {
    reports[name] = { ...count, withoutRunCount: count.rowCount - count.translatedCount }
  }
  return { tables: reports, kept: kept.toRecord(), dropped: dropped.toRecord() }
}

/** Runs what reads the database. Bugs stay defects; whatever else is thrown is SQLite's, which not every runtime names. */
export const attempt = <A>(path: string, body: () => A): Effect.Effect<A, C1zError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(body())
    } catch (cause) {
      if (isC1zError(cause)) return Effect.fail(cause)
      if (!(cause instanceof Error) || isBug(cause)) throw cause
      return Effect.fail(new C1zUnreadable({ path, detail: cause.message }))
    }
  })

const isC1zError = (cause: unknown): cause is C1zError =>
  cause instanceof C1zUnreadable ||
  cause instanceof C1zSchemaInvalid ||
  cause instanceof C1zRowInvalid ||
  cause instanceof C1zLimitExceeded

const isBug = (cause: Error): boolean =>
  cause instanceof TypeError || cause instanceof RangeError || cause instanceof ReferenceError
