/** Puts a compactor together: every call with the throttle that they share. */
import { Effect } from "effect"
import type { Compactor } from "../Compactor.ts"
import { merge, planMerge } from "../Merge.ts"
import * as Throttle from "../Throttle.ts"
import { diff, planDiff } from "./DiffSyncs.ts"
import * as ReplaceSyncs from "./ReplaceSyncs.ts"
import { stepAfter } from "./Steps.ts"

export const makeCompactor = (options?: Throttle.ThrottleOptions): Compactor => {
  const throttle = Throttle.make(options)
  return {
    compact: Effect.fn("Compactor.compact")((call) => ReplaceSyncs.compact(throttle, call)),
    clone: Effect.fn("Compactor.clone")((call) => ReplaceSyncs.clone(throttle, call)),
    copy: Effect.fn("Compactor.copy")((call) => ReplaceSyncs.copy(throttle, call)),
    merge: Effect.fn("Compactor.merge")((call) => merge({ ...call, onProgress: stepAfter(throttle, call.onProgress) })),
    diff: Effect.fn("Compactor.diff")((call) => diff(throttle, call)),
    planCompact: ReplaceSyncs.planCompact,
    planClone: ReplaceSyncs.planClone,
    planCopy: ReplaceSyncs.planCopy,
    planMerge,
    planDiff,
    watch: throttle.watch
  }
}
