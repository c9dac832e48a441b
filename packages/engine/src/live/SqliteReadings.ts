/**
 * The connections of an SQLite store that read.
 *
 * Point reads and snapshots share one connection that stays inside a read transaction until this process commits: nobody
 * else writes, so the transaction is never out of date, and a read costs no file locks. A snapshot that is held through a
 * commit keeps that connection for itself, and the next read takes another.
 */
import type { Row } from "../Engine.ts"
import type { StoreReader } from "../internal/Store.ts"
import { StoreDamage } from "../internal/StoreDamage.ts"
import {
  openReading,
  readerCacheKiB,
  setCacheSize,
  type Table,
  type TableReads,
  tableReads
} from "./SqliteConnection.ts"
import { resultCode, type SqliteConnection, type SqliteDriver, type SqliteStatement } from "./SqliteDriver.ts"

/** Readers kept open for the next snapshot. */
const idleReaderCount = 8

interface Reading extends TableReads {
  readonly connection: SqliteConnection
  /** Snapshots that read from it. */
  userCount: number
  /** What a read failed with that may have ended the transaction: its snapshots are lost, for they would see later commits. */
  failure: Error | undefined
  readonly begin: SqliteStatement
  readonly pin: SqliteStatement
  readonly end: SqliteStatement
}

export interface ReadingsOptions {
  readonly driver: SqliteDriver
  readonly path: string
  readonly keyspaces: ReadonlyArray<string>
  /** Of each keyspace, where it has one. */
  readonly tables: ReadonlyArray<Table>
  /** Somebody else may write. */
  readonly readOnly: boolean
  /** Page cache of the connection that reads share, in KiB. */
  readonly cacheKiB: number
}

/** Reads of the newest commit, and readers that stay at it. */
export interface Readings {
  readonly get: (keyspace: number, key: Uint8Array) => Uint8Array | undefined
  readonly floor: (keyspace: number, key: Uint8Array) => Row | undefined
  readonly openReader: () => StoreReader
  /** Before each commit, and after a read that failed: what was shared is no longer the newest, or not to be relied on. */
  readonly endShared: () => void
  /** Closes every connection. */
  readonly close: () => void
}

export const makeReadings = ({ cacheKiB, driver, keyspaces, path, readOnly, tables }: ReadingsOptions): Readings => {
  const idle: Array<Reading> = []
  const busy = new Set<Reading>()
  let shared: Reading | undefined
  let isSharedBegun = false

  const openReadingConnection = (): Reading => {
    const connection = openReading(driver, path)
    try {
      setCacheSize(connection, Math.min(cacheKiB, readerCacheKiB))
      return {
        connection,
        userCount: 0,
        failure: undefined,
        begin: connection.prepare("BEGIN"),
        pin: connection.prepare("SELECT flushes FROM icecore WHERE id = 1"),
        end: connection.prepare("COMMIT"),
        ...tableReads(connection, keyspaces, tables)
      }
    } catch (cause) {
      connection.close()
      throw cause
    }
  }

  /** Inside a read transaction of the newest commit. */
  const begun = (reading: Reading): Reading => {
    try {
      reading.begin.run()
      // Only a read takes the snapshot.
      reading.pin.get()
      return reading
    } catch (cause) {
      reading.connection.close()
      throw cause
    }
  }

  const takeReading = (): Reading => idle.pop() ?? openReadingConnection()

  /** The connection that reads share, at the newest commit. */
  const newest = (): Reading => {
    if (shared === undefined) {
      shared = takeReading()
      setCacheSize(shared.connection, cacheKiB)
    }
    // A read-only database may have a writer in another process, whose commits are to be seen.
    if (isSharedBegun || readOnly) return shared
    const reading = shared
    shared = undefined
    shared = begun(reading)
    isSharedBegun = true
    return shared
  }

  /** What was shared is no longer the newest, or not to be relied on after a failure: only its snapshots read on. */
  const endShared = () => {
    if (!isSharedBegun) return
    const reading = shared!
    isSharedBegun = false
    if (reading.userCount > 0) {
      shared = undefined
      if (reading.failure === undefined) setCacheSize(reading.connection, Math.min(cacheKiB, readerCacheKiB))
    } else if (!ended(reading)) {
      shared = undefined
    }
  }

  const endReading = (reading: Reading) => {
    if (!ended(reading)) return
    if (idle.length < idleReaderCount && reading.failure === undefined) idle.push(reading)
    else reading.connection.close()
  }

  const read = <A>(reading: Reading, run: () => A): A => {
    if (reading.failure !== undefined) throw reading.failure
    try {
      return run()
    } catch (cause) {
      if (reading.userCount > 0 && endsTransaction(cause)) reading.failure = cause as Error
      if (reading === shared) endShared()
      throw cause
    }
  }

  return {
    get: (keyspace, key) => {
      const reading = newest()
      return read(reading, () => reading.get(keyspace, key))
    },
    floor: (keyspace, key) => {
      const reading = newest()
      return read(reading, () => reading.floor(keyspace, key))
    },
    openReader: (): StoreReader => {
      const reading = readOnly ? begun(takeReading()) : newest()
      reading.userCount++
      busy.add(reading)
      return {
        get: (keyspace, key) => read(reading, () => reading.get(keyspace, key)),
        floor: (keyspace, key) => read(reading, () => reading.floor(keyspace, key)),
        page: (keyspace, bounds, reverse, limit) => read(reading, () => reading.page(keyspace, bounds, reverse, limit)),
        release: () => {
          if (--reading.userCount > 0) return
          busy.delete(reading)
          if (reading !== shared) endReading(reading)
        }
      }
    },
    endShared,
    close: () => {
      const readings = new Set([...busy, ...idle, ...(shared === undefined ? [] : [shared])])
      for (const { connection } of readings) connection.close()
      busy.clear()
      idle.length = 0
      shared = undefined
    }
  }
}

/** Whether SQLite may have ended the read transaction: not on damage, but on I/O errors and when memory is short. */
const endsTransaction = (cause: unknown): boolean =>
  !(cause instanceof StoreDamage) && ((resultCode(cause) ?? 0) & 0xff) !== 11

/** Ends a read transaction. One that met damage refuses to end: its connection is closed, and false is the answer. */
const ended = ({ connection, end }: Reading): boolean => {
  try {
    end.run()
    return true
  } catch {
    connection.close()
    return false
  }
}
