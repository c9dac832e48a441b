/** The reads of a database over a {@link Store}: each a synchronous call, or one for each page of a scan. */
import { Cause, Effect, Option, type Scope, Stream } from "effect"
import {
  type Database,
  type EngineReadError,
  maxKeySizeBytes,
  type Page,
  type Reader,
  type Row,
  type ScanOptions
} from "../Engine.ts"
import { after, boundsOf } from "./Bounds.ts"
import { type PageBounds, pageBytes, pageRowCount, type StoreReader } from "./Store.ts"
import { keyRefusal, keyspaceRefusal, limitRefusal } from "./StoreBatch.ts"
import { attempt, misuse, readFault, type StoredState, useAfterClose } from "./StoredState.ts"

/**
 * Snapshots and scans open at once: a connection each in SQLite, a reader slot of 1,024 each in LMDB, where some must be left
 * for other reads and for other processes.
 */
const openReaderCount = 900

/** The part of a database that reads. */
export type StoredReads = Omit<Reader, "moment"> & Pick<Database, "snapshot">

export const makeReads = (state: StoredState): StoredReads => {
  const { indexes, path, store } = state

  const onReadFault = (cause: unknown): EngineReadError => readFault(state, cause)

  /** Runs one synchronous read; `released` says whether its reader is gone. */
  const reading = <A>(
    keyspace: string,
    keys: ReadonlyArray<Uint8Array>,
    released: () => boolean,
    read: (index: number) => A
  ): Effect.Effect<A, EngineReadError> =>
    Effect.suspend((): Effect.Effect<A, EngineReadError> => {
      if (state.closed || released())
        return Effect.fail(state.closed ? useAfterClose(path) : misuse(path, "the snapshot is released"))
      const index = indexes.get(keyspace)
      if (index === undefined) return Effect.fail(keyspaceRefusal(path, keyspace))
      for (const key of keys) {
        const refusal = keyRefusal(keyspace, key)
        if (refusal !== undefined) return Effect.fail(refusal)
      }
      return attempt(() => read(index), onReadFault)
    })

  /** PERF: {@link reading} for the most frequent call, without its closures: a third of the time of a warm get. */
  const get = (keyspace: string, key: Uint8Array): Effect.Effect<Option.Option<Uint8Array>, EngineReadError> => {
    const index = indexes.get(keyspace)
    if (state.closed || index === undefined || key.length === 0 || key.length > maxKeySizeBytes) {
      return reading(keyspace, [key], never, Option.none)
    }
    try {
      return Effect.succeed(Option.fromUndefinedOr(store.get(index, key)))
    } catch (cause) {
      return Effect.fail(onReadFault(cause))
    }
  }

  const openReader = (): StoreReader => {
    const reader = store.openReader()
    state.readers.set(reader, state.moment)
    return reader
  }

  const releaseReader = (reader: StoreReader): void => {
    if (state.readers.delete(reader)) reader.release()
  }

  const pageWith = (
    read: (use: (reader: StoreReader) => Page) => Page,
    released: () => boolean,
    keyspace: string,
    scan: ScanOptions
  ): Effect.Effect<Page, EngineReadError> =>
    Effect.suspend(() => {
      const refusal = limitRefusal(path, scan.limit)
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
      const refusal = limitRefusal(path, limit)
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
      if (state.closed) return Effect.fail(useAfterClose(path))
      if (state.readers.size < openReaderCount) return attempt(openReader, onReadFault)
      return Effect.fail(misuse(path, `${openReaderCount} snapshots and scans are open, no more are allowed`))
    }),
    (reader) => Effect.sync(() => releaseReader(reader))
  )

  const never = (): boolean => false

  const snapshot: Database["snapshot"] = Effect.map(scopedReader, (reader): Reader => {
    const released = () => !state.readers.has(reader)
    // Others may have written since the reader was opened.
    const openedAt = state.readers.get(reader)
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

  return {
    get: (keyspace, key) => Effect.suspend(() => get(keyspace, key)),
    getMany,
    floor: (keyspace, key) =>
      reading(keyspace, [key], never, (index) => Option.fromUndefinedOr(store.floor(index, key))),
    floorMany,
    page: (keyspace, scan = {}) => pageWith(withReader, never, keyspace, scan),
    scan: (keyspace, scan = {}) => scanWith(scopedReader, never, keyspace, scan),
    snapshot
  }
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
