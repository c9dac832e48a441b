/**
 * What the compactor fails with: the call makes no sense, a source could not be read, the store that is changed did not take it.
 * After any of them that store has the syncs that it had.
 */
import type {
  EngineReadError,
  RecordComparison,
  RecordReader,
  RecordStore,
  SyncExists,
  SyncUnfinished
} from "@icecore/engine"
import { Data } from "effect"

/** What was asked for. */
export type Operation = "compact" | "merge" | "diff" | "clone" | "copy"

/** What reading a source can fail with. */
export type SourceReadError =
  | EngineReadError
  | RecordReader.RecordListError
  | RecordStore.RecordWriteError
  | RecordComparison.RecordTypesDiffer
  | SyncUnfinished

/** What changing a store can fail with. */
export type BaseWriteError =
  | RecordStore.RecordReplaceError
  | RecordStore.RecordPutError
  | RecordReader.RecordListError
  | SyncExists

/** The call makes no sense as asked; nothing was changed. */
export class CompactRefused extends Data.Error<{
  readonly operation: Operation
  /** The store that was to be changed. */
  readonly base: string
  readonly detail: string
}> {
  readonly _tag = "CompactRefused"
  override readonly name = "CompactRefused"
  override get message(): string {
    return `Cannot ${this.operation} into ${this.base}: ${this.detail}`
  }
}

/** A source could not be read, or does not have what was asked for. */
export class CompactSourceFailed extends Data.Error<{
  readonly operation: Operation
  readonly source: string
  readonly cause: SourceReadError
}> {
  readonly _tag = "CompactSourceFailed"
  override readonly name = "CompactSourceFailed"
  override get message(): string {
    return `Cannot ${this.operation} from ${this.source}: ${this.cause.message}`
  }
}

/** The store that was to be changed did not take it. */
export class CompactBaseFailed extends Data.Error<{
  readonly operation: Operation
  readonly base: string
  readonly cause: BaseWriteError
}> {
  readonly _tag = "CompactBaseFailed"
  override readonly name = "CompactBaseFailed"
  override get message(): string {
    return `Cannot ${this.operation} into ${this.base}: ${this.cause.message}`
  }
}

/** Any of them. */
export type CompactorError = CompactRefused | CompactSourceFailed | CompactBaseFailed
