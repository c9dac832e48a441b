/**
 * What an archive fails with, besides the errors of the disk, of packfiles and of the engine.
 *
 * `ArchiveUnrecognized`, `ArchiveFormatUnsupported`, `ArchiveVersionUnsupported` and `ArchiveEngineMissing` say that the file may be
 * sound and this program cannot read it; `ArchiveCorrupt` and `ArchiveEntryRefused` that it is not what an archive may be;
 * `ArchiveLimitExceeded` that it is too large for what the caller allows.
 */
import { Data } from "effect"

/** The file begins with the magic of no archive. */
export class ArchiveUnrecognized extends Data.Error<{ readonly path: string; readonly actual: string }> {
  readonly _tag = "ArchiveUnrecognized"
  override readonly name = "ArchiveUnrecognized"
  override get message(): string {
    return `Cannot open archive ${this.path}: it begins with 0x${this.actual}, expected the magic of an archive`
  }
}

/** The file is an archive of another program's format, which a layer can read that was not provided. */
export class ArchiveFormatUnsupported extends Data.Error<{
  readonly path: string
  readonly format: string
  /** The layer to provide, with where it is imported from. */
  readonly provide: string
}> {
  readonly _tag = "ArchiveFormatUnsupported"
  override readonly name = "ArchiveFormatUnsupported"
  override get message(): string {
    return `Cannot open archive ${this.path}: its format is ${this.format}, provide ${this.provide}`
  }
}

/** A newer program wrote the archive. */
export class ArchiveVersionUnsupported extends Data.Error<{
  readonly path: string
  /** What has this version: the format of the archive, or the layout of the keys in it. */
  readonly subject: "format" | "key layout"
  readonly actual: number
  readonly expected: number
}> {
  readonly _tag = "ArchiveVersionUnsupported"
  override readonly name = "ArchiveVersionUnsupported"
  override get message(): string {
    return `Cannot open archive ${this.path}: its ${this.subject} version is ${this.actual}, expected ${this.expected}`
  }
}

/** The archive holds a database of an engine that was not provided. */
export class ArchiveEngineMissing extends Data.Error<{
  readonly path: string
  readonly engine: string
  readonly available: ReadonlyArray<string>
}> {
  readonly _tag = "ArchiveEngineMissing"
  override readonly name = "ArchiveEngineMissing"
  override get message(): string {
    const available = this.available.length === 0 ? "none" : this.available.join(", ")
    return `Cannot open archive ${this.path}: it holds a database of engine ${this.engine}, available are ${available}`
  }
}

/** Which part of an archive is damaged. */
export type ArchivePart = "size" | "magic" | "manifest" | "footer" | "payload"

/** Bytes of the archive are not what was written. */
export class ArchiveCorrupt extends Data.Error<{
  readonly path: string
  readonly part: ArchivePart
  readonly detail: string
}> {
  readonly _tag = "ArchiveCorrupt"
  override readonly name = "ArchiveCorrupt"
  override get message(): string {
    return `Cannot read archive ${this.path}: its ${this.part} is damaged: ${this.detail}`
  }
}

/** An entry of the archive may not be unpacked: a name that leads elsewhere, a link, a device, a name seen before. */
export class ArchiveEntryRefused extends Data.Error<{
  readonly path: string
  readonly entry: string
  readonly detail: string
}> {
  readonly _tag = "ArchiveEntryRefused"
  override readonly name = "ArchiveEntryRefused"
  override get message(): string {
    return `Cannot unpack archive ${this.path}: entry ${JSON.stringify(this.entry)} ${this.detail}`
  }
}

/** What a limit of reading an archive is about. Sizes are in bytes. */
export type ArchiveLimitSubject = "manifest size" | "decoded size" | "window size" | "record size" | "index size"

/** Refused, sound or not: over a limit of the caller. */
export class ArchiveLimitExceeded extends Data.Error<{
  readonly path: string
  readonly subject: ArchiveLimitSubject
  readonly actual: number
  /** Inclusive. */
  readonly maximum: number
}> {
  readonly _tag = "ArchiveLimitExceeded"
  override readonly name = "ArchiveLimitExceeded"
  override get message(): string {
    return `Cannot open archive ${this.path}: its ${this.subject} is ${this.actual}, the limit is ${this.maximum}`
  }
}

/** There is a file at the path of an archive to be saved, and `overwrite` was not asked for. */
export class ArchiveExists extends Data.Error<{ readonly path: string }> {
  readonly _tag = "ArchiveExists"
  override readonly name = "ArchiveExists"
  override get message(): string {
    return `Cannot save archive ${this.path}: a file is there`
  }
}

/** What is to be saved, or extracted, cannot be in this way. Nothing was written. */
export class ArchiveRefused extends Data.Error<{
  readonly path: string
  readonly operation: "save" | "extract"
  readonly detail: string
}> {
  readonly _tag = "ArchiveRefused"
  override readonly name = "ArchiveRefused"
  override get message(): string {
    return `Cannot ${this.operation} archive ${this.path}: ${this.detail}`
  }
}

/** What is wrong with an archive itself. */
export type ArchiveError =
  | ArchiveUnrecognized
  | ArchiveFormatUnsupported
  | ArchiveVersionUnsupported
  | ArchiveEngineMissing
  | ArchiveCorrupt
  | ArchiveEntryRefused
  | ArchiveLimitExceeded
