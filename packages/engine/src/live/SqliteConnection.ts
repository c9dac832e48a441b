/** One SQLite connection with its settings, and the reads that writers and readers share. */
import type { Row } from "../Engine.ts"
import { rowChecksum } from "../internal/RowChecksum.ts"
import { type PageBounds, pageBytes } from "../internal/Store.ts"
import { StoreDamage } from "../internal/StoreDamage.ts"
import type { SqliteConnection, SqliteDriver, SqliteStatement } from "./SqliteDriver.ts"
import { tableName } from "./SqliteFormat.ts"

/**
 * Page cache of the one writing connection, in KiB. PERF: random puts into a file of 70 MB, a thousand at once, take as long with 16
 * MiB as with 64; filling a record store with a million grants takes 275 MB instead of 360.
 */
export const writerCacheKiB = 16_384

/** Page cache of a reading connection, in KiB. */
export const readerCacheKiB = 4_096

/** Length that the log file is cut to when it starts over, in bytes. */
const journalLimitBytes = 64 * 1024 * 1024

/** Pages of log that make the writing connection move them into the database. */
const checkpointPages = 2_000

/** The settings that hold for every connection: nothing in memory maps or temporary files, no waiting for ever. */
const commonSql = `
  PRAGMA busy_timeout = 5000;
  PRAGMA mmap_size = 0;
  PRAGMA temp_store = MEMORY;
  PRAGMA trusted_schema = OFF;
  PRAGMA cell_size_check = ON;
`

/** Only the writer checkpoints. `fullfsync` matters on macOS alone, where an fsync stops at the drive's cache. */
const writerSql = `
  PRAGMA synchronous = FULL;
  PRAGMA fullfsync = ON;
  PRAGMA checkpoint_fullfsync = ON;
  PRAGMA wal_autocheckpoint = ${checkpointPages};
  PRAGMA journal_size_limit = ${journalLimitBytes};
  PRAGMA cache_size = -${writerCacheKiB};
`

const readerSql = `
  PRAGMA query_only = ON;
  PRAGMA wal_autocheckpoint = 0;
  PRAGMA cache_size = -${readerCacheKiB};
`

export const openWriter = (driver: SqliteDriver, path: string, create: boolean): SqliteConnection =>
  opened(driver.open(path, create), commonSql + writerSql)

export const openReading = (driver: SqliteDriver, path: string): SqliteConnection =>
  opened(driver.open(path, false), commonSql + readerSql)

const opened = (connection: SqliteConnection, sql: string): SqliteConnection => {
  try {
    connection.exec(sql)
  } catch (cause) {
    connection.close()
    throw cause
  }
  return connection
}

/** A keyspace as the adapter sees it: no table when the database is read-only and has none. */
export type Table = string | undefined

export interface TableReads {
  readonly get: (keyspace: number, key: Uint8Array) => Uint8Array | undefined
  readonly floor: (keyspace: number, key: Uint8Array) => Row | undefined
  readonly page: (keyspace: number, bounds: PageBounds, reverse: boolean, limit: number) => Array<Row>
}

/** Prepares reads over a connection, each when first used. */
export const tableReads = (
  connection: SqliteConnection,
  keyspaces: ReadonlyArray<string>,
  tables: ReadonlyArray<Table>
): TableReads => {
  const gets: Array<SqliteStatement | undefined> = []
  const floors: Array<SqliteStatement | undefined> = []
  const pages = new Map<string, SqliteStatement>()

  return {
    get: (keyspace, key) => {
      const table = tables[keyspace]
      if (table === undefined) return undefined
      let statement = gets[keyspace]
      if (statement === undefined) {
        statement = connection.prepare(`SELECT v, c FROM ${table} WHERE k = ?1`)
        gets[keyspace] = statement
      }
      const row = statement.get(key)
      if (row === undefined || row === null) return undefined
      const value = row.v as Uint8Array
      if (rowChecksum(key, value) !== row.c) throw damaged(keyspaces[keyspace]!, key)
      return value
    },
    floor: (keyspace, key) => {
      const table = tables[keyspace]
      if (table === undefined) return undefined
      let statement = floors[keyspace]
      if (statement === undefined) {
        statement = connection.prepare(`SELECT k, v, c FROM ${table} WHERE k <= ?1 ORDER BY k DESC LIMIT 1`)
        floors[keyspace] = statement
      }
      const row = statement.get(key)
      if (row === undefined || row === null) return undefined
      const found = row.k as Uint8Array
      const value = row.v as Uint8Array
      if (rowChecksum(found, value) !== row.c) throw damaged(keyspaces[keyspace]!, found)
      return { key: found, value }
    },
    page: (keyspace, bounds, reverse, limit) => {
      const rows: Array<Row> = []
      const table = tables[keyspace]
      if (table === undefined) return rows
      const { condition, parameters } = conditionOf(bounds)
      const sql = `SELECT k, v, c FROM ${table}${condition} ORDER BY k${reverse ? " DESC" : ""} LIMIT ?3`
      let statement = pages.get(sql)
      if (statement === undefined) {
        statement = connection.prepare(sql)
        pages.set(sql, statement)
      }
      let bytes = 0
      for (const row of statement.iterate(...parameters, limit)) {
        const key = row.k as Uint8Array
        const value = row.v as Uint8Array
        if (rowChecksum(key, value) !== row.c) throw damaged(keyspaces[keyspace]!, key)
        rows.push({ key, value })
        bytes += key.length + value.length
        if (bytes >= pageBytes) break
      }
      return rows
    }
  }
}

const damaged = (keyspace: string, key: Uint8Array): StoreDamage =>
  new StoreDamage({ keyspace, key, detail: "the checksum does not match" })

/** The bounds as an SQL condition over ?1 and ?2; an absent bound is bound to null, which both runtimes accept. */
export const conditionOf = (
  bounds: PageBounds
): { readonly condition: string; readonly parameters: readonly [Uint8Array | null, Uint8Array | null] } => {
  const lower = bounds.lower === undefined ? "?1 IS NULL" : `k ${bounds.lowerInclusive ? ">=" : ">"} ?1`
  const upper = bounds.upper === undefined ? "?2 IS NULL" : `k ${bounds.upperInclusive ? "<=" : "<"} ?2`
  return { condition: ` WHERE ${lower} AND ${upper}`, parameters: [bounds.lower ?? null, bounds.upper ?? null] }
}

/** Which of the keyspaces have a table. */
export const existingTables = (connection: SqliteConnection, keyspaces: ReadonlyArray<string>): Array<Table> => {
  const statement = connection.prepare("SELECT 1 AS found FROM sqlite_schema WHERE type = 'table' AND name = ?1")
  return keyspaces.map((keyspace) => {
    const name = tableName(keyspace)
    const row = statement.get(name)
    return row === undefined || row === null ? undefined : name
  })
}

/** Sets the page cache of a connection. */
export const setCacheSize = (connection: SqliteConnection, kib: number): void => {
  connection.exec(`PRAGMA cache_size = -${kib}`)
}
