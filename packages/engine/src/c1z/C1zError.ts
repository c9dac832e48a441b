/**
 * What the SQLite database in an older archive fails with. What is around it, its magic and its zstd stream, fails with the
 * errors of every archive ({@link "../ArchiveError.ts"}).
 *
 * `C1zUnreadable` is SQLite's own complaint, `C1zSchemaInvalid` says that the tables are not those of the format,
 * `C1zRowInvalid` that a value in one of them is not what its column must hold, `C1zLimitExceeded` that something is larger than
 * a record store takes.
 */
import { Data } from "effect"

/** SQLite cannot read the database: it is none, it is damaged, or it asks for what is not allowed. */
export class C1zUnreadable extends Data.Error<{ readonly path: string; readonly detail: string }> {
  readonly _tag = "C1zUnreadable"
  override readonly name = "C1zUnreadable"
  override get message(): string {
    return `Cannot read the database in archive ${this.path}: ${this.detail}`
  }
}

/** A table is missing or is none, or a column of it is. */
export class C1zSchemaInvalid extends Data.Error<{
  readonly path: string
  readonly table: string
  readonly detail: string
}> {
  readonly _tag = "C1zSchemaInvalid"
  override readonly name = "C1zSchemaInvalid"
  override get message(): string {
    return `Cannot read archive ${this.path}: table ${this.table} ${this.detail}`
  }
}

/** A value is not what its column must hold, or the record that it stands for cannot be stored. */
export class C1zRowInvalid extends Data.Error<{
  readonly path: string
  readonly table: string
  /** SQLite's number of the row. */
  readonly row: number
  /** The column, behind it the path of fields in the message that it holds: `data.entitlement.resource`. */
  readonly field: string
  readonly detail: string
}> {
  readonly _tag = "C1zRowInvalid"
  override readonly name = "C1zRowInvalid"
  override get message(): string {
    return `Cannot translate archive ${this.path}: table ${this.table}, row ${this.row}, ${this.field}: ${this.detail}`
  }
}

/** There is more of something than is read. */
export class C1zLimitExceeded extends Data.Error<{
  readonly path: string
  readonly table: string
  /** SQLite's number of the row that is over the limit, where it is one row. */
  readonly row?: number
  readonly subject: "row size" | "run count"
  readonly actual: number
  /** Inclusive. */
  readonly maximum: number
}> {
  readonly _tag = "C1zLimitExceeded"
  override readonly name = "C1zLimitExceeded"
  override get message(): string {
    const row = this.row === undefined ? "" : `, row ${this.row}`
    return `Cannot translate archive ${this.path}: table ${this.table}${row}: its ${this.subject} is ${this.actual}, the limit is ${this.maximum}`
  }
}

/** What is wrong with the database in an older archive. */
export type C1zError = C1zUnreadable | C1zSchemaInvalid | C1zRowInvalid | C1zLimitExceeded
