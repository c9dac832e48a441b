/** Looks at what is to be merged, and plans it. */
import { type RecordStore, SyncTransfer } from "@icecore/engine"
import { Effect, Option } from "effect"
import { type CompactorError, CompactRefused } from "../../CompactorError.ts"
import type { PlanMergeOptions } from "../../Merge.ts"
import { type MergePlan, plan } from "../../MergePlan.ts"
import type { SyncSource } from "../../Source.ts"
import * as Moment from "../Moment.ts"

/** The plan of a merge, of sources that are there. */
export const prepare: (options: PlanMergeOptions) => Effect.Effect<MergePlan, CompactorError> = Effect.fnUntraced(
  function* ({ sources, ...options }) {
    const outlines: Array<SyncTransfer.SyncOutline> = []
    for (const source of sources) outlines.push(yield* outlineOf(source))
    return yield* Effect.fromResult(plan({ ...options, sources: outlines }))
  }
)

/** Refuses a store that is being filled. */
export const requireNoSync = ({ currentSync, path }: RecordStore.RecordStore): Effect.Effect<void, CompactRefused> =>
  Effect.flatMap(currentSync, (current) => {
    if (Option.isNone(current)) return Effect.void
    const detail = `its sync ${current.value.sync_id} is current, expected none: end it or remove it first`
    return Effect.fail(new CompactRefused({ operation: "merge", base: path, detail }))
  })

const outlineOf: (source: SyncSource) => Effect.Effect<SyncTransfer.SyncOutline, CompactorError> = Effect.fnUntraced(
  function* ({ source, syncId }) {
    const moment = yield* Moment.take("merge", source)
    const { asFailure, path, reader } = moment
    const run = yield* Moment.runOf(moment, syncId)
    return yield* Effect.mapError(SyncTransfer.outline({ reader, path, sync: run.sync_id }), asFailure)
  },
  Effect.scoped
)
