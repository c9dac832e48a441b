/**
 * The writes of a database over a {@link Store}, for one fiber at a time: they run synchronously and are over before another fiber
 * runs; only a `replace` keeps a transaction open while it waits for rows, and pauses it so that reads go on over the old state.
 */
import { Effect, Stream } from "effect"
import type { Database, Durability, EngineWriteError, Replacement, Row, WriteBatch } from "../Engine.ts"
import { boundsOf, compareBytes, contains } from "./Bounds.ts"
import type { PageBounds, Store, StoreFault } from "./Store.ts"
import { applyBatch, BatchThrew, keyRefusal, keyspaceRefusal, valueRefusal } from "./StoreBatch.ts"
import { attempt, misuse, type StoredState, useAfterClose, writeFault, writeRefusal } from "./StoredState.ts"

/** Rows that a `replace` deletes in one step. */
const deletedAtOnce = 128

/** The part of a database that writes. Its caller holds the write lock. */
export interface StoredWrites extends Pick<Database, "flush" | "replace"> {
  readonly write: (build: (batch: WriteBatch) => void, durability: Durability) => Effect.Effect<void, EngineWriteError>
}

export const makeWrites = (state: StoredState): StoredWrites => {
  const { indexes, path, store } = state

  const onWriteFault = (cause: unknown): StoreFault => writeFault(state, cause)

  const write = (build: (batch: WriteBatch) => void, durability: Durability): Effect.Effect<void, EngineWriteError> =>
    Effect.suspend((): Effect.Effect<void, EngineWriteError> => {
      const refused = writeRefusal(state)
      if (refused !== undefined) return Effect.fail(refused)
      state.moment = {}
      const ended = applyBatch(state, build, durability)
      if (ended === undefined) return Effect.void
      if (!(ended instanceof BatchThrew)) return Effect.fail(ended)
      return ended.origin === "build" ? Effect.die(ended.cause) : Effect.fail(onWriteFault(ended.cause))
    })

  const flush: Effect.Effect<void, EngineWriteError> = Effect.suspend((): Effect.Effect<void, EngineWriteError> => {
    const refused = writeRefusal(state)
    if (refused !== undefined) return Effect.fail(refused)
    return Effect.tryPromise({ try: () => store.flush(), catch: onWriteFault })
  })

  /** One synchronous step inside the open transaction of a `replace`. */
  const step = <A>(run: () => A): Effect.Effect<A, EngineWriteError> =>
    Effect.suspend((): Effect.Effect<A, EngineWriteError> => {
      if (state.closed) return Effect.fail(useAfterClose(path))
      return attempt(() => resumed(store, run), onWriteFault)
    })

  /** In short steps, between which others have their turn. */
  const empty = (index: number, bounds: PageBounds | undefined): Effect.Effect<void, EngineWriteError> =>
    bounds === undefined
      ? Effect.void
      : Effect.flatMap(
          step(() => store.deleteSome(index, bounds, deletedAtOnce)),
          (left) => (left === undefined ? Effect.void : Effect.andThen(Effect.yieldNow, empty(index, left)))
        )

  const load = <E, R>(replacement: Replacement<E, R>): Effect.Effect<void, E | EngineWriteError, R> =>
    Effect.suspend((): Effect.Effect<void, E | EngineWriteError, R> => {
      const { keyspace } = replacement
      const index = indexes.get(keyspace)
      if (index === undefined) return Effect.fail(keyspaceRefusal(path, keyspace))
      const bounds = boundsOf(replacement.range)
      let previous: Uint8Array | undefined
      const refuse = (row: Row): EngineWriteError | undefined =>
        keyRefusal(keyspace, row.key) ??
        valueRefusal(keyspace, row.value) ??
        (bounds === undefined || !contains(bounds, row.key)
          ? misuse(path, `a row of the replacement of ${keyspace} is outside its range`)
          : previous !== undefined && compareBytes(previous, row.key) >= 0
            ? misuse(path, `the rows of the replacement of ${keyspace} are not strictly ascending`)
            : undefined)
      const putAll = (rows: ReadonlyArray<Row>): EngineWriteError | undefined => {
        for (const row of rows) {
          const refusal = refuse(row)
          if (refusal !== undefined) return refusal
          store.put(index, row.key, row.value)
          previous = row.key
        }
        // The caller may use the buffer again once it is asked for more.
        previous = previous?.slice()
        return undefined
      }
      return Effect.andThen(
        empty(index, bounds),
        Stream.runForEachArray(replacement.rows, (rows) =>
          Effect.flatMap(
            step(() => putAll(rows)),
            (refusal) => (refusal === undefined ? Effect.void : Effect.fail(refusal))
          )
        )
      )
    })

  const replace = <E, R>(
    replacements: ReadonlyArray<Replacement<E, R>>
  ): Effect.Effect<void, E | EngineWriteError, R> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.suspend((): Effect.Effect<void, E | EngineWriteError, R> => {
        const refused = writeRefusal(state)
        if (refused !== undefined) return Effect.fail(refused)
        const begun = attempt(() => {
          store.begin("synced")
          store.pause()
          state.loading = true
        }, onWriteFault)
        return Effect.andThen(
          begun,
          Effect.matchCauseEffect(restore(Effect.forEach(replacements, load, { discard: true })), {
            onSuccess: () => endLoad(true),
            onFailure: (cause) => Effect.andThen(Effect.ignore(endLoad(false)), Effect.failCause(cause))
          })
        )
      })
    )

  const endLoad = (keep: boolean): Effect.Effect<void, EngineWriteError> =>
    Effect.suspend((): Effect.Effect<void, EngineWriteError> => {
      if (state.closed) return Effect.fail(useAfterClose(path))
      state.loading = false
      state.moment = {}
      return attempt(() => {
        store.resume()
        if (keep) commitOrRollback(store)
        else store.rollback()
      }, onWriteFault)
    })

  return { write, flush, replace }
}

const resumed = <A>(store: Store, run: () => A): A => {
  store.resume()
  try {
    return run()
  } finally {
    store.pause()
  }
}

const commitOrRollback = (store: Store): void => {
  try {
    store.commit()
  } catch (cause) {
    store.rollback()
    throw cause
  }
}
