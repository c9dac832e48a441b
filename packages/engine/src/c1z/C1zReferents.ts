/**
 * Finds the rows that messages of other rows stand for, each by its id in one look-up.
 *
 * A table is asked only when it has the index of the format, unique over the id and the sync: without it a look-up would read the
 * table, and with two rows of one id it would not be known which is the record. What cannot be asked for is not found, and messages
 * that stand for it are kept whole.
 */
import type { SqliteConnection, SqliteStatement } from "../live/SqliteDriver.ts"
import * as BoundedMap from "./BoundedMap.ts"
import type { MessageShape } from "./C1zMessages.ts"
import { type CheckedSchema, entitlements, quoted, resources, resourceTypes } from "./C1zSchema.ts"
import { isSame, type Resolve } from "./Remainder.ts"

/** Looks up rows of the sync. Throws what SQLite throws. */
export const makeResolve = (connection: SqliteConnection, schema: CheckedSchema): ((sync: string) => Resolve) => {
  const lookups: { readonly [name in MessageShape["name"]]?: Lookup | undefined } = {
    ResourceType: makeLookup(connection, schema, resourceTypes.name, "external_id"),
    Resource: makeLookup(connection, schema, resources.name, "resource_type_id"),
    Entitlement: makeLookup(connection, schema, entitlements.name, "external_id")
  }
  return (sync) => {
    const known = BoundedMap.make<Uint8Array | undefined>()
    return (shape, id) => {
      const lookup = lookups[shape.name]
      if (lookup === undefined) return undefined
      const key = `${shape.name}\0${id}`
      if (known.has(key)) return known.get(key)
      // A resource is named by its type and its id, joined by a zero; its column joins them by a colon.
      const at = shape.name === "Resource" ? id.indexOf("\0") : -1
      const message =
        at < 0 ? lookup(id, id, sync) : lookup(`${id.slice(0, at)}:${id.slice(at + 1)}`, id.slice(0, at), sync)
      known.set(key, message, message?.length ?? 0)
      return message
    }
  }
}

/** The message of the row with this id, whose other column is `check`. */
type Lookup = (externalId: string, check: string, sync: string) => Uint8Array | undefined

const makeLookup = (
  connection: SqliteConnection,
  schema: CheckedSchema,
  table: string,
  checkColumn: string
): Lookup | undefined => {
  if (schema.tables.get(table)!.rowCount === 0) return undefined
  const index = uniqueIndex(connection, table)
  if (index === undefined) return undefined
  const statement: SqliteStatement = connection.prepare(
    `SELECT CAST(external_id AS BLOB) AS id, CAST(${checkColumn} AS BLOB) AS checked, data FROM ${quoted(table)}
     INDEXED BY ${quoted(index)} WHERE external_id = ?1 AND sync_id = ?2 LIMIT 1`
  )
  return (externalId, check, sync) => {
    for (const row of statement.iterate(externalId, sync)) {
      const isIt = isText(row.id as Uint8Array, externalId) && isText(row.checked as Uint8Array, check)
      return isIt ? (row.data as Uint8Array) : undefined
    }
    return undefined
  }
}

const utf8 = new TextEncoder()

const isText = (bytes: Uint8Array, text: string): boolean => isSame(bytes, utf8.encode(text))

/** An index that is unique over the id and the sync, compared byte by byte, and has every row. */
const uniqueIndex = (connection: SqliteConnection, table: string): string | undefined => {
  const names: Array<string> = []
  const list = 'SELECT name FROM pragma_index_list(?1) WHERE "unique" = 1 AND partial = 0'
  for (const row of connection.prepare(list).iterate(table)) names.push(String(row.name))
  const keys = "SELECT name, coll FROM pragma_index_xinfo(?1) WHERE key = 1 ORDER BY name"
  const statement = connection.prepare(keys)
  return names.find((name) => {
    const columns: Array<string> = []
    for (const row of statement.iterate(name)) columns.push(`${row.name} ${row.coll}`)
    return columns.join() === "external_id BINARY,sync_id BINARY"
  })
}
