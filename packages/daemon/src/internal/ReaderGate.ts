/**
 * Lets any number of readers in, or one who changes what they read.
 *
 * Who wants to be alone waits until the last reader has left, and readers that come meanwhile wait until that is over. A reader
 * must not enter twice.
 */
import { Effect, Latch, type Scope } from "effect"

export interface ReaderGate {
  /** Runs an effect as a reader. */
  readonly read: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Is a reader for the scope. */
  readonly hold: Effect.Effect<void, never, Scope.Scope>
  /**
   * Runs an effect while no reader is in. Only the waiting can be interrupted. One at a time: the caller sees to that.
   */
  readonly alone: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Returns when no reader is in. New ones are not kept out. */
  readonly idle: Effect.Effect<void>
}

export const make = (): ReaderGate => {
  const gate = Latch.makeUnsafe(true)
  const idle = Latch.makeUnsafe(true)
  let readerCount = 0

  // Must be followed by `leave` without a chance of interruption between.
  const enter: Effect.Effect<void> = Effect.suspend(() => {
    if (!gate.isOpen()) return Effect.andThen(Effect.interruptible(gate.await), enter)
    if (readerCount++ === 0) idle.closeUnsafe()
    return Effect.void
  })

  const leave: Effect.Effect<void> = Effect.sync(() => {
    if (--readerCount === 0) idle.openUnsafe()
  })

  return {
    read: (effect) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.andThen(
          enter,
          Effect.onExit(restore(effect), () => leave)
        )
      ),
    hold: Effect.uninterruptible(
      Effect.andThen(
        enter,
        Effect.addFinalizer(() => leave)
      )
    ),
    alone: (effect) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.suspend(() => {
          gate.closeUnsafe()
          return Effect.onExit(Effect.andThen(restore(idle.await), effect), () => Effect.sync(() => gate.openUnsafe()))
        })
      ),
    idle: idle.await
  }
}
