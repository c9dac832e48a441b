/** The time of a walk: the clock of the store goes on by itself while a step waits for it. */
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Broken } from "./WalkViolation.ts"

/** Turns of the event loop that work may take before the clock goes on by a second, and how often the clock does. */
const patience = { turns: 60, ticks: 400 }

/** Real milliseconds that a step may take. */
const stepLimitMillis = 20_000

/** Lets other fibers go on. */
export const turns = (count: number): Effect.Effect<void> =>
  Effect.forEach(Array.from({ length: count }), () => turn, { discard: true })

const turn: Effect.Effect<void> = Effect.callback((resume) => {
  setImmediate(() => resume(Effect.void))
})

/** A moment of real time, for real files to be written. */
const moment: Effect.Effect<void> = Effect.callback((resume) => {
  setTimeout(() => resume(Effect.void), 1)
})

/** The effect, with the clock going on while it waits; it may not take for ever. */
export const waiting = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  what: string,
  isReal: boolean
): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect)
    const isDone = (): boolean => fiber.pollUnsafe() !== undefined
    const startMillis = Date.now()
    for (let tick = 0; tick < patience.ticks && !isDone(); tick++) {
      for (let count = 0; count < patience.turns && !isDone(); count++) yield* isReal ? moment : turn
      if (!isDone()) yield* TestClock.adjust(1_000)
      if (Date.now() - startMillis > stepLimitMillis) break
    }
    if (isDone()) return yield* Fiber.join(fiber)
    yield* Effect.forkDetach(Fiber.interrupt(fiber))
    return yield* Effect.die(new Broken(`${what} does not end`))
  })
