/** How a store is opened. */
import type { Geometry, Layout } from "@icecore/catalog"
import type { Effect } from "effect"
import type { ViewsOptions } from "../internal/Views.ts"
import type { RetryOptions } from "../Retrying.ts"
import type { SourceError } from "../Source.ts"

export interface StoreOptions extends Layout.LayoutOptions {
  /**
   * Pinned on first start, compared ever after. A number left out is what is pinned, and on first start that of
   * {@link Geometry.defaults}, the first seq that of the domain.
   */
  readonly geometry?: Partial<Geometry.Geometry>
  /** Entries in a synced commit at most, when so many are at hand. More is faster, and never less safe. Default 1. */
  readonly entriesPerCommit?: number
  /** Complete chunks that may wait for their freeze before ingestion waits for them; each has a hot database. Default 4. */
  readonly maxUnfrozenChunks?: number
  /** Packfiles kept open while nobody reads them. Default 64. */
  readonly idlePackCount?: number
  /** Bounds of reads: how many at once (default 256), and how long one may take (default 300,000 ms). */
  readonly views?: Pick<ViewsOptions, "maxCount" | "maxAgeMillis">
  /** Bytes of memory that key indexes, and filters over key runs, may take. Beyond it they are read from disk. Default 64 MiB. */
  readonly keyCacheBytes?: number
  /** How a full disk and other failures that may pass are tried again. */
  readonly retry?: RetryOptions
  /** What is kept of the log. Default: what is pinned; on first start everything. */
  readonly retention?: RetentionOptions
  /**
   * One behind the last seq that the source has, of a log that begins at `firstSeq`: what `earliest: "now"` means. Asked on first
   * start only. Without it "now" is the beginning of the log.
   */
  readonly sourceEnd?: (firstSeq: number) => Effect.Effect<number, SourceError>
  /**
   * Milliseconds for which demoted files stay where they are: more than a request may take. Views that are open keep them longer.
   * Default 30,000.
   */
  readonly graceMillis?: number
  /** How chunks are frozen and filled in. */
  readonly backfill?: BackfillOptions
  /** Milliseconds without a frozen chunk after which key indexes are brought up to date. Default 10,000. */
  readonly rollIdleMillis?: number
  /** `readOnly` changes nothing: no append, no freeze, no discard, no repair. Default `readWrite`. */
  readonly mode?: "readWrite" | "readOnly"
}

/**
 * What is kept of the log. Another retention takes effect when the store is opened with it: less is pruned; more is filled in from
 * the source that is ingested next, as far as that has it.
 */
export interface RetentionOptions {
  /** Complete chunks kept at the end of the log; 0: all. Default 0. */
  readonly chunks?: number
  /**
   * Lowest seq ever kept: the log's first one; on first start the end of the source, and what is pinned ever after; or a seq.
   * Default: what is pinned, on first start `genesis`.
   */
  readonly earliest?: "genesis" | "now" | number
}

export interface BackfillOptions {
  /** Chunks and indexes that are made at once. Default 2. */
  readonly workers?: number
  /** How often one of them is tried again in a row. Default 3. */
  readonly maxRetries?: number
  /** Bytes of entries that are read ahead of being made into files. Default 64 MiB. */
  readonly bufferBytes?: number
}
