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
  /** Is a reader from now on, at once or not at all; whoever gets true leaves with {@link ReaderGate.leaveUnsafe}, once. */
  readonly enterUnsafe: () => boolean
  readonly leaveUnsafe: () => void
  /** Is a reader for the scope. */
  readonly hold: Effect.Effect<void, never, Scope.Scope>
  /**
   * Runs an effect while no reader is in. Only the waiting can be interrupted. One at a time: the caller sees to that. What
   * stays in for no other reason than to be there at once is told to leave first, by the gate's `onAlone`.
   */
  readonly alone: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Returns when no reader is in. New ones are not kept out. */
  readonly idle: Effect.Effect<void>
}

export const make = (onAlone: Effect.Effect<void> = Effect.void): ReaderGate => {
  const gate = Latch.makeUnsafe(true)
  const idle = Latch.makeUnsafe(true)
  let readerCount = 0

  // Must be followed by `leave` without a chance of interruption between.
  const enter: Effect.Effect<void> = Effect.suspend(() =>
    enterUnsafe() ? Effect.void : Effect.andThen(Effect.interruptible(gate.await), enter)
  )

  const enterUnsafe = (): boolean => {
    if (!gate.isOpen()) return false
    if (readerCount++ === 0) idle.closeUnsafe()
    return true
  }

  const leaveUnsafe = (): void => {
    if (--readerCount === 0) idle.openUnsafe()
  }

  const leave: Effect.Effect<void> = Effect.sync(leaveUnsafe)

  return {
    read: (effect) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.andThen(
          enter,
          Effect.onExit(restore(effect), () => leave)
        )
      ),
    enterUnsafe,
    leaveUnsafe,
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
          const waiting = Effect.andThen(onAlone, restore(idle.await))
          return Effect.onExit(Effect.andThen(waiting, effect), () => Effect.sync(() => gate.openUnsafe()))
        })
      ),
    idle: idle.await
  }
}
