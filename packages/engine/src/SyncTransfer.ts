/**
 * What it comes to to make a sync of one store what another store has of it: a pure plan, from outlines of both sides.
 *
 * Steps come in the order in which they are done: records by the names of their types, then their indexes by name, then the run, then
 * the bookkeeping. All of it is one transaction, so nobody ever sees it half done.
 */
import type { Effect, Result } from "effect"
import type { Reader } from "./Engine.ts"
import { readOutline } from "./internal/records/replacing/Outline.ts"
import { makePlan } from "./internal/records/replacing/TransferSteps.ts"
import type { RecordTypeChanged, RecordTypeUnknown, SyncNotFound, SyncUnfinished } from "./RecordError.ts"
import type { RecordReadError } from "./RecordReader.ts"
import type * as RecordType from "./RecordType.ts"
import type { SyncId, SyncRun } from "./SyncRun.ts"

/** What one store has of a type in one sync. */
export interface TypeOutline {
  readonly type: RecordType.Any
  readonly recordCount: number
  /** The names of the indexes that are complete in the store. */
  readonly indexes: ReadonlyArray<string>
  /** Stored bytes of a record on average, its key included: from a sample of at most 64 KiB; 0 where there is none. */
  readonly recordBytes: number
  /** The same of the entries of each index. */
  readonly entryBytes: Readonly<Record<string, number>>
  /** Entries of each index, as estimated from the records of the sample. Default: as many as records. */
  readonly entryCounts?: Readonly<Record<string, number>>
}

/** What one store has of a sync. */
export interface SyncOutline {
  readonly path: string
  /** Undefined: the store has no such sync. */
  readonly run: SyncRun | undefined
  readonly sync: SyncId
  /** The index entries of the sync are not all written. */
  readonly isBehind: boolean
  /** All types that the store has. */
  readonly types: ReadonlyArray<TypeOutline>
}

/**
 * `copy`: rows come from the source. `build`: entries of an index that the source lacks are made from its records. `remove`: rows go,
 * and none come.
 */
export type TransferAction = "copy" | "build" | "remove"

/** One range of a sync. */
export interface TransferStep {
  readonly keyspace: "records" | "indexes" | "syncs" | "meta"
  readonly type?: string
  readonly index?: string
  readonly action: TransferAction
  /** Rows that come, and rows that go. Of an index: as estimated. */
  readonly sourceRows: number
  readonly baseRows: number
  /** An estimate of the bytes that come. */
  readonly bytes: number
}

export interface TransferPlan {
  readonly sync: SyncId
  /** As it comes. */
  readonly run: SyncRun
  readonly steps: ReadonlyArray<TransferStep>
  /** Of all steps: rows that come, and their bytes. */
  readonly rows: number
  readonly bytes: number
}

export interface OutlineOptions {
  /** One moment of a store. */
  readonly reader: Reader
  /** Names the store in errors. */
  readonly path: string
  readonly sync: SyncId
}

export interface PlanOptions {
  /** What becomes of a sync that has not ended. Default `refuse`. */
  readonly unfinished?: "refuse" | "copy"
}

/** What planning can refuse. */
export type PlanError = SyncNotFound | SyncUnfinished | RecordTypeUnknown | RecordTypeChanged

/** Reads what a store has of a sync: its run, the counts of its records, and a few blocks of each type and index. */
export const outline: (options: OutlineOptions) => Effect.Effect<SyncOutline, RecordReadError> = readOutline

/**
 * What makes the base's sync that of the source. Pure. A source's type that has records and that the base does not have is refused
 * with `RecordTypeUnknown`, one that contradicts the base's with `RecordTypeChanged`.
 */
export const plan: (
  base: SyncOutline,
  source: SyncOutline,
  options?: PlanOptions
) => Result.Result<TransferPlan, PlanError> = makePlan
