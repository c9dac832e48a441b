/**
 * The open hot chunks of a store, shared by readers, ingestion and the lifecycle.
 *
 * A database is closed only when nobody reads it. While one is reopened, its readers wait. Everything that is still open closes
 * with the scope that the set was made in. A change of the set, and the wish to close a database, advance the epoch.
 */
import type { Geometry } from "@icecore/catalog"
import { Effect, Exit, Option, Scope } from "effect"
import type { HotChunk } from "../HotChunk.ts"
import * as ReaderGate from "./ReaderGate.ts"
import type { ViewEpoch } from "./ViewEpoch.ts"

interface Slot<E> {
  hot: HotChunk
  scope: Scope.Closeable
  /** Why there is no open database now: the last attempt to reopen it failed. */
  problem: Option.Option<E>
  readonly gate: ReaderGate.ReaderGate
}

/** A hot chunk of a view. */
export interface HotHandle<E> {
  readonly chunk: Geometry.ChunkId
  /** Runs `read` on the chunk, or fails with why its database is not open. */
  readonly use: <A, E2, R>(read: (hot: HotChunk) => Effect.Effect<A, E2, R>) => Effect.Effect<A, E | E2, R>
  /** The chunk, kept open for the scope. */
  readonly hold: Effect.Effect<HotChunk, E, Scope.Scope>
}

/** Every hot chunk of a moment. None of their databases is closed until they are given back. */
export interface HotHandles<E> {
  readonly byChunk: ReadonlyMap<Geometry.ChunkId, HotHandle<E>>
  /** Gives all back. Once. */
  readonly releaseUnsafe: () => void
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
   * All chunks that are here now, at once. Whoever keeps them longer than a read gives them back when the epoch advances. The
   * database of one that is just being reopened is waited for where it is used.
   */
  readonly takeUnsafe: () => HotHandles<E>
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
export const make = <E>(epoch: ViewEpoch): Effect.Effect<HotSet<E>, never, Scope.Scope> =>
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
        Effect.flatMap(openIn(open), ({ hot, scope }) => {
          slots.set(hot.chunk, { hot, scope, problem: Option.none(), gate: ReaderGate.make(epoch.advance) })
          return Effect.as(epoch.advance, hot)
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

    const handleOf = (chunk: Geometry.ChunkId, slot: Slot<E>, isHeld: boolean): HotHandle<E> => ({
      chunk,
      use: (read) => {
        const reading = Effect.flatMap(hotOf(slot), read)
        return isHeld ? reading : slot.gate.read(reading)
      },
      hold: isHeld ? hotOf(slot) : Effect.andThen(slot.gate.hold, hotOf(slot))
    })

    const takeUnsafe = (): HotHandles<E> => {
      const byChunk = new Map<Geometry.ChunkId, HotHandle<E>>()
      const held: Array<Slot<E>> = []
      for (const [chunk, slot] of slots) {
        const isHeld = slot.gate.enterUnsafe()
        if (isHeld) held.push(slot)
        byChunk.set(chunk, handleOf(chunk, slot, isHeld))
      }
      const releaseUnsafe = (): void => {
        for (const slot of held) slot.gate.leaveUnsafe()
      }
      return { byChunk, releaseUnsafe }
    }

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
      return Effect.andThen(Effect.andThen(epoch.advance, slot.gate.idle), Scope.close(slot.scope, Exit.void))
    }

    return {
      chunks: () => [...slots.keys()].sort((left, right) => left - right),
      add,
      use,
      hold,
      takeUnsafe,
      reopen,
      retire
    }
  })
