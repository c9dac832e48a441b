/**
 * The work of making frozen files: compressing, hashing, sorting, index building.
 *
 * It is a port because this work takes a processor for tens of milliseconds at a time, which reads and ingestion would wait for.
 * {@link layerInline} does it on the calling thread; `WorkerPool.layer` runs the same code in worker threads. Whichever does it,
 * the files hold the same: they are pure functions of the entries, the domain and the job.
 *
 * A file that a job was to make is written, synced and read back whole before the job succeeds; its name in its directory is the
 * caller's to sync. A job that fails or is interrupted removes what it has written before it ends. Two things leave files behind, as a
 * crash does: {@link WorkerLost}, and an interruption that comes when all is written and only the answer is on its way. The catalog's write
 * protocol removes them when it tries again.
 *
 * Any number of jobs may be under way, each with the memory of a few records beside its keys (40 bytes each): whoever starts jobs
 * bounds them.
 */
import { Zstd } from "@icecore/codec"
import {
  Disk,
  type DiskError,
  type KeyIndex,
  type KeyIndexCorrupt,
  type KeyIndexDuplicateKey,
  type KeyRun,
  type KeyRunCorrupt,
  type PackReadError
} from "@icecore/packfile"
import { Context, Data, Effect, Layer, type Option, type Stream } from "effect"
import { Domain } from "./Domain.ts"
import type { FrozenChunkWrong, WriteEntriesPackError } from "./EntriesPack.ts"
import type { Entry } from "./Entry.ts"
import type { EntryRefused } from "./History.ts"
import * as InlineWork from "./internal/work/InlineWork.ts"
import type { ChunkUncovered } from "./StorageError.ts"

/** The thread that did the work is gone, or could not be started. Another one takes the next job: trying again may help. */
export class WorkerLost extends Data.Error<{ readonly worker: number; readonly detail: string }> {
  readonly _tag = "WorkerLost"
  override readonly name = "WorkerLost"
  override get message(): string {
    return `Cannot finish work in worker ${this.worker}: ${this.detail}`
  }
}

/** What any job can fail with. */
export type ArtifactWorkError =
  | WriteEntriesPackError
  | PackReadError
  | FrozenChunkWrong
  | KeyRunCorrupt
  | KeyIndexCorrupt
  | KeyIndexDuplicateKey
  | ChunkUncovered
  | EntryRefused
  | DiskError
  | WorkerLost

/** The files of one chunk that are to be written. None of them may exist. */
export interface ChunkJob {
  readonly chunk: number
  /** First seq of the chunk, inclusive. */
  readonly firstSeq: number
  /** Entries that the chunk has. */
  readonly entryCount: number
  /** First seq of the chunk's window, from which the offsets of its key run count. */
  readonly windowFirstSeq: number
  /** The pack of entries. */
  readonly entries: Option.Option<{ readonly path: string }>
  /** The key run. Of a domain without keys it is empty. */
  readonly keys: Option.Option<{ readonly path: string }>
}

/** A pack of entries that was written. */
export interface EntriesWritten {
  readonly itemsPerRecord: number
  /** Bytes of all entries together. */
  readonly contentSizeBytes: number
}

/** What was written, as far as it was asked for. */
export interface ChunkWritten {
  readonly entries: Option.Option<EntriesWritten>
  readonly keys: Option.Option<KeyRun.RunSummary>
}

/** The key run of a chunk that is frozen. */
export interface RunJob {
  /** The frozen pack of entries. */
  readonly packPath: string
  /** Where the run is to be; must not exist. */
  readonly runPath: string
  readonly chunk: number
  /** First seq of the chunk, inclusive. */
  readonly firstSeq: number
  readonly entryCount: number
  /** First seq of the chunk's window. */
  readonly windowFirstSeq: number
}

export interface ArtifactWork {
  /** Through which files are derived: that of the store that they are for. */
  readonly domain: Pick<Domain, "name" | "version" | "options">
  /** Threads beside the calling one; with 0 everything runs on the calling thread. */
  readonly workerCount: number
  /**
   * Reads the entries of a chunk once and writes every file that the job names. Where records of 128 entries would go over
   * `EntriesPack.maxRecordSizeBytes` the stream is run a second time, so it must give the same each time. Every entry is checked: in its
   * place ({@link ChunkUncovered} names the first seq that is not), and accepted by the domain ({@link EntryRefused}).
   */
  readonly writeChunk: <E, R>(
    job: ChunkJob,
    entries: Stream.Stream<ReadonlyArray<Entry>, E, R>
  ) => Effect.Effect<ChunkWritten, E | ArtifactWorkError, R>
  /** Derives the run of a chunk from its frozen pack; the entries do not pass through the calling thread. */
  readonly writeRun: (job: RunJob) => Effect.Effect<KeyRun.RunSummary, ArtifactWorkError>
  /** Merges runs into the index of a window. */
  readonly buildIndex: (options: KeyIndex.BuildOptions) => Effect.Effect<KeyIndex.IndexSummary, ArtifactWorkError>
}

export const ArtifactWork: Context.Service<ArtifactWork, ArtifactWork> = Context.Service("@icecore/daemon/ArtifactWork")

/** Everything on the calling thread. */
export const layerInline: Layer.Layer<ArtifactWork, never, Disk | Zstd | Domain> = Layer.effect(
  ArtifactWork,
  Effect.gen(function* () {
    return InlineWork.make({ disk: yield* Disk, zstd: yield* Zstd, domain: yield* Domain })
  })
)
