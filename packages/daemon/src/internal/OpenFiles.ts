/**
 * Files that are kept open: those in use, and the ones used last.
 *
 * A file closes when nobody uses it and so many others were used since, or when it is dropped. One that failed to open is not
 * kept. Readers who want one file at once share its opening, which goes on when one of them is interrupted.
 */
import { Deferred, Effect, Exit, Scope } from "effect"

export interface OpenFiles<Key, A, E> {
  /** Runs `read` on a file, which stays open meanwhile. */
  readonly use: <B, E2, R>(key: Key, read: (file: A) => Effect.Effect<B, E2, R>) => Effect.Effect<B, E | E2, R>
  /** A file, kept open for the scope. */
  readonly hold: (key: Key) => Effect.Effect<A, E, Scope.Scope>
  /** A file that is open now, for what is done with it at once. */
  readonly peekUnsafe: (key: Key) => A | undefined
  /** Lets go of files: they close when their last reader has left, and are opened anew for the next one. */
  readonly drop: (isDropped: (key: Key) => boolean) => Effect.Effect<void>
}

export interface OpenFilesOptions<Key, A, E> {
  readonly open: (key: Key) => Effect.Effect<A, E, Scope.Scope>
  /** Files kept open while nobody uses them. */
  readonly idleCount: number
}

interface Slot<A, E> {
  readonly scope: Scope.Closeable
  readonly opening: Deferred.Deferred<A, E>
  file: A | undefined
  userCount: number
  isDropped: boolean
}

/** No file is open. What is open closes with the scope. `Key` is compared as a `Map` compares. */
export const make = <Key, A, E>({
  open,
  idleCount
}: OpenFilesOptions<Key, A, E>): Effect.Effect<OpenFiles<Key, A, E>, never, Scope.Scope> =>
  Effect.map(Effect.scope, (parent) => {
    // Ordered by last use: a slot that is used goes to the end.
    const slots = new Map<Key, Slot<A, E>>()
    let idle = 0

    const close = (slot: Slot<A, E>): Effect.Effect<void> => Scope.close(slot.scope, Exit.void)

    const enterUnsafe = (key: Key, slot: Slot<A, E>): void => {
      if (slot.userCount++ === 0) idle--
      slots.delete(key)
      slots.set(key, slot)
    }

    const leave = (slot: Slot<A, E>): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (--slot.userCount > 0) return Effect.void
        if (slot.isDropped) return close(slot)
        idle++
        if (idle <= idleCount) return Effect.void
        for (const [key, oldest] of slots) {
          if (oldest.userCount > 0) continue
          slots.delete(key)
          idle--
          return close(oldest)
        }
        return Effect.void
      })

    const start = (key: Key): Effect.Effect<Slot<A, E>> =>
      Effect.suspend(() => {
        const slot: Slot<A, E> = {
          scope: Scope.forkUnsafe(parent),
          opening: Deferred.makeUnsafe(),
          file: undefined,
          userCount: 1,
          isDropped: false
        }
        slots.set(key, slot)
        const opening = Effect.onExit(Scope.provide(open(key), slot.scope), (exit) =>
          Effect.suspend(() => {
            Deferred.doneUnsafe(slot.opening, exit)
            if (Exit.isSuccess(exit)) {
              slot.file = exit.value
              return Effect.void
            }
            slot.isDropped = true
            if (slots.get(key) !== slot) return Effect.void
            slots.delete(key)
            if (slot.userCount > 0) return Effect.void
            idle--
            return close(slot)
          })
        )
        return Effect.as(Effect.forkIn(opening, parent, { startImmediately: true }), slot)
      })

    const fileOf = (slot: Slot<A, E>): Effect.Effect<A, E> =>
      slot.file === undefined ? Deferred.await(slot.opening) : Effect.succeed(slot.file)

    const acquire = (key: Key): Effect.Effect<Slot<A, E>> =>
      Effect.suspend(() => {
        const slot = slots.get(key)
        if (slot === undefined) return start(key)
        enterUnsafe(key, slot)
        return Effect.succeed(slot)
      })

    return {
      use: (key, read) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(acquire(key), (slot) =>
            Effect.onExit(restore(slot.file === undefined ? Effect.flatMap(fileOf(slot), read) : read(slot.file)), () =>
              leave(slot)
            )
          )
        ),
      hold: (key) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(acquire(key), (slot) =>
            Effect.andThen(
              Effect.addFinalizer(() => leave(slot)),
              restore(fileOf(slot))
            )
          )
        ),
      peekUnsafe: (key) => slots.get(key)?.file,
      drop: (isDropped) =>
        Effect.suspend(() => {
          const closing: Array<Effect.Effect<void>> = []
          for (const [key, slot] of slots) {
            if (!isDropped(key)) continue
            slots.delete(key)
            slot.isDropped = true
            if (slot.userCount > 0) continue
            idle--
            closing.push(close(slot))
          }
          return Effect.all(closing, { discard: true })
        })
    }
  })
