/**
 * Pruning: what lies below the floor is demoted.
 *
 * 1. the mark where history begins moves up, durably: else a start in between takes what was demoted for lost;
 * 2. the floor moves up: else a reader is sent to what is demoted;
 * 3. demote.
 *
 * Key runs of finished windows, which their index has made useless, go the same way.
 */
import { Geometry } from "@icecore/catalog"
import { Effect, Metric, Option } from "effect"
import * as LogState from "../internal/LogState.ts"
import type { StorageError } from "../StorageError.ts"
import * as Metrics from "./Metrics.ts"
import type { Stage, StageOutcome } from "./Stage.ts"
import * as Upkeep from "./Upkeep.ts"

export const make = (upkeep: Upkeep.Upkeep): Stage => {
  const run = Effect.gen(function* (): Effect.fn.Return<StageOutcome, StorageError> {
    const { state, catalog, hotSet } = upkeep
    const { geometry } = state
    const wanted = Upkeep.wantedFloorChunk(upkeep)
    const wantedSeq = Geometry.firstSeqOf(geometry, wanted)
    if (wantedSeq > catalog.beginSeq()) yield* catalog.setBeginSeq(wantedSeq)
    LogState.moveFloor(state, Upkeep.floorSeq(upkeep))
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
