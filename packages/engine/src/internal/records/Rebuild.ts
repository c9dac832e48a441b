/** Writes index entries anew from the records: for a sync whose indexes a crash left behind, and for a new index. */
import { Effect, Result } from "effect"
import type { Database } from "../../Engine.ts"
import {
  headerSizeBytes,
  indexesKeyspace,
  metaKeyspace,
  recordsKeyspace,
  syncBookKey
} from "../../format/RecordLayout.ts"
import { encodeSyncBook } from "../../format/StoreSchema.ts"
import { keyOf, keyStartOf, type RowPage, valueOf } from "../../kernel/RowPage.ts"
import { RecordCorrupt } from "../../RecordError.ts"
import type { RecordReadError } from "../../RecordReader.ts"
import * as BlockReads from "./BlockReads.ts"
import * as Intake from "./Intake.ts"
import { forget, type MergeTarget, mergeEntries, putBlocks } from "./Merge.ts"
import type { BlockChanges } from "./MergeDesk.ts"
import type { RecordKeys } from "./RecordKeys.ts"
import { bookOf, type SyncSession } from "./SyncSession.ts"

/** Records read at once. */
const pageRowCount = 10_000

/**
 * Makes a sync's indexes `complete` and its counts right, durably. A crash before leaves it `behind`. The intake must be
 * empty, and is empty afterwards.
 */
export const rebuild: (
  target: MergeTarget,
  session: SyncSession,
  intake: Intake.Intake
) => Effect.Effect<void, RecordReadError> = Effect.fnUntraced(function* (target, session, intake) {
  const { database, path } = target
  yield* Effect.logInfo("Writing the indexes of a sync anew").pipe(
    Effect.annotateLogs({ path, sync: session.run.sync_id })
  )
  const bookKey = syncBookKey(session.sync)
  yield* database.write(
    (batch) => {
      batch.put(metaKeyspace, bookKey, encodeSyncBook(bookOf("behind", session.counts)))
      for (const keys of session.keysByTag.values()) {
        for (const prefix of keys.indexHeaders) batch.deleteRange(indexesKeyspace, { prefix })
      }
    },
    { durability: "buffered" }
  )
  session.indexes = "behind"
  const counts = new Map<string, number>()
  for (const keys of session.keysByTag.values()) {
    counts.set(keys.layout.type.name, yield* writeEntries(target, keys, intake))
  }
  yield* database.write((batch) => batch.put(metaKeyspace, bookKey, encodeSyncBook(bookOf("complete", counts))))
  session.indexes = "complete"
  session.counts = counts
}, Effect.uninterruptible)

/** Writes the entries of all records of a type in a sync, buffered, and counts the records. The intake is empty before and after. */
export const writeEntries: (
  target: MergeTarget,
  keys: RecordKeys,
  intake: Intake.Intake
) => Effect.Effect<number, RecordReadError> = Effect.fnUntraced(function* ({ database, path }, keys, intake) {
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
      if (Intake.isFull(intake)) yield* writeOut(database, intake)
      const problem = takeRow(intake, keys, rows, row)
      if (problem === undefined) continue
      const key = keyOf(rows, row).slice()
      return yield* new RecordCorrupt({ path, type: keys.layout.type.name, key, detail: problem })
    }
    count += rows.rowCount
    if (rows.rowCount > 0) after = keyOf(rows, rows.rowCount - 1).slice()
    isEnd = page.isEnd
  }
  yield* writeOut(database, intake)
  return count
})

/** The problem of a record whose entries cannot be made. */
const takeRow = (intake: Intake.Intake, keys: RecordKeys, rows: RowPage, row: number): string | undefined => {
  const { indexes, type } = keys.layout
  if (indexes.length === 0) return undefined
  const record = type.codec.decode(valueOf(rows, row))
  if (Result.isFailure(record)) return record.failure.message
  const start = keyStartOf(rows, row) + headerSizeBytes
  return Intake.takeEntriesOf(intake, keys, record.success, rows.keys, start, rows.keyEnd[row]!)
}

const writeOut = Effect.fnUntraced(function* (
  database: Database,
  intake: Intake.Intake
): Effect.fn.Return<void, RecordReadError> {
  const blocks: BlockChanges = { changes: [], sizeBytes: 0 }
  const write = Effect.suspend(() => database.write((batch) => putBlocks(batch, blocks), { durability: "buffered" }))
  yield* mergeEntries(
    database,
    intake.entries,
    blocks,
    Effect.map(write, () => forget(blocks))
  )
  Intake.clear(intake)
})
