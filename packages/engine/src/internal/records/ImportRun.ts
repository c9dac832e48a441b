/**
 * A sync run that is brought into a store as it was elsewhere: its id, times and token, and in the end as many records as it
 * is said to have.
 */
import { Data, Effect } from "effect"
import type { SyncEnded, SyncExists, SyncTypeMismatch } from "../../RecordError.ts"
import type { RecordReadError } from "../../RecordReader.ts"
import type { RecordStore, RecordWriteError } from "../../RecordStore.ts"
import { isFinished, type SyncRun } from "../../SyncRun.ts"

/** What came is not all of the run, or more than it. The run stays in the store, not ended. */
export class ImportIncomplete extends Data.Error<{
  /** What was read: a file, `standard input`, a store. */
  readonly source: string
  readonly sync: string
  readonly type: string
  readonly expected: number
  readonly actual: number
}> {
  readonly _tag = "ImportIncomplete"
  override readonly name = "ImportIncomplete"
  override get message(): string {
    return `Cannot finish sync ${this.sync} from ${this.source}: it has ${this.actual} records of type ${this.type}, expected ${this.expected}; the sync is left without an end`
  }
}

/** What bringing in a run can fail with, besides its records. */
export type ImportRunError =
  | RecordWriteError
  | RecordReadError
  | SyncExists
  | SyncEnded
  | SyncTypeMismatch
  | ImportIncomplete

/**
 * Makes the run current, and says whether it was there. One that is there and has not ended is gone on with if `resume`, and refused
 * otherwise.
 */
export const begin: (store: RecordStore, run: SyncRun, resume: boolean) => Effect.Effect<boolean, ImportRunError> =
  Effect.fnUntraced(function* (store, run, resume) {
    const { sync_id: syncId, type, started_at: startedAt, parent_sync_id: parent } = run
    const start = store.startSync({ type, syncId, startedAt, ...(parent === undefined ? {} : { parent }) })
    const started = Effect.as(start, false)
    if (!resume) return yield* started
    return yield* Effect.catchTag(started, "SyncExists", () => Effect.as(store.resumeSync(syncId), true))
  })

/** Ends the current run as `run` says: with its token, and its end if it has one. */
export const finish: (store: RecordStore, run: SyncRun, source: string) => Effect.Effect<void, ImportRunError> =
  Effect.fnUntraced(function* (store, run, source) {
    if (run.token !== "" || !isFinished(run)) yield* store.checkpointSync(run.token)
    const { counts } = yield* store.stats({ sync: run.sync_id })
    const isCounted = Object.keys(run.counts).length > 0
    for (const type of isCounted ? new Set([...Object.keys(run.counts), ...Object.keys(counts)]) : []) {
      const expected = run.counts[type] ?? 0
      const actual = counts[type] ?? 0
      if (actual !== expected) return yield* new ImportIncomplete({ source, sync: run.sync_id, type, expected, actual })
    }
    if (run.ended_at !== undefined) yield* store.endSync({ endedAt: run.ended_at })
  })
