/**
 * One file for a whole record store: saved atomically, opened in place, extracted to any engine.
 *
 * - `pack` holds the rows of the store, sorted and compressed, in packfiles: it needs no engine, and opening it and reading one
 *   record touches a few of its records.
 * - `tar` and `tar+zstd` hold a copy of the database: opening one unpacks it into a private directory, and needs its engine
 *   ({@link "./ArchiveEngines.ts"}).
 *
 * Archives of other programs are opened by the same call where their layer is provided ({@link "./ArchiveFormats.ts"}).
 */
import type { Zstd, ZstdStream } from "@icecore/codec"
import type { Disk, DiskError, PackWriteError } from "@icecore/packfile"
import { Effect, Option, type Scope } from "effect"
import type { ArchiveError, ArchiveExists, ArchiveRefused } from "./ArchiveError.ts"
import type { C1zError } from "./c1z/C1zError.ts"
import { Engine, type EngineError, type EngineOpenError, type EngineReadError, type Reader } from "./Engine.ts"
import type { ArchiveEncoding, Manifest } from "./format/ArchiveFormat.ts"
import { extractArchive } from "./internal/archive/ExtractArchive.ts"
import { archiveInfo, openArchive } from "./internal/archive/OpenArchive.ts"
import { saveArchive } from "./internal/archive/SaveArchive.ts"
import { verifyArchive } from "./internal/archive/VerifyArchive.ts"
import type { CheckOptions, CheckReport } from "./RecordCheck.ts"
import type { RecordReadError, RecordReader } from "./RecordReader.ts"
import type { RecordStore, RecordWriteError } from "./RecordStore.ts"
import type * as RecordType from "./RecordType.ts"
import type { SyncId } from "./SyncRun.ts"

export type { ArchiveEncoding, Manifest, ManifestPart, ManifestSync } from "./format/ArchiveFormat.ts"

/** What can be saved: an open record store, or an open archive. */
export interface ArchiveSource {
  /** Where it lies, for messages. */
  readonly path: string
  /** The engine it is on. */
  readonly engineName: string
  /** One moment, with all that was put before. */
  readonly snapshot: Effect.Effect<Reader, EngineReadError | RecordWriteError, Scope.Scope>
  /** How its database is copied; absent where it has none, as in a `pack` archive. */
  readonly database?: {
    readonly engine: Engine
    /** As `Database.checkpoint`, with all that was put before. */
    readonly checkpoint: (path: string) => Effect.Effect<void, EngineOpenError | RecordWriteError>
  }
}

export interface SaveOptions {
  readonly source: ArchiveSource
  /** Its directory must exist. */
  readonly path: string
  /** Default `pack`. `tar` and `tar+zstd` need a source with a database in files. */
  readonly encoding?: ArchiveEncoding
  /** Only these syncs; `pack` only. Default: all, finished or not. */
  readonly syncs?: ReadonlyArray<SyncId>
  /** Default false: a file at the path is refused. When true it stays until the new one is whole and durable. */
  readonly overwrite?: boolean
  /** The program that saves, for the manifest. Default `icecore`. */
  readonly creator?: string
  /** zstd level, 1 to 22. Default 3. */
  readonly level?: number
  /** Called every some thousand rows of a `pack`. */
  readonly onProgress?: (counts: { readonly rowCount: number }) => void
}

/** What was saved, once it is durable. */
export interface ArchiveSummary {
  readonly path: string
  readonly sizeBytes: number
  readonly manifest: Manifest
}

/** Bounds on what is read; everything over one fails with `ArchiveLimitExceeded`. All inclusive, in bytes. */
export interface ArchiveLimits {
  /** Default 16 MiB. */
  readonly maxManifestSizeBytes?: number
  /**
   * What an archive may unpack to: by `open` of a `tar`, and by `extract`. Default: 100 times the size of the file, but at least
   * 64 MiB and at most 10 GiB.
   */
  readonly maxDecodedSizeBytes?: number
  /** Of a zstd stream. Default, and at most, 128 MiB. */
  readonly maxWindowSizeBytes?: number
  /** Of a record of a packfile, decoded. Default 64 MiB. */
  readonly maxRecordSizeBytes?: number
}

export interface OpenArchiveOptions {
  readonly limits?: ArchiveLimits
  /** Where the private directory is made that an archive is unpacked into. Default: the system's directory for temporary files. */
  readonly temporaryDirectory?: string
  /** Declared types, whose records are then decoded as them. Default: all that the archive describes. */
  readonly types?: ReadonlyArray<RecordType.Any>
  /** Decoded records of a `pack` that are kept, in bytes. Default 8 MiB. */
  readonly cacheSizeBytes?: number
}

/** What an archive is. */
export interface ArchiveInfo {
  readonly path: string
  /** `icearch`, or the name of a foreign format. */
  readonly format: string
  readonly sizeBytes: number
  /** What the archive says of itself; of a foreign one what it was translated into. */
  readonly manifest: Manifest
  /** What a foreign format has to say about its translation, as plain JSON. */
  readonly report?: unknown
}

/** An archive that is open for a scope. It does not change. */
export interface OpenArchive {
  readonly info: ArchiveInfo
  readonly reader: RecordReader
  /** The rows beneath, as an engine has them. */
  readonly rows: Reader
  /** To save it again, in any encoding that it can have. */
  readonly source: ArchiveSource
}

export interface ExtractOptions {
  /** Where the database is made. Nothing may be there; its parent must exist. */
  readonly directory: string
  /** One of `ArchiveEngines`. Default: the one that the archive names. */
  readonly engine?: string
  readonly limits?: ArchiveLimits
  readonly temporaryDirectory?: string
}

export interface VerifyOptions extends OpenArchiveOptions {
  readonly check?: CheckOptions
}

/** What verifying found. Damage to the file is an error; what the records come to is in the report. */
export interface Verification {
  readonly info: ArchiveInfo
  readonly check: CheckReport
}

/** What opening can fail with. */
export type OpenError = ArchiveError | C1zError | DiskError | EngineError | RecordReadError

/** What saving can fail with. */
export type SaveError = ArchiveExists | ArchiveRefused | DiskError | PackWriteError | EngineError | RecordWriteError

export type ExtractError = OpenError | ArchiveRefused

/** What every operation needs. */
export type ArchiveServices = Disk | Zstd | ZstdStream

/** Writes an archive. On return it is durable under its path; before that nothing, or the old file, is there. */
export const save: (options: SaveOptions) => Effect.Effect<ArchiveSummary, SaveError, ArchiveServices> =
  Effect.fn("Archive.save")(saveArchive)

/** Opens an archive for the scope, ours or one of `ArchiveFormats`, whichever its first bytes say it is. */
export const open: (
  path: string,
  options?: OpenArchiveOptions
) => Effect.Effect<OpenArchive, OpenError, ArchiveServices | Scope.Scope> = Effect.fn("Archive.open")(
  (path: string, options: OpenArchiveOptions = {}) => openArchive(path, options)
)

/** Reads what an archive says of itself: its start and its end, whatever its size. Foreign formats are opened for it. */
export const info: (
  path: string,
  options?: OpenArchiveOptions
) => Effect.Effect<ArchiveInfo, OpenError, ArchiveServices> = Effect.fn("Archive.info")(
  (path: string, options: OpenArchiveOptions = {}) => archiveInfo(path, options)
)

/** Makes a database of what an archive holds, on its own engine or another; whole and durable on return, else not there. */
export const extract: (path: string, options: ExtractOptions) => Effect.Effect<void, ExtractError, ArchiveServices> =
  Effect.fn("Archive.extract")(extractArchive)

/** Reads every byte of an archive against its checksums, then every record and index entry. */
export const verify: (
  path: string,
  options?: VerifyOptions
) => Effect.Effect<Verification, OpenError, ArchiveServices> = Effect.fn("Archive.verify")(
  (path: string, options: VerifyOptions = {}) => verifyArchive(path, options)
)

/** An open store as what {@link save} takes. The engine is the one that the store was opened with. */
export const sourceOf = (store: RecordStore): Effect.Effect<ArchiveSource, never, Engine> =>
  Effect.map(Engine, (engine) => {
    const { currentSync, database, engineName, flush, path } = store
    // Without a current sync all that was put is written, and a store that is only read could not be flushed.
    const written = Effect.flatMap(currentSync, (current) => (Option.isNone(current) ? Effect.void : flush))
    return {
      path,
      engineName,
      snapshot: Effect.andThen(written, database.snapshot),
      database: { engine, checkpoint: (target) => Effect.andThen(written, database.checkpoint(target)) }
    }
  })
