/**
 * The open hot chunks of a store, shared by readers, ingestion and the lifecycle.
 *
 * A database is closed only when nobody reads it. While one is reopened, its readers wait. Everything that is still open closes
 * with the scope that the set was made in.
 */
import type { Geometry } from "@icecore/catalog"
import { Effect, Exit, Option, Scope } from "effect"
import type { HotChunk } from "../HotChunk.ts"
import * as ReaderGate from "./ReaderGate.ts"

interface Slot<E> {
  hot: HotChunk
  scope: Scope.Closeable
  /** Why there is no open database now: the last attempt to reopen it failed. */
  problem: Option.Option<E>
  readonly gate: ReaderGate.ReaderGate
}

export interface HotSet<E> {
  /** The chunks that are read from here, ascending. */
  readonly chunks: () => ReadonlyArray<Geometry.ChunkId>
  /** Opens a chunk and shares it. */
  readonly add: (open: Effect.Effect<HotChunk, E, Scope.Scope>) => Effect.Effect<HotChunk, E>
  /** Runs `read` on a chunk; none when it is not here (any more). */
  readonly use: <A, E2, R>(
    chunk: Geometry.ChunkId,
    read: (hot: HotChunk) => Effect.Effect<A, E2, R>
  ) => Effect.Effect<Option.Option<A>, E | E2, R>
  /** A chunk, kept open for the scope; none when it is not here (any more). */
  readonly hold: (chunk: Geometry.ChunkId) => Effect.Effect<Option.Option<HotChunk>, E, Scope.Scope>
  /**
   * Closes a chunk's database when nobody reads it, and opens it again. When that fails, readers fail with the same error until
   * another attempt succeeds. The chunk must be here, and no other reopening of it under way.
   */
  readonly reopen: (
    chunk: Geometry.ChunkId,
    open: Effect.Effect<HotChunk, E, Scope.Scope>
  ) => Effect.Effect<HotChunk, E>
  /**
   * Takes a chunk out at once: new readers do not find it. The effect it gives returns when its last reader has left and its
   * database is closed.
   */
  readonly retire: (chunk: Geometry.ChunkId) => Effect.Effect<void>
}

/** An empty set. */
export const make = <E>(): Effect.Effect<HotSet<E>, never, Scope.Scope> =>
  Effect.map(Effect.scope, (parent) => {
    const slots = new Map<Geometry.ChunkId, Slot<E>>()

    const openIn = Effect.fnUntraced(function* (open: Effect.Effect<HotChunk, E, Scope.Scope>) {
      const scope = yield* Scope.fork(parent)
      const exit = yield* Effect.exit(Scope.provide(open, scope))
      if (Exit.isFailure(exit)) yield* Scope.close(scope, exit)
      return { hot: yield* exit, scope }
    })

    const add = (open: Effect.Effect<HotChunk, E, Scope.Scope>): Effect.Effect<HotChunk, E> =>
      Effect.uninterruptible(
        Effect.map(openIn(open), ({ hot, scope }) => {
          slots.set(hot.chunk, { hot, scope, problem: Option.none(), gate: ReaderGate.make() })
          return hot
        })
      )

    const hotOf = (slot: Slot<E>): Effect.Effect<HotChunk, E> =>
      Effect.suspend(() => (Option.isSome(slot.problem) ? Effect.fail(slot.problem.value) : Effect.succeed(slot.hot)))

    const use = <A, E2, R>(
      chunk: Geometry.ChunkId,
      read: (hot: HotChunk) => Effect.Effect<A, E2, R>
    ): Effect.Effect<Option.Option<A>, E | E2, R> =>
      Effect.suspend(() => {
        const slot = slots.get(chunk)
        if (slot === undefined) return Effect.succeedNone
        return slot.gate.read(Effect.asSome(Effect.flatMap(hotOf(slot), read)))
      })

    const hold = (chunk: Geometry.ChunkId): Effect.Effect<Option.Option<HotChunk>, E, Scope.Scope> =>
      Effect.suspend(() => {
        const slot = slots.get(chunk)
        if (slot === undefined) return Effect.succeedNone
        return Effect.andThen(slot.gate.hold, Effect.asSome(hotOf(slot)))
      })

    const reopen = (
      chunk: Geometry.ChunkId,
      open: Effect.Effect<HotChunk, E, Scope.Scope>
    ): Effect.Effect<HotChunk, E> =>
      Effect.suspend(() => {
        const slot = slots.get(chunk)
        if (slot === undefined) return Effect.die(new Error(`Hot chunk ${chunk} is not in the set`))
        const swap = Effect.andThen(Scope.close(slot.scope, Exit.void), openIn(open)).pipe(
          Effect.map(({ hot, scope }) => {
            slot.hot = hot
            slot.scope = scope
            slot.problem = Option.none()
            return hot
          }),
          Effect.tapError((error) =>
            Effect.sync(() => {
              slot.problem = Option.some(error)
            })
          )
        )
        return slot.gate.alone(swap)
      })

    const retire = (chunk: Geometry.ChunkId): Effect.Effect<void> => {
      const slot = slots.get(chunk)
      if (slot === undefined) return Effect.void
      slots.delete(chunk)
      return Effect.andThen(slot.gate.idle, Scope.close(slot.scope, Exit.void))
    }

    return {
      chunks: () => [...slots.keys()].sort((left, right) => left - right),
      add,
      use,
      hold,
      reopen,
      retire
    }
  })
