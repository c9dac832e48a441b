/** Reads the rows of an older archive: those of one sync, page by page, and single ones by their id. */
import type { SqliteConnection, SqliteRow, SqliteStatement } from "../live/SqliteDriver.ts"
import { C1zRowInvalid, C1zUnreadable } from "./C1zError.ts"
import { type CheckedTable, quoted } from "./C1zSchema.ts"
import { decodeText, ProtobufInvalid } from "./ProtobufFields.ts"

/** Rows of a page at most. */
const maxPageRows = 1_000

/** A page ends with the row that brings it to so many bytes. */
const pageBytes = 4 * 1024 * 1024

/** Rows in the order of their numbers. `next` is the number to go on from; undefined when there is none. */
export interface C1zPage {
  readonly rows: ReadonlyArray<C1zRow>
  readonly next: number | undefined
}

/** Reads pages of a table: of one sync, given by its id as bytes, or of all when there is none. Throws what SQLite throws, and `C1zUnreadable`. */
export const makePages = (
  connection: SqliteConnection,
  path: string,
  table: CheckedTable
): ((sync: Uint8Array | undefined, from: number) => C1zPage) => {
  const columns = table.columns.map((column) => `${columnSql(table, column)} AS ${quoted(column)}`).join(", ")
  const statements = new Map<boolean, SqliteStatement>()
  const prepared = (isOfSync: boolean): SqliteStatement => {
    const found = statements.get(isOfSync)
    if (found !== undefined) return found
    // A comparison of bytes, whatever collation the column has.
    const condition = isOfSync ? " AND CAST(sync_id AS BLOB) = ?3" : ""
    const statement = connection.prepare(
      `SELECT rowid AS rowid, ${columns} FROM ${quoted(table.shape.name)} NOT INDEXED WHERE rowid >= ?1${condition} ORDER BY rowid LIMIT ?2`
    )
    statements.set(isOfSync, statement)
    return statement
  }
  return (sync, from) => {
    const rows: Array<C1zRow> = []
    let sizeBytes = 0
    let last = from - 1
    const parameters = sync === undefined ? [from, maxPageRows] : [from, maxPageRows, sync]
    for (const values of prepared(sync !== undefined).iterate(...parameters)) {
      const row = values.rowid as number
      if (row <= last) throw new C1zUnreadable({ path, detail: `rows of ${table.shape.name} are not in order` })
      last = row
      rows.push(new C1zRow(path, table.shape.name, row, values))
      for (const value of Object.values(values)) if (value instanceof Uint8Array) sizeBytes += value.length
      if (sizeBytes >= pageBytes) break
    }
    const isLast = rows.length < maxPageRows && sizeBytes < pageBytes
    return { rows, next: isLast ? undefined : last + 1 }
  }
}

/** Text as its bytes: runtimes replace what is not UTF-8, and some end it at its first zero. */
const columnSql = (table: CheckedTable, column: string): string =>
  table.shape.columns[column]!.kind === "text" ? `CAST(${quoted(column)} AS BLOB)` : quoted(column)

const noBytes = new Uint8Array(0)

/** A row as it is read, checked before to have what its columns say. Text is in its bytes until it is asked for. */
export class C1zRow {
  /** SQLite's number of the row. */
  readonly row: number
  readonly table: string
  readonly #path: string
  readonly #values: SqliteRow

  constructor(path: string, table: string, row: number, values: SqliteRow) {
    this.#path = path
    this.table = table
    this.row = row
    this.#values = values
  }

  /** Empty when it is null or not there. Throws `C1zRowInvalid` when it is not UTF-8. */
  text(column: string): string {
    return this.optionalText(column) ?? ""
  }

  /** Undefined when it is null or not there. Throws `C1zRowInvalid` when it is not UTF-8. */
  optionalText(column: string): string | undefined {
    const bytes = this.optionalBlob(column)
    if (bytes === undefined) return undefined
    try {
      return decodeText(bytes)
    } catch (cause) {
      throw cause instanceof ProtobufInvalid ? this.invalid(column, cause.detail) : cause
    }
  }

  /** Empty when it is null or not there. */
  blob(column: string): Uint8Array {
    return this.optionalBlob(column) ?? noBytes
  }

  /** Undefined when it is null or not there. */
  optionalBlob(column: string): Uint8Array | undefined {
    return (this.#values[column] as Uint8Array | null | undefined) ?? undefined
  }

  flag(column: string): boolean {
    return this.#values[column] === 1
  }

  /** What is wrong with the row. */
  invalid(field: string, detail: string): C1zRowInvalid {
    return new C1zRowInvalid({ path: this.#path, table: this.table, row: this.row, field, detail })
  }
}
