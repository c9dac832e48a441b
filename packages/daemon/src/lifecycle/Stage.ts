/** One part of a lifecycle run. */
import { type Effect, Option } from "effect"
import type { StorageError } from "../StorageError.ts"

/** What a stage did in one run. */
export interface StageOutcome {
  /** A clause for the log, such as `froze chunks 3 to 5`; none when there was nothing to do. */
  readonly done: Option.Option<string>
  /** Milliseconds after which there is something to do even if nobody says so; 0: at once, and nothing is settled before. */
  readonly againMillis?: number
}

/** Nothing was done, and nothing waits. */
export const nothing: StageOutcome = { done: Option.none() }

export interface Stage {
  /** A verb: `freeze`. */
  readonly name: string
  /** Whether ingestion waits for this stage in the end, so that it must hear when the stage has failed for good. */
  readonly isAwaited: boolean
  /** Whether something goes on that {@link Stage.run} did not wait for. It notifies the lifecycle when it ends. */
  readonly isBusy: () => boolean
  /** Does what there is to do. `isForced`: also what could be put off. */
  readonly run: (isForced: boolean) => Effect.Effect<StageOutcome, StorageError>
}
