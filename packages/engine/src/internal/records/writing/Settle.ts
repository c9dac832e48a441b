/** Makes the indexes of a sync complete: with what was put, or anew from its records. */
import { Effect, Result } from "effect"
import type { WriteBatch } from "../../../Engine.ts"
import { entryRunPrefix } from "../../../format/EntryRun.ts"
import {
  headerSizeBytes,
  indexesKeyspace,
  metaKeyspace,
  recordsKeyspace,
  syncBookKey
} from "../../../format/RecordLayout.ts"
import { encodeSyncBook, type IndexState } from "../../../format/StoreSchema.ts"
import { keyOf, keyStartOf, type RowPage, valueOf } from "../../../kernel/RowPage.ts"
import { RecordCorrupt } from "../../../RecordError.ts"
import type { RecordReadError } from "../../../RecordReader.ts"
import * as BlockReads from "../blocks/BlockReads.ts"
import * as Intake from "./Intake.ts"
import { type MergeTarget, mergeEntries, mergeRecords, mergeRuns } from "./Merge.ts"
import type { RecordKeys } from "./RecordKeys.ts"
import { bookOf, type SyncSession } from "./SyncSession.ts"

/** Records read at once. */
const pageRowCount = 10_000

/** Whether everything that was put is written, and the indexes are complete. */
export const isSettled = (session: SyncSession, intake: Intake.Intake): boolean =>
  Intake.isEmpty(intake) && session.indexes === "complete" && !session.mustRebuild

/** Writes everything that waits, buffered, and makes the sync `complete`. A crash on the way leaves it `behind`. */
export const settle: (
  target: MergeTarget,
  session: SyncSession,
  intake: Intake.Intake
) => Effect.Effect<void, RecordReadError> = Effect.fnUntraced(function* (target, session, intake) {
  if (isSettled(session, intake)) return
  yield* mergeRecords(target, session, intake)
  if (session.mustRebuild) {
    yield* rebuild(target, session, intake)
    return
  }
  // No entry needs to wait for others when none do.
  if (session.runs.chunkCounts.length === 0) session.sparseTags.clear()
  yield* mergeEntries(target, session, intake)
  yield* mergeRuns(target, session, intake.limitBytes)
  if (session.indexes === "behind") yield* writeBook(target, session, "complete", session.counts)
})

/**
 * Writes the entries of a type's records, buffered, and counts the records. The intake is empty before. Call `mergeEntries` and
 * `mergeRuns` for the rest.
 */
export const writeAnew: (
  target: MergeTarget,
  session: SyncSession,
  keys: RecordKeys,
  intake: Intake.Intake
) => Effect.Effect<number, RecordReadError> = Effect.fnUntraced(function* (target, session, keys, intake) {
  const { database, path } = target
  let count = 0
  let after: Uint8Array | undefined
  for (let isEnd = false; !isEnd; ) {
    const page = yield* BlockReads.page(database, {
      keyspace: recordsKeyspace,
      prefix: keys.header,
      limit: pageRowCount,
      ...(after === undefined ? {} : { after })
    })
    const { rows } = page
    for (let row = 0; row < rows.rowCount; row++) {
      if (Intake.isFull(intake)) yield* mergeEntries(target, session, intake)
      const problem = takeRow(intake, keys, rows, row)
      if (problem === undefined) continue
      const key = keyOf(rows, row).slice()
      return yield* new RecordCorrupt({ path, type: keys.layout.type.name, key, detail: problem })
    }
    count += rows.rowCount
    if (rows.rowCount > 0) after = keyOf(rows, rows.rowCount - 1).slice()
    isEnd = page.isEnd
  }
  return count
})

/** Removes all entries of the sync and makes them anew, with its counts. There are no records in the intake. */
const rebuild = Effect.fnUntraced(function* (
  target: MergeTarget,
  session: SyncSession,
  intake: Intake.Intake
): Effect.fn.Return<void, RecordReadError> {
  yield* Effect.logInfo("Writing the indexes of a sync anew").pipe(
    Effect.annotateLogs({ path: target.path, sync: session.run.sync_id })
  )
  Intake.clearEntries(intake)
  session.runs.chunkCounts.length = 0
  session.sparseTags.clear()
  yield* writeBook(target, session, "behind", session.counts, (batch) => {
    batch.deleteRange(metaKeyspace, { prefix: entryRunPrefix(session.sync) })
    for (const { indexHeaders } of session.keysByTag.values()) {
      for (const prefix of indexHeaders) batch.deleteRange(indexesKeyspace, { prefix })
    }
  })
  session.mustRebuild = true
  const counts = new Map<string, number>()
  for (const keys of session.keysByTag.values()) {
    counts.set(keys.layout.type.name, yield* writeAnew(target, session, keys, intake))
  }
  yield* mergeEntries(target, session, intake)
  yield* mergeRuns(target, session, intake.limitBytes)
  yield* writeBook(target, session, "complete", counts)
  session.mustRebuild = false
})

const writeBook = (
  { database }: MergeTarget,
  session: SyncSession,
  indexes: IndexState,
  counts: ReadonlyMap<string, number>,
  also: (batch: WriteBatch) => void = () => undefined
): Effect.Effect<void, RecordReadError> => {
  const write = database.write(
    (batch) => {
      also(batch)
      batch.put(metaKeyspace, syncBookKey(session.sync), encodeSyncBook(bookOf(indexes, counts)))
    },
    { durability: "buffered" }
  )
  return Effect.map(write, () => {
    session.indexes = indexes
    session.counts = counts
  })
}

/** The problem of a record whose entries cannot be made. */
const takeRow = (intake: Intake.Intake, keys: RecordKeys, rows: RowPage, row: number): string | undefined => {
  const { indexes, type } = keys.layout
  if (indexes.length === 0) return undefined
  const record = type.codec.decode(valueOf(rows, row))
  if (Result.isFailure(record)) return record.failure.message
  const start = keyStartOf(rows, row) + headerSizeBytes
  return Intake.takeEntriesOf(intake, keys, record.success, rows.keys, start, rows.keyEnd[row]!)
}
