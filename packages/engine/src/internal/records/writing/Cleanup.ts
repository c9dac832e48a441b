/** Removes whole syncs as a plan says, each in one durable transaction: a crash leaves a sync whole or gone. */
import { Clock, Effect } from "effect"
import { type CleanupPlan, type CleanupPolicy, plan } from "../../../CleanupPolicy.ts"
import { RecordMisuse } from "../../../RecordError.ts"
import type { CleanupOptions, RecordWriteError } from "../../../RecordStore.ts"
import { readRuns } from "../reading/RunReads.ts"
import { removeRun } from "./RemoveSync.ts"
import type { Writer } from "./Writer.ts"

export const cleanup: (
  writer: Writer,
  policy: CleanupPolicy,
  options: CleanupOptions
) => Effect.Effect<CleanupPlan, RecordWriteError> = Effect.fnUntraced(function* (writer, policy, options) {
  const { current, database, path } = writer
  const problem = policyProblem(policy)
  if (problem !== undefined) return yield* new RecordMisuse({ path, detail: problem })
  const nowMillis = yield* Clock.currentTimeMillis
  const planned = plan(policy, { runs: yield* readRuns(database, path), current: current?.run.sync_id, nowMillis })
  if (options.dryRun === true) return planned
  for (const run of planned.remove) yield* removeRun(writer, run)
  yield* Effect.logInfo("Removed syncs").pipe(
    Effect.annotateLogs({ path, removed: planned.remove.length, kept: planned.keep.length })
  )
  return planned
})

const policyProblem = ({ keepFinishedPerType, keepUnfinishedMillis }: CleanupPolicy): string | undefined => {
  if (keepFinishedPerType !== undefined && !(Number.isSafeInteger(keepFinishedPerType) && keepFinishedPerType >= 0)) {
    return `keepFinishedPerType is ${keepFinishedPerType}, expected a whole number from 0`
  }
  return keepUnfinishedMillis !== undefined && !(keepUnfinishedMillis >= 0)
    ? `keepUnfinishedMillis is ${keepUnfinishedMillis}, expected milliseconds from 0`
    : undefined
}
