/** What opening a store can fail with. */
import type { CatalogOpenError, Geometry, Layout, StorageLock } from "@icecore/catalog"
import { Data } from "effect"
import type { HistoryHole } from "../Recovery.ts"
import type { StorageError } from "../StorageError.ts"

/** There is no store in the directory, and it was to be opened for reading only. */
export class StoreNotFound extends Data.Error<{ readonly path: string }> {
  readonly _tag = "StoreNotFound"
  override readonly name = "StoreNotFound"
  override get message(): string {
    return `Cannot open store ${this.path}: there is none`
  }
}

/** Where the log would begin cannot be told: the source that `retention.earliest = "now"` counts from did not say where it ends. */
export class SourceEndUnknown extends Data.Error<{ readonly detail: string }> {
  readonly _tag = "SourceEndUnknown"
  override readonly name = "SourceEndUnknown"
  override get message(): string {
    return `Cannot begin the log at the end of the source: ${this.detail}`
  }
}

/** `retention.earliest` is changed to a seq that the log has not reached: nothing that the store serves would be kept. */
export class EarliestBeyondEnd extends Data.Error<{
  readonly earliest: number
  /** The last seq that is served. */
  readonly latest: number
}> {
  readonly _tag = "EarliestBeyondEnd"
  override readonly name = "EarliestBeyondEnd"
  override get message(): string {
    return `Cannot keep the log from entry ${this.earliest} on (retention.earliest): it ends with entry ${this.latest}, so nothing of it would be kept`
  }
}

/** Everything that opening a store can fail with. */
export type StoreOpenError =
  | Geometry.GeometryInvalid
  | Layout.LayoutInvalid
  | StorageLock.StorageLocked
  | CatalogOpenError
  | HistoryHole
  | StoreNotFound
  | SourceEndUnknown
  | EarliestBeyondEnd
  | StorageError
