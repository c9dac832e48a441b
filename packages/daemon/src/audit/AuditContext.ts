/** What all parts of one audit know. */
import type { Zstd } from "@icecore/codec"
import type { Engine, Reader } from "@icecore/engine"
import type { Disk } from "@icecore/packfile"
import type { Option } from "effect"
import type { Domain } from "../Domain.ts"
import type { History } from "../History.ts"
import type { SourceError } from "../Source.ts"
import type { EntryCursor } from "./EntryCursor.ts"
import type * as Names from "./Names.ts"

/** The source's entries, in step with the chunks that are audited. */
export interface SourceSide {
  readonly name: string
  readonly cursor: EntryCursor<SourceError>
  /** The seq that the cursor gives next. */
  nextSeq: number
  /** Whether it has ended, or failed, and that has been told. */
  isOver: boolean
}

export interface AuditContext {
  /**
   * Whether anything was found that explains why the history cannot read: a history that fails then is right to, and its failures
   * are not told again. A wrong answer always is.
   */
  readonly damage: { isKnown: boolean }
  readonly disk: Disk
  readonly zstd: Zstd
  readonly hotEngine: Engine
  readonly domain: Domain
  /** A moment of the catalog. */
  readonly reader: Reader
  readonly catalogPath: string
  readonly roots: Names.Roots
  readonly numbers: Names.Numbers
  /** Whether everything must be at rest. */
  readonly isSettled: boolean
  readonly floorChunk: number
  /** The chunk that takes new entries. */
  readonly liveChunk: number
  /** The last chunk that has all its entries; −1: none. */
  readonly lastComplete: number
  /** The last entry of the live chunk or the one before it; less than the first seq: there is none. */
  readonly latest: number
  /** The first seq that is served. */
  readonly servedFrom: number
  readonly history: Option.Option<History>
  readonly source: Option.Option<SourceSide>
}
