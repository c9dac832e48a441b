/** What syncs are taken from: a store directory, an open store, an archive of any kind. */
import { Archive, type Engine, type RecordReader, type RecordStore, type SyncRun } from "@icecore/engine"
import { Effect } from "effect"

/** Something with syncs that is only read. An open `StoreDirectory` and an open archive are such as they are. */
export interface Source {
  /** Its runs and records. */
  readonly reader: RecordReader.RecordReader
  /** Its rows, one moment at a time. */
  readonly source: Archive.ArchiveSource
}

/** One sync of a source. */
export interface SyncSource {
  readonly source: Source
  /** Default: the latest finished sync. One that has not ended is taken only when it is named. */
  readonly syncId?: SyncRun.SyncId
}

/** An open store as a source. The engine is the one that the store was opened with. */
export const ofStore = (store: RecordStore.RecordStore): Effect.Effect<Source, never, Engine> =>
  Effect.map(Archive.sourceOf(store), (source) => ({ reader: store, source }))
