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
    const { state, catalog, hotSet } = upkeep
    const wanted = yield* Upkeep.raiseFloor(upkeep)
    const count = yield* catalog.prune(wanted)
    yield* Metric.update(Metrics.prunedArtifacts, count)
    const hasHotBelow = hotSet.chunks().some((chunk) => chunk < wanted && chunk < state.liveChunk)
    return {
      done: count === 0 ? Option.none() : Option.some(`demoted ${count} artifacts (floor ${state.floor})`),
      ...(hasHotBelow ? { againMillis: 0 } : {})
    }
  })
  return { name: "prune", isAwaited: false, isBusy: () => false, run: () => run }
}
