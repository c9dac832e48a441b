/**
 * The open hot chunks of a store, shared by readers, ingestion and the lifecycle.
 *
 * Readers count: a database is closed only when nobody reads it. While one is reopened, its readers wait. Everything that
 * is still open closes with the scope that the set was made in.
 */
import type { Geometry } from "@icecore/catalog"
import { Effect, Exit, Latch, Option, Scope } from "effect"
import type { HotChunk } from "../HotChunk.ts"

interface Slot<E> {
  hot: HotChunk
  scope: Scope.Closeable
  /** Why there is no open database now: the last attempt to reopen it failed. */
  problem: Option.Option<E>
  readerCount: number
  /** Closed while the database is reopened. */
  readonly gate: Latch.Latch
  /** Open while nobody reads. */
  readonly idle: Latch.Latch
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
  /** Closes a chunk's database when nobody reads it, and opens it again. When that fails, readers fail with the same error. */
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
          const idle = Latch.makeUnsafe(true)
          const gate = Latch.makeUnsafe(true)
          slots.set(hot.chunk, { hot, scope, problem: Option.none(), readerCount: 0, gate, idle })
          return hot
        })
      )

    /** Enters the slot as a reader. Waits while it is reopened. Must not be interrupted between its end and {@link leave}. */
    const enter = (
      chunk: Geometry.ChunkId,
      restore: <A, E2, R>(effect: Effect.Effect<A, E2, R>) => Effect.Effect<A, E2, R>
    ): Effect.Effect<Slot<E> | undefined, E> =>
      Effect.suspend(() => {
        const slot = slots.get(chunk)
        if (slot === undefined) return Effect.succeed(undefined)
        if (!slot.gate.isOpen()) return Effect.andThen(restore(slot.gate.await), enter(chunk, restore))
        if (Option.isSome(slot.problem)) return Effect.fail(slot.problem.value)
        if (slot.readerCount++ === 0) slot.idle.closeUnsafe()
        return Effect.succeed(slot)
      })

    const leave = (slot: Slot<E>): Effect.Effect<void> =>
      Effect.sync(() => {
        if (--slot.readerCount === 0) slot.idle.openUnsafe()
      })

    const use = <A, E2, R>(
      chunk: Geometry.ChunkId,
      read: (hot: HotChunk) => Effect.Effect<A, E2, R>
    ): Effect.Effect<Option.Option<A>, E | E2, R> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(enter(chunk, restore), (slot) =>
          slot === undefined
            ? Effect.succeedNone
            : Effect.onExit(Effect.asSome(restore(read(slot.hot))), () => leave(slot))
        )
      )

    const hold = (chunk: Geometry.ChunkId): Effect.Effect<Option.Option<HotChunk>, E, Scope.Scope> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(enter(chunk, restore), (slot) =>
          slot === undefined
            ? Effect.succeedNone
            : Effect.as(
                Effect.addFinalizer(() => leave(slot)),
                Option.some(slot.hot)
              )
        )
      )

    const reopen = (
      chunk: Geometry.ChunkId,
      open: Effect.Effect<HotChunk, E, Scope.Scope>
    ): Effect.Effect<HotChunk, E> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.suspend(() => {
          const slot = slots.get(chunk)
          if (slot === undefined) return Effect.die(new Error(`Hot chunk ${chunk} is not in the set`))
          slot.gate.closeUnsafe()
          return restore(slot.idle.await).pipe(
            Effect.andThen(Scope.close(slot.scope, Exit.void)),
            Effect.andThen(openIn(open)),
            Effect.onExit((exit) =>
              Effect.sync(() => {
                if (Exit.isSuccess(exit)) {
                  slot.hot = exit.value.hot
                  slot.scope = exit.value.scope
                  slot.problem = Option.none()
                } else {
                  slot.problem = Exit.findErrorOption(exit)
                }
                slot.gate.openUnsafe()
              })
            ),
            Effect.map(({ hot }) => hot)
          )
        })
      )

    const retire = (chunk: Geometry.ChunkId): Effect.Effect<void> => {
      const slot = slots.get(chunk)
      if (slot === undefined) return Effect.void
      slots.delete(chunk)
      return Effect.andThen(slot.idle.await, Scope.close(slot.scope, Exit.void))
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
