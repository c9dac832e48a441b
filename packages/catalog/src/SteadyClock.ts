/**
 * Time that nobody sets back, by which readers and demotions are dated: with the time of day, what was demoted after a reader came would count
 * as demoted before it once the system's clock was set back, and its files would be destroyed under that reader.
 */
import { Clock, Effect } from "effect"

const nanosPerMilli = 1_000_000n

/** Milliseconds since a moment of the system's choice, the same in one process. They stand still or go on, whatever becomes of the time of day. */
export const currentMillis: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) =>
  Number(nanos / nanosPerMilli)
)

/** The same at once, of the clock of an effect that runs. */
export const currentMillisUnsafe = (clock: Clock.Clock): number =>
  Number(clock.monotonicTimeNanosUnsafe() / nanosPerMilli)
