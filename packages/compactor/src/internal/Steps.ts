/** What runs between the bounded steps of one call. */
import { Effect } from "effect"
import type { Throttle } from "../Throttle.ts"

/** Totals of the work so far. */
interface Totals {
  readonly rowCount: number
  readonly bytes: number
}

/** Tells of the totals, then passes the throttle with what was added to them. Totals that went back began anew. */
export const stepAfter = (
  throttle: Throttle,
  onProgress: ((progress: Totals) => Effect.Effect<void>) | undefined
): ((totals: Totals) => Effect.Effect<void>) => {
  let passedBytes = 0
  return (totals) =>
    Effect.suspend(() => {
      const bytes = totals.bytes < passedBytes ? totals.bytes : totals.bytes - passedBytes
      passedBytes = totals.bytes
      return Effect.andThen(onProgress?.(totals) ?? Effect.void, throttle.pass(bytes))
    })
}
