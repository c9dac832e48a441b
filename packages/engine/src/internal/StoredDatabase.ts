/**
 * The operations of a database over a {@link Store}.
 *
 * Writes take the write lock, run synchronously and are over before another fiber runs; only a `replace` keeps a
 * transaction open while it waits for rows, and pauses it so that reads go on over the old state.
 */
import { Cause, Effect, Option, type Scope, Stream } from "effect"
import {
  type Database,
  type DatabaseStats,
  type Durability,
  EngineCorrupt,
  type EngineError,
  EngineFailed,
  EngineMisuse,
  EnginePoisoned,
  type EngineReadError,
  type EngineWriteError,
  type KeyspaceStats,
  maxKeySizeBytes,
  type Page,
  type Reader,
  type Replacement,
  type Row,
  type ScanOptions,
  type WriteBatch
} from "../Engine.ts"
import { after, boundsOf, compareBytes, contains } from "./Bounds.ts"
import { type PageBounds, pageBytes, pageRowCount, type Store, type StoreFault, type StoreReader } from "./Store.ts"
import { applyBatch, BatchThrew, keyRefusal, keyspaceRefusal, valueRefusal } from "./StoreBatch.ts"
import { StoreDamage } from "./StoreDamage.ts"
import { makeWriteLock } from "./WriteLock.ts"

/**
 * Snapshots and scans open at once: a connection each in SQLite, a reader slot of 1,024 each in LMDB, where some must be left
 * for other reads and for other processes.
 */
const openReaderCount = 900

/** Rows that a `replace` deletes in one step. */
const deletedAtOnce = 128

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
  const { keyspaces, path, readOnly, store } = options
  const indexes = new Map(keyspaces.map((keyspace, index) => [keyspace, index]))
  const target = { path, store, indexes }
  const lock = makeWriteLock()
  /** Open readers, each with the moment that it was opened at. */
  const readers = new Map<StoreReader, object | undefined>()
  let closed = false
  /** A `replace` has a transaction open. */
  let loading = false
  let poison: string | undefined
  /** Of what is committed now. Without the writer's lock somebody else may commit. */
  let moment: object | undefined = readOnly ? undefined : {}

  const misuse = (detail: string): EngineMisuse => new EngineMisuse({ path, detail })
  const useAfterClose = (): EngineMisuse => misuse("it is closed")

  const readFault = (cause: unknown): EngineReadError => {
    if (cause instanceof StoreDamage) {
      return new EngineCorrupt({ path, keyspace: cause.keyspace, key: cause.key, detail: cause.detail })
    }
    const fault = options.fault("read", cause)
    return fault._tag === "EngineFull" ? new EngineFailed({ path, operation: "read", detail: fault.detail }) : fault
  }

  /** What a write failed with in the library. The library's state on disk is unknown from here on, so no write follows. */
  const writeFault = (cause: unknown): StoreFault => {
    const fault = options.fault("write to", cause)
    poison ??= fault.detail
    return fault
  }

  const writable = (): EngineMisuse | EnginePoisoned | undefined => {
    if (closed) return useAfterClose()
    if (readOnly) return misuse("it is open read-only")
    // Only the fiber of the `replace` itself comes here, from its rows: it has the write lock.
    if (loading) return misuse("the rows of a replace write to the database that they are for")
    return poison === undefined ? undefined : new EnginePoisoned({ path, detail: poison })
  }

  // Reads.

  /** Runs one synchronous read; `released` says whether its reader is gone. */
  const reading = <A>(
    keyspace: string,
    keys: ReadonlyArray<Uint8Array>,
    released: () => boolean,
    read: (index: number) => A
  ): Effect.Effect<A, EngineReadError> =>
    Effect.suspend((): Effect.Effect<A, EngineReadError> => {
      if (closed || released()) return Effect.fail(closed ? useAfterClose() : misuse("the snapshot is released"))
      const index = indexes.get(keyspace)
      if (index === undefined) return Effect.fail(keyspaceRefusal(path, keyspace))
      for (const key of keys) {
        const refusal = keyRefusal(keyspace, key)
        if (refusal !== undefined) return Effect.fail(refusal)
      }
      return attempt(() => read(index), readFault)
    })

  /** PERF: {@link reading} for the most frequent call, without its closures: a third of the time of a warm get. */
  const get = (keyspace: string, key: Uint8Array): Effect.Effect<Option.Option<Uint8Array>, EngineReadError> => {
    const index = indexes.get(keyspace)
    if (closed || index === undefined || key.length === 0 || key.length > maxKeySizeBytes) {
      return reading(keyspace, [key], never, Option.none)
    }
    try {
      return Effect.succeed(Option.fromUndefinedOr(store.get(index, key)))
    } catch (cause) {
      return Effect.fail(readFault(cause))
    }
  }

  const openReader = (): StoreReader => {
    const reader = store.openReader()
    readers.set(reader, moment)
    return reader
  }

  const releaseReader = (reader: StoreReader): void => {
    if (readers.delete(reader)) reader.release()
  }

  const limitRefusal = (limit: number | undefined): EngineMisuse | undefined =>
    limit === undefined || limit === Number.POSITIVE_INFINITY || (Number.isSafeInteger(limit) && limit >= 0)
      ? undefined
      : misuse(`a scan limit is a whole number from 0, got ${limit}`)

  const pageWith = (
    read: (use: (reader: StoreReader) => Page) => Page,
    released: () => boolean,
    keyspace: string,
    scan: ScanOptions
  ): Effect.Effect<Page, EngineReadError> =>
    Effect.suspend(() => {
      const refusal = limitRefusal(scan.limit)
      if (refusal !== undefined) return Effect.fail(refusal)
      return reading(keyspace, [], released, (index) => {
        const bounds = boundsOf(scan)
        if (bounds === undefined || scan.limit === 0) return { rows: [], isEnd: bounds === undefined }
        return read((reader) => readPage(reader, index, bounds, scan))
      })
    })

  const scanWith = (
    acquire: Effect.Effect<StoreReader, EngineReadError, Scope.Scope>,
    released: () => boolean,
    keyspace: string,
    scan: ScanOptions
  ): Stream.Stream<Row, EngineReadError> => {
    const reverse = scan.reverse === true
    const pull = Effect.fnUntraced(function* () {
      const limit = scan.limit ?? Number.POSITIVE_INFINITY
      const refusal = limitRefusal(limit)
      if (refusal !== undefined) return yield* refusal
      // Fails on an unknown keyspace even when nothing can be in range.
      yield* reading(keyspace, [], released, () => undefined)
      const reader = yield* acquire
      let bounds = boundsOf(scan)
      let left = limit
      return Effect.suspend(() => {
        if (bounds === undefined || left === 0) return Cause.done()
        const within: PageBounds = bounds
        return Effect.flatMap(
          reading(keyspace, [], released, (index) => reader.page(index, within, reverse, Math.min(pageRowCount, left))),
          (rows) => {
            if (rows.length === 0) {
              bounds = undefined
              return Cause.done()
            }
            left -= rows.length
            bounds = after(within, rows[rows.length - 1]!.key, reverse)
            return Effect.succeed(rows as [Row, ...Array<Row>])
          }
        )
      })
    })
    return Stream.scoped(Stream.fromPull(pull()))
  }

  const scopedReader: Effect.Effect<StoreReader, EngineReadError, Scope.Scope> = Effect.acquireRelease(
    Effect.suspend((): Effect.Effect<StoreReader, EngineReadError> => {
      if (closed) return Effect.fail(useAfterClose())
      if (readers.size < openReaderCount) return attempt(openReader, readFault)
      return Effect.fail(misuse(`${openReaderCount} snapshots and scans are open, no more are allowed`))
    }),
    (reader) => Effect.sync(() => releaseReader(reader))
  )

  const never = (): boolean => false

  const snapshot: Database["snapshot"] = Effect.map(scopedReader, (reader): Reader => {
    const released = () => !readers.has(reader)
    // Others may have written since the reader was opened.
    const openedAt = readers.get(reader)
    return {
      ...(openedAt === undefined ? {} : { moment: openedAt }),
      get: (keyspace, key) =>
        reading(keyspace, [key], released, (index) => Option.fromUndefinedOr(reader.get(index, key))),
      getMany: (keyspace, keys) =>
        reading(keyspace, keys, released, (index) => keys.map((key) => Option.fromUndefinedOr(reader.get(index, key)))),
      floor: (keyspace, key) =>
        reading(keyspace, [key], released, (index) => Option.fromUndefinedOr(reader.floor(index, key))),
      floorMany: (keyspace, keys) =>
        reading(keyspace, keys, released, (index) =>
          keys.map((key) => Option.fromUndefinedOr(reader.floor(index, key)))
        ),
      page: (keyspace, scan = {}) => pageWith((use) => use(reader), released, keyspace, scan),
      scan: (keyspace, scan = {}) => scanWith(Effect.succeed(reader), released, keyspace, scan)
    }
  })

  const withReader = <A>(use: (reader: StoreReader) => A): A => {
    const reader = store.openReader()
    try {
      return use(reader)
    } finally {
      reader.release()
    }
  }

  const getMany: Database["getMany"] = (keyspace, keys) =>
    reading(keyspace, keys, never, (index) =>
      withReader((reader) => keys.map((key) => Option.fromUndefinedOr(reader.get(index, key))))
    )

  const floorMany: Database["floorMany"] = (keyspace, keys) =>
    reading(keyspace, keys, never, (index) =>
      withReader((reader) => keys.map((key) => Option.fromUndefinedOr(reader.floor(index, key))))
    )

  // Writes.

  const write = (build: (batch: WriteBatch) => void, durability: Durability): Effect.Effect<void, EngineWriteError> =>
    Effect.suspend((): Effect.Effect<void, EngineWriteError> => {
      const refused = writable()
      if (refused !== undefined) return Effect.fail(refused)
      moment = {}
      const ended = applyBatch(target, build, durability)
      if (ended === undefined) return Effect.void
      if (!(ended instanceof BatchThrew)) return Effect.fail(ended)
      return ended.origin === "build" ? Effect.die(ended.cause) : Effect.fail(writeFault(ended.cause))
    })

  const flush: Effect.Effect<void, EngineWriteError> = Effect.suspend((): Effect.Effect<void, EngineWriteError> => {
    const refused = writable()
    if (refused !== undefined) return Effect.fail(refused)
    return Effect.tryPromise({ try: () => store.flush(), catch: writeFault })
  })

  /** One synchronous step inside the open transaction of a `replace`. */
  const step = <A>(run: () => A): Effect.Effect<A, EngineWriteError> =>
    Effect.suspend((): Effect.Effect<A, EngineWriteError> => {
      if (closed) return Effect.fail(useAfterClose())
      return attempt(() => resumed(store, run), writeFault)
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
          ? misuse(`a row of the replacement of ${keyspace} is outside its range`)
          : previous !== undefined && compareBytes(previous, row.key) >= 0
            ? misuse(`the rows of the replacement of ${keyspace} are not strictly ascending`)
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
        const refused = writable()
        if (refused !== undefined) return Effect.fail(refused)
        const begun = attempt(() => {
          store.begin("synced")
          store.pause()
          loading = true
        }, writeFault)
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
      if (closed) return Effect.fail(useAfterClose())
      loading = false
      moment = {}
      return attempt(() => {
        store.resume()
        if (keep) commitOrRollback(store)
        else store.rollback()
      }, writeFault)
    })

  // Counts.

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
      const reader = yield* snapshot
      const counts: Record<string, KeyspaceStats> = {}
      for (const keyspace of keyspaces) counts[keyspace] = yield* countKeyspace(reader, keyspace)
      return { keyspaces: counts, fileBytes: yield* options.fileBytes }
    })
  )

  const database: Database = {
    path,
    keyspaces,
    ...(options.denseValueSizeBytes === undefined ? {} : { denseValueSizeBytes: options.denseValueSizeBytes }),
    get: (keyspace, key) => Effect.suspend(() => get(keyspace, key)),
    getMany,
    floor: (keyspace, key) =>
      reading(keyspace, [key], never, (index) => Option.fromUndefinedOr(store.floor(index, key))),
    floorMany,
    page: (keyspace, scan = {}) => pageWith(withReader, never, keyspace, scan),
    scan: (keyspace, scan = {}) => scanWith(scopedReader, never, keyspace, scan),
    write: (build, { durability = "synced" } = {}) => lock.withLock(write(build, durability)),
    // An abandoned sync would end, or fail, in the middle of what is written after it.
    flush: lock.withLock(Effect.uninterruptible(flush)),
    exclusive: lock.hold,
    snapshot,
    replace: (replacements) => lock.hold(replace(replacements)),
    checkpoint: (to) => Effect.suspend(() => (closed ? Effect.fail(useAfterClose()) : options.checkpoint(to))),
    stats
  }

  const close = Effect.suspend(() => {
    closed = true
    if (loading) {
      store.resume()
      store.rollback()
    }
    for (const reader of readers.keys()) reader.release()
    readers.clear()
    return Effect.promise(() => store.close())
  })

  return { database, close }
}

const readPage = (reader: StoreReader, index: number, bounds: PageBounds, { limit, reverse }: ScanOptions): Page => {
  const most = Math.min(pageRowCount, limit ?? pageRowCount)
  const rows = reader.page(index, bounds, reverse === true, most)
  return { rows, isEnd: rows.length < most && sizeOf(rows) < pageBytes }
}

const sizeOf = (rows: ReadonlyArray<Row>): number => {
  let bytes = 0
  for (const { key, value } of rows) bytes += key.length + value.length
  return bytes
}

/**
 * Makes a synchronous library call; what it throws is an expected failure.
 *
 * IMPORTANT: at once, not when the effect runs. In between another fiber may have its turn, and close what was just found open.
 */
const attempt = <A, E extends EngineError>(run: () => A, failure: (cause: unknown) => E): Effect.Effect<A, E> => {
  try {
    return Effect.succeed(run())
  } catch (cause) {
    return Effect.fail(failure(cause))
  }
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
