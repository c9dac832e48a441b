/**
 * The few calls that the SQLite adapter makes, over the SQLite that the runtime carries: `bun:sqlite` on Bun (some 7 %
 * faster than Bun's `node:sqlite` in batched writes and scans), `node:sqlite` on Node and Deno.
 *
 * `bun:sqlite` is imported when it is wanted, so that no other runtime tries to resolve it.
 */
import { pathToFileURL } from "node:url"

/** What a column holds, as the adapter uses it. */
export type SqliteValue = Uint8Array | number | string | null

/** Columns by name. Blobs are copies, the reader's to keep. */
export type SqliteRow = Readonly<Record<string, SqliteValue>>

export interface SqliteStatement {
  readonly run: (...parameters: ReadonlyArray<SqliteValue>) => unknown
  /** The first row; undefined or null when there is none. */
  readonly get: (...parameters: ReadonlyArray<SqliteValue>) => SqliteRow | undefined | null
  /** IMPORTANT: leave the loop by its end, `break` or a throw; an iterator left alone holds its read transaction. */
  readonly iterate: (...parameters: ReadonlyArray<SqliteValue>) => Iterable<SqliteRow>
}

export interface SqliteConnection {
  readonly exec: (sql: string) => unknown
  readonly prepare: (sql: string) => SqliteStatement
  readonly close: () => void
}

export interface SqliteDriver {
  /** `create`: the file must not exist. Otherwise it must. */
  readonly open: (path: string, create: boolean) => SqliteConnection
  /** Read-only, as a file that nobody changes: no lock is taken, no log is read, and no file is made beside it. */
  readonly openReading: (path: string) => SqliteConnection
}

/** The result code of a thrown error, extended where the runtime tells it; undefined when the error is not SQLite's. */
export const resultCode = (cause: unknown): number | undefined => {
  if (typeof cause !== "object" || cause === null) return undefined
  const { errcode, errno, message } = cause as {
    readonly errcode?: unknown
    readonly errno?: unknown
    readonly message?: unknown
  }
  if (typeof errcode === "number") return errcode
  if (typeof errno === "number") return errno
  // Deno gives no number, only SQLite's text.
  for (const [text, code] of codeByText) if (String(message).includes(text)) return code
  return undefined
}

/** SQLite's own texts (`sqlite3ErrStr`) for the primary codes that the adapter tells apart. */
const codeByText: ReadonlyArray<readonly [string, number]> = [
  ["database disk image is malformed", 11],
  ["file is not a database", 26],
  ["database or disk is full", 13],
  ["disk I/O error", 10],
  ["database is locked", 5],
  ["unable to open database file", 14]
]

const openUri = (path: string, search: string) => {
  const url = pathToFileURL(path)
  url.search = search
  return url
}

const readingSearch = "?mode=ro&immutable=1"

const loadNode = async (): Promise<SqliteDriver> => {
  const { DatabaseSync } = await import("node:sqlite")
  return {
    open: (path, create) =>
      new DatabaseSync(openUri(path, create ? "?mode=rwc" : "?mode=rw"), {
        enableForeignKeyConstraints: false
      }) as unknown as SqliteConnection,
    openReading: (path) =>
      new DatabaseSync(openUri(path, readingSearch), {
        readOnly: true,
        enableForeignKeyConstraints: false
      }) as unknown as SqliteConnection
  }
}

interface BunDatabase extends SqliteConnection {
  readonly prepare: (sql: string) => SqliteStatement & { readonly finalize: () => void }
}

interface BunSqlite {
  readonly Database: new (
    path: string,
    options: { readonly readwrite: true; readonly create: boolean } | number
  ) => BunDatabase
}

/** `SQLITE_OPEN_READONLY | SQLITE_OPEN_URI`: its own read-only option takes no URI, and would make files beside a log's database. */
const bunReadingFlags = 0x41

const loadBun = async (): Promise<SqliteDriver> => {
  const { Database } = await (import("bun:sqlite") as Promise<unknown> as Promise<BunSqlite>)
  return {
    open: (path, create) => bunConnection(new Database(path, { readwrite: true, create })),
    openReading: (path) => bunConnection(new Database(openUri(path, readingSearch).href, bunReadingFlags))
  }
}

const bunConnection = (database: BunDatabase): SqliteConnection => {
  const statements: Array<{ readonly finalize: () => void }> = []
  return {
    exec: (sql) => database.exec(sql),
    prepare: (sql) => {
      const statement = database.prepare(sql)
      statements.push(statement)
      return statement
    },
    // A connection with live statements only pretends to close: its descriptors and locks would stay.
    close: () => {
      for (const statement of statements) statement.finalize()
      database.close()
    }
  }
}

/** Loads what this runtime has. */
export const loadSqliteDriver = (): Promise<SqliteDriver> => ("Bun" in globalThis ? loadBun() : loadNode())
