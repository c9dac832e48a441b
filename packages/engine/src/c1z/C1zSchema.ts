/**
 * The tables of an older archive, and the check that a database has them: real tables with plain columns of the right types,
 * nothing in them larger than a record store takes. After it every value is what its column says.
 *
 * All of it runs in SQLite over the whole table, once. Views, generated columns and tables of modules are refused, because reading
 * them runs what the file says; triggers and the defaults of columns do nothing when a table is read. No index is used: one that covers
 * the columns is read in place of the table, and may hold other rows than it.
 */
import { maxRowValueSizeBytes } from "../format/BlockFormat.ts"
import type { SqliteConnection, SqliteRow } from "../live/SqliteDriver.ts"
import { C1zLimitExceeded, C1zRowInvalid, C1zSchemaInvalid } from "./C1zError.ts"

/** What a column is. */
export interface ColumnShape {
  readonly kind: "text" | "blob" | "flag"
  /** Whether it may be null. */
  readonly isNullable?: boolean
  /** Whether earlier generations do not have it. */
  readonly isLater?: boolean
}

/** What is known of a table. Besides, every table has the number of its rows in a column `id`. */
export interface TableShape {
  readonly name: string
  readonly columns: { readonly [column: string]: ColumnShape }
}

const text: ColumnShape = { kind: "text" }
const nullableText: ColumnShape = { kind: "text", isNullable: true }
const laterText: ColumnShape = { kind: "text", isLater: true }
const blob: ColumnShape = { kind: "blob" }

export const syncRuns: TableShape = {
  name: "v1_sync_runs",
  columns: {
    sync_id: text,
    started_at: text,
    ended_at: nullableText,
    sync_token: text,
    sync_type: laterText,
    parent_sync_id: laterText
  }
}

export const resourceTypes: TableShape = {
  name: "v1_resource_types",
  columns: { external_id: text, data: blob, sync_id: text, discovered_at: text }
}

export const resources: TableShape = {
  name: "v1_resources",
  columns: {
    resource_type_id: text,
    external_id: text,
    parent_resource_type_id: nullableText,
    parent_resource_id: nullableText,
    data: blob,
    sync_id: text,
    discovered_at: text
  }
}

export const entitlements: TableShape = {
  name: "v1_entitlements",
  columns: {
    resource_type_id: text,
    resource_id: text,
    external_id: text,
    data: blob,
    sync_id: text,
    discovered_at: text
  }
}

export const grants: TableShape = {
  name: "v1_grants",
  columns: {
    resource_type_id: text,
    resource_id: text,
    entitlement_id: text,
    principal_resource_type_id: text,
    principal_resource_id: text,
    external_id: text,
    expansion: { kind: "blob", isNullable: true, isLater: true },
    needs_expansion: { kind: "flag", isLater: true },
    data: blob,
    sync_id: text,
    discovered_at: text
  }
}

export const assets: TableShape = {
  name: "v1_assets",
  columns: { external_id: text, content_type: text, data: blob, sync_id: text, discovered_at: text }
}

export const tables: ReadonlyArray<TableShape> = [syncRuns, resourceTypes, resources, entitlements, grants, assets]

/**
 * Bytes of a row's columns at most. The record of a row can be a little larger than the row, and so can its key: what is over the
 * store's own limit after that is refused by the store.
 */
const maxRowBytes: number = maxRowValueSizeBytes - 64 * 1024

/** Other columns that are looked into for what they hold; a table has up to 2,000. */
const maxOtherColumnCount = 100

/** A table as it is in a database. */
export interface CheckedTable {
  readonly shape: TableShape
  /** The columns of its shape that it has. */
  readonly columns: ReadonlyArray<string>
  readonly rowCount: number
  /** SQLite's number of its first row; 0 when it is empty. */
  readonly firstRow: number
  /** Rows that have something in a column that is not known, by column. */
  readonly others: ReadonlyMap<string, number>
}

/** What is in a database: the known tables, and the row counts of others. */
export interface CheckedSchema {
  readonly tables: ReadonlyMap<string, CheckedTable>
  readonly others: ReadonlyMap<string, number>
}

/** Checks a whole database. Throws the errors of `C1zError.ts`, and what SQLite throws. */
export const checkSchema = (connection: SqliteConnection, path: string): CheckedSchema => {
  const encoding = firstOf(connection, "SELECT encoding AS value FROM pragma_encoding")?.value
  if (encoding !== "UTF-8") {
    throw new C1zSchemaInvalid({ path, table: syncRuns.name, detail: `has text in ${encoding}, expected UTF-8` })
  }
  const listed = new Map<string, SqliteRow>()
  for (const row of rowsOf(connection, "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main'")) {
    listed.set(String(row.name), row)
  }
  const checked = new Map<string, CheckedTable>()
  for (const shape of tables) checked.set(shape.name, checkTable(connection, path, shape, listed.get(shape.name)))
  const others = new Map<string, number>()
  for (const [name, { type }] of listed) {
    if (checked.has(name) || name.startsWith("sqlite_") || (type !== "table" && type !== "shadow")) continue
    const count = Number(firstOf(connection, `SELECT count(*) AS value FROM ${quoted(name)}`)?.value)
    if (count > 0) others.set(name, count)
  }
  return { tables: checked, others }
}

const checkTable = (
  connection: SqliteConnection,
  path: string,
  shape: TableShape,
  listed: SqliteRow | undefined
): CheckedTable => {
  const invalid = (detail: string) => new C1zSchemaInvalid({ path, table: shape.name, detail })
  if (listed === undefined) throw invalid("is missing")
  if (listed.type !== "table") throw invalid(`is a ${listed.type}, expected a table`)
  if (listed.wr !== 0) throw invalid("has no row numbers")
  const found = new Map<string, boolean>()
  for (const row of connection.prepare("SELECT name, hidden FROM pragma_table_xinfo(?1)").iterate(shape.name)) {
    found.set(String(row.name).toLowerCase(), row.hidden !== 0)
  }
  if (found.has("rowid")) throw invalid("has a column rowid, which hides the numbers of its rows")
  const columns: Array<string> = []
  for (const [column, { isLater }] of Object.entries(shape.columns)) {
    const isGenerated = found.get(column)
    if (isGenerated === true) throw invalid(`has a column ${column} that is generated`)
    if (isGenerated === false) columns.push(column)
    else if (isLater !== true) throw invalid(`has no column ${column}`)
  }
  const otherColumns = [...found]
    .filter(([column, isGenerated]) => !isGenerated && column !== "id" && shape.columns[column] === undefined)
    .map(([column]) => column)
    .slice(0, maxOtherColumnCount)
  return checkRows(connection, path, shape, columns, otherColumns)
}

/** One pass over the table itself. */
const checkRows = (
  connection: SqliteConnection,
  path: string,
  shape: TableShape,
  columns: ReadonlyArray<string>,
  otherColumns: ReadonlyArray<string>
): CheckedTable => {
  const table = quoted(shape.name)
  const size = columns.map((column) => `ifnull(octet_length(${quoted(column)}), 0)`).join(" + ")
  const wrong = columns.map((column) => isWrongSql(column, shape.columns[column]!))
  const filled = otherColumns.map((column) => `${quoted(column)} IS NOT NULL AND ${quoted(column)} NOT IN ('', 0)`)
  const unsafe = `rowid NOT BETWEEN ${Number.MIN_SAFE_INTEGER} AND ${Number.MAX_SAFE_INTEGER}`
  const sums = [unsafe, ...wrong, ...filled].map((condition, at) => `sum(${condition}) AS s${at}`)
  const totals = firstOf(
    connection,
    `SELECT count(*) AS count, max(${size}) AS size, ${sums.join(", ")} FROM ${table} NOT INDEXED`
  )!
  const rowWhere = (condition: string) =>
    Number(firstOf(connection, `SELECT rowid AS value FROM ${table} NOT INDEXED WHERE ${condition} LIMIT 1`)?.value)
  const isAny = (at: number) => Number(totals[`s${at}`] ?? 0) > 0

  if (isAny(0)) {
    throw new C1zSchemaInvalid({ path, table: shape.name, detail: "has a row number of more than 53 bits" })
  }
  columns.forEach((column, at) => {
    if (!isAny(at + 1)) return
    const row = rowWhere(wrong[at]!)
    const type = `SELECT typeof(${quoted(column)}) AS value FROM ${table} NOT INDEXED WHERE rowid = ${row}`
    const detail = `it is ${firstOf(connection, type)?.value}, expected ${expectedOf(shape.columns[column]!)}`
    throw new C1zRowInvalid({ path, table: shape.name, row, field: column, detail })
  })
  const maxSize = Number(totals.size ?? 0)
  if (maxSize > maxRowBytes) {
    const row = rowWhere(`${size} = ${maxSize}`)
    throw new C1zLimitExceeded({
      path,
      table: shape.name,
      row,
      subject: "row size",
      actual: maxSize,
      maximum: maxRowBytes
    })
  }
  const others = new Map<string, number>()
  otherColumns.forEach((column, at) => {
    const count = Number(totals[`s${at + 1 + columns.length}`] ?? 0)
    if (count > 0) others.set(column, count)
  })
  const rowCount = Number(totals.count)
  const firstRow =
    rowCount === 0 ? 0 : Number(firstOf(connection, `SELECT min(rowid) AS value FROM ${table} NOT INDEXED`)?.value)
  return { shape, columns, rowCount, firstRow, others }
}

const isWrongSql = (column: string, { kind, isNullable }: ColumnShape): string => {
  const name = quoted(column)
  if (kind === "flag") return `NOT (typeof(${name}) = 'integer' AND ${name} IN (0, 1))`
  return `typeof(${name}) ${isNullable === true ? `NOT IN ('${kind}', 'null')` : `<> '${kind}'`}`
}

const expectedOf = ({ kind }: ColumnShape): string => (kind === "flag" ? "integer 0 or 1" : kind)

/** A name in SQL. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

const rowsOf = (connection: SqliteConnection, sql: string): ReadonlyArray<SqliteRow> => [
  ...connection.prepare(sql).iterate()
]

const firstOf = (connection: SqliteConnection, sql: string): SqliteRow | undefined => rowsOf(connection, sql)[0]
