/**
 * Whole syncs between stores of any engine and archives of any kind: replaced, cloned, copied, merged and compared.
 *
 * - `compact`, `clone` and `copy` go through one `RecordStore.replaceSync` for each sync: base has all of the old sync or all of the new
 *   one, for its readers, after a failure, an interruption and a crash.
 * - `merge` and `diff` make a sync of their own, which is finished by one durable write, and gone when they fail.
 * - All of them read one moment of each source (of a merge each group does), stream, and hold no more memory the larger the syncs are.
 * - `plan…` says what a call would do, and reads counts and samples for it, no more.
 */
import type { RecordReader, RecordStore, SyncRun, SyncTransfer } from "@icecore/engine"
import { Context, type Effect, Layer } from "effect"
import type { CompactorError } from "./CompactorError.ts"
import { makeCompactor } from "./internal/MakeCompactor.ts"
import type { MergeOptions, MergePlan, MergeReport, PlanMergeOptions } from "./Merge.ts"
import type { Source, SyncSource } from "./Source.ts"
import type { DiffOptions, DiffPlan, DiffReport, PlanDiffOptions } from "./SyncDiff.ts"
import type { ThrottleOptions } from "./Throttle.ts"

/** What was written so far: rows, and bytes of their blocks. */
export type Progress = RecordStore.ReplaceProgress

export interface CompactOptions extends SyncSource {
  /** The store that is changed. Only the one sync of it, which must not be its current one. */
  readonly base: RecordStore.RecordStore
  /**
   * What becomes of a named sync that has not ended: it is refused, the default, or taken as it is, without an end. Its indexes are
   * then made when it is resumed, if source had not made them.
   */
  readonly unfinished?: "refuse" | "copy"
  /** Runs between bounded steps, inside the transaction of base: it must not write to base, and what it waits for that waits for. */
  readonly onProgress?: (progress: Progress) => Effect.Effect<void>
}

/** The sync in base is what source has of it. */
export interface SyncReplaced extends RecordStore.SyncReplacement {
  readonly _tag: "SyncReplaced"
}

/** The same, but source has a run without records: base has so now too. */
export interface SyncEmpty extends RecordStore.SyncReplacement {
  readonly _tag: "SyncEmpty"
  /** Records that base had of the sync, of all types. */
  readonly removedCount: number
}

export type CompactReport = SyncReplaced | SyncEmpty

export interface CloneOptions extends SyncSource {
  /** Must not have a sync of this id. */
  readonly into: RecordStore.RecordStore
  /** As in {@link CompactOptions}. */
  readonly unfinished?: "refuse" | "copy"
  /** As in {@link CompactOptions}. */
  readonly onProgress?: (progress: Progress) => Effect.Effect<void>
}

export interface CopyOptions {
  readonly source: Source
  readonly into: RecordStore.RecordStore
  /** As in {@link CompactOptions}; counts are of all syncs so far. */
  readonly onProgress?: (progress: CopyProgress) => Effect.Effect<void>
}

export interface CopyProgress extends Progress {
  /** The sync that is on its way. */
  readonly run: SyncRun.SyncRun
  /** Its place among all of source, from 0, and how many there are. */
  readonly position: number
  readonly syncCount: number
}

export interface CopyReport {
  /** In the order of the ids. */
  readonly syncs: ReadonlyArray<CompactReport>
}

export interface Compactor {
  /**
   * Makes a sync of base exactly what source has of it: records, every index of base, the run. Other syncs stay untouched. Atomic, and
   * durable on return.
   */
  readonly compact: (options: CompactOptions) => Effect.Effect<CompactReport, CompactorError>
  /** Brings a sync into a store that does not have it, with its id: else fails with `SyncExists`. Atomic, durable on return. */
  readonly clone: (options: CloneOptions) => Effect.Effect<CompactReport, CompactorError>
  /**
   * Brings every sync of source into a store, also those without an end, as they are. One that is there is replaced. Each is atomic and
   * durable by itself: after a failure some are there.
   */
  readonly copy: (options: CopyOptions) => Effect.Effect<CopyReport, CompactorError>
  /** Makes one sync of many, in which the newest of each record wins. See {@link "./Merge.ts"}. */
  readonly merge: (options: MergeOptions) => Effect.Effect<MergeReport, CompactorError>
  /** Makes a partial sync of what differs between two. See {@link "./SyncDiff.ts"}. */
  readonly diff: (options: DiffOptions) => Effect.Effect<DiffReport, CompactorError>
  /** What {@link Compactor.compact} would do, with estimates. */
  readonly planCompact: (options: CompactOptions) => Effect.Effect<SyncTransfer.TransferPlan, CompactorError>
  /** What {@link Compactor.clone} would do. */
  readonly planClone: (options: CloneOptions) => Effect.Effect<SyncTransfer.TransferPlan, CompactorError>
  /** What {@link Compactor.copy} would do, sync by sync. */
  readonly planCopy: (options: CopyOptions) => Effect.Effect<ReadonlyArray<SyncTransfer.TransferPlan>, CompactorError>
  /** What {@link Compactor.merge} would do. */
  readonly planMerge: (options: PlanMergeOptions) => Effect.Effect<MergePlan, CompactorError>
  /** What {@link Compactor.diff} would read. */
  readonly planDiff: (options: PlanDiffOptions) => Effect.Effect<DiffPlan, CompactorError>
  /** The same reader, for whose calls in flight the compactor waits between its steps, where `pauseForReaders` is on. */
  readonly watch: (reader: RecordReader.RecordReader) => RecordReader.RecordReader
}

export const Compactor: Context.Service<Compactor, Compactor> = Context.Service("@icecore/compactor/Compactor")

/** A compactor whose calls share one throttle. */
export const make: (options?: ThrottleOptions) => Compactor = makeCompactor

export const layer = (options?: ThrottleOptions): Layer.Layer<Compactor> => Layer.sync(Compactor, () => make(options))
