/** Removes a whole sync in one synced write: a crash leaves it whole or gone. */
import { Effect, Option } from "effect"
import { entryRunPrefix } from "../../../format/EntryRun.ts"
import {
  headerOf,
  indexesKeyspace,
  metaKeyspace,
  recordsKeyspace,
  syncBookKey,
  syncByTypeKey,
  syncBytes,
  syncRunKey,
  syncsKeyspace
} from "../../../format/RecordLayout.ts"
import type { RecordWriteError } from "../../../RecordStore.ts"
import type { SyncId, SyncRun } from "../../../SyncRun.ts"
import { readRun } from "../reading/RunReads.ts"
import * as Intake from "./Intake.ts"
import type { Writer } from "./Writer.ts"

/** `RecordStore.removeSync`. What was put into the current sync and is not written goes with it. */
export const removeSync: (writer: Writer, sync: SyncId) => Effect.Effect<Option.Option<SyncRun>, RecordWriteError> =
  Effect.fn("RecordStore.removeSync")(function* (writer, sync) {
    const run = yield* readRun(writer.database, writer.path, sync)
    if (Option.isNone(run)) return run
    yield* removeRun(writer, run.value)
    if (writer.current?.run.sync_id === sync) {
      writer.current = undefined
      Intake.clear(writer.intake)
    }
    return run
  })

/** Removes the rows of a run that is there. */
export const removeRun = ({ database, schema }: Writer, run: SyncRun): Effect.Effect<void, RecordWriteError> => {
  const sync = syncBytes(run.sync_id)
  return database.write(
    (batch) => {
      batch.delete(syncsKeyspace, syncRunKey(sync))
      batch.delete(syncsKeyspace, syncByTypeKey(run.type, sync))
      batch.delete(metaKeyspace, syncBookKey(sync))
      batch.deleteRange(metaKeyspace, { prefix: entryRunPrefix(sync) })
      for (const { indexes, tag } of schema.types) {
        batch.deleteRange(recordsKeyspace, { prefix: headerOf(tag, sync) })
        for (const index of indexes) batch.deleteRange(indexesKeyspace, { prefix: headerOf(index.tag, sync) })
      }
    },
    { durability: "synced" }
  )
}
