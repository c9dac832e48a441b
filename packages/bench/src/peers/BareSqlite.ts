/**
 * `bun:sqlite` with prepared statements, and the page size, tables without rowid, journal and syncs of the adapter. As
 * there, one connection writes and another reads, with the adapter's cache sizes.
 */
import { Database } from "bun:sqlite"
import type { BareLibrary } from "./Bare.ts"

const common = "PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA busy_timeout = 5000;"

const writing = `
  PRAGMA page_size = 8192;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA wal_autocheckpoint = 2000;
  PRAGMA journal_size_limit = ${64 * 1024 * 1024};
  PRAGMA cache_size = -65536;
`

const reading = "PRAGMA query_only = ON; PRAGMA cache_size = -4096;"

export const bareSqlite: BareLibrary = {
  name: "bun:sqlite",
  open: (directory, tables) => {
    const path = `${directory}/bare.sqlite`
    const writer = new Database(path, { readwrite: true, create: true })
    writer.exec(common + writing)
    for (const table of tables)
      writer.exec(`CREATE TABLE ${table} (k BLOB NOT NULL PRIMARY KEY, v BLOB NOT NULL) STRICT, WITHOUT ROWID`)
    const begin = writer.prepare("BEGIN IMMEDIATE")
    const commit = writer.prepare("COMMIT")
    const puts = tables.map((table) =>
      writer.prepare(`INSERT INTO ${table} (k, v) VALUES (?1, ?2) ON CONFLICT (k) DO UPDATE SET v = excluded.v`)
    )
    const reader = new Database(path, { readwrite: true, create: false })
    reader.exec(common + reading)
    const scans = tables.map((table) =>
      reader.prepare<{ readonly k: Uint8Array; readonly v: Uint8Array }, []>(`SELECT k, v FROM ${table} ORDER BY k`)
    )
    const gets = tables.map((table) =>
      reader.prepare<{ readonly v: Uint8Array }, [Uint8Array]>(`SELECT v FROM ${table} WHERE k = ?1`)
    )

    return {
      write: (fill) => {
        begin.run()
        fill((table, key, value) => {
          puts[table]!.run(key, value)
        })
        commit.run()
      },
      scan: (table) => {
        let bytes = 0
        for (const { k, v } of scans[table]!.iterate()) bytes += k.length + v.length
        return bytes
      },
      getAll: (table, keys) => {
        const statement = gets[table]!
        let bytes = 0
        reader.exec("BEGIN")
        for (const key of keys) bytes += statement.get(key)?.v.length ?? 0
        reader.exec("COMMIT")
        return bytes
      },
      close: () => {
        for (const statement of [begin, commit, ...puts, ...scans, ...gets]) statement.finalize()
        reader.close()
        writer.close()
      }
    }
  }
}
