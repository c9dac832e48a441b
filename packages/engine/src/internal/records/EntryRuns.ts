/** Writes runs of index entries and reads them again, all at once and in order. */
import { Effect, Option } from "effect"
import { type Database, type EngineReadError, maxKeySizeBytes } from "../../Engine.ts"
import {
  type ChunkCursor,
  chunkSizeBytes,
  entryRunKey,
  makeCursor,
  nextRow,
  writeChunks
} from "../../format/EntryRun.ts"
import { metaKeyspace } from "../../format/RecordLayout.ts"
import type { SortedRows } from "../../kernel/ByteSort.ts"
import * as RowArena from "../../kernel/RowArena.ts"
import { type OpenRun, pop, push, sink } from "../../kernel/RunHeap.ts"
import { StoreCorrupt } from "../../RecordError.ts"
import type { BlockChanges } from "./MergeDesk.ts"

/** Runs of a sync at most: the chunks that are read at once take {@link chunkSizeBytes} each. */
export const maxRunCount: number = (16 * 1024 * 1024) / chunkSizeBytes

/** Where the chunks of one sync's runs are. */
export interface EntryRuns {
  readonly sync: Uint8Array
  /** Chunks of each run, oldest first. */
  readonly chunkCounts: Array<number>
}

/** Collects the rows from one place up to another for the newest run, which begins with chunk 0. */
export const collectChunks = (
  { chunkCounts, sync }: EntryRuns,
  blocks: BlockChanges,
  arena: RowArena.RowArena,
  sorted: SortedRows,
  from: number,
  to: number
): void => {
  const run = chunkCounts.length - 1
  writeChunks(arena, sorted, from, to, (value) => {
    const chunk = chunkCounts[run]!
    chunkCounts[run] = chunk + 1
    const key = entryRunKey(sync, run, chunk)
    blocks.changes.push({ keyspace: metaKeyspace, key, value })
    blocks.sizeBytes += key.length + value.length
  })
}

/** All runs, read at once. */
export interface RunReading {
  /**
   * Fills an empty arena with rows, in order, of equal keys the newest only, until it has `limitBytes` or there are no more;
   * no rows: there are none.
   */
  readonly fill: (
    arena: RowArena.RowArena,
    limitBytes: number
  ) => Effect.Effect<SortedRows, EngineReadError | StoreCorrupt>
}

/** Starts reading; the runs must not change meanwhile. */
export const readRuns: (
  database: Database,
  path: string,
  runs: EntryRuns
) => Effect.Effect<RunReading, EngineReadError | StoreCorrupt> = Effect.fnUntraced(function* (database, path, runs) {
  const heap: Array<OpenRun> = []
  const last: LastKey = { key: new Uint8Array(maxKeySizeBytes), size: 0 }
  const nextChunk = runs.chunkCounts.map(() => 0)
  const corrupt = (detail: string): StoreCorrupt => new StoreCorrupt({ path, part: "bookkeeping", detail })

  /** Comes to the first row of the run's next chunk; false behind the last one. */
  const load = Effect.fnUntraced(function* (open: OpenRun): Effect.fn.Return<boolean, EngineReadError | StoreCorrupt> {
    const { cursor, run } = open
    const chunk = nextChunk[run]!++
    if (chunk === runs.chunkCounts[run]) return false
    const bytes = yield* database.get(metaKeyspace, entryRunKey(runs.sync, run, chunk))
    if (Option.isNone(bytes)) return yield* corrupt(`chunk ${chunk} of run ${run} is gone`)
    cursor.bytes = bytes.value
    cursor.at = 0
    cursor.keySize = 0
    return yield* Effect.try({ try: () => nextRow(cursor), catch: (cause) => corrupt(String(cause)) })
  })

  for (const run of runs.chunkCounts.keys()) {
    const open: OpenRun = { run, cursor: makeCursor() }
    if (yield* load(open)) push(heap, open)
  }

  return {
    fill: Effect.fnUntraced(function* (arena, limitBytes) {
      const shared: Array<number> = []
      while (heap.length > 0 && RowArena.sizeBytes(arena) < limitBytes) {
        const isSpent = yield* Effect.try({
          try: () => takeRows(heap, arena, shared, last, limitBytes),
          catch: (cause) => corrupt(String(cause))
        })
        if (!isSpent) continue
        if (yield* load(heap[0]!)) sink(heap)
        else pop(heap)
      }
      const count = arena.rowCount
      return {
        order: Uint32Array.from({ length: count }, (_, row) => row),
        count,
        shared: Uint16Array.from(shared),
        superseded: []
      }
    })
  }
})

/**
 * Moves rows to the arena until the first run's chunk is spent (true) or the arena has enough (false). A row with the key of the one
 * before it is of an older run, and left out.
 */
const takeRows = (
  heap: Array<OpenRun>,
  arena: RowArena.RowArena,
  shared: Array<number>,
  last: LastKey,
  limitBytes: number
): boolean => {
  while (RowArena.sizeBytes(arena) < limitBytes) {
    const { cursor } = heap[0]!
    const common = sharedWith(last, cursor)
    if (common < cursor.keySize || common < last.size) {
      shared.push(arena.rowCount === 0 ? 0 : common)
      RowArena.append(arena, cursor.isDelete, cursor.key, cursor.keySize, noValue)
      for (let byte = common; byte < cursor.keySize; byte++) last.key[byte] = cursor.key[byte]!
      last.size = cursor.keySize
    }
    if (!nextRow(cursor)) return true
    sink(heap)
  }
  return false
}

const noValue = new Uint8Array()

/** The key of the last row that was moved: its first `size` bytes. */
interface LastKey {
  readonly key: Uint8Array
  size: number
}

const sharedWith = (last: LastKey, { key, keySize }: ChunkCursor): number => {
  const end = Math.min(last.size, keySize)
  let common = 0
  while (common < end && last.key[common] === key[common]) common++
  return common
}
