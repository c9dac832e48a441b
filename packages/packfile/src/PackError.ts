/** What writing and reading a packfile can fail with, beside the errors of the disk. */
import { Data } from "effect"
import type { DiskError } from "./Disk.ts"

/** Which part of a packfile is damaged. `size`: the file is too small for what its trailer declares. */
export type PackPart = "size" | "magic" | "version" | "flags" | "trailer" | "index" | "record" | "checksum"

/** Bytes of the file are not what the format allows. */
export class PackCorrupt extends Data.Error<{
  readonly path: string
  readonly part: PackPart
  readonly detail: string
  /** Where in the file the damaged part begins. */
  readonly offsetBytes: number
  /** The record that is damaged, when it is one. */
  readonly recordIndex?: number
}> {
  readonly _tag = "PackCorrupt"
  override readonly name = "PackCorrupt"
  override get message(): string {
    const ofRecord = this.recordIndex === undefined ? "" : ` of record ${this.recordIndex}`
    const place = this.part === "record" ? ofRecord.slice(" of ".length) || "record" : `${this.part}${ofRecord}`
    return `Cannot read pack ${this.path}: ${place} at offset ${this.offsetBytes} is damaged: ${this.detail}`
  }
}

/** A position at or past the number of items, or not a whole number. */
export class PackPositionOutOfRange extends Data.Error<{
  readonly path: string
  readonly position: number
  readonly itemCount: number
}> {
  readonly _tag = "PackPositionOutOfRange"
  override readonly name = "PackPositionOutOfRange"
  override get message(): string {
    return `Cannot read item ${this.position} of pack ${this.path}: it has ${this.itemCount} items`
  }
}

/** `readMany` takes strictly ascending positions. */
export class PackPositionsUnsorted extends Data.Error<{
  readonly path: string
  readonly previous: number
  readonly position: number
}> {
  readonly _tag = "PackPositionsUnsorted"
  override readonly name = "PackPositionsUnsorted"
  override get message(): string {
    return `Cannot read items of pack ${this.path}: position ${this.position} follows ${this.previous}, expected ascending`
  }
}

/**
 * Every record decodes, but together they are not what was written. The trailer keeps one hash for all records, so this
 * error cannot name the record; a record that can be told to be wrong is a {@link PackCorrupt} with its index.
 */
export class PackContentHashMismatch extends Data.Error<{
  readonly path: string
  /** Lower-case hex. */
  readonly expected: string
  /** Lower-case hex. */
  readonly actual: string
}> {
  readonly _tag = "PackContentHashMismatch"
  override readonly name = "PackContentHashMismatch"
  override get message(): string {
    return `Cannot trust pack ${this.path}: content hash is ${this.actual}, expected ${this.expected}`
  }
}

/** What a limit is about. Sizes are in bytes, counts in items. */
export type PackLimitSubject = "item size" | "record size" | "index size" | "app data size" | "item count"

/** Refused, not damaged: over a limit of the format (when writing) or of the caller (when reading). */
export class PackLimitExceeded extends Data.Error<{
  readonly path: string
  readonly subject: PackLimitSubject
  readonly actual: number
  /** Inclusive. */
  readonly maximum: number
}> {
  readonly _tag = "PackLimitExceeded"
  override readonly name = "PackLimitExceeded"
  override get message(): string {
    return `Cannot handle pack ${this.path}: ${this.subject} is ${this.actual}, the limit is ${this.maximum}`
  }
}

/** An option is outside its bounds. */
export class PackOptionInvalid extends Data.Error<{
  readonly path: string
  readonly option: string
  readonly actual: number
  readonly minimum: number
  readonly maximum: number
}> {
  readonly _tag = "PackOptionInvalid"
  override readonly name = "PackOptionInvalid"
  override get message(): string {
    return `Cannot use pack ${this.path}: ${this.option} is ${this.actual}, expected ${this.minimum} to ${this.maximum}`
  }
}

/** `append` or `finish` after `finish`. */
export class PackWriterClosed extends Data.Error<{ readonly path: string }> {
  readonly _tag = "PackWriterClosed"
  override readonly name = "PackWriterClosed"
  override get message(): string {
    return `Cannot write pack ${this.path}: it is finished`
  }
}

/** The caller's `contentHashExtract` or `extract` threw. */
export class PackExtractFailed extends Data.Error<{
  readonly path: string
  readonly position: number
  readonly cause: unknown
}> {
  readonly _tag = "PackExtractFailed"
  override readonly name = "PackExtractFailed"
  override get message(): string {
    return `Cannot hash item ${this.position} of pack ${this.path}: extract threw ${String(this.cause)}`
  }
}

/** The record encoding refused a record while writing. */
export class PackEncodeFailed extends Data.Error<{
  readonly path: string
  readonly recordIndex: number
  readonly detail: string
  readonly cause: unknown
}> {
  readonly _tag = "PackEncodeFailed"
  override readonly name = "PackEncodeFailed"
  override get message(): string {
    return `Cannot encode record ${this.recordIndex} of pack ${this.path}: ${this.detail}`
  }
}

export type PackWriteError =
  | PackWriterClosed
  | PackLimitExceeded
  | PackOptionInvalid
  | PackExtractFailed
  | PackEncodeFailed
  | DiskError

/** What opening can fail with. */
export type PackOpenError = PackCorrupt | PackLimitExceeded | PackOptionInvalid | DiskError

/** What reading items can fail with. */
export type PackReadError =
  | PackCorrupt
  | PackLimitExceeded
  | PackPositionOutOfRange
  | PackPositionsUnsorted
  | PackOptionInvalid
  | DiskError

/** What verifying can fail with. */
export type PackVerifyError =
  | PackCorrupt
  | PackLimitExceeded
  | PackContentHashMismatch
  | PackExtractFailed
  | PackOptionInvalid
  | DiskError
