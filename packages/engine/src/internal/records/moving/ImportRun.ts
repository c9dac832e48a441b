/**
 * A sync run that is brought into a store as it was elsewhere: its id, times and token, and in the end as many records as it
 * is said to have.
 */
import { Data, Effect, Option } from "effect"
import { SyncEnded, type SyncExists, SyncTypeMismatch } from "../../../RecordError.ts"
import type { RecordReadError } from "../../../RecordReader.ts"
import type { RecordStore, RecordWriteError } from "../../../RecordStore.ts"
import { isFinished, type SyncRun } from "../../../SyncRun.ts"

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

/** What is done with the records of a run: put into one that was started or resumed for it, or passed over. */
export type Beginning = "started" | "resumed" | "there"

/**
 * Makes the run current. One that is there is refused, or with `resume` gone on with; one that is there whole, as an import of several
 * runs leaves those before the one that it stopped in, is then `there`, and no run is current.
 */
export const begin: (store: RecordStore, run: SyncRun, resume: boolean) => Effect.Effect<Beginning, ImportRunError> =
  Effect.fnUntraced(function* (store, run, resume) {
    const { sync_id: syncId, type, started_at: startedAt, parent_sync_id: parent, source_sync_ids: sources } = run
    const start = store.startSync({
      type,
      syncId,
      startedAt,
      ...(parent === undefined ? {} : { parent }),
      ...(sources === undefined ? {} : { sources })
    })
    const started = Effect.as(start, "started" as const)
    if (!resume) return yield* started
    return yield* Effect.catchTag(started, "SyncExists", () => goOn(store, run))
  })

const goOn = Effect.fnUntraced(function* (
  store: RecordStore,
  run: SyncRun
): Effect.fn.Return<Beginning, ImportRunError> {
  const sync = run.sync_id
  const there = Option.getOrUndefined(yield* store.getSync(sync))
  if (there !== undefined && there.type !== run.type)
    return yield* new SyncTypeMismatch({ path: store.path, sync, expected: run.type, actual: there.type })
  if (there === undefined || !isFinished(there) || !isSameRun(there, run))
    return yield* Effect.as(store.resumeSync(sync), "resumed" as const)
  const { counts } = yield* store.stats({ sync })
  const wrong = countProblem(run, counts)
  return wrong === undefined ? "there" : yield* new SyncEnded({ path: store.path, sync })
})

const isSameRun = (there: SyncRun, run: SyncRun): boolean =>
  there.started_at === run.started_at && there.ended_at === run.ended_at && there.token === run.token

/** The first type of which there are more or fewer records than the run is said to have; no counts say nothing. */
const countProblem = (
  run: SyncRun,
  counts: Readonly<Record<string, number>>
): { readonly type: string; readonly expected: number; readonly actual: number } | undefined => {
  const isCounted = Object.keys(run.counts).length > 0
  for (const type of isCounted ? new Set([...Object.keys(run.counts), ...Object.keys(counts)]) : []) {
    const expected = run.counts[type] ?? 0
    const actual = counts[type] ?? 0
    if (actual !== expected) return { type, expected, actual }
  }
  return undefined
}

/** Ends the current run as `run` says: with its token, and its end if it has one. */
export const finish: (store: RecordStore, run: SyncRun, source: string) => Effect.Effect<void, ImportRunError> =
  Effect.fnUntraced(function* (store, run, source) {
    if (run.token !== "" || !isFinished(run)) yield* store.checkpointSync(run.token)
    const { counts } = yield* store.stats({ sync: run.sync_id })
    const wrong = countProblem(run, counts)
    if (wrong !== undefined) return yield* new ImportIncomplete({ source, sync: run.sync_id, ...wrong })
    if (run.ended_at !== undefined) yield* store.endSync({ endedAt: run.ended_at })
  })
