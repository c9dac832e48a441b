/** What is read of a sync to plan with: its run, its counts, a few of its rows. */
import type { Source } from "@icecore/compactor"
import { type RecordReader, type RecordStore, type RecordType, type SyncRun, SyncTransfer } from "@icecore/engine"
import { Effect } from "effect"

/** Reads what a source has of a sync, which need not be there. */
export const read = (
  { source: { path, snapshot } }: Source.Source,
  sync: SyncRun.SyncId
): Effect.Effect<SyncTransfer.SyncOutline, RecordReader.RecordReadError | RecordStore.RecordWriteError> =>
  Effect.scoped(Effect.flatMap(snapshot, (reader) => SyncTransfer.outline({ reader, path, sync })))

/** The same of a store once it has these types, too: those that it lacks have no records. */
export const withTypes = (
  outline: SyncTransfer.SyncOutline,
  types: ReadonlyArray<RecordType.Any>
): SyncTransfer.SyncOutline => {
  const known = new Set(outline.types.map(({ type }) => type.name))
  const added = types
    .filter(({ name }) => !known.has(name))
    .map((type) => ({ type, recordCount: 0, indexes: Object.keys(type.indexes), recordBytes: 0, entryBytes: {} }))
  return { ...outline, types: [...outline.types, ...added] }
}
