/** Writes a packfile: items in, in order, one immutable file out. */
import type { Effect, Option } from "effect"
import type { PackWriteError } from "./PackError.ts"
import type { RecordEncoding } from "./RecordEncoding.ts"

/** Gives the bytes that stand for an item in the content hash. Must not change the item nor keep it. */
export type Extract = (item: Uint8Array) => Uint8Array

export interface PackWriterOptions {
  /** Items stored and compressed together, 1 to 2^32 − 1. Default 128. */
  readonly itemsPerRecord?: number
  /** The caller's number for "how to decode this", 0 to 2^32 − 1, kept in the trailer. Default 0. */
  readonly format?: number
  /** Default none: payloads are stored as they are. */
  readonly encoding?: RecordEncoding
  /** Whether the trailer gets the SHA-256 over all items. Default false. */
  readonly contentHash?: boolean
  /** Replaces each item in the content hash; the reader that verifies must use the same. Default none. */
  readonly contentHashExtract?: Extract
  /** Records encoded at the same time, 1 to 1024. Default: the processors. At most twice as many are in flight. */
  readonly concurrency?: number
  /** Bytes after which background writeback starts, so that the last sync is short; 0 for never. Default 8 MiB. */
  readonly bytesPerSync?: number
  /**
   * Default false: an existing file is `DiskExists`. When true the file is written as {@link partialSuffix} beside the path
   * and renamed over it when it is whole and synced, so that the old file stays until then.
   */
  readonly overwrite?: boolean
}

/** What `overwrite` appends to the path until the file is whole. After a crash such a file may be left behind. */
export const partialSuffix = ".partial"

/** What was written, once it is durable. */
export interface PackSummary {
  readonly itemCount: number
  readonly recordCount: number
  readonly byteLength: number
  /** 32 bytes; none when not asked for. */
  readonly contentHash: Option.Option<Uint8Array>
}

/**
 * An open packfile. Calls from several fibers are safe, in an order of their own. The first failure wins: every later call
 * fails with it, nothing more is written, and the file is gone when the scope closes.
 */
export interface PackWriter {
  readonly path: string
  /**
   * Adds one item, which may be empty. Copied before the call completes. Buffered: nothing is durable before
   * {@link PackWriter.finish}. Waits while too many records are in flight.
   */
  readonly append: (item: Uint8Array) => Effect.Effect<void, PackWriteError>
  /** Adds items in order, as often as calling `append` and much cheaper per item. */
  readonly appendAll: (items: Iterable<Uint8Array>) => Effect.Effect<void, PackWriteError>
  /** Writes what is left, the index, `appData` and the trailer, and returns when file and directory entry are durable. */
  readonly finish: (appData?: Uint8Array) => Effect.Effect<PackSummary, PackWriteError>
}
