/**
 * What the calling thread and a worker say to each other. Both are of one version of the package, so there are no versions here.
 *
 * ```
 * caller                                     worker
 * hello: the module of the domain       ──▶
 *                                       ◀──  ready: which domain it gave     or  unready
 * job 1: what is to be made             ──▶
 *                                       ◀──  pull 1: send the entries from the first one (may come again)
 * batch 1, batch 1, …, end 1            ──▶
 *                                       ◀──  ack 1: so many bytes were taken up
 *                                       ◀──  done 1: the result              or  failed 1: the error
 * cancel 1                              ──▶  answered by failed 1, once the files of the job are gone
 * stop                                  ──▶  the worker ends
 * ```
 *
 * Every job is answered exactly once by `done` or `failed`, whatever happens; a `cancel` that crosses the answer is ignored.
 */
import type { KeyIndex, KeyRun } from "@icecore/packfile"
import type { ChunkJob, EntriesWritten, RunJob } from "../../ArtifactWork.ts"
import type { EncodedError } from "./ErrorTransfer.ts"

/**
 * Consecutive entries, in buffers that are the receiver's.
 *
 * PERF: bare buffers, because Deno takes 16 ms for a message with a view of 256 KiB, and 0.2 ms for one with the buffer.
 */
export interface EntryBatch {
  readonly firstSeq: number
  readonly entryCount: number
  /** The entries one after the other, and room that is left. */
  readonly bytes: ArrayBuffer
  /** Where each entry ends in `bytes`: u32 each, in the order of the platform, and room that is left. */
  readonly ends: ArrayBuffer
}

/** A job. Options are prototypes that do not travel, so `null` stands for none. */
export type Request =
  | {
      readonly kind: "chunk"
      readonly job: Omit<ChunkJob, "entries" | "keys">
      readonly entriesPath: string | null
      readonly keysPath: string | null
    }
  | { readonly kind: "run"; readonly job: RunJob }
  | { readonly kind: "index"; readonly options: KeyIndex.BuildOptions }

/** What a job gives, for each kind. */
export type Outcome =
  | { readonly kind: "chunk"; readonly entries: EntriesWritten | null; readonly keys: KeyRun.RunSummary | null }
  | { readonly kind: "run"; readonly summary: KeyRun.RunSummary }
  | { readonly kind: "index"; readonly summary: KeyIndex.IndexSummary }

/** What identifies a domain. */
export interface DomainIdentity {
  readonly name: string
  readonly version: number
  readonly options: string
}

export type ToWorker =
  | { readonly type: "hello"; readonly url: string; readonly options: unknown }
  | { readonly type: "job"; readonly id: number; readonly request: Request }
  | { readonly type: "batch"; readonly id: number; readonly attempt: number; readonly batch: EntryBatch }
  | { readonly type: "end"; readonly id: number; readonly attempt: number }
  | { readonly type: "cancel"; readonly id: number }
  | { readonly type: "stop" }

/** The answer to a job. */
export type Answer =
  | { readonly type: "done"; readonly id: number; readonly outcome: Outcome }
  | { readonly type: "failed"; readonly id: number; readonly failure: Failure }

/** How a job failed: with an error of its own, because it was cancelled, or through a bug of ours. */
export type Failure =
  | { readonly kind: "error"; readonly error: EncodedError }
  | { readonly kind: "cancelled" }
  | { readonly kind: "defect"; readonly text: string }

export type FromWorker =
  | { readonly type: "ready"; readonly domain: DomainIdentity }
  | { readonly type: "unready"; readonly detail: string }
  | { readonly type: "pull"; readonly id: number; readonly attempt: number }
  | { readonly type: "ack"; readonly id: number; readonly attempt: number; readonly sizeBytes: number }
  | Answer
