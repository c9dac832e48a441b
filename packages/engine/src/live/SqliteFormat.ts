/**
 * The layout of an SQLite database of the engine.
 *
 * The file carries the application id `ICEC` and this layout's version as its `user_version`. Each keyspace `x` is a table
 * `ks_x`; the prefix keeps names like `sqlite_x` possible. `c` is the CRC32C of the key's bytes followed by the value's:
 * SQLite has no checksum of its own and would hand out a flipped byte as data.
 *
 * Part of the on-disk format: never change, add a version.
 */

/** `ICEC`. */
const applicationId = 0x49434543

export const layoutVersion = 1

/**
 * Twice the default. PERF: on Bun 1.4.5, rows of 160 bytes, with 4, 8 and 16 KiB: a random put in batches takes 6.5, 4.8
 * and 4.2 us, a scanned row 0.34, 0.29 and 0.25 us, a random get 2.4, 2.3 and 2.2 us; a value of 20 kB synced on its own
 * takes 0.28 ms with each. The smallest synced write puts whole pages into the log, which is why it is not 16 KiB.
 */
export const pageSizeBytes = 8_192

const bookName = "icecore"
const bookSql: string = `CREATE TABLE ${bookName} (id INTEGER PRIMARY KEY CHECK (id = 1), flushes INTEGER NOT NULL) STRICT`

/** The one row of `icecore` exists to be changed: a commit that changes nothing writes nothing and syncs nothing. */
export const createSql: string = `
  ${bookSql};
  INSERT INTO icecore (id, flushes) VALUES (1, 0);
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${layoutVersion};
`

export const tableName = (keyspace: string): string => `ks_${keyspace}`

export const createKeyspaceSql = (keyspace: string): string =>
  `CREATE TABLE ${tableName(keyspace)} (k BLOB NOT NULL PRIMARY KEY, v BLOB NOT NULL, c INTEGER NOT NULL) STRICT, WITHOUT ROWID`

const statisticsSql: ReadonlySet<string> = new Set([
  "CREATE TABLE sqlite_stat1(tbl,idx,stat)",
  "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)"
])

/**
 * What is wrong with a row of the schema of a database. Only our own tables may be there, exactly as they are made here: views, generated
 * columns and triggers run what the file says, and the file may come from an archive of anybody. The statistics of `ANALYZE` may be there.
 */
export const inspectSchemaRow = (type: unknown, name: string, sql: unknown): string | undefined => {
  if (type === "table" && statisticsSql.has(String(sql))) return undefined
  const prefix = tableName("")
  const expected =
    name === bookName ? bookSql : name.startsWith(prefix) ? createKeyspaceSql(name.slice(prefix.length)) : undefined
  if (expected === undefined) return `it has a ${type} ${JSON.stringify(name)}, which is not of its layout`
  return type === "table" && sql === expected ? undefined : `its table ${name} is not as its layout says`
}

/** Bytes of an SQLite file's header, the part that {@link inspectHeader} looks at. */
export const headerBytes = 100

const magic = "SQLite format 3\0"

/**
 * What is wrong with a file, judged by its header (https://sqlite.org/fileformat2.html#the_database_header) and size.
 * With a write-ahead log beside it the header may be older or newer than the rest, so only then the size is not judged.
 */
export const inspectHeader = (head: Uint8Array, fileBytes: number, hasLog: boolean): string | undefined => {
  if (head.length < headerBytes) return `the file has ${fileBytes} bytes, an SQLite file has at least ${headerBytes}`
  for (let index = 0; index < magic.length; index++) {
    if (head[index] !== magic.charCodeAt(index)) return "the file is not an SQLite database"
  }
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
  const application = view.getUint32(68)
  if (application !== applicationId) {
    return `the application id is 0x${application.toString(16)}, expected 0x${applicationId.toString(16)}`
  }
  const version = view.getUint32(60)
  if (version !== layoutVersion) return `the layout is version ${version}, this program knows version ${layoutVersion}`
  const pageSize = view.getUint16(16) === 1 ? 65_536 : view.getUint16(16)
  const expectedBytes = view.getUint32(28) * pageSize
  if (!hasLog && fileBytes < expectedBytes) return `the file has ${fileBytes} bytes, expected ${expectedBytes}`
  return undefined
}
