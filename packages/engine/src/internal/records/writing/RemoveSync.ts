/** Removes a whole sync in one durable transaction: a crash leaves it whole or gone. */
import { Effect, Option, Stream } from "effect"
import type { Replacement } from "../../../Engine.ts"
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
  const prefix = (keyspace: string, bytes: Uint8Array): Replacement => ({
    keyspace,
    range: { prefix: bytes },
    rows: Stream.empty
  })
  const row = (keyspace: string, key: Uint8Array): Replacement => ({
    keyspace,
    range: { gte: key, lte: key },
    rows: Stream.empty
  })
  // Not a write, which would hold the event loop for as long as it takes to delete everything.
  return database.replace([
    ...schema.types.flatMap(({ indexes, tag }) => [
      prefix(recordsKeyspace, headerOf(tag, sync)),
      ...indexes.map((index) => prefix(indexesKeyspace, headerOf(index.tag, sync)))
    ]),
    row(syncsKeyspace, syncRunKey(sync)),
    row(syncsKeyspace, syncByTypeKey(run.type, sync)),
    row(metaKeyspace, syncBookKey(sync)),
    prefix(metaKeyspace, entryRunPrefix(sync))
  ])
}
