/**
 * Frozen chunks that are kept open: those in use, and the ones used last.
 *
 * A pack closes when nobody uses it and so many others were used since. One that failed to open is not kept.
 */
import type { Geometry } from "@icecore/catalog"
import { Effect, Exit, RcMap, Scope } from "effect"
import type { EntriesPack } from "../EntriesPack.ts"

export interface PackCache<E> {
  /** Runs `read` on the pack of a chunk, which stays open meanwhile. */
  readonly use: <A, E2, R>(
    chunk: Geometry.ChunkId,
    read: (pack: EntriesPack) => Effect.Effect<A, E2, R>
  ) => Effect.Effect<A, E | E2, R>
  /** The pack of a chunk, kept open for the scope. */
  readonly hold: (chunk: Geometry.ChunkId) => Effect.Effect<EntriesPack, E, Scope.Scope>
}

export interface PackCacheOptions<E> {
  readonly open: (chunk: Geometry.ChunkId) => Effect.Effect<EntriesPack, E, Scope.Scope>
  /** Packs kept open while nobody uses them. */
  readonly idleCount: number
}

/** An empty cache. What is open closes with the scope. */
export const make = <E>({ open, idleCount }: PackCacheOptions<E>): Effect.Effect<PackCache<E>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const parent = yield* Effect.scope
    const packs = yield* RcMap.make({ lookup: open })
    // A scope for each pack used last, oldest first, that keeps it open.
    const keepers = new Map<Geometry.ChunkId, Scope.Closeable>()

    const keep = (chunk: Geometry.ChunkId): Effect.Effect<void, E> =>
      Effect.uninterruptible(
        Effect.suspend(() => {
          const known = keepers.get(chunk)
          if (known !== undefined) {
            keepers.delete(chunk)
            keepers.set(chunk, known)
            return Effect.void
          }
          const keeper = Scope.forkUnsafe(parent)
          keepers.set(chunk, keeper)
          const [oldest] = keepers
          const evicted = keepers.size > idleCount && oldest !== undefined ? oldest : undefined
          if (evicted !== undefined) keepers.delete(evicted[0])
          return Effect.andThen(
            Scope.provide(RcMap.get(packs, chunk), keeper),
            evicted === undefined ? Effect.void : Scope.close(evicted[1], Exit.void)
          )
        })
      )

    const hold = (chunk: Geometry.ChunkId): Effect.Effect<EntriesPack, E, Scope.Scope> =>
      Effect.tap(RcMap.get(packs, chunk), () => keep(chunk))

    return { hold, use: (chunk, read) => Effect.scoped(Effect.flatMap(hold(chunk), read)) }
  })
