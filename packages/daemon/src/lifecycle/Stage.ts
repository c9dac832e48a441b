/** One part of a lifecycle run. */
import { Effect, Option, Result } from "effect"
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

/** Takes the pieces of a stage one after the other, also behind one that fails; then fails as the first of those did. */
export const each: <A, R>(
  pieces: Iterable<A>,
  run: (piece: A) => Effect.Effect<void, StorageError, R>
) => Effect.Effect<void, StorageError, R> = Effect.fnUntraced(function* <A, R>(
  pieces: Iterable<A>,
  run: (piece: A) => Effect.Effect<void, StorageError, R>
) {
  let failure = Option.none<StorageError>()
  for (const piece of pieces) {
    const result = yield* Effect.result(run(piece))
    if (Result.isFailure(result)) failure = Option.orElse(failure, () => Option.some(result.failure))
  }
  if (Option.isSome(failure)) return yield* Effect.fail(failure.value)
})
