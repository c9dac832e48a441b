/**
 * Writes a packfile: items in, in order, one immutable file out.
 *
 * What {@link PackWriter.finish} does, in this order; `|` is a barrier, before which everything has completed:
 *
 * 1. writes the records that are left, the offset index, the app data and the trailer |
 * 2. syncs the file |
 * 3. renames it over the path (only with `overwrite`) |
 * 4. syncs the directory |
 *
 * Without `overwrite` a crash before the end leaves no file, or one that does not open, or the whole one; with it the old file
 * or the whole new one.
 */
import { availableParallelism } from "node:os"
import { Effect, type Option, Result, type Scope } from "effect"
import { Disk, type File } from "./Disk.ts"
import { maxUint32 } from "./format/Trailer.ts"
import type { Extract } from "./internal/ContentHash.ts"
import * as PackDestination from "./internal/PackDestination.ts"
import * as WritePipeline from "./internal/WritePipeline.ts"
import { PackOptionInvalid, type PackWriteError } from "./PackError.ts"
import type { RecordEncoding } from "./RecordEncoding.ts"

export type { Extract } from "./internal/ContentHash.ts"

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
  /**
   * Writes what is left, the index, `appData` and the trailer, and returns when file and directory entry are durable. App data
   * given as a function is asked for once every record is encoded. Its buffer may be reused on completion.
   */
  readonly finish: (appData?: Uint8Array | (() => Uint8Array)) => Effect.Effect<PackSummary, PackWriteError>
}

const defaultItemsPerRecord = 128
const defaultBytesPerSync: number = 8 * 1024 * 1024
const maxConcurrency = 1024

/** Opens a new file at `path` for the scope; when the scope closes before `finish` has succeeded, it is removed. */
export const make: (
  path: string,
  options?: PackWriterOptions
) => Effect.Effect<PackWriter, PackWriteError, Disk | Scope.Scope> = Effect.fnUntraced(function* (
  path: string,
  options: PackWriterOptions = {}
) {
  const settings = yield* Effect.fromResult(checkedSettings(path, options))
  const temporaryPath = options.overwrite === true ? path + partialSuffix : undefined
  return yield* begin(yield* PackDestination.open(yield* Disk, path, temporaryPath), settings)
})

/** Where in a larger file a pack is written. */
export interface PackPlace {
  /** An open file. It is the caller's: he syncs, keeps and removes it. */
  readonly file: File
  /** Where the pack begins. Nothing before it is touched, and everything behind it is free to be written. */
  readonly offsetBytes: number
}

/**
 * Writes a pack inside of a larger file, in ascending order and without gaps. Its `finish` returns when all has been handed to the
 * file: nothing is synced or published. To read it, open a `ByteSource.slice` of the file.
 */
export const makeWithin: (
  place: PackPlace,
  options?: Omit<PackWriterOptions, "overwrite">
) => Effect.Effect<PackWriter, PackOptionInvalid, Scope.Scope> = Effect.fnUntraced(function* (
  place: PackPlace,
  options: Omit<PackWriterOptions, "overwrite"> = {}
) {
  const settings = yield* Effect.fromResult(checkedSettings(place.file.path, options))
  return yield* begin(PackDestination.within(place), settings)
})

const begin = Effect.fnUntraced(function* (
  destination: PackDestination.PackDestination,
  settings: WritePipeline.WriteSettings
): Effect.fn.Return<PackWriter, never, Scope.Scope> {
  const { encoding } = settings
  if (encoding !== undefined) yield* Effect.addFinalizer(() => encoding.release)
  return WritePipeline.make(destination, settings, yield* Effect.scope)
})

const checkedSettings = (
  path: string,
  options: PackWriterOptions
): Result.Result<WritePipeline.WriteSettings, PackOptionInvalid> => {
  const settings: WritePipeline.WriteSettings = {
    itemsPerRecord: options.itemsPerRecord ?? defaultItemsPerRecord,
    format: options.format ?? 0,
    encoding: options.encoding,
    contentHash: options.contentHash ?? false,
    extract: options.contentHashExtract,
    concurrency: options.concurrency ?? Math.min(availableParallelism(), maxConcurrency),
    bytesPerSync: options.bytesPerSync ?? defaultBytesPerSync
  }
  const bounds = [
    ["itemsPerRecord", 1, maxUint32],
    ["format", 0, maxUint32],
    ["concurrency", 1, maxConcurrency],
    ["bytesPerSync", 0, Number.MAX_SAFE_INTEGER]
  ] as const
  for (const [option, minimum, maximum] of bounds) {
    const actual = settings[option]
    if (!Number.isInteger(actual) || actual < minimum || actual > maximum) {
      return Result.fail(new PackOptionInvalid({ path, option, actual, minimum, maximum }))
    }
  }
  return Result.succeed(settings)
}
