/** Takes as many entries of a stream as the other side of a comparison has. */
import { Effect, Pull, type Scope, Stream } from "effect"

export interface EntryCursor<E> {
  /** The next entries: as many as asked for, fewer only at the end. */
  readonly take: (count: number) => Effect.Effect<ReadonlyArray<Uint8Array>, E>
}

/** Starts the stream for the scope. Holds what the stream gives at once, and no more. */
export const make = <E, R>(
  entries: Stream.Stream<ReadonlyArray<Uint8Array>, E, R>
): Effect.Effect<EntryCursor<E>, never, R | Scope.Scope> =>
  Effect.map(
    Effect.flatMap(Effect.context<R>(), (context) => Stream.toPull(Stream.provideContext(entries, context))),
    (pull) => {
      let batches: ReadonlyArray<ReadonlyArray<Uint8Array>> = []
      let batchAt = 0
      let entryAt = 0
      let isOver = false

      const refill: Effect.Effect<void, E> = Pull.catchDone(
        Effect.map(pull, (pulled) => {
          batches = pulled
          batchAt = 0
          entryAt = 0
        }),
        () =>
          Effect.sync(() => {
            isOver = true
          })
      )

      const take = Effect.fnUntraced(function* (count: number): Effect.fn.Return<ReadonlyArray<Uint8Array>, E> {
        const taken: Array<Uint8Array> = []
        while (taken.length < count) {
          const batch = batches[batchAt]
          if (batch === undefined) {
            if (isOver) break
            yield* refill
            if (isOver) batches = []
            continue
          }
          const part = batch.slice(entryAt, entryAt + count - taken.length)
          taken.push(...part)
          entryAt += part.length
          if (entryAt === batch.length) {
            batchAt++
            entryAt = 0
          }
        }
        return taken
      })
      return { take }
    }
  )
