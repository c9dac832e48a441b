/** What can go wrong with a catalog, beside the errors of the engine and the disk below it. */

import type { EngineCorrupt, EngineNotFound, EngineOpenError, EngineReadError, EngineWriteError } from "@icecore/engine"
import type { DiskError } from "@icecore/packfile"
import { Data } from "effect"

/** A key or value that no version of the catalog up to this one writes, or two that contradict each other. */
export class CatalogCorrupt extends Data.Error<{
  readonly path: string
  /** As text when it is printable ASCII, else in hexadecimal with a leading 0x. */
  readonly key: string
  /** Likewise; absent when the value is not what is wrong. */
  readonly value?: string
  readonly detail: string
}> {
  readonly _tag = "CatalogCorrupt"
  override readonly name = "CatalogCorrupt"
  override get message(): string {
    const value = this.value === undefined ? "" : ` = "${this.value}"`
    return `Cannot read catalog ${this.path}: "${this.key}"${value} is damaged: ${this.detail}`
  }
}

/** A pinned value differs from the configured one. The store was made with the pinned one and needs it. */
export class CatalogPinMismatch extends Data.Error<{
  readonly path: string
  /** The pin's name, such as `entries_per_chunk`. */
  readonly pin: string
  readonly pinned: string
  readonly configured: string
}> {
  readonly _tag = "CatalogPinMismatch"
  override readonly name = "CatalogPinMismatch"
  override get message(): string {
    const shown = (text: string): string => (text === "" ? "nothing" : text)
    return `Cannot open catalog ${this.path}: ${this.pin} is pinned to ${shown(this.pinned)}, configured is ${shown(this.configured)}`
  }
}

/** A configured value cannot be pinned. */
export class CatalogPinInvalid extends Data.Error<{
  readonly pin: string
  readonly actual: string
  readonly expected: string
}> {
  readonly _tag = "CatalogPinInvalid"
  override readonly name = "CatalogPinInvalid"
  override get message(): string {
    return `Cannot pin ${this.pin} to ${this.actual}: expected is ${this.expected}`
  }
}

/** A newer version of Icecore wrote the catalog. */
export class CatalogTooNew extends Data.Error<{
  readonly path: string
  readonly version: number
  readonly supported: number
}> {
  readonly _tag = "CatalogTooNew"
  override readonly name = "CatalogTooNew"
  override get message(): string {
    return `Cannot open catalog ${this.path}: its version is ${this.version}, supported are versions up to ${this.supported}`
  }
}

/** There is data and no catalog that describes it: a lost catalog, or one that another engine wrote. */
export class CatalogLost extends Data.Error<{
  readonly path: string
  /** The first thing found that only a catalog can explain. */
  readonly found: string
}> {
  readonly _tag = "CatalogLost"
  override readonly name = "CatalogLost"
  override get message(): string {
    return `Cannot open catalog ${this.path}: there is none for this engine, yet ${this.found} holds data`
  }
}

/** A file that the catalog says is frozen, or that a write was to make, is not there. */
export class ArtifactMissing extends Data.Error<{ readonly key: string; readonly path: string }> {
  readonly _tag = "ArtifactMissing"
  override readonly name = "ArtifactMissing"
  override get message(): string {
    return `Cannot find ${this.path}: ${this.key} needs it and it is not there`
  }
}

/**
 * The key cannot be changed now, and can later. `work`: a write, a removal or an open hot database already works on it, in this
 * process. `readers`: its files were demoted, and readers may still reach them.
 */
export class CatalogBusy extends Data.Error<{ readonly key: string; readonly reason: "work" | "readers" }> {
  readonly _tag = "CatalogBusy"
  override readonly name = "CatalogBusy"
  override get message(): string {
    return this.reason === "work"
      ? `Cannot change ${this.key}: other work on it is under way`
      : `Cannot write ${this.key} anew yet: readers may still reach the files that are to be removed first`
  }
}

/** A coverage that no window has. */
export class CoverageInvalid extends Data.Error<{
  readonly window: number
  readonly lo: number
  readonly hi: number
  readonly expected: string
}> {
  readonly _tag = "CoverageInvalid"
  override readonly name = "CoverageInvalid"
  override get message(): string {
    return `Cannot index chunks ${this.lo} to ${this.hi} in window ${this.window}: expected are ${this.expected}`
  }
}

/** A hot database with acknowledged entries is gone or unreadable: data loss. */
export class HotDatabaseLost extends Data.Error<{
  readonly chunk: number
  readonly path: string
  readonly cause: EngineNotFound | EngineCorrupt
}> {
  readonly _tag = "HotDatabaseLost"
  override readonly name = "HotDatabaseLost"
  override get message(): string {
    return `Cannot open the hot database of chunk ${this.chunk}, its entries are lost: ${this.cause.message}`
  }
}

/** What reading the catalog can fail with. */
export type CatalogReadError = EngineReadError | CatalogCorrupt

/** What changing the catalog and the files under it can fail with. */
export type CatalogWriteError = CatalogReadError | EngineWriteError | EngineOpenError | DiskError | CatalogBusy

/** What opening the catalog can fail with. */
export type CatalogOpenError =
  | CatalogReadError
  | EngineWriteError
  | EngineOpenError
  | DiskError
  | CatalogPinInvalid
  | CatalogPinMismatch
  | CatalogTooNew
  | CatalogLost
  | ArtifactMissing
