/** How failures that may pass are tried again, wherever this package does so. */
import { type Duration, Schedule } from "effect"
import { isTransient } from "./StorageError.ts"

/** After a first delay, doubled each time up to the longest, all with jitter. */
export interface RetryOptions {
  /** Default 100 ms. */
  readonly firstDelay?: Duration.Input
  /** Default 30 s. */
  readonly longestDelay?: Duration.Input
  /** Attempts after the first one, in a row. Default: no bound. */
  readonly times?: number
}

/** The schedule of {@link RetryOptions}, for failures that {@link isTransient} says may pass. */
export const retrySchedule = (options: RetryOptions = {}): Schedule.Schedule<unknown, { readonly _tag: string }> => {
  const delays = Schedule.min([
    Schedule.exponential(options.firstDelay ?? "100 millis"),
    Schedule.spaced(options.longestDelay ?? "30 seconds")
  ]).pipe(Schedule.jittered)
  const bounded = options.times === undefined ? delays : Schedule.upTo(delays, { times: options.times })
  return bounded.pipe(
    Schedule.setInputType<{ readonly _tag: string }>(),
    Schedule.while(({ input }) => isTransient(input))
  )
}
