/** Reads a packfile: one read opens it, one read fetches any item. */
import type { Effect, Option, Stream } from "effect"
import type { Trailer } from "./format/Trailer.ts"
import type { PackReadError, PackVerifyError } from "./PackError.ts"
import type { Extract } from "./PackWriter.ts"
import type { RecordEncoding } from "./RecordEncoding.ts"

/** Decoded bytes of one record that are accepted when the caller says nothing: 64 MiB. */
export const defaultMaxRecordSizeBytes: number = 64 * 1024 * 1024

/** Bytes of offset index that are accepted when the caller says nothing: 64 MiB. */
export const defaultMaxIndexSizeBytes: number = 64 * 1024 * 1024

export interface PackReaderOptions {
  /** The one the writer used. Default none. */
  readonly encoding?: RecordEncoding
  /** The writer's `contentHashExtract`. Only {@link PackReader.verify} uses it. */
  readonly extract?: Extract
  /** Inclusive bound on the decoded size of a record. Default {@link defaultMaxRecordSizeBytes}. */
  readonly maxRecordSizeBytes?: number
  /** Inclusive bound on the offset index, which is kept in memory. Default {@link defaultMaxIndexSizeBytes}. */
  readonly maxIndexSizeBytes?: number
  /** Inclusive bound on the app data, which is kept in memory. Default 64 MiB. */
  readonly maxAppDataSizeBytes?: number
}

export interface ReadOptions {
  /** Coalesced reads under way at a time, 1 to 1024. Default 2. */
  readonly concurrency?: number
}

/** Where a record lies. */
export interface RecordLocation {
  readonly recordIndex: number
  readonly offsetBytes: number
  /** As stored: encoded, with its item sizes. */
  readonly sizeBytes: number
  readonly firstPosition: number
  readonly itemCount: number
}

/** An open packfile. Nothing in it changes, so any number of reads may run at once. */
export interface PackReader {
  readonly path: string
  readonly sizeBytes: number
  readonly trailer: Trailer
  readonly itemCount: number
  readonly recordCount: number
  /** 32 bytes; none when the writer kept none. */
  readonly contentHash: Option.Option<Uint8Array>
  /** The caller's own bytes, not covered by any checksum of the format. Must not be changed. */
  readonly appData: Uint8Array
  /** The item at a position from 0 on, with one read of the source. The bytes are the caller's. */
  readonly read: (position: number) => Effect.Effect<Uint8Array, PackReadError>
  /** Items at strictly ascending positions, in order. Neighbouring records are read together, up to 1 MiB at a time. */
  readonly readMany: (
    positions: ReadonlyArray<number>,
    options?: ReadOptions
  ) => Stream.Stream<Uint8Array, PackReadError>
  /**
   * `count` items from `start` on, read as `readMany` does; a range that does not lie within the pack fails. Items of one
   * record are disjoint views of one buffer: copy those that are kept long.
   */
  readonly range: (start: number, count: number, options?: ReadOptions) => Stream.Stream<Uint8Array, PackReadError>
  /**
   * Reads and decodes every record, and compares the content hash when there is one. App data has no checksum, and neither
   * have payloads that are stored as they are in a pack without a content hash: those are not verified.
   */
  readonly verify: (options?: ReadOptions) => Effect.Effect<void, PackVerifyError>
  /** Where the record with this index lies; none past the last. For inspection. */
  readonly record: (recordIndex: number) => Option.Option<RecordLocation>
}
