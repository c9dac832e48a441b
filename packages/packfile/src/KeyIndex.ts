/**
 * From a key to the seq that may have it, for a window's chunks: about four bytes a key, and no key is stored. Whoever knows nearly all other
 * keys of a window, and so where blocks will begin, can choose one key in a hundred so that blocks take 19 or 20 bytes a key: then they hold
 * prefixes.
 */
import { Effect, type Scope } from "effect"
import { Disk, type DiskError } from "./Disk.ts"
import type { DuplicatePolicy, IndexFields } from "./format/KeyIndexFormat.ts"
import * as IndexBuild from "./internal/IndexBuild.ts"
import * as IndexFile from "./internal/IndexFile.ts"
import * as IndexLookup from "./internal/IndexLookup.ts"
import * as NewFile from "./internal/NewFile.ts"
import type { KeyIndexCorrupt, KeyIndexDuplicateKey, KeyRunCorrupt } from "./KeyError.ts"
import type { ExpectedRun } from "./KeyRun.ts"
import * as BlockTable from "./kernel/BlockTable.ts"

export type { DuplicatePolicy } from "./format/KeyIndexFormat.ts"

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
  /** First seq of chunk `lo`; not before {@link BuildOptions.windowFirstSeq}. */
  readonly coverageFirstSeq: number
  /** Last seq of chunk `hi`, not before the first. */
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

/** What an index says of itself. */
export interface IndexHeader {
  readonly keyCount: number
  readonly duplicateCount: number
  /** The policy that it was built under. */
  readonly duplicates: DuplicatePolicy
  readonly coverage: IndexCoverage
  readonly coverageFirstSeq: number
  readonly coverageLastSeq: number
  /** Bytes of a seq: 3, or 4 when the coverage has 2^24 entries or more. */
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

/**
 * Merges the runs into a new file and syncs it; the directory is the caller's to sync. The same runs give the same bytes. A build that fails
 * or is interrupted removes the file.
 *
 * Takes about 25 MiB whatever the number of keys, 2 KiB for each run, and 24 bytes for each block of 4,096 keys. Other fibers have their turn
 * every few milliseconds. Of the runs 1,024 stay open until the end, further ones are opened for each read.
 */
export const build: (
  options: BuildOptions
) => Effect.Effect<IndexSummary, KeyIndexDuplicateKey | KeyRunCorrupt | DiskError, Disk> = Effect.fn("KeyIndex.build")(
  function* (options: BuildOptions) {
    const { coverageFirstSeq, coverageLastSeq, windowFirstSeq } = options
    if (!(windowFirstSeq <= coverageFirstSeq && coverageFirstSeq <= coverageLastSeq)) {
      return yield* Effect.die(
        new RangeError(`Window from ${windowFirstSeq} cannot have seqs ${coverageFirstSeq} to ${coverageLastSeq}`)
      )
    }
    const order = { ...options, duplicates: options.duplicates ?? "error" }
    return yield* NewFile.create(order.path, (file) => IndexBuild.writeTo(file, order, IndexBuild.defaultSettings))
  }
)

/** Opens an index for the scope: header, table and footer are read and checked, and the blocks too when it is kept in memory. */
export const open: (
  path: string,
  options?: OpenOptions
) => Effect.Effect<KeyIndex, KeyIndexCorrupt | DiskError, Disk | Scope.Scope> = Effect.fn("KeyIndex.open")(function* (
  path: string,
  options: OpenOptions = {}
) {
  const disk = yield* Disk
  const file = yield* disk.open(path, "read")
  const index = yield* IndexFile.open(file)
  const tableSizeBytes = BlockTable.residentSizeOf(index.table.blockCount)
  const isResident = index.sizeBytes <= (options.residentLimitBytes ?? defaultResidentLimitBytes)
  const lookupResident = isResident ? IndexLookup.resident(index, yield* IndexFile.readAll(index)) : undefined
  return {
    path,
    sizeBytes: index.sizeBytes,
    header: headerOf(index.fields),
    residentSizeBytes: tableSizeBytes + (isResident ? index.sizeBytes : 0),
    lookup:
      lookupResident === undefined
        ? IndexLookup.positioned(index)
        : (key: Uint8Array) => Effect.sync(() => lookupResident(key)),
    lookupResident,
    verify: IndexFile.verify(file)
  }
})

const headerOf = (fields: IndexFields): IndexHeader => ({
  keyCount: fields.keyCount,
  duplicateCount: fields.duplicateCount,
  duplicates: fields.duplicates,
  coverage: { window: fields.window, lo: fields.lo, hi: fields.hi },
  coverageFirstSeq: fields.firstSeq,
  coverageLastSeq: fields.lastSeq,
  payloadSizeBytes: fields.payloadSizeBytes,
  keysPerBlock: fields.keysPerBlock,
  blockCount: fields.blockCount
})
