/** What the tests of readers share: items of one finished sync, how they are listed, and in which order they are to come. */
import { Effect, Option, type Scope } from "effect"
import type { Database, EngineError } from "../src/Engine.ts"
import { compareBytes } from "../src/internal/Bounds.ts"
import * as RecordReader from "../src/RecordReader.ts"
import type * as RecordType from "../src/RecordType.ts"
import type { SyncId } from "../src/SyncRun.ts"
import { entryKey, Item, openPlanted, Pair, recordKey, syncId } from "./PlantedStore.ts"

export const finished: SyncId = syncId(5)

export const readerOf = (
  database: Database,
  types: ReadonlyArray<RecordType.Any> = [Item, Pair]
): Effect.Effect<RecordReader.RecordReader, RecordReader.RecordReadError> =>
  RecordReader.make({ reader: database.snapshot, path: database.path, types })

/** A reader of a store in memory with one finished sync. */
export const planted = (
  records: ReadonlyArray<Item>,
  pairs: ReadonlyArray<Pair> = []
): Effect.Effect<RecordReader.RecordReader, EngineError | RecordReader.RecordReadError, Scope.Scope> =>
  Effect.flatMap(openPlanted([{ id: finished, endedAt: 9, items: records, pairs }]), (database) => readerOf(database))

export type Options = RecordReader.ListOptions<typeof Item>

/** All pages of a listing. */
export const pagesOf: (
  reader: RecordReader.RecordReader,
  options: Options
) => Effect.Effect<ReadonlyArray<RecordReader.Page<Item>>, RecordReader.RecordListError> = Effect.fnUntraced(function* (
  reader: RecordReader.RecordReader,
  options: Options
) {
  const pages: Array<RecordReader.Page<Item>> = []
  let token: string | undefined
  do {
    const page = yield* reader.list(Item, { ...options, ...(token === undefined ? {} : { pageToken: token }) })
    pages.push(page)
    token = Option.getOrUndefined(page.nextPageToken)
  } while (token !== undefined)
  return pages
})

export const idsOf = (pages: ReadonlyArray<RecordReader.Page<Item>>): ReadonlyArray<string> =>
  pages.flatMap((page) => page.items.map(({ id }) => id))

const isIn: Readonly<Record<string, (record: Item) => boolean>> = {
  by_group: () => true,
  by_flag: ({ flag }) => flag,
  by_note: ({ note }) => note !== undefined
}

/** The records of an index, or of the primary key, in order. */
export const ordered = (records: ReadonlyArray<Item>, index?: string): Array<Item> => {
  const key = (record: Item) => (index === undefined ? recordKey(finished, record) : entryKey(finished, index, record))
  return records
    .filter(index === undefined ? () => true : isIn[index]!)
    .toSorted((left, right) => compareBytes(key(left), key(right)))
}

/** The primary key and the indexes. */
export const indexNames: readonly [undefined, "by_group", "by_flag", "by_note"] = [
  undefined,
  "by_group",
  "by_flag",
  "by_note"
]

export const withIndex = (index: (typeof indexNames)[number]): Options => (index === undefined ? {} : { index })
