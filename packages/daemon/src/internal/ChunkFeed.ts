/**
 * The entries of one chunk on their way from the one reader of the source to whoever writes the chunk's files: a queue that is bounded
 * in bytes, once somebody takes from it.
 */
import { Cause, Effect, Latch, Stream } from "effect"
import type { Entry } from "../Entry.ts"

export interface ChunkFeed {
  /** Bytes that wait to be taken. */
  readonly sizeBytes: () => number
  /** From now on somebody takes. */
  readonly bound: Effect.Effect<void>
  /** Adds entries. Waits while too much waits already, once {@link ChunkFeed.bound} was run. */
  readonly push: (entries: ReadonlyArray<Entry>) => Effect.Effect<void>
  /** There are no more. */
  readonly end: Effect.Effect<void>
  /** Everything that was and will be pushed, once. */
  readonly entries: Stream.Stream<ReadonlyArray<Entry>>
  /** Nobody takes any more: what waits is let go, and what comes is dropped. */
  readonly abandon: Effect.Effect<void>
}

export const make = (limitBytes: number): ChunkFeed => {
  let waiting: Array<ReadonlyArray<Entry>> = []
  let sizeBytes = 0
  let isBound = false
  let isEnded = false
  let isAbandoned = false
  const room = Latch.makeUnsafe(true)
  const ready = Latch.makeUnsafe(false)

  const update = (): void => {
    if (isBound && !isAbandoned && sizeBytes >= limitBytes) room.closeUnsafe()
    else room.openUnsafe()
    if (waiting.length > 0 || isEnded) ready.openUnsafe()
    else ready.closeUnsafe()
  }

  const pull: Effect.Effect<readonly [ReadonlyArray<Entry>], Cause.Done> = Effect.suspend(() => {
    const entries = waiting.shift()
    if (entries === undefined) return isEnded ? Cause.done() : Effect.andThen(ready.await, pull)
    for (const { bytes } of entries) sizeBytes -= bytes.length
    update()
    return Effect.succeed([entries] as const)
  })

  return {
    sizeBytes: () => sizeBytes,
    push: (entries) =>
      Effect.andThen(
        room.await,
        Effect.sync(() => {
          if (isAbandoned) return
          waiting.push(entries)
          for (const { bytes } of entries) sizeBytes += bytes.length
          update()
        })
      ),
    end: Effect.sync(() => {
      isEnded = true
      update()
    }),
    bound: Effect.sync(() => {
      isBound = true
      update()
    }),
    entries: Stream.fromPull(Effect.succeed(pull)),
    abandon: Effect.sync(() => {
      isAbandoned = true
      waiting = []
      sizeBytes = 0
      update()
    })
  }
}
