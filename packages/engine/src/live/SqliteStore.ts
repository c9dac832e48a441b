/**
 * An SQLite file as a store.
 *
 * Write-ahead log, so that readers and the one writer do not wait for each other. A synced write commits with
 * `synchronous=FULL`, which syncs the log before the commit returns. A buffered one commits with `NORMAL`: its frames are
 * in the log in order, the log is not synced. A later `FULL` commit syncs the whole log, and with it every commit before,
 * so a flush is a `FULL` commit of one changed number. A checkpoint syncs the log before and the database after it
 * copies, in both modes. After a power cut SQLite takes the log up to the first frame whose checksum does not hold.
 */
import { Effect } from "effect"
import type { Durability } from "../Engine.ts"
import { after } from "../internal/Bounds.ts"
import { dataFiles } from "../internal/DataFiles.ts"
import { rowChecksum } from "../internal/RowChecksum.ts"
import type { PageBounds, Store, StoreLibrary, StoreOpenOptions } from "../internal/Store.ts"
import {
  conditionOf,
  existingTables,
  openReading,
  openWriter,
  setCacheSize,
  writerCacheKiB
} from "./SqliteConnection.ts"
import type { SqliteConnection, SqliteDriver, SqliteStatement } from "./SqliteDriver.ts"
import { fault } from "./SqliteFault.ts"
import {
  createKeyspaceSql,
  createSql,
  headerBytes,
  inspectHeader,
  inspectSchemaRow,
  pageSizeBytes,
  tableName
} from "./SqliteFormat.ts"
import { makeReadings } from "./SqliteReadings.ts"

/**
 * Four rows a page. Of a row with more than 2,030 bytes SQLite keeps a part in the tree and the rest on pages of its own
 * (https://sqlite.org/fileformat2.html#b_tree_pages): rows of 4 KB took twice the space.
 */
const denseValueSizeBytes = 1_870

/**
 * Page cache of the connection that reads share, in KiB. PERF: the row at or below a random key, in a file of 90 MB on a small
 * machine, takes 11.4 us with 4 MiB and 4.4 us with 64 MiB: what is missing costs a call of the system each. Not 64 MiB, because a scan
 * fills it, and a store of a log has several databases open: saving an archive of 250 MB took 180 MB with it.
 */
const sharedCacheKiB = 16_384

/** SQLite 3.7.0 to 3.51.2 can damage a database when the log starts over. */
const oldestVersion = 3_051_003

/**
 * Checks the library's version and gives the store library over it. With `cacheKiB` the connection that reads share has a page cache of
 * so many KiB, 16 MiB by default, and the one that writes of no more than that.
 */
export const sqliteLibrary = (driver: SqliteDriver, cacheKiB: number = sharedCacheKiB): StoreLibrary => ({
  name: "sqlite",
  fileName: dataFiles.sqlite,
  companions: ["-wal", "-shm", "-journal"],
  denseValueSizeBytes,
  inspect,
  create: async (path) => create(driver, path),
  open: async (options) => open(driver, options, cacheKiBOf(options, cacheKiB)),
  fault
})

/** Below this a connection reads most pages again and again. */
const leastCacheKiB = 64

const cacheKiBOf = ({ cacheSizeBytes }: StoreOpenOptions, cacheKiB: number): number =>
  cacheSizeBytes === undefined
    ? cacheKiB
    : Math.max(leastCacheKiB, Math.min(cacheKiB, Math.ceil(cacheSizeBytes / 1_024)))

const inspect: StoreLibrary["inspect"] = Effect.fnUntraced(function* (file, hasCompanion) {
  const fileBytes = yield* file.size
  const head = new Uint8Array(Math.min(fileBytes, headerBytes))
  yield* file.readAt(head, 0)
  return inspectHeader(head, fileBytes, hasCompanion)
})

const create = (driver: SqliteDriver, path: string): void => {
  const connection = openWriter(driver, path, true)
  try {
    requireVersion(connection)
    connection.exec(`PRAGMA page_size = ${pageSizeBytes}`)
    connection.exec("PRAGMA journal_mode = WAL")
    connection.exec(`BEGIN IMMEDIATE; ${createSql} COMMIT`)
  } finally {
    // The last connection moves the log into the file and removes it.
    connection.close()
  }
}

const requireVersion = (connection: SqliteConnection): void => {
  const version = String(connection.prepare("SELECT sqlite_version() AS version").get()?.version)
  const [major, minor, patch] = version.split(".").map(Number)
  if (major! * 1_000_000 + minor! * 1_000 + patch! < oldestVersion) {
    throw new Error(
      `SQLite is version ${version}, needed is 3.51.3 or newer: older ones can damage the write-ahead log`
    )
  }
}

const open = (driver: SqliteDriver, options: StoreOpenOptions, cacheKiB: number): Store => {
  const { keyspaces, path, readOnly } = options
  const opened: Array<SqliteConnection> = []
  const closeAll = () => {
    for (const connection of opened.splice(0).reverse()) connection.close()
  }
  try {
    const writer = readOnly ? openReading(driver, path) : openWriter(driver, path, false)
    opened.push(writer)
    requireVersion(writer)
    requireLayout(writer)
    if (!readOnly) {
      setCacheSize(writer, Math.min(cacheKiB, writerCacheKiB))
      createMissing(writer, keyspaces)
    }
    return makeStore(driver, options, writer, closeAll, cacheKiB)
  } catch (cause) {
    closeAll()
    throw cause
  }
}

/** A database of which SQLite would say nothing, and that is none of ours. */
class LayoutDamage extends Error {
  /** `SQLITE_CORRUPT`. */
  readonly errcode = 11
}

/** Also the first read of the file, with which the library recovers the log. */
const requireLayout = (connection: SqliteConnection): void => {
  const mode = connection.prepare("PRAGMA journal_mode").get()?.journal_mode
  if (mode !== "wal") throw new Error(`the journal mode is ${mode}, expected wal`)
  for (const { name, sql, type } of connection.prepare("SELECT type, name, sql FROM sqlite_schema").iterate()) {
    const problem = inspectSchemaRow(type, String(name), sql)
    if (problem !== undefined) throw new LayoutDamage(problem)
  }
  connection.prepare("SELECT flushes FROM icecore WHERE id = 1").get()
}

const createMissing = (writer: SqliteConnection, keyspaces: ReadonlyArray<string>): void => {
  const tables = existingTables(writer, keyspaces)
  const missing = keyspaces.filter((_, index) => tables[index] === undefined)
  if (missing.length > 0) writer.exec(`BEGIN IMMEDIATE; ${missing.map(createKeyspaceSql).join("; ")}; COMMIT`)
}

const makeStore = (
  driver: SqliteDriver,
  { keyspaces, path, readOnly }: StoreOpenOptions,
  writer: SqliteConnection,
  closeWriter: () => void,
  cacheKiB: number
): Store => {
  const tables = existingTables(writer, keyspaces)
  const readings = makeReadings({ driver, path, keyspaces, tables, readOnly, cacheKiB })
  const begin = writer.prepare("BEGIN IMMEDIATE")
  const commit = writer.prepare("COMMIT")
  const rollback = writer.prepare("ROLLBACK")
  const touch = writer.prepare("UPDATE icecore SET flushes = flushes + 1 WHERE id = 1")
  const puts = tables.map((table) =>
    table === undefined || readOnly
      ? undefined
      : writer.prepare(
          `INSERT INTO ${table} (k, v, c) VALUES (?1, ?2, ?3) ON CONFLICT (k) DO UPDATE SET v = excluded.v, c = excluded.c`
        )
  )
  const deletes = tables.map((table) =>
    table === undefined || readOnly ? undefined : writer.prepare(`DELETE FROM ${table} WHERE k = ?1`)
  )
  const rangeStatements = new Map<string, SqliteStatement>()
  let durability: Durability = "synced"
  /** A process that died may have left commits in the log that were never synced. */
  let unsynced = true

  const setDurability = (next: Durability) => {
    if (next === durability) return
    writer.exec(next === "synced" ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL")
    durability = next
  }

  const rollbackQuietly = () => {
    try {
      rollback.run()
    } catch {
      // The library has rolled back by itself, which it does on full disks and I/O errors.
    }
  }

  const rangeStatement = (sql: string): SqliteStatement => {
    let statement = rangeStatements.get(sql)
    if (statement === undefined) {
      statement = writer.prepare(sql)
      rangeStatements.set(sql, statement)
    }
    return statement
  }

  const deleteRange = (keyspace: number, bounds: PageBounds): void => {
    const { condition, parameters } = conditionOf(bounds)
    rangeStatement(`DELETE FROM ${tableName(keyspaces[keyspace]!)}${condition}`).run(...parameters)
  }

  return {
    begin: (next) => {
      setDurability(next)
      begin.run()
    },
    put: (keyspace, key, value) => {
      puts[keyspace]!.run(key, value, rowChecksum(key, value))
    },
    delete: (keyspace, key) => {
      deletes[keyspace]!.run(key)
    },
    deleteRange,
    deleteSome: (keyspace, bounds, limit) => {
      const { condition, parameters } = conditionOf(bounds)
      const sql = `SELECT k FROM ${tableName(keyspaces[keyspace]!)}${condition} ORDER BY k LIMIT 1 OFFSET ?3`
      const last = rangeStatement(sql).get(...parameters, limit - 1)
      if (last === undefined || last === null) {
        deleteRange(keyspace, bounds)
        return undefined
      }
      const key = last.k as Uint8Array
      deleteRange(keyspace, { ...bounds, upper: key, upperInclusive: true })
      return after(bounds, key, false)
    },
    // The transaction is on a connection that nothing reads from.
    pause: () => {},
    resume: () => {},
    commit: () => {
      readings.endShared()
      // A commit that changes nothing syncs nothing, and what was buffered before it would stay so.
      if (durability === "synced" && unsynced) touch.run()
      commit.run()
      unsynced = durability === "buffered"
    },
    rollback: rollbackQuietly,
    flush: async () => {
      if (!unsynced) return
      setDurability("synced")
      readings.endShared()
      begin.run()
      try {
        touch.run()
        commit.run()
      } catch (cause) {
        rollbackQuietly()
        throw cause
      }
      unsynced = false
    },
    get: readings.get,
    floor: readings.floor,
    openReader: readings.openReader,
    copyTo: async (target) => {
      withConnection(driver.open(path, false), (connection) => {
        connection.exec("PRAGMA busy_timeout = 5000; PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY")
        connection.exec(`VACUUM INTO '${target.replaceAll("'", "''")}'`)
      })
      // The copy keeps everything of the original but the journal mode.
      withConnection(driver.open(target, false), (connection) => connection.exec("PRAGMA journal_mode = WAL"))
    },
    close: async () => {
      readings.close()
      closeWriter()
    }
  }
}

const withConnection = (connection: SqliteConnection, run: (connection: SqliteConnection) => void): void => {
  try {
    run(connection)
  } finally {
    connection.close()
  }
}
