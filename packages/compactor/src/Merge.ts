/**
 * One sync of many: of each record the newest that any source has.
 *
 * - The greatest time of a type's recency field wins, and of equal ones the newer source: sources come oldest first. Of a type without
 *   recency the newest source wins that has the record.
 * - A removal, a `SyncChange` of kind `removed`, takes away what is older than it. In the result it stays only where every source is
 *   partial, and so the result is.
 * - The result depends on the sources and their order alone, whatever the engines and however many are read at once.
 *
 * The result is a finished sync of its own. A failure or an interruption takes it away again; a crash leaves it started, for a cleanup.
 * Memory holds some records of each source that is read at once, however many there are; disk space is that of the result.
 */
import type { RecordStore, SyncRun } from "@icecore/engine"
import { Effect } from "effect"
import type { CompactorError } from "./CompactorError.ts"
import { prepare, requireNoSync } from "./internal/merge/PrepareMerge.ts"
import { runMerge } from "./internal/merge/RunMerge.ts"
import type { MergePlan, MergeTarget } from "./MergePlan.ts"
import type { SyncSource } from "./Source.ts"

export {
  defaultFanIn,
  fanInBounds,
  fullMergeType,
  type MergeInput,
  type MergePlan,
  type MergePlanError,
  type MergePlanOptions,
  type MergeTarget,
  type MergeTypePlan,
  partialMergeType,
  plan
} from "./MergePlan.ts"

/** What is to be merged. */
export interface PlanMergeOptions {
  /** Oldest first, at least one. The same sync may come twice. */
  readonly sources: ReadonlyArray<SyncSource>
  /** Has all types of the sources, `SyncChange` among them where a source has changes. Need not be there yet. */
  readonly into: MergeTarget
  /** Of the resulting run. Default `full`; `partial_merge` where every source is partial, and must then begin with `partial`. */
  readonly type?: string
  /** Sources that are read at once, 2 to 1,024. Default 64. Where there are more, the result so far is read again for each group. */
  readonly fanIn?: number
}

export interface MergeOptions extends PlanMergeOptions {
  /** Takes the result. Must have no current sync, and is the merge's until it returns. May be a source as well. */
  readonly into: RecordStore.RecordStore
  /** Runs between bounded steps; the merge waits for it. */
  readonly onProgress?: (progress: MergeProgress) => Effect.Effect<void>
}

/** What was done so far. */
export interface MergeProgress {
  /** Records and changes of sources that were looked at. */
  readonly rowCount: number
  /** Of records and changes that were put, as estimated. */
  readonly bytes: number
}

/** What became of the records of one type. All of them are counted in one of the three last. */
export interface MergeTypeReport {
  readonly type: string
  /** Records of all sources. */
  readonly readCount: number
  /** Records of the result. */
  readonly writtenCount: number
  /** Records that another source had newer. */
  readonly supersededCount: number
  /** Records that were taken away by a removal. */
  readonly removedCount: number
}

export interface MergeReport {
  readonly plan: MergePlan
  /** The run in `into`, finished. */
  readonly run: SyncRun.SyncRun
  /** By type name, as the plan has them. */
  readonly types: ReadonlyArray<MergeTypeReport>
}

/** Merges, as described above. Each group of sources is read at one moment of each. */
export const merge: (options: MergeOptions) => Effect.Effect<MergeReport, CompactorError> = Effect.fn("Merge.merge")(
  function* (options: MergeOptions) {
    yield* requireNoSync(options.into)
    return yield* runMerge(options, yield* prepare(options))
  }
)

/** What {@link merge} would do. Reads runs, counts and samples; changes nothing. */
export const planMerge: (options: PlanMergeOptions) => Effect.Effect<MergePlan, CompactorError> = Effect.fn(
  "Merge.planMerge"
)((options: PlanMergeOptions) => prepare(options))
