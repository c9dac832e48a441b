/** The lock that makes the writes of one database happen one after the other, and that one fiber may hold for several. */
import { Context, Effect, Semaphore } from "effect"

/** Which fiber holds which locks around the running effect. A child fiber sees its parent's entry and does not match it. */
interface Holder {
  readonly lock: object
  readonly fiberId: number
  readonly outer: Holder | undefined
}

const Holding: Context.Reference<Holder | undefined> = Context.Reference<Holder | undefined>(
  "@icecore/engine/WriteLock/Holding",
  {
    defaultValue: () => undefined
  }
)

export interface WriteLock {
  /** Runs the effect alone; at once when this very fiber is inside {@link WriteLock.hold}. */
  readonly withLock: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Runs the effect alone and lets the locked and the holding effects of its own fiber through. */
  readonly hold: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

export const makeWriteLock = (): WriteLock => {
  const semaphore = Semaphore.makeUnsafe(1)
  const held = (fiberId: number, holder: Holder | undefined): boolean => {
    for (let entry = holder; entry !== undefined; entry = entry.outer) {
      if (entry.lock === semaphore && entry.fiberId === fiberId) return true
    }
    return false
  }
  return {
    withLock: (effect) =>
      Effect.withFiber((fiber) => (held(fiber.id, fiber.getRef(Holding)) ? effect : semaphore.withPermits(1)(effect))),
    hold: (effect) =>
      Effect.withFiber((fiber) => {
        const outer = fiber.getRef(Holding)
        if (held(fiber.id, outer)) return effect
        const holder = { lock: semaphore, fiberId: fiber.id, outer }
        return semaphore.withPermits(1)(Effect.provideService(effect, Holding, holder))
      })
  }
}
