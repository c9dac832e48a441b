/**
 * What the rows ask of a bare library: as few lines of ours as a program that uses the library directly would have.
 */
import { Effect, type Scope } from "effect"

/** A database file of one library. Tables are indexes into the list it was opened with. */
export interface BareDatabase {
  /** One transaction, durable on return. */
  readonly write: (fill: (put: BarePut) => void) => void
  /** Reads all rows of a table in key order; returns the bytes of keys and values. */
  readonly scan: (table: number) => number
  /** Looks up every key, all in one read transaction; returns the bytes of the values that were found. */
  readonly getAll: (table: number, keys: ReadonlyArray<Uint8Array>) => number
  readonly close: () => void | Promise<void>
}

export type BarePut = (table: number, key: Uint8Array, value: Uint8Array) => void

/** One bare library. */
export interface BareLibrary {
  /** As the table shows it. */
  readonly name: string
  /** Makes a database in an existing directory that has none. */
  readonly open: (directory: string, tables: ReadonlyArray<string>) => BareDatabase
}

/** A database for the scope. */
export const scoped = (
  library: BareLibrary,
  directory: string,
  tables: ReadonlyArray<string>
): Effect.Effect<BareDatabase, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => library.open(directory, tables)),
    (database) => Effect.promise(async () => database.close())
  )
