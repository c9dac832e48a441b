/**
 * Writes what an intake holds into the blocks of a sync, with its index entries and counts.
 *
 * The steps, of which each write is one engine batch:
 *
 * 1. merge the records, part by part; collected blocks beyond its share of the limit are written with the sync's row in `meta` saying
 *    `behind`;
 * 2. merge the index entries in the same way;
 * 3. write the last blocks with `complete`, or with what the row said before the first step.
 *
 * An atomic merge has the last write only. In any other a crash between the writes leaves `behind`, and so does a failure.
 */
import { Effect } from "effect"
import type { Database, Durability, EngineWriteError, WriteBatch } from "../../Engine.ts"
import { indexesKeyspace, metaKeyspace, recordsKeyspace, syncBookKey } from "../../format/RecordLayout.ts"
import { encodeSyncBook, type IndexState } from "../../format/StoreSchema.ts"
import { sort } from "../../kernel/ByteSort.ts"
import * as RowArena from "../../kernel/RowArena.ts"
import { RecordMisuse } from "../../RecordError.ts"
import type { RecordReadError } from "../../RecordReader.ts"
import { mergePart } from "./BlockWrites.ts"
import * as Intake from "./Intake.ts"
import * as MergeDesk from "./MergeDesk.ts"
import { bookOf, type SyncSession } from "./SyncSession.ts"

/** What part of an intake's limit in blocks is collected for one engine batch, unless the merge is atomic. */
const batchShare = 0.25

/** Where a merge writes. */
export interface MergeTarget {
  readonly database: Database
  /** For messages. */
  readonly path: string
}

export interface MergeOptions {
  /** One batch, synced. */
  readonly atomic: boolean
}

/**
 * Writes the intake and empties it; says how many records were removed. After a failure the intake is as full as before, and
 * may be merged again: what was written stands and the sync is `behind`.
 */
export const mergeIntake: (
  target: MergeTarget,
  session: SyncSession,
  intake: Intake.Intake,
  options: MergeOptions
) => Effect.Effect<number, RecordReadError | RecordMisuse> = Effect.fnUntraced(function* (
  target,
  session,
  intake,
  { atomic }
) {
  if (Intake.isEmpty(intake)) return 0
  const { database, path } = target
  const { entries, records } = intake
  const blocks: MergeDesk.BlockChanges = { changes: [], sizeBytes: 0 }
  const desk = MergeDesk.make({
    path,
    keyspace: recordsKeyspace,
    intake,
    blocks,
    counts: session.counts,
    keysByTag: session.keysByTag
  })
  const stateAfter = session.indexes
  const durability: Durability = atomic ? "synced" : "buffered"
  const write = (indexes: IndexState) =>
    writeBlocks(database, session, blocks, { counts: desk.counts, indexes }, durability)
  const writeFull = Effect.suspend(() =>
    atomic || blocks.sizeBytes < batchShare * intake.limitBytes ? Effect.void : write("behind")
  )

  const sortedRecords = sort(records)
  for (const row of sortedRecords.superseded) {
    RowArena.drop(entries, records.attachedStart[row]!, records.attachedCount[row]!)
  }
  for (let from = 0; from < sortedRecords.count; ) {
    from = yield* mergePart(
      { reader: database, keyspace: recordsKeyspace, arena: records, sorted: sortedRecords, sink: desk },
      from
    )
    if (desk.fault !== undefined) return yield* desk.fault
    yield* writeFull
    if (desk.spill.rowCount === 0) continue
    if (atomic) return yield* new RecordMisuse({ path, detail: tooManyRemovals })
    yield* write("behind")
    yield* mergeEntries(database, desk.spill, blocks, write("behind"))
    RowArena.clear(desk.spill)
  }
  yield* mergeEntries(database, entries, blocks, writeFull)
  if (blocks.changes.length > 0 || session.indexes !== stateAfter) yield* write(stateAfter)
  Intake.clear(intake)
  return desk.removedCount
}, Effect.uninterruptible)

/** Merges index entries into blocks, and calls `writeFull` after each part. */
export const mergeEntries: (
  database: Database,
  entries: RowArena.RowArena,
  blocks: MergeDesk.BlockChanges,
  writeFull: Effect.Effect<void, EngineWriteError>
) => Effect.Effect<void, RecordReadError> = Effect.fnUntraced(function* (database, entries, blocks, writeFull) {
  const sorted = sort(entries)
  const sink = {
    ...MergeDesk.collector(indexesKeyspace, blocks),
    onInserted: ignore,
    onReplaced: ignore,
    onRemoved: ignore
  }
  for (let from = 0; from < sorted.count; ) {
    from = yield* mergePart({ reader: database, keyspace: indexesKeyspace, arena: entries, sorted, sink }, from)
    yield* writeFull
  }
})

/** Writes collected blocks with the sync's bookkeeping, and forgets them. */
const writeBlocks = (
  database: Database,
  session: SyncSession,
  blocks: MergeDesk.BlockChanges,
  { counts, indexes }: { readonly counts: ReadonlyMap<string, number>; readonly indexes: IndexState },
  durability: Durability
): Effect.Effect<void, EngineWriteError> => {
  const book = encodeSyncBook(bookOf(indexes, counts))
  const write = database.write(
    (batch) => {
      putBlocks(batch, blocks)
      batch.put(metaKeyspace, syncBookKey(session.sync), book)
    },
    { durability }
  )
  return Effect.map(write, () => {
    session.indexes = indexes
    session.counts = new Map(counts)
    forget(blocks)
  })
}

/** Puts collected blocks into a batch. They are to be forgotten once it is written. */
export const putBlocks = (batch: WriteBatch, blocks: MergeDesk.BlockChanges): void => {
  for (const { key, keyspace, value } of blocks.changes) {
    if (value === undefined) batch.delete(keyspace, key)
    else batch.put(keyspace, key, value)
  }
}

export const forget = (blocks: MergeDesk.BlockChanges): void => {
  blocks.changes.length = 0
  blocks.sizeBytes = 0
}

const tooManyRemovals = "the records of one call replace too many index entries, put fewer of them at once"

const ignore = (): void => undefined
