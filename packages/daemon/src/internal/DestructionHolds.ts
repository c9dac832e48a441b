/**
 * Holds that keep frozen files from being destroyed for as long as long work needs them: what was demoted at or after the moment
 * of a hold stays on disk until the hold ends.
 */
import { SteadyClock } from "@icecore/catalog"
import { Effect, type Scope } from "effect"

export interface DestructionHolds {
  /** Holds from now on, for the scope. */
  readonly hold: Effect.Effect<void, never, Scope.Scope>
  /** When the oldest hold began, in milliseconds of `SteadyClock`; infinite when there is none. */
  readonly oldestMillis: () => number
}

export const make = (): DestructionHolds => {
  const held = new Map<symbol, number>()
  return {
    hold: Effect.asVoid(
      Effect.acquireRelease(
        Effect.map(SteadyClock.currentMillis, (now) => {
          const id = Symbol()
          held.set(id, now)
          return id
        }),
        (id) => Effect.sync(() => held.delete(id))
      )
    ),
    oldestMillis: () => Math.min(Number.POSITIVE_INFINITY, ...held.values())
  }
}
