/**
 * What the checker of a record store finds: everything in the stored bytes that the store would not have written.
 *
 * It walks records and index entries both ways: every record has the entries that its type asks for, and every entry a record
 * that asks for it. It reads one moment, changes nothing, and keeps a bounded number of keys in memory.
 */

/**
 * - `entryMissing`: a record without the index entry that it should have.
 * - `entryOrphan`: an index entry whose record is gone.
 * - `entryStale`: an index entry whose record is there and belongs elsewhere in the index.
 * - `recordUndecodable`: a value that is no record of its type.
 * - `recordMisplaced`: a record whose own fields give another key than the one that it is stored under.
 * - `blockDamaged`: a row of the engine that is no block, or whose contents are out of order with its neighbours.
 * - `countWrong`: the count of records in a sync run is not the number of its records.
 * - `tagUnknown`: rows of a record type or an index that the store's schema does not have.
 * - `syncUnknown`: rows of a sync that is not there.
 * - `runDamaged`: a sync run that does not decode, or whose entry in the index of runs is not as it should be.
 * - `bookkeepingDamaged`: what the store keeps about a sync does not decode, is missing, or contradicts its run.
 */
export type FindingKind =
  | "entryMissing"
  | "entryOrphan"
  | "entryStale"
  | "recordUndecodable"
  | "recordMisplaced"
  | "blockDamaged"
  | "countWrong"
  | "tagUnknown"
  | "syncUnknown"
  | "runDamaged"
  | "bookkeepingDamaged"

/** One fault, and where it is. */
export interface Finding {
  readonly kind: FindingKind
  readonly keyspace: string
  /** Absent where no sync can be told. */
  readonly sync?: string
  readonly type?: string
  /** Of an index entry. */
  readonly index?: string
  /** The whole key of the row at fault. */
  readonly key?: Uint8Array
  readonly detail: string
}

export interface CheckOptions {
  /** Findings kept in the report, from 0; the rest is only counted. Default 1,000. */
  readonly findingLimit?: number
  /** Told after the rows of some blocks, about 1 MiB of them, how many were walked so far. */
  readonly onProgress?: (progress: CheckProgress) => void
}

/** Records and index entries that were walked. */
export interface CheckProgress {
  readonly recordCount: number
  readonly entryCount: number
}

/** What was walked and what was found. */
export interface CheckReport {
  /** In the order of the walk: runs, then by sync and type; at most as many as were asked for. */
  readonly findings: ReadonlyArray<Finding>
  readonly findingCount: number
  readonly syncCount: number
  readonly recordCount: number
  readonly entryCount: number
}
