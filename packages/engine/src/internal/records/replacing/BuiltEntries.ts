/**
 * Entries of indexes that a source lacks, made from its records: sorted runs in the base's `meta` first, because memory is bounded
 * and a transaction takes rows in order; then all of them merged. The runs are of one sync, as those of a sync that is being
 * filled, and mean nothing to anybody else: opening a store removes what a crash leaves of them.
 */
import { Effect, Result } from "effect"
import { Hex } from "effect/encoding"
import type { BlockCorrupt } from "../../../BlockError.ts"
import { type EngineReadError, type EngineWriteError, maxKeySizeBytes } from "../../../Engine.ts"
import { entryRunPrefix } from "../../../format/EntryRun.ts"
import { headerSizeBytes, metaKeyspace, syncSizeBytes } from "../../../format/RecordLayout.ts"
import { sort } from "../../../kernel/ByteSort.ts"
import * as RowArena from "../../../kernel/RowArena.ts"
import { RecordCorrupt, RecordTypeChanged, type StoreCorrupt } from "../../../RecordError.ts"
import { corruptBlock } from "../blocks/BlockAttempt.ts"
import { collectChunks, type EntryRuns, readRuns } from "../writing/EntryRuns.ts"
import * as Intake from "../writing/Intake.ts"
import type { MergeTarget } from "../writing/Merge.ts"
import * as MergeDesk from "../writing/MergeDesk.ts"
import { type RecordKeys, tooLong } from "../writing/RecordKeys.ts"
import * as BlockFeed from "./BlockFeed.ts"
import * as BlockOutput from "./BlockOutput.ts"
import { type Pause, type Steps, stepRowCount } from "./StepRows.ts"

/** Entries that are sorted at once: few, because sorting is one long step. */
const sortedBytes: number = 2 * 1024 * 1024

/** Entries that are merged at once. */
const mergedBytes: number = 128 * 1024

/** The runs by the tags of their indexes, all in one sequence of numbers. */
export type BuiltRuns = Map<number, EntryRuns>

interface BuildOptions<P> {
  readonly target: MergeTarget
  /** Of the base: its type with the indexes to build, and the sync. */
  readonly keys: RecordKeys
  /** The source's records of the type. */
  readonly feed: BlockFeed.BlockFeed
  readonly built: BuiltRuns
  readonly pause: Pause<P>
}

type BuildError = EngineReadError | EngineWriteError | BlockCorrupt | RecordCorrupt | RecordTypeChanged

/** Writes the entries of the records of one type, buffered. */
export const build = <P>({ built, feed, keys, pause, target }: BuildOptions<P>): Effect.Effect<void, BuildError | P> =>
  Effect.gen(function* () {
    const sync = keys.header.slice(headerSizeBytes - syncSizeBytes)
    const intake = Intake.make(sortedBytes)
    for (;;) {
      const state = yield* takeSome(target, feed, keys, intake)
      if (state === "end" || Intake.isFull(intake)) yield* writeRuns(target, intake, sync, built)
      if (state === "end") return
      if (state === "starved") yield* BlockFeed.fill(feed)
      yield* pause
    }
  })

/** Takes in the entries of some records. */
const takeSome = (
  { path }: MergeTarget,
  feed: BlockFeed.BlockFeed,
  keys: RecordKeys,
  intake: Intake.Intake
): Effect.Effect<"row" | "starved" | "end", BuildError> =>
  Effect.suspend((): Effect.Effect<"row" | "starved" | "end", BuildError> => {
    const { cursor } = feed
    const { type } = keys.layout
    try {
      for (let taken = 0; taken < stepRowCount && !Intake.isFull(intake); taken++) {
        const state = BlockFeed.advance(feed)
        if (state !== "row") return Effect.succeed(state)
        const record = type.codec.decode(cursor.bytes.subarray(cursor.valueStart, cursor.valueEnd))
        const problem = Result.isFailure(record)
          ? record.failure.message
          : Intake.takeEntriesOf(intake, keys, record.success, cursor.key, headerSizeBytes, cursor.keySize)
        if (problem === undefined) continue
        const key = cursor.key.slice(0, cursor.keySize)
        if (problem === tooLong) return Effect.fail(unfit(path, type.name, feed.path, key))
        return Effect.fail(new RecordCorrupt({ path: feed.path, type: type.name, key, detail: problem }))
      }
      return Effect.succeed("row")
    } catch (cause) {
      return Effect.fail(corruptBlock(feed.keyspace, cause, feed.path))
    }
  })

const unfit = (path: string, type: string, sourcePath: string, key: Uint8Array): RecordTypeChanged =>
  new RecordTypeChanged({
    path,
    type,
    detail: `one of its indexes cannot have the record 0x${Hex.encode(key)} of ${sourcePath}, whose entry would be longer than ${maxKeySizeBytes} bytes`
  })

/** Writes the entries aside, a run for each index, and empties the intake. */
const writeRuns = (
  { database }: MergeTarget,
  intake: Intake.Intake,
  sync: Uint8Array,
  built: BuiltRuns
): Effect.Effect<void, EngineWriteError> =>
  Effect.suspend(() => {
    const { entries } = intake
    const sorted = sort(entries)
    const blocks = MergeDesk.makeBlocks()
    const tagOf = (place: number): number => entries.bytes[RowArena.keyStartOf(entries, sorted.order[place]!) + 1]!
    for (let from = 0, to = 0; from < sorted.count; from = to) {
      const tag = tagOf(from)
      while (to < sorted.count && tagOf(to) === tag) to++
      collectChunks(nextRun(built, tag, sync), blocks, entries, sorted, from, to)
    }
    Intake.clearEntries(intake)
    if (blocks.changes.length === 0) return Effect.void
    return database.write(
      (batch) => {
        for (const { key, value } of blocks.changes) batch.put(metaKeyspace, key, value!)
      },
      { durability: "buffered" }
    )
  })

/** The runs of an index with a new one. The numbers of other indexes' runs are of runs without chunks. */
const nextRun = (built: BuiltRuns, tag: number, sync: Uint8Array): EntryRuns => {
  const runs = built.get(tag) ?? { sync, chunkCounts: [] }
  built.set(tag, runs)
  const used = Math.max(...[...built.values()].map(({ chunkCounts }) => chunkCounts.length))
  while (runs.chunkCounts.length <= used) runs.chunkCounts.push(0)
  return runs
}

/** Removes the runs of the sync, if there are any. */
export const removeRuns = ({ database }: MergeTarget, sync: Uint8Array): Effect.Effect<void, EngineWriteError> =>
  database.write((batch) => batch.deleteRange(metaKeyspace, { prefix: entryRunPrefix(sync) }), {
    durability: "buffered"
  })

/** The entries of one index, merged from its runs. */
export const begin: (
  { database, path }: MergeTarget,
  runs: EntryRuns | undefined,
  output: BlockOutput.BlockOutput
) => Effect.Effect<Steps<EngineReadError | StoreCorrupt>, EngineReadError | StoreCorrupt> = Effect.fnUntraced(
  function* ({ database, path }, runs, output) {
    const arena = RowArena.make(2 * mergedBytes)
    const lastKey = new Uint8Array(maxKeySizeBytes)
    let lastSize = 0
    const reading = yield* readRuns(database, path, runs ?? { sync: new Uint8Array(), chunkCounts: [] })
    const next = Effect.map(
      Effect.suspend(() => reading.fill(arena, mergedBytes)),
      (sorted) => {
        for (let row = 0; row < sorted.count; row++) {
          const key = RowArena.keyOf(arena, row)
          const shared = row === 0 ? sharedSize(lastKey, lastSize, key) : sorted.shared[row]!
          BlockOutput.addArenaRow(output, shared, arena, row)
          if (row < sorted.count - 1) continue
          lastKey.set(key)
          lastSize = key.length
        }
        RowArena.clear(arena)
        if (sorted.count > 0) return false
        BlockOutput.end(output)
        return true
      }
    )
    return { next, blocks: output.blocks }
  }
)

const sharedSize = (last: Uint8Array, lastSize: number, key: Uint8Array): number => {
  const size = Math.min(lastSize, key.length)
  let common = 0
  while (common < size && last[common] === key[common]) common++
  return common
}
