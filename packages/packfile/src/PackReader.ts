/** Reads a packfile: one read opens it, one read fetches any item. */
import { Effect, Option, Stream } from "effect"
import type { ByteSource } from "./ByteSource.ts"
import * as OffsetIndex from "./format/OffsetIndex.ts"
import type { Trailer } from "./format/Trailer.ts"
import type { Extract } from "./internal/ContentHash.ts"
import * as PackOpening from "./internal/PackOpening.ts"
import * as PackVerification from "./internal/PackVerification.ts"
import * as RecordStream from "./internal/RecordStream.ts"
import * as StoredRecord from "./internal/StoredRecord.ts"
import * as ReadSelection from "./kernel/ReadSelection.ts"
import {
  type PackOpenError,
  PackOptionInvalid,
  PackPositionOutOfRange,
  PackPositionsUnsorted,
  type PackReadError,
  type PackVerifyError
} from "./PackError.ts"
import type { RecordEncoding } from "./RecordEncoding.ts"

/** Decoded bytes of one record that are accepted when the caller says nothing: 64 MiB. */
export const defaultMaxRecordSizeBytes: number = 64 * 1024 * 1024

/** Bytes of app data that are accepted when the caller says nothing: 64 MiB. */
export const defaultMaxAppDataSizeBytes: number = 64 * 1024 * 1024

/** Bytes of offset index that are accepted when the caller says nothing: 64 MiB. */
export const defaultMaxIndexSizeBytes: number = 64 * 1024 * 1024

export interface PackReaderOptions {
  /** The one the writer used. Default none. */
  readonly encoding?: RecordEncoding
  /** The writer's `contentHashExtract`. Only {@link PackReader.verify} uses it. */
  readonly extract?: Extract
  /**
   * Inclusive bound on the decoded size of a record, and on four bytes for each of its items; as stored it may take twice that.
   * Default {@link defaultMaxRecordSizeBytes}.
   */
  readonly maxRecordSizeBytes?: number
  /** Inclusive bound on the offset index, which is kept in memory. Default {@link defaultMaxIndexSizeBytes}. */
  readonly maxIndexSizeBytes?: number
  /** Inclusive bound on the app data, which is kept in memory. Default {@link defaultMaxAppDataSizeBytes}. */
  readonly maxAppDataSizeBytes?: number
}

export interface ReadOptions {
  /**
   * Coalesced reads under way at a time, 1 to 1024. Default 2. Records are decoded together up to 1 MiB of payload, or one that
   * is larger: of this many all but one in the thread pool, if the encoding has one. With 1 they are decoded one after the other.
   */
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
   * Reads and decodes every record, once and beginning in order, and compares the content hash when there is one. App data has no checksum, and neither
   * have payloads that are stored as they are in a pack without a content hash: those are not verified.
   */
  readonly verify: (options?: ReadOptions) => Effect.Effect<void, PackVerifyError>
  /** Where the record with this index lies; none past the last. For inspection. */
  readonly record: (recordIndex: number) => Option.Option<RecordLocation>
}

const defaultConcurrency = 2
const maxConcurrency = 1024

/** Reads the end of the source, 256 KiB, and checks all that is there; a larger index or app data costs one more read. */
export const open: (source: ByteSource, options?: PackReaderOptions) => Effect.Effect<PackReader, PackOpenError> =
  Effect.fn("PackReader.open")(function* (source: ByteSource, options: PackReaderOptions = {}) {
    const limits: PackOpening.OpenLimits = {
      maxRecordSizeBytes: options.maxRecordSizeBytes ?? defaultMaxRecordSizeBytes,
      maxIndexSizeBytes: options.maxIndexSizeBytes ?? defaultMaxIndexSizeBytes,
      maxAppDataSizeBytes: options.maxAppDataSizeBytes ?? defaultMaxAppDataSizeBytes
    }
    for (const [option, actual] of Object.entries(limits)) {
      if (!Number.isSafeInteger(actual) || actual < 0) {
        return yield* optionInvalid(source.path, option, actual, 0, Number.MAX_SAFE_INTEGER)
      }
    }
    const pack = yield* PackOpening.open(source, limits, options.encoding)
    return makeReader(pack, options.extract)
  })

const makeReader = (pack: PackOpening.OpenPack, extract: Extract | undefined): PackReader => {
  const { source, trailer, index, appData } = pack
  const { path } = source
  const itemCount = trailer.totalItems

  const outOfRange = (position: number): PackPositionOutOfRange =>
    new PackPositionOutOfRange({ path, position, itemCount })

  const isWithin = (position: number): boolean => Number.isInteger(position) && position >= 0 && position < itemCount

  const read = (position: number): Effect.Effect<Uint8Array, PackReadError> =>
    isWithin(position) ? StoredRecord.readItem(pack, position) : Effect.fail(outOfRange(position))

  const readMany: PackReader["readMany"] = (given, options) => {
    // The stream may run after the caller has taken the list back.
    const positions = [...given]
    let previous = -1
    for (const position of positions) {
      if (!isWithin(position)) return Stream.fail(outOfRange(position))
      if (position <= previous) return Stream.fail(new PackPositionsUnsorted({ path, previous, position }))
      previous = position
    }
    return withConcurrency(path, options, (concurrency) =>
      RecordStream.items(pack, ReadSelection.ofPositions(positions), { concurrency, copy: true })
    )
  }

  const range: PackReader["range"] = (start, count, options) => {
    if (count === 0 && (start === itemCount || isWithin(start))) return Stream.empty
    if (!isWithin(start)) return Stream.fail(outOfRange(start))
    if (!Number.isInteger(count) || count < 0 || count > itemCount - start)
      return Stream.fail(outOfRange(start + count))
    return withConcurrency(path, options, (concurrency) =>
      RecordStream.items(pack, ReadSelection.ofRange(start, count), { concurrency, copy: false })
    )
  }

  const verify = Effect.fn("PackReader.verify")(
    (options?: ReadOptions): Effect.Effect<void, PackVerifyError> =>
      Effect.flatMap(checkedConcurrency(path, options), (concurrency) =>
        PackVerification.verify(pack, extract, concurrency)
      )
  )

  const record = (recordIndex: number): Option.Option<RecordLocation> => {
    if (!Number.isInteger(recordIndex) || recordIndex < 0 || recordIndex >= trailer.recordCount) return Option.none()
    return Option.some({
      recordIndex,
      offsetBytes: OffsetIndex.offsetOf(index, recordIndex),
      sizeBytes: OffsetIndex.sizeOf(index, recordIndex),
      firstPosition: recordIndex * trailer.itemsPerRecord,
      itemCount: StoredRecord.itemCountOf(trailer, recordIndex)
    })
  }

  return {
    path,
    sizeBytes: source.sizeBytes,
    trailer,
    itemCount,
    recordCount: trailer.recordCount,
    contentHash: Option.fromUndefinedOr(trailer.contentHash),
    appData,
    read,
    readMany,
    range,
    verify,
    record
  }
}

const optionInvalid = (
  path: string,
  option: string,
  actual: number,
  minimum: number,
  maximum: number
): PackOptionInvalid => new PackOptionInvalid({ path, option, actual, minimum, maximum })

const checkedConcurrency = (
  path: string,
  options: ReadOptions | undefined
): Effect.Effect<number, PackOptionInvalid> => {
  const concurrency = options?.concurrency ?? defaultConcurrency
  return Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= maxConcurrency
    ? Effect.succeed(concurrency)
    : Effect.fail(optionInvalid(path, "concurrency", concurrency, 1, maxConcurrency))
}

const withConcurrency = <A>(
  path: string,
  options: ReadOptions | undefined,
  stream: (concurrency: number) => Stream.Stream<A, PackReadError>
): Stream.Stream<A, PackReadError> => Stream.unwrap(Effect.map(checkedConcurrency(path, options), stream))
