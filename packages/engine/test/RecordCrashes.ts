/** How the model test of the record store crashes a memory engine. */
import { type CrashRecorder, SurvivorChoice } from "@icecore/packfile/testing"
import { Effect } from "effect"

/** Crashes at one of the moments of the effect, half of the time after it; says whether it was after it. */
export const crashIn =
  (recorder: CrashRecorder.CrashRecorder) =>
  (during: Effect.Effect<void>, nextInt: (bound: number) => number): Effect.Effect<boolean> =>
    Effect.map(recorder.record(during), (points) => {
      const at = nextInt(2) === 0 ? points.length - 1 : nextInt(points.length)
      const random = SurvivorChoice.survivorRandom("random", nextInt(0x7fff_ffff))
      recorder.restore(recorder.survive(points[at]!.state, () => random))
      return at === points.length - 1
    })
