/** The sorted keys of one chunk: what the key index of a window is merged from, and searched itself until there is one. */
import { Crc32c } from "@icecore/codec"
import { Effect, type Scope, type Stream } from "effect"
import type { Disk, DiskError } from "./Disk.ts"
import type { KeyRunCorrupt } from "./KeyError.ts"

/** Bytes of a key that runs and indexes hold: its first ones. */
export const prefixSizeBytes = 16

/** What a run holds. */
export interface RunSummary {
  readonly keyCount: number
  /** CRC32C of the whole file. */
  readonly checksum: number
  readonly sizeBytes: number
}

/** What is known of a run from elsewhere. The format itself has no checksum. */
export interface ExpectedRun {
  readonly keyCount: number
  /** CRC32C of the whole file. */
  readonly checksum: number
}

/** Collects the keys of a chunk, in any order. */
export interface RunBuilder {
  /** Adds the first {@link prefixSizeBytes} bytes of `key` with the entry's seq as an offset from its window's first, 0 to 2^32 − 1. */
  readonly add: (key: Uint8Array, offset: number) => void
  /** The bytes of the file. The builder is spent. */
  readonly finish: () => Uint8Array
}

/** One row of a run. */
export interface RunRow {
  readonly prefix: Uint8Array
  readonly offset: number
}

/** An open run. Calls may overlap. */
export interface KeyRun {
  readonly path: string
  readonly keyCount: number
  /** The offsets that the prefix of `key` has, ascending; none: an empty list. */
  readonly find: (key: Uint8Array) => Effect.Effect<ReadonlyArray<number>, KeyRunCorrupt | DiskError>
  /** Reads the whole file: count, order, offsets within the bounds (inclusive), and the checksum when one is expected. */
  readonly verify: (bounds?: {
    readonly minOffset: number
    readonly maxOffset: number
  }) => Effect.Effect<RunSummary, KeyRunCorrupt | DiskError>
  /** All rows in order, a page at a time. */
  readonly rows: Stream.Stream<RunRow, KeyRunCorrupt | DiskError>
}

export const builder = (): RunBuilder => {
  throw new Error("unbuilt")
}

/** What a whole file holds that {@link RunBuilder.finish} gave. */
export const summarize = (bytes: Uint8Array): RunSummary => ({
  keyCount: Number(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(0, true)),
  checksum: Crc32c.checksum(bytes),
  sizeBytes: bytes.length
})

/** Creates the file, writes `bytes` and syncs it. The directory is the caller's to sync. */
export const write: (path: string, bytes: Uint8Array) => Effect.Effect<RunSummary, DiskError, Disk> = () =>
  Effect.die("unbuilt")

/** Opens a run for the scope. With `expected` its count is held against that at once, its checksum by {@link KeyRun.verify}. */
export const open: (
  path: string,
  expected?: ExpectedRun
) => Effect.Effect<KeyRun, KeyRunCorrupt | DiskError, Disk | Scope.Scope> = () => Effect.die("unbuilt")
