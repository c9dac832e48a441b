/**
 * Whole chunks of a bounded source straight into frozen files, without a hot database.
 *
 * The source is read once, in order. Each chunk that it has whole is given to a job; several jobs write at once, and become `frozen`
 * in order:
 *
 * 1. write the files of the chunk, synced and read back;
 * 2. wait until the chunk before is frozen;
 * 3. look every key of the chunk's run up in the history before it: a duplicate is refused where duplicates are errors, another key
 *    with the same prefix always;
 * 4. `frozen`, by the catalog's write protocol;
 * 5. the end of the log advances behind the chunk, and the position of the source goes into the live hot database, which has no
 *    entries of its own yet.
 *
 * So what is frozen is the beginning of the source at any moment, a start after a crash redoes no chunk that was, and nothing of a
 * chunk counts as ingested before all of it does. At the first chunk that cannot be (an entry that is refused, a key that is taken,
 * a source that fails) the backfill ends before it, and ordinary ingestion goes on at its first entry and meets exactly what is
 * wrong. What the source has beyond its last whole chunk is left to ingestion, too.
 *
 * {@link Backfill.fill} does the same for history before the beginning of the store: see {@link import("./backfill/Widening.ts")}.
 *
 * Memory: `bufferBytes` of entries, however large chunks are, beside what the jobs take.
 */
import { Geometry } from "@icecore/catalog"
import type { Zstd } from "@icecore/codec"
import type { Disk } from "@icecore/packfile"
import { type Context, Effect, Option } from "effect"
import * as BackfillPass from "./backfill/BackfillPass.ts"
import { orLater } from "./backfill/BackfillStop.ts"
import * as TakenKeys from "./backfill/TakenKeys.ts"
import * as Widening from "./backfill/Widening.ts"
import type { SourcePosition } from "./format/HotFormat.ts"
import * as HotChunk from "./HotChunk.ts"
import type { SourceDiverged } from "./Ingestion.ts"
import * as LogState from "./internal/LogState.ts"
import type * as Upkeep from "./lifecycle/Upkeep.ts"
import type { ReadView } from "./ReadView.ts"
import type { EntriesOptions, Source } from "./Source.ts"
import type { StorageError } from "./StorageError.ts"

export type { BackfillReport } from "./backfill/BackfillPass.ts"

export interface Backfill {
  /**
   * Freezes the whole chunks that the source has behind the end of the log, which must be the beginning of a chunk. Ends
   * without an error where ordinary ingestion must go on, and when the storage fails for a reason that may pass, after the
   * retries of each build. Fails when the storage does for good.
   */
  readonly run: (source: Source, start: EntriesOptions) => Effect.Effect<BackfillPass.BackfillReport, StorageError>
  /**
   * Freezes what retention asks for before the beginning of history, as far as the source has it. See {@link Upkeep.retentionStatus}.
   * Fails when the source gives another first chunk than the one that is kept.
   */
  readonly fill: (source: Source) => Effect.Effect<BackfillPass.BackfillReport, StorageError | SourceDiverged>
}

export interface BackfillOptions {
  readonly upkeep: Upkeep.Upkeep
  readonly view: ReadView
  readonly services: Context.Context<Disk | Zstd>
  readonly bufferBytes: number
  /** Wakes the lifecycle. */
  readonly notify: Effect.Effect<void>
}

export const make = ({ upkeep, view, services, bufferBytes, notify }: BackfillOptions): Backfill => {
  const { state } = upkeep
  const { geometry } = state
  const takenKeys = TakenKeys.make({ upkeep, view, services })
  const passes = BackfillPass.make({ upkeep, takenKeys, services, bufferBytes })

  /** The position goes where a restart looks for it. Without it, one chunk is read and compared again. */
  const keepPosition = (position: SourcePosition): Effect.Effect<void> =>
    upkeep.hotSet
      .use(state.liveChunk, (hot) => HotChunk.putPosition(hot, position))
      .pipe(
        Effect.catch((error) => Effect.logWarning(`The position of the source was not kept: ${error.message}`)),
        Effect.asVoid
      )

  const backfilling = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        upkeep.isBackfilling = true
      }),
      () => effect,
      () =>
        Effect.suspend(() => {
          upkeep.isBackfilling = false
          return notify
        })
    )

  const run = Effect.fn("Backfill.run")(function* (
    source: Source,
    start: EntriesOptions
  ): Effect.fn.Return<BackfillPass.BackfillReport, StorageError> {
    const first = Geometry.chunkOf(geometry, state.nextSeq)
    if (Geometry.firstSeqOf(geometry, first) !== state.nextSeq) return { chunkCount: 0, byteCount: 0 }
    const onFrozen: BackfillPass.Pass["onFrozen"] = (chunk, position) =>
      Effect.uninterruptible(
        Effect.gen(function* () {
          if (chunk === state.liveChunk) upkeep.frozenHot.add(chunk)
          upkeep.frozenTo = chunk
          LogState.advance(state, { nextSeq: Geometry.lastSeqOf(geometry, chunk) + 1, position })
          if (Option.isSome(position)) yield* keepPosition(position.value)
          yield* notify
        })
      )
    const last = Geometry.ChunkId(
      Math.min(Geometry.maxChunkId, Geometry.lastCompleteChunkAt(geometry, Number.MAX_SAFE_INTEGER))
    )
    const pass: BackfillPass.Pass = { source, start, first, last, isDone: () => false, isBefore: false, onFrozen }
    const report = yield* backfilling(passes.overSource(pass))
    yield* orLater("backfill", report.failure)
    if (report.chunkCount > 0 && Option.isSome(report.stop))
      yield* Effect.logDebug(`The backfill ended behind chunk ${upkeep.frozenTo}: ${report.stop.value}`)
    return report
  })

  return { run, fill: Widening.make({ upkeep, view, passes, services, notify }) }
}
