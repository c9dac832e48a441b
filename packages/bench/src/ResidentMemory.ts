/**
 * How much memory this process holds, and held at most.
 */
import { Context, type Effect } from "effect"

export interface ResidentMemory {
  /** Collects garbage and forgets the peak; the resident set now, in bytes. */
  readonly reset: Effect.Effect<number>
  /** The largest resident set since the last reset, in bytes. */
  readonly peakBytes: Effect.Effect<number>
}

export const ResidentMemory: Context.Service<ResidentMemory, ResidentMemory> = Context.Service(
  "@icecore/bench/ResidentMemory"
)
