/** Looks at what is to be merged, and plans it. */
import { SyncTransfer } from "@icecore/engine"
import { Effect, Option } from "effect"
import { type CompactorError, CompactRefused } from "../../CompactorError.ts"
import type { MergeOptions } from "../../Merge.ts"
import { type MergePlan, plan } from "../../MergePlan.ts"
import type { SyncSource } from "../../Source.ts"
import * as Moment from "../Moment.ts"

/** The plan of a merge, of sources that are there and a target that can take it. */
export const prepare: (options: MergeOptions) => Effect.Effect<MergePlan, CompactorError> = Effect.fnUntraced(
  function* ({ into, sources, ...options }) {
    const current = yield* into.currentSync
    if (Option.isSome(current)) {
      const detail = `its sync ${current.value.sync_id} is current, expected none: end it or remove it first`
      return yield* new CompactRefused({ operation: "merge", base: into.path, detail })
    }
    const outlines: Array<SyncTransfer.SyncOutline> = []
    for (const source of sources) outlines.push(yield* outlineOf(source))
    return yield* Effect.fromResult(plan({ ...options, sources: outlines, into }))
  }
)

const outlineOf: (source: SyncSource) => Effect.Effect<SyncTransfer.SyncOutline, CompactorError> = Effect.fnUntraced(
  function* ({ source, syncId }) {
    const moment = yield* Moment.take("merge", source)
    const { asFailure, path, reader } = moment
    const run = yield* Moment.runOf(moment, syncId)
    return yield* Effect.mapError(SyncTransfer.outline({ reader, path, sync: run.sync_id }), asFailure)
  },
  Effect.scoped
)
