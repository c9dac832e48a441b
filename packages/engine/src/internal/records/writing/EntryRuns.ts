/** Writes runs of index entries and reads them again, all at once and in order. */
import { Effect, Option } from "effect"
import type { Database, EngineReadError } from "../../../Engine.ts"
import {
  type ChunkCursor,
  chunkSizeBytes,
  entryRunKey,
  makeCursor,
  nextRow,
  writeChunks
} from "../../../format/EntryRun.ts"
import { metaKeyspace } from "../../../format/RecordLayout.ts"
import type { SortedRows } from "../../../kernel/ByteSort.ts"
import * as RowArena from "../../../kernel/RowArena.ts"
import * as RunTree from "../../../kernel/RunTree.ts"
import { StoreCorrupt } from "../../../RecordError.ts"
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
  const opened: Array<RunTree.OpenRun> = []
  const nextChunk = runs.chunkCounts.map(() => 0)
  const corrupt = (detail: string): StoreCorrupt => new StoreCorrupt({ path, part: "bookkeeping", detail })

  /** Comes to the first row of the run's next chunk, or behind the last one. */
  const load = Effect.fnUntraced(function* (
    open: RunTree.OpenRun
  ): Effect.fn.Return<void, EngineReadError | StoreCorrupt> {
    const { cursor, run } = open
    const chunk = nextChunk[run]!++
    open.isSpent = chunk === runs.chunkCounts[run]
    if (open.isSpent) return
    const bytes = yield* database.get(metaKeyspace, entryRunKey(runs.sync, run, chunk))
    if (Option.isNone(bytes)) return yield* corrupt(`chunk ${chunk} of run ${run} is gone`)
    const before = cursor.key.slice(0, cursor.keySize)
    cursor.bytes = bytes.value
    cursor.at = 0
    cursor.keySize = 0
    open.isSpent = !(yield* Effect.try({ try: () => nextRow(cursor), catch: (cause) => corrupt(String(cause)) }))
    open.shared = sharedWith(before, cursor)
  })

  for (const run of runs.chunkCounts.keys()) {
    const open: RunTree.OpenRun = { run, cursor: makeCursor(), shared: 0, isSpent: false }
    yield* load(open)
    opened.push(open)
  }
  const tree = RunTree.make(opened)

  return {
    fill: Effect.fnUntraced(function* (arena, limitBytes) {
      const shared: Array<number> = []
      for (
        let open = RunTree.first(tree);
        open !== undefined && RowArena.sizeBytes(arena) < limitBytes;
        open = RunTree.first(tree)
      ) {
        const spent = yield* Effect.try({
          try: () => takeRows(tree, arena, shared, limitBytes),
          catch: (cause) => corrupt(String(cause))
        })
        if (spent === undefined) continue
        yield* load(spent)
        RunTree.next(tree)
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
 * Moves rows to the arena until the chunk of a run is spent, which is returned, or the arena has enough. A row with the key of the one
 * before it is of an older run, and left out.
 */
const takeRows = (
  tree: RunTree.RunTree,
  arena: RowArena.RowArena,
  shared: Array<number>,
  limitBytes: number
): RunTree.OpenRun | undefined => {
  while (RowArena.sizeBytes(arena) < limitBytes) {
    const open = RunTree.first(tree)!
    const { cursor } = open
    if (open.shared < cursor.keySize) {
      shared.push(arena.rowCount === 0 ? 0 : open.shared)
      RowArena.append(arena, cursor.isDelete, cursor.key, cursor.keySize, noValue)
    }
    if (!nextRow(cursor)) return open
    open.shared = cursor.shared
    RunTree.next(tree)
  }
  return undefined
}

const noValue = new Uint8Array()

const sharedWith = (before: Uint8Array, { key, keySize }: ChunkCursor): number => {
  const end = Math.min(before.length, keySize)
  let common = 0
  while (common < end && before[common] === key[common]) common++
  return common
}
