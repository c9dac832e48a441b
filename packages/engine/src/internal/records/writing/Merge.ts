/**
 * Writes records and index entries into the blocks of a sync, with its bookkeeping.
 *
 * In a sync that this open store started, records and their entries are written apart, because entries can be made anew from the
 * records:
 *
 * 1. {@link mergeRecords} writes the records in buffered batches. Their entries stay in the intake, and the sync's row in `meta` says
 *    `behind`, in the same batch as records that lack entries.
 * 2. {@link mergeEntries} makes room: the entries of an index that come in clusters are merged into its blocks, those of the others
 *    are written aside as a sorted run. Merged right away they would rewrite most of their index each time.
 * 3. {@link mergeRuns} merges all runs at once. `Settle.ts` does all three and then writes `complete`.
 *
 * A crash before that leaves `behind`. A failure does so too, and has the entries made anew from the records. In a resumed sync a
 * call is one batch with everything in it: {@link mergeAtomic}.
 */
import { Effect } from "effect"
import type { Database, EngineWriteError, WriteBatch } from "../../../Engine.ts"
import { targetSizeBytes as maxTargetSizeBytes } from "../../../format/BlockFormat.ts"
import { entryRunPrefix } from "../../../format/EntryRun.ts"
import { indexesKeyspace, metaKeyspace, recordsKeyspace, syncBookKey } from "../../../format/RecordLayout.ts"
import { encodeSyncBook, type IndexState } from "../../../format/StoreSchema.ts"
import * as HeapWatch from "../../../HeapWatch.ts"
import type { MergeSink } from "../../../kernel/BlockMerge.ts"
import { type SortedRows, sort } from "../../../kernel/ByteSort.ts"
import * as RowArena from "../../../kernel/RowArena.ts"
import { RecordMisuse } from "../../../RecordError.ts"
import type { RecordReadError } from "../../../RecordReader.ts"
import { mergePart } from "../blocks/BlockWrites.ts"
import { collectChunks, maxRunCount, readRuns } from "./EntryRuns.ts"
import * as Intake from "./Intake.ts"
import * as MergeDesk from "./MergeDesk.ts"
import { bookOf, noteDensity, type SyncSession } from "./SyncSession.ts"

/** What part of an intake's limit is collected in blocks for one engine batch, and read of runs at once. */
const batchShare = 0.25

/** Where a merge writes. */
export interface MergeTarget {
  readonly database: Database
  /** For messages. */
  readonly path: string
}

/**
 * Writes the records of the intake, buffered, and says how many were removed. After a failure the intake is as full as before, and
 * may be merged again.
 */
export const mergeRecords: (
  target: MergeTarget,
  session: SyncSession,
  intake: Intake.Intake
) => Effect.Effect<number, RecordReadError> = Effect.fnUntraced(function* ({ database, path }, session, intake) {
  const { entries, records } = intake
  if (records.rowCount === 0) return 0
  const blocks = MergeDesk.makeBlocks()
  const desk = MergeDesk.make({ path, intake, blocks, session })
  const write = Effect.suspend(() => {
    const isBehind = entries.rowCount > 0 || session.indexes === "behind"
    return writeBlocks(database, session, blocks, { counts: desk.counts, indexes: isBehind ? "behind" : "complete" })
  })
  const merged = mergeRows(
    database,
    recordsKeyspace,
    records,
    sortRecords(intake),
    desk,
    (): Effect.Effect<void, RecordReadError> => {
      if (desk.fault !== undefined) return Effect.fail(desk.fault)
      return blocks.sizeBytes < batchShare * intake.limitBytes ? Effect.void : write
    }
  )
  yield* orRebuild(session, merged)
  if (blocks.changes.length > 0) yield* orRebuild(session, write)
  if (desk.isOverfull) session.mustRebuild = true
  RowArena.clear(records)
  return desk.removedCount
})

/** Writes the entries of the intake, buffered. The records that they are of are written. */
export const mergeEntries: (
  target: MergeTarget,
  session: SyncSession,
  intake: Intake.Intake
) => Effect.Effect<void, RecordReadError> = Effect.fnUntraced(function* (target, session, intake) {
  if (intake.entries.rowCount > 0) yield* orRebuild(session, writeEntries(target, session, intake))
  Intake.clearEntries(intake)
})

const writeEntries = Effect.fnUntraced(function* (
  target: MergeTarget,
  session: SyncSession,
  intake: Intake.Intake
): Effect.fn.Return<void, RecordReadError> {
  const { runs, sparseTags } = session
  const { entries, limitBytes } = intake
  if (runs.chunkCounts.length === maxRunCount) yield* mergeRuns(target, session, limitBytes)
  const blocks = MergeDesk.makeBlocks()
  const write = Effect.suspend(() => writeBuffered(target.database, blocks))
  const writeFull = () => (blocks.sizeBytes < batchShare * limitBytes ? Effect.void : write)
  const sorted = sort(entries)
  let hasRun = false
  for (let from = 0; from < sorted.count; ) {
    const tag = tagAt(entries, sorted, from)
    const to = tagEnd(entries, sorted, from)
    if (sparseTags.has(tag)) {
      if (!hasRun) runs.chunkCounts.push(0)
      hasRun = true
      collectChunks(runs, blocks, entries, sorted, from, to)
    } else {
      const part = { ...sorted, count: to }
      const bytesBefore = blocks.putBytes
      yield* mergeRows(target.database, indexesKeyspace, entries, part, entrySink(blocks), writeFull, from)
      noteDensity(session, tag, (blocks.putBytes - bytesBefore) / (to - from))
    }
    from = to
  }
  yield* write
})

/** Merges all runs into the blocks of their indexes, buffered. */
export const mergeRuns: (
  target: MergeTarget,
  session: SyncSession,
  limitBytes: number
) => Effect.Effect<void, RecordReadError> = Effect.fnUntraced(
  function* ({ database, path }, session, limitBytes) {
    const { runs } = session
    if (runs.chunkCounts.length === 0) return
    const arena = RowArena.make(limitBytes)
    const blocks = MergeDesk.makeBlocks()
    const write = Effect.suspend(() => writeBuffered(database, blocks))
    const writeFull = () => (blocks.sizeBytes < batchShare * limitBytes ? Effect.void : write)
    const reading = yield* readRuns(database, path, runs)
    const watchHeap = HeapWatch.make()
    for (let isEnd = false; !isEnd; ) {
      watchHeap()
      const sorted = yield* reading.fill(arena, batchShare * limitBytes)
      isEnd = sorted.count === 0
      yield* mergeRows(database, indexesKeyspace, arena, sorted, entrySink(blocks), writeFull)
      // The next rows may fall into the blocks of these.
      yield* write
      RowArena.clear(arena)
    }
    const prefix = entryRunPrefix(session.sync)
    yield* database.write((batch) => batch.deleteRange(metaKeyspace, { prefix }), { durability: "buffered" })
    runs.chunkCounts.length = 0
  },
  (merging, _, session) => orRebuild(session, merging)
)

/**
 * Writes an intake of a resumed sync as one synced batch, and says how many records were removed. After a failure nothing was
 * written.
 */
export const mergeAtomic: (
  target: MergeTarget,
  session: SyncSession,
  intake: Intake.Intake
) => Effect.Effect<number, RecordReadError | RecordMisuse> = Effect.fnUntraced(function* (target, session, intake) {
  const { database, path } = target
  const { entries, records } = intake
  const blocks = MergeDesk.makeBlocks()
  const desk = MergeDesk.make({ path, intake, blocks, session })
  yield* mergeRows(database, recordsKeyspace, records, sortRecords(intake), desk, () =>
    desk.fault === undefined ? Effect.void : Effect.fail(desk.fault)
  )
  if (desk.isOverfull) {
    const detail = "the records of one call replace too many index entries, put fewer of them at once"
    return yield* new RecordMisuse({ path, detail })
  }
  yield* mergeRows(database, indexesKeyspace, entries, sort(entries), entrySink(blocks), () => Effect.void)
  if (blocks.changes.length > 0) {
    yield* writeBlocks(database, session, blocks, { counts: desk.counts, indexes: "complete" }, "synced")
  }
  return desk.removedCount
})

/** Has the entries of a sync made anew from its records when the effect fails: what it wrote stands, what it read is lost. */
const orRebuild = <A, E>(session: SyncSession, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.tapError(effect, () =>
    Effect.sync(() => {
      session.mustRebuild = true
    })
  )

/** The records of an intake in order. The entries of those that were put again are dropped. */
const sortRecords = ({ entries, records }: Intake.Intake): SortedRows => {
  const sorted = sort(records)
  for (const row of sorted.superseded) {
    RowArena.drop(entries, records.attachedStart[row]!, records.attachedCount[row]!)
  }
  return sorted
}

/** Merges sorted rows from a place on, part by part. */
const mergeRows = Effect.fnUntraced(function* <E>(
  reader: Database,
  keyspace: string,
  arena: RowArena.RowArena,
  sorted: SortedRows,
  sink: MergeSink,
  afterPart: () => Effect.Effect<void, E>,
  first = 0
): Effect.fn.Return<void, E | RecordReadError> {
  const targetSizeBytes = Math.min(reader.denseValueSizeBytes ?? maxTargetSizeBytes, maxTargetSizeBytes)
  for (let from = first; from < sorted.count; ) {
    from = yield* mergePart({ reader, keyspace, arena, sorted, sink, targetSizeBytes }, from)
    yield* afterPart()
  }
})

const tagAt = (arena: RowArena.RowArena, { order }: SortedRows, place: number): number =>
  arena.bytes[RowArena.keyStartOf(arena, order[place]!) + 1]!

/** The place behind the last row of the tag of the one at `from`. */
const tagEnd = (arena: RowArena.RowArena, sorted: SortedRows, from: number): number => {
  const tag = tagAt(arena, sorted, from)
  let low = from + 1
  let high = sorted.count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (tagAt(arena, sorted, middle) === tag) low = middle + 1
    else high = middle
  }
  return low
}

/** Writes collected blocks with the sync's bookkeeping, and forgets them. */
const writeBlocks = (
  database: Database,
  session: SyncSession,
  blocks: MergeDesk.BlockChanges,
  { counts, indexes }: { readonly counts: ReadonlyMap<string, number>; readonly indexes: IndexState },
  durability: "synced" | "buffered" = "buffered"
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
    MergeDesk.forget(blocks)
  })
}

const writeBuffered = (database: Database, blocks: MergeDesk.BlockChanges): Effect.Effect<void, EngineWriteError> =>
  blocks.changes.length === 0
    ? Effect.void
    : Effect.map(
        database.write((batch) => putBlocks(batch, blocks), { durability: "buffered" }),
        () => MergeDesk.forget(blocks)
      )

const putBlocks = (batch: WriteBatch, blocks: MergeDesk.BlockChanges): void => {
  for (const { key, keyspace, value } of blocks.changes) {
    if (value === undefined) batch.delete(keyspace, key)
    else batch.put(keyspace, key, value)
  }
}

const entrySink = (blocks: MergeDesk.BlockChanges): MergeSink => ({
  ...MergeDesk.collector(indexesKeyspace, blocks),
  onInserted: ignore,
  onReplaced: ignore,
  onRemoved: ignore
})

const ignore = (): void => undefined
