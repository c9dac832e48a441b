/**
 * Progress of work on records.
 */
import { Clock, Effect, Option, type Stdio, type Terminal } from "effect"
import * as Output from "../Output.ts"
import * as Progress from "../Progress.ts"

/** Shows how many records, or what `unit` says, `count` says are done while `effect` runs, of how many in all where that is known. */
export const during = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  count: () => number,
  input: Effect.Effect<{ readonly done: number; readonly total: Option.Option<number> }> = Effect.succeed({
    done: 0,
    total: Option.none()
  }),
  unit = "records"
): Effect.Effect<A, E, R | Stdio.Stdio | Terminal.Terminal> =>
  Progress.during(
    effect,
    Effect.map(input, ({ done, total }) => ({
      entries: count(),
      unit,
      done,
      total,
      problem: Option.none()
    }))
  )

/** Shows for how long `effect` has been running, which cannot say how far it is. */
export const whileDoing = <A, E, R>(
  what: string,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R | Stdio.Stdio | Terminal.Terminal> =>
  Effect.flatMap(Clock.currentTimeMillis, (startMillis) =>
    Progress.during(
      effect,
      Effect.map(Clock.currentTimeMillis, (nowMillis) => ({
        done: 0,
        total: Option.none(),
        problem: Option.some(`${what} for ${Output.formatSeconds((nowMillis - startMillis) / 1_000)}`)
      }))
    )
  )
