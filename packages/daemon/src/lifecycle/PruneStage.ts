/**
 * Pruning: the floor moves up ({@link Upkeep.raiseFloor}), and what lies below it is demoted.
 *
 * Key runs of finished windows, which their index has made useless, go the same way.
 */
import { Effect, Metric, Option } from "effect"
import type { StorageError } from "../StorageError.ts"
import * as Metrics from "./Metrics.ts"
import type { Stage, StageOutcome } from "./Stage.ts"
import * as Upkeep from "./Upkeep.ts"

export const make = (upkeep: Upkeep.Upkeep): Stage => {
  const run = Effect.gen(function* (): Effect.fn.Return<StageOutcome, StorageError> {
    const { state, catalog, hotSet, knownRuns } = upkeep
    const before = [state.floor, catalog.beginSeq()]
    const wanted = yield* Upkeep.raiseFloor(upkeep)
    const hasRisen = state.floor !== before[0] || catalog.beginSeq() !== before[1]
    const count = yield* catalog.prune(wanted)
    yield* Metric.update(Metrics.prunedArtifacts, count)
    for (const chunk of knownRuns.keys()) if (chunk < wanted) knownRuns.delete(chunk)
    // The discard before this stage did not know of it yet. One that fails is tried again in its own time.
    const hasHotBelow = hotSet.chunks().some((chunk) => chunk < wanted && chunk < state.liveChunk)
    return {
      done: count === 0 ? Option.none() : Option.some(`demoted ${count} artifacts (floor ${state.floor})`),
      ...(hasRisen && hasHotBelow ? { againMillis: 0 } : {})
    }
  })
  return { name: "prune", isAwaited: false, isBusy: () => false, run: () => run }
}
