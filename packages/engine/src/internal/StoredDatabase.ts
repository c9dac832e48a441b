/**
 * A database over a {@link Store}: its reads ({@link "./StoredReads.ts"}), its writes under the write lock
 * ({@link "./StoredWrites.ts"}), and closing it.
 */
import { Effect, Stream } from "effect"
import type { Database, DatabaseStats, EngineFailed, EngineReadError, KeyspaceStats, Reader } from "../Engine.ts"
import type { Store, StoreFault } from "./Store.ts"
import { makeReads } from "./StoredReads.ts"
import { type StoredState, useAfterClose } from "./StoredState.ts"
import { makeWrites } from "./StoredWrites.ts"
import { makeWriteLock } from "./WriteLock.ts"

export interface StoredDatabaseOptions {
  readonly path: string
  readonly keyspaces: ReadonlyArray<string>
  readonly readOnly: boolean
  readonly store: Store
  readonly denseValueSizeBytes?: number
  readonly fault: (operation: string, cause: unknown) => StoreFault
  readonly checkpoint: Database["checkpoint"]
  readonly fileBytes: Effect.Effect<number, EngineFailed>
}

/** A database and what its owner needs to close it. */
export interface StoredDatabase {
  readonly database: Database
  /** Rolls back what is open, releases every reader and closes the store. Later calls fail with {@link EngineMisuse}. */
  readonly close: Effect.Effect<void>
}

export const makeStoredDatabase = (options: StoredDatabaseOptions): StoredDatabase => {
  const { fault, keyspaces, path, readOnly, store } = options
  const state: StoredState = {
    path,
    readOnly,
    store,
    indexes: new Map(keyspaces.map((keyspace, index) => [keyspace, index])),
    fault,
    readers: new Map(),
    closed: false,
    loading: false,
    poison: undefined,
    moment: readOnly ? undefined : {}
  }
  const lock = makeWriteLock()
  const reads = makeReads(state)
  const writes = makeWrites(state)

  const countKeyspace = (reader: Reader, keyspace: string): Effect.Effect<KeyspaceStats, EngineReadError> =>
    Effect.suspend(() => {
      const counted = { keyCount: 0, contentBytes: 0 }
      return Effect.as(
        Stream.runForEachArray(reader.scan(keyspace), (rows) =>
          Effect.sync(() => {
            counted.keyCount += rows.length
            for (const row of rows) counted.contentBytes += row.key.length + row.value.length
          })
        ),
        counted
      )
    })

  const stats: Effect.Effect<DatabaseStats, EngineReadError> = Effect.scoped(
    Effect.gen(function* () {
      const reader = yield* reads.snapshot
      const counts: Record<string, KeyspaceStats> = {}
      for (const keyspace of keyspaces) counts[keyspace] = yield* countKeyspace(reader, keyspace)
      return { keyspaces: counts, fileBytes: yield* options.fileBytes }
    })
  )

  const database: Database = {
    path,
    keyspaces,
    ...(options.denseValueSizeBytes === undefined ? {} : { denseValueSizeBytes: options.denseValueSizeBytes }),
    ...reads,
    write: (build, { durability = "synced" } = {}) => lock.withLock(writes.write(build, durability)),
    // An abandoned sync would end, or fail, in the middle of what is written after it.
    flush: lock.withLock(Effect.uninterruptible(writes.flush)),
    exclusive: lock.hold,
    replace: (replacements) => lock.hold(writes.replace(replacements)),
    checkpoint: (to) =>
      Effect.suspend(() => (state.closed ? Effect.fail(useAfterClose(path)) : options.checkpoint(to))),
    stats
  }

  const close = Effect.suspend(() => {
    state.closed = true
    if (state.loading) {
      store.resume()
      store.rollback()
    }
    for (const reader of state.readers.keys()) reader.release()
    state.readers.clear()
    return Effect.promise(() => store.close())
  })

  return { database, close }
}
