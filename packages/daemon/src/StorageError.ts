/** What the storage below the history can fail with, and which of it may pass. */
import type {
  ArtifactMissing,
  CatalogReadError,
  CatalogWriteError,
  CoverageInvalid,
  HotDatabaseLost
} from "@icecore/catalog"
import type { EngineError } from "@icecore/engine"
import type { DiskError, KeyIndexCorrupt, KeyIndexDuplicateKey, KeyRunCorrupt, PackReadError } from "@icecore/packfile"
import { Data } from "effect"
import type { WorkerLost } from "./ArtifactWork.ts"
import type { FrozenChunkWrong, WriteEntriesPackError } from "./EntriesPack.ts"
import type { HotChunkDamaged } from "./HotChunk.ts"

/** An entry that was acknowledged is not in its reopened database: data loss. */
export class AcknowledgedEntryLost extends Data.Error<{ readonly path: string; readonly seq: number }> {
  readonly _tag = "AcknowledgedEntryLost"
  override readonly name = "AcknowledgedEntryLost"
  override get message(): string {
    return `Cannot go on with database ${this.path}: acknowledged entry ${this.seq} is not in it`
  }
}

/** Too little space is left to begin a write that would need it. Nothing was written. */
export class SpaceTooLow extends Data.Error<{
  readonly path: string
  readonly neededBytes: number
  readonly freeBytes: number
}> {
  readonly _tag = "SpaceTooLow"
  override readonly name = "SpaceTooLow"
  override get message(): string {
    return `Cannot write to ${this.path}: it may take ${this.neededBytes} bytes, ${this.freeBytes} are free`
  }
}

/** A chunk cannot be frozen, because nothing at hand has all of its entries. */
export class ChunkUncovered extends Data.Error<{
  readonly chunk: number
  /** First seq of the chunk that is not to be had. */
  readonly seq: number
  readonly detail: string
}> {
  readonly _tag = "ChunkUncovered"
  override readonly name = "ChunkUncovered"
  override get message(): string {
    return `Cannot freeze chunk ${this.chunk}: entry ${this.seq} is not to be had: ${this.detail}`
  }
}

/** Everything that the storage can fail with. */
export type StorageError =
  | DiskError
  | EngineError
  | CatalogReadError
  | CatalogWriteError
  | ArtifactMissing
  | PackReadError
  | KeyRunCorrupt
  | KeyIndexCorrupt
  | KeyIndexDuplicateKey
  | CoverageInvalid
  | WorkerLost
  | WriteEntriesPackError
  | FrozenChunkWrong
  | HotDatabaseLost
  | HotChunkDamaged
  | AcknowledgedEntryLost
  | SpaceTooLow
  | ChunkUncovered

/** Free bytes below which a database that failed is not closed and opened again: 1 MiB. */
export const reopenSpaceBytes: number = 1024 * 1024

const lasting: ReadonlySet<string> = new Set([
  "EngineCorrupt",
  "EngineMisuse",
  "EngineKeySize",
  "EngineValueSize",
  "CatalogCorrupt",
  "CoverageInvalid",
  "KeyIndexDuplicateKey",
  "HotDatabaseLost",
  "HotChunkDamaged",
  "AcknowledgedEntryLost",
  "EntryAbsent",
  "EntryRefused",
  "EntryTooLarge",
  "DuplicateKey",
  "KeyCollision",
  "AppendConflict",
  "LogFull"
])

/** Whether trying again may help: a full disk, an I/O error, a poisoned database. Damage, misuse and refusals do not pass. */
export const isTransient = (error: { readonly _tag: string }): boolean => !lasting.has(error._tag)
