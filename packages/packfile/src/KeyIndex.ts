/** From a key to the seq that may have it, for a window's chunks: about four bytes a key, and no key is stored. */
import { Effect, type Scope } from "effect"
import type { Disk, DiskError } from "./Disk.ts"
import type { KeyIndexCorrupt, KeyIndexDuplicateKey, KeyRunCorrupt } from "./KeyError.ts"
import type { ExpectedRun } from "./KeyRun.ts"

/** What becomes of a key that several entries have: refused, or the seq of the first or the last one counts. */
export type DuplicatePolicy = "error" | "first" | "last"

/** The chunks of a window whose keys an index holds, both inclusive. */
export interface IndexCoverage {
  readonly window: number
  readonly lo: number
  readonly hi: number
}

export interface BuildOptions {
  readonly path: string
  /** By chunk, ascending. A run is read whole, and held against what is expected of it. */
  readonly runs: ReadonlyArray<{ readonly path: string; readonly expected?: ExpectedRun }>
  /** Recorded in the header. */
  readonly coverage: IndexCoverage
  /** What the offsets of the runs count from. */
  readonly windowFirstSeq: number
  /** First seq of chunk `lo`. */
  readonly coverageFirstSeq: number
  /** Last seq of chunk `hi`. */
  readonly coverageLastSeq: number
  /** Default `error`. */
  readonly duplicates?: DuplicatePolicy
}

export interface IndexSummary {
  readonly keyCount: number
  readonly sizeBytes: number
  /** Rows of the runs that lost against another with the same key. */
  readonly duplicateCount: number
}

export interface IndexHeader {
  readonly version: number
  readonly keyCount: number
  readonly coverage: IndexCoverage
  readonly coverageFirstSeq: number
  readonly coverageLastSeq: number
  readonly payloadSizeBytes: number
  readonly keysPerBlock: number
  readonly blockCount: number
}

export interface OpenOptions {
  /** A file of at most this many bytes is kept in memory whole. Default {@link defaultResidentLimitBytes}. */
  readonly residentLimitBytes?: number
}

/** An open index. Lookups may overlap. */
export interface KeyIndex {
  readonly path: string
  readonly sizeBytes: number
  readonly header: IndexHeader
  /** Memory that the index takes while it is open. */
  readonly residentSizeBytes: number
  /** The seq whose entry may have the key; −1: none has. The caller holds the key against the entry: 1 of 256 strangers passes. */
  readonly lookup: (key: Uint8Array) => Effect.Effect<number, KeyIndexCorrupt | DiskError>
  /** The same at once and without allocating; undefined unless the index is in memory whole. */
  readonly lookupResident: ((key: Uint8Array) => number) | undefined
  /** Reads the whole file and checks all of it. */
  readonly verify: Effect.Effect<void, KeyIndexCorrupt | DiskError>
}

/** 8 MiB. */
export const defaultResidentLimitBytes: number = 8 * 1024 * 1024

/** Creates the file and syncs it; the directory is the caller's to sync. A build that fails or is interrupted removes the file. */
export const build: (
  options: BuildOptions
) => Effect.Effect<IndexSummary, KeyIndexDuplicateKey | KeyRunCorrupt | DiskError, Disk> = () => Effect.die("unbuilt")

/** Opens an index for the scope. */
export const open: (
  path: string,
  options?: OpenOptions
) => Effect.Effect<KeyIndex, KeyIndexCorrupt | DiskError, Disk | Scope.Scope> = () => Effect.die("unbuilt")
