/** What the child of the kill test writes, so that the parent can tell every record from its number. */
import { Schema } from "effect"
import * as RecordType from "../src/RecordType.ts"

/** A record that says which sync it is of. */
export interface Entry {
  readonly id: number
  readonly group: number
  readonly text: string
  readonly discovered_at: number
}

export const Entry: RecordType.RecordType<"Entry", Entry, Pick<Entry, "id">, "by_group"> = RecordType.make({
  name: "Entry",
  fields: Schema.Struct({ id: Schema.Int, group: Schema.Int, text: Schema.String, discovered_at: Schema.Int }),
  primaryKey: ["id"],
  indexes: { by_group: { paths: ["group"] } }
})

/** Records of a page of a fresh sync, and pages of one. */
export const pageSize = 500
export const pageCount = 12

/** A checkpoint after so many pages. */
export const pagesPerCheckpoint = 5

/** Records of one call in a resumed sync, and the number of the first of them. */
export const batchSize = 40
export const firstAdded = 1_000_000

export const entryOf = (sync: string, id: number): Entry => ({
  id,
  group: (id * 7_919) % 97,
  text: `${sync} ${id} `.padEnd(200, "."),
  discovered_at: id
})

/** `count` records from `first` on. */
export const entriesOf = (sync: string, first: number, count: number): ReadonlyArray<Entry> =>
  Array.from({ length: count }, (_, at) => entryOf(sync, first + at))
