/**
 * What applied has that base has not, as a sync of its own: the records that were added or changed, and a `SyncChange` for each of
 * these and for each that was removed.
 *
 * The result is a finished partial sync of type `partial_diff`: base merged with it is applied. Its parent is base's sync, and both are
 * its sources. A failure or an interruption takes it away again; a crash leaves it started, for a cleanup.
 */
import type { RecordComparison, RecordStore, SyncRun, SyncTransfer } from "@icecore/engine"
import type { Effect } from "effect"
import type { SyncSource } from "./Source.ts"

/** The type of the run that a diff makes. */
export const defaultDiffType = "partial_diff"

export interface PlanDiffOptions {
  /** What was. */
  readonly base: SyncSource
  /** What is. */
  readonly applied: SyncSource
  /** The store that would take the result, to name it where it is refused. Need not be there. */
  readonly into?: Pick<RecordStore.RecordStore, "path">
}

export interface DiffOptions extends PlanDiffOptions {
  /** Takes the result. Must have no current sync, and be opened with `SyncChange` and the types of both sides. */
  readonly into: RecordStore.RecordStore
  /** Of the resulting run. Begins with `partial`. Default `partial_diff`. */
  readonly type?: string
  /** Fields in which records may differ and still be the same. Default: none; with some, base merged with the result keeps its own. */
  readonly ignoredFields?: ReadonlyArray<string>
  /** Runs between bounded steps. */
  readonly onProgress?: (progress: DiffProgress) => Effect.Effect<void>
}

/** Records of both sides that were read so far, and bytes of those records and changes that were put, as estimated. */
export interface DiffProgress {
  readonly rowCount: number
  readonly bytes: number
}

export interface DiffReport {
  /** The run in `into`. */
  readonly run: SyncRun.SyncRun
  /** By type name: what was added, changed and removed. */
  readonly types: ReadonlyArray<RecordComparison.TypeSummary>
}

/** What a diff reads of one type. */
export interface DiffStep {
  readonly type: string
  readonly baseRows: number
  readonly appliedRows: number
}

export interface DiffPlan {
  readonly base: SyncRun.SyncRun
  readonly applied: SyncRun.SyncRun
  /** By type name. */
  readonly steps: ReadonlyArray<DiffStep>
  readonly rows: number
  /** Bytes read, as estimated. */
  readonly bytes: number
}

/** The plan over two outlines. Pure. A side without a run has no rows. */
export const plan = (base: SyncTransfer.SyncOutline, applied: SyncTransfer.SyncOutline): ReadonlyArray<DiffStep> => {
  const names = new Set([...base.types, ...applied.types].map(({ type }) => type.name))
  const rowsOf = (outline: SyncTransfer.SyncOutline, name: string): number =>
    outline.types.find(({ type }) => type.name === name)?.recordCount ?? 0
  return [...names]
    .sort()
    .map((type) => ({ type, baseRows: rowsOf(base, type), appliedRows: rowsOf(applied, type) }))
    .filter(({ appliedRows, baseRows }) => appliedRows + baseRows > 0)
}
