import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema, Stream } from "effect"
import type { Database } from "../src/Engine.ts"
import { metaKeyspace, schemaKey } from "../src/format/RecordLayout.ts"
import { encodeSchema } from "../src/format/StoreSchema.ts"
import { compareBytes } from "../src/internal/Bounds.ts"
import * as RecordReader from "../src/RecordReader.ts"
import * as RecordType from "../src/RecordType.ts"
import {
  blocksOf,
  entryKey,
  Item,
  item,
  items,
  openMemory,
  openPlanted,
  Pair,
  plantBlocks,
  plantRows,
  recordKey,
  rowsOf,
  schema,
  syncId
} from "./PlantedStore.ts"

const finished = syncId(5)

const readerOf = (database: Database, types: ReadonlyArray<RecordType.Any> = [Item, Pair]) =>
  RecordReader.make({ reader: database.snapshot, path: database.path, types })

const planted = (records: ReadonlyArray<Item>, pairs: ReadonlyArray<Pair> = []) =>
  Effect.flatMap(openPlanted([{ id: finished, endedAt: 9, items: records, pairs }]), (database) => readerOf(database))

type Options = RecordReader.ListOptions<typeof Item>

/** All pages of a listing. */
const pagesOf = Effect.fnUntraced(function* (reader: RecordReader.RecordReader, options: Options) {
  const pages: Array<RecordReader.Page<Item>> = []
  let token: string | undefined
  do {
    const page = yield* reader.list(Item, { ...options, ...(token === undefined ? {} : { pageToken: token }) })
    pages.push(page)
    token = Option.getOrUndefined(page.nextPageToken)
  } while (token !== undefined)
  return pages
})

const idsOf = (pages: ReadonlyArray<RecordReader.Page<Item>>) => pages.flatMap((page) => page.items.map(({ id }) => id))

const isIn: Readonly<Record<string, (record: Item) => boolean>> = {
  by_group: () => true,
  by_flag: ({ flag }) => flag,
  by_note: ({ note }) => note !== undefined
}

/** The records of an index, or of the primary key, in order. */
const ordered = (records: ReadonlyArray<Item>, index?: string): Array<Item> => {
  const key = (record: Item) => (index === undefined ? recordKey(finished, record) : entryKey(finished, index, record))
  return records
    .filter(index === undefined ? () => true : isIn[index]!)
    .toSorted((left, right) => compareBytes(key(left), key(right)))
}

const indexNames = [undefined, "by_group", "by_flag", "by_note"] as const

const withIndex = (index: (typeof indexNames)[number]): Options => (index === undefined ? {} : { index })

describe("RecordReader", () => {
  it.effect("get and getMany give records, absence, and the order of the keys", () =>
    Effect.gen(function* () {
      const pair = { left: "a\0b", right: -5, text: "x" }
      const reader = yield* planted(items(50), [pair, { left: "a", right: 0, text: "y" }])
      assert.deepStrictEqual(yield* reader.get(Item, { id: item(17).id }), Option.some(item(17)))
      assert.deepStrictEqual(yield* reader.get(Item, { id: "item/00001" }), Option.none())
      assert.deepStrictEqual(yield* reader.get(Item, { id: "x".repeat(5_000) }), Option.none())
      assert.deepStrictEqual(yield* reader.get(Pair, { left: "a\0b", right: -5 }), Option.some(pair))
      const keys = [item(40), { id: "" }, item(2), item(40), { id: "y".repeat(2_000) }, item(0)]
      assert.deepStrictEqual(yield* reader.getMany(Item, keys), [
        Option.some(item(40)),
        Option.none(),
        Option.some(item(2)),
        Option.some(item(40)),
        Option.none(),
        Option.some(item(0))
      ])
      assert.deepStrictEqual(yield* reader.getMany(Item, []), [])
    })
  )

  it.effect("get refuses a key that is none, saying which part", () =>
    Effect.gen(function* () {
      const reader = yield* planted([])
      const failures = [
        yield* Effect.flip(reader.get(Item, {} as { id: string })),
        yield* Effect.flip(reader.get(Item, { id: 5 as unknown as string })),
        yield* Effect.flip(reader.get(Item, { id: "\ud800" })),
        yield* Effect.flip(reader.getMany(Pair, [{ left: "a", right: 0.5 }]))
      ]
      for (const failure of failures) assert.strictEqual(failure._tag, "RecordMisuse", failure.message)
      assert.include(failures[0]!.message, "id is absent, expected a string")
      assert.include(failures[3]!.message, "right is number 0.5, expected a safe integer")
    })
  )

  it.effect("list gives every record once and in order, at every page size, by the primary key and by each index", () =>
    Effect.gen(function* () {
      const records = items(60)
      const reader = yield* planted(records)
      for (const index of indexNames) {
        const expected = ordered(records, index)
        for (let pageSize = 1; pageSize <= records.length + 1; pageSize++) {
          const pages = yield* pagesOf(reader, { ...withIndex(index), pageSize })
          assert.deepStrictEqual(
            pages.flatMap((page) => page.items),
            expected,
            `${index} by ${pageSize}`
          )
          assert.strictEqual(pages.length, Math.ceil(expected.length / pageSize))
          assert.isTrue(pages.every((page) => page.orphanCount === 0))
        }
      }
    })
  )

  it.effect("list of an empty sync, and of a type without records, is one empty page", () =>
    Effect.gen(function* () {
      const reader = yield* planted([])
      for (const index of indexNames) {
        const page = yield* reader.list(Item, withIndex(index))
        assert.deepStrictEqual(page, { items: [], nextPageToken: Option.none(), orphanCount: 0, scannedCount: 0 })
      }
    })
  )

  it.effect("list with a prefix gives the records that have those values, whole parts only", () =>
    Effect.gen(function* () {
      const records = [
        ...items(60),
        item(100, { group: "group" }),
        item(101, { group: "group 1\0" }),
        item(102, { id: "item/00000" })
      ]
      const pairs = [
        { left: "a", right: 1, text: "" },
        { left: "a", right: 2, text: "" },
        { left: "ab", right: 1, text: "" }
      ]
      const reader = yield* planted(records, pairs)
      for (let pageSize = 1; pageSize < 12; pageSize++) {
        const pages = yield* pagesOf(reader, { index: "by_group", prefix: { group: "group 1" }, pageSize })
        const expected = ordered(records, "by_group").filter(({ group }) => group === "group 1")
        assert.deepStrictEqual(
          pages.flatMap((page) => page.items),
          expected
        )
      }
      const one = item(8)
      const prefix = { group: one.group, number: one.number }
      assert.deepStrictEqual(idsOf(yield* pagesOf(reader, { index: "by_group", prefix })), [one.id])
      assert.deepStrictEqual(idsOf(yield* pagesOf(reader, { prefix: { id: "item/00000" } })), ["item/00000"])
      assert.deepStrictEqual(idsOf(yield* pagesOf(reader, { prefix: { id: "item/0000" } })), [])
      assert.deepStrictEqual(idsOf(yield* pagesOf(reader, { prefix: { id: "z".repeat(3_000) } })), [])
      assert.deepStrictEqual((yield* reader.list(Pair, { prefix: { left: "a" } })).items, pairs.slice(0, 2))
      assert.deepStrictEqual((yield* reader.list(Pair, { prefix: { left: "a", right: 2 } })).items, [pairs[1]!])
    })
  )

  it.effect("list refuses options that are none: page size, scan limit, index, prefix", () =>
    Effect.gen(function* () {
      const reader = yield* planted(items(3))
      const refused: ReadonlyArray<readonly [Options, string]> = [
        [{ pageSize: 0 }, "page size"],
        [{ pageSize: 10_001 }, "page size"],
        [{ pageSize: 1.5 }, "page size"],
        [{ pageSize: Number.NaN }, "page size"],
        [{ scanLimit: 0 }, "scan limit"],
        [{ index: "by_owner" as "by_note" }, "has no index by_owner, expected one of by_group, by_flag, by_note"],
        [{ index: "by_group", prefix: { number: 1 } }, "expected a beginning of group, number"],
        [{ index: "by_group", prefix: { group: "a", note: "b" } }, "expected a beginning of group, number"],
        [{ index: "by_group", prefix: { group: 1 } }, "group is number 1, expected a string"],
        [{ prefix: { group: "a" } }, "expected a beginning of id"]
      ]
      for (const [options, detail] of refused) {
        const failure = yield* Effect.flip(reader.list(Item, options))
        assert.strictEqual(failure._tag, "RecordMisuse")
        assert.include(failure.message, detail)
      }
    })
  )

  it.effect("list with a filter gives each match once, at every page size and every scan limit", () =>
    Effect.gen(function* () {
      const records = items(40)
      const reader = yield* planted(records)
      const filter = ({ number }: Item) => number % 5 === 0
      for (const index of indexNames) {
        const expected = ordered(records, index).filter(filter)
        for (let pageSize = 1; pageSize <= expected.length + 1; pageSize++) {
          for (const scanLimit of [1, 2, 3, 7, 39, 40, 41, 1_000]) {
            const pages = yield* pagesOf(reader, { ...withIndex(index), filter, pageSize, scanLimit })
            assert.deepStrictEqual(
              pages.flatMap((page) => page.items),
              expected,
              `${index} by ${pageSize} of ${scanLimit}`
            )
            for (const page of pages) {
              assert.isAtMost(page.items.length, pageSize)
              assert.isAtMost(page.scannedCount, scanLimit)
            }
          }
        }
      }
    })
  )

  it.effect("list with a filter that matches one in ten thousand gives each match once, at every page size", () =>
    Effect.gen(function* () {
      const records = items(20_001)
      const reader = yield* planted(records)
      const filter = ({ id }: Item) => id.endsWith("0000")
      for (const index of [undefined, "by_group"] as const) {
        const expected = ordered(records, index).filter(filter)
        assert.strictEqual(expected.length, 3)
        for (const scanLimit of [9_999, 100_000]) {
          for (let pageSize = 1; pageSize <= 4; pageSize++) {
            const pages = yield* pagesOf(reader, { ...withIndex(index), filter, pageSize, scanLimit })
            assert.deepStrictEqual(
              pages.flatMap((page) => page.items),
              expected
            )
          }
        }
      }
    })
  )

  it.effect("list takes only tokens of the same type, index, sync, prefix and way of naming the sync", () =>
    Effect.gen(function* () {
      const other = syncId(4)
      const database = yield* openPlanted([
        { id: other, endedAt: 8, items: items(9) },
        {
          id: finished,
          endedAt: 9,
          items: items(9),
          pairs: [
            { left: "a", right: 1, text: "" },
            { left: "b", right: 1, text: "" }
          ]
        }
      ])
      const reader = yield* readerOf(database)
      const first = (options: Options) =>
        Effect.map(reader.list(Item, { ...options, pageSize: 1 }), (page) => Option.getOrThrow(page.nextPageToken))
      const prefix = { group: "group 1" }
      const listings: ReadonlyArray<Options> = [
        {},
        { sync: finished },
        { sync: other },
        { index: "by_group" },
        { index: "by_note" },
        { index: "by_group", prefix }
      ]
      for (const [from, given] of listings.entries()) {
        const pageToken = yield* first(given)
        for (const [to, asked] of listings.entries()) {
          const result = yield* Effect.result(reader.list(Item, { ...asked, pageToken }))
          if (from === to) assert.strictEqual(result._tag, "Success")
          else assert.strictEqual(result._tag === "Failure" && result.failure._tag, "InvalidPageToken", `${from} ${to}`)
        }
        const otherType = yield* Effect.flip(reader.list(Pair, { pageToken }))
        assert.strictEqual(otherType._tag, "InvalidPageToken")
        for (const altered of [pageToken.slice(1), pageToken.slice(0, -1), `${pageToken}A`, "", "A", "💥"]) {
          const failure = yield* Effect.flip(reader.list(Item, { ...given, pageToken: altered }))
          assert.strictEqual(failure._tag, "InvalidPageToken")
        }
      }
    })
  )

  it.effect("list goes on in the sync it began with when a later one ends meanwhile", () =>
    Effect.gen(function* () {
      const database = yield* openPlanted([{ id: finished, endedAt: 9, items: items(4) }])
      const reader = yield* readerOf(database)
      const first = yield* reader.list(Item, { pageSize: 2 })
      const later = syncId(6)
      const rows = rowsOf([{ id: later, endedAt: 10, items: [item(99)] }])
      yield* plantRows(database, rows)
      const second = yield* reader.list(Item, { pageSize: 3, pageToken: Option.getOrThrow(first.nextPageToken) })
      assert.deepStrictEqual([...first.items, ...second.items], items(4))
      assert.deepStrictEqual((yield* reader.list(Item)).items, [item(99)])
    })
  )

  it.effect("list skips and counts entries whose record is gone or belongs elsewhere", () =>
    Effect.gen(function* () {
      const records = items(30)
      const rows = rowsOf([{ id: finished, endedAt: 9, items: records }])
      const gone = [item(3), item(4), item(29)]
      const goneKeys = new Set(gone.map((record) => recordKey(finished, record).toString()))
      rows.records = rows.records.filter(({ key }) => !goneKeys.has(key.toString()))
      const stale = [
        entryKey(finished, "by_group", item(7, { group: "elsewhere" })),
        entryKey(finished, "by_flag", item(7))
      ]
      for (const key of stale) rows.indexes.push({ key, value: new Uint8Array() })
      const database = yield* openMemory
      yield* plantRows(database, rows)
      const reader = yield* readerOf(database)
      const kept = records.filter(
        (record) => !gone.includes(records[records.indexOf(record)]!) && !gone.some(({ id }) => id === record.id)
      )
      for (const [index, orphans] of [
        ["by_group", 4],
        ["by_flag", 2],
        ["by_note", 1]
      ] as const) {
        for (let pageSize = 1; pageSize <= 31; pageSize++) {
          const pages = yield* pagesOf(reader, { index, pageSize })
          assert.deepStrictEqual(
            pages.flatMap((page) => page.items),
            ordered(kept, index)
          )
          assert.strictEqual(
            pages.reduce((sum, page) => sum + page.orphanCount, 0),
            orphans,
            index
          )
        }
      }
    })
  )

  it.effect("every read says RecordCorrupt with type and key where a value does not decode", () =>
    Effect.gen(function* () {
      const rows = rowsOf([{ id: finished, endedAt: 9, items: items(9) }])
      const key = recordKey(finished, item(4))
      rows.records = rows.records.map((row) =>
        compareBytes(row.key, key) === 0 ? { key, value: row.value.slice(0, -1) } : row
      )
      const database = yield* openMemory
      yield* plantRows(database, rows)
      const reader = yield* readerOf(database)
      const failures = [
        yield* Effect.flip(reader.get(Item, item(4))),
        yield* Effect.flip(reader.getMany(Item, [item(1), item(4)])),
        yield* Effect.flip(reader.list(Item)),
        yield* Effect.flip(reader.list(Item, { prefix: { id: item(4).id } })),
        yield* Effect.flip(reader.list(Item, { index: "by_group" })),
        yield* Effect.flip(Stream.runCollect(reader.stream(Item)))
      ]
      for (const failure of failures) {
        assert.strictEqual(failure._tag, "RecordCorrupt")
        if (failure._tag !== "RecordCorrupt") continue
        assert.strictEqual(failure.type, "Item")
        assert.deepStrictEqual(failure.key, key)
      }
      assert.deepStrictEqual((yield* reader.list(Item, { pageSize: 4 })).items, items(4))
    })
  )

  it.effect("every read says BlockCorrupt where a block is none", () =>
    Effect.gen(function* () {
      const rows = rowsOf([{ id: finished, endedAt: 9, items: items(9) }])
      const database = yield* openMemory
      const records = blocksOf(rows.records).map(({ key, value }) => ({ key, value: value.slice(0, -1) }))
      yield* plantBlocks(database, { ...rows, records, indexes: blocksOf(rows.indexes) })
      const reader = yield* readerOf(database)
      assert.strictEqual((yield* Effect.flip(reader.get(Item, item(5))))._tag, "BlockCorrupt")
      assert.strictEqual((yield* Effect.flip(reader.list(Item)))._tag, "BlockCorrupt")
      assert.strictEqual((yield* Effect.flip(reader.list(Item, { index: "by_note" })))._tag, "BlockCorrupt")
    })
  )

  it.effect("list of a sync whose indexes are behind gives what the indexes would, at every page size", () =>
    Effect.gen(function* () {
      const records = items(40)
      const unfinished = syncId(8)
      const rows = rowsOf([{ id: unfinished, indexes: "behind", items: records }])
      // What a crash left of the entries means nothing.
      rows.indexes = rows.indexes.filter((_, index) => index % 4 === 0)
      rows.indexes.push({ key: entryKey(unfinished, "by_group", item(99)), value: new Uint8Array() })
      const database = yield* openMemory
      yield* plantRows(database, rows)
      const behind = yield* readerOf(database)
      const complete = yield* planted(records)
      const filter = ({ number }: Item) => number % 3 === 0
      for (const index of indexNames) {
        for (const options of [withIndex(index), { ...withIndex(index), filter }]) {
          for (let pageSize = 1; pageSize <= 42; pageSize++) {
            const expected = yield* pagesOf(complete, { ...options, pageSize })
            const actual = yield* pagesOf(behind, { ...options, pageSize, sync: unfinished })
            assert.deepStrictEqual(idsOf(actual), idsOf(expected))
            if (options === withIndex(index)) assert.strictEqual(actual.length, expected.length)
          }
        }
        const streamed = yield* Stream.runCollect(behind.stream(Item, { ...withIndex(index), sync: unfinished }))
        assert.deepStrictEqual(streamed, ordered(records, index))
      }
      const prefixed = { index: "by_group", prefix: { group: "group 3" } } as const
      assert.deepStrictEqual(
        idsOf(yield* pagesOf(behind, { ...prefixed, sync: unfinished, pageSize: 2 })),
        idsOf(yield* pagesOf(complete, prefixed))
      )
    })
  )

  it.effect("list by an index that the store does not have reads the records, and has tokens of its own", () =>
    Effect.gen(function* () {
      const records = items(40)
      const database = yield* openPlanted([{ id: finished, endedAt: 9, items: records }])
      const indexes = { ...Item.indexes, by_number: { paths: ["number"] }, by_flag: { paths: ["flag"] } }
      const wider = RecordType.fromDescription({ ...RecordType.describe(Item), indexes })
      assert.strictEqual(wider._tag, "Success")
      if (wider._tag !== "Success") return
      const reader = yield* readerOf(database, [wider.success])
      const expected = records.toSorted((left, right) => left.number - right.number || (left.id < right.id ? -1 : 1))
      let token: string | undefined
      const listed: Array<Item> = []
      do {
        const page: RecordReader.Page<Item> = yield* reader.list(wider.success, {
          index: "by_number",
          pageSize: 7,
          ...(token === undefined ? {} : { pageToken: token })
        })
        listed.push(...page.items)
        token = Option.getOrUndefined(page.nextPageToken)
        if (token !== undefined) {
          const failure = yield* Effect.flip(reader.list(wider.success, { index: "by_flag", pageToken: token }))
          assert.strictEqual(failure._tag, "InvalidPageToken")
        }
      } while (token !== undefined)
      assert.deepStrictEqual(listed, expected)
      // Of the same name as a stored index, but over all records.
      assert.strictEqual((yield* reader.list(wider.success, { index: "by_flag" })).items.length, 40)
    })
  )

  it.effect("stream gives all records in order, from the moment it starts", () =>
    Effect.gen(function* () {
      const records = items(2_500)
      const database = yield* openPlanted([{ id: finished, endedAt: 9, items: records }])
      const reader = yield* readerOf(database)
      for (const index of indexNames) {
        const streamed = yield* Stream.runCollect(reader.stream(Item, withIndex(index)))
        assert.deepStrictEqual(streamed, ordered(records, index))
      }
      const filtered = yield* Stream.runCollect(
        reader.stream(Item, { index: "by_note", prefix: { note: "note\0" + "2" }, filter: ({ flag }) => flag })
      )
      assert.deepStrictEqual(
        filtered,
        ordered(records, "by_note").filter(({ flag, note }) => flag && note === "note\0" + "2")
      )
      let isFirst = true
      const duringWrites = yield* Stream.runCollect(
        Stream.tap(reader.stream(Item), () => {
          if (!isFirst) return Effect.void
          isFirst = false
          return database.write((batch) => batch.deleteRange("records", {}))
        })
      )
      assert.deepStrictEqual(duringWrites, records)
    })
  )

  it.effect("get of a sync whose id is no id finds none, whatever was read before", () =>
    Effect.gen(function* () {
      const reader = yield* planted(items(2))
      assert.deepStrictEqual(yield* reader.get(Item, item(1)), Option.some(item(1)))
      for (const sync of ["latest/", "latest/full", ""] as ReadonlyArray<string>) {
        const error = yield* Effect.flip(reader.get(Item, item(1), { sync: sync as typeof finished }))
        assert.strictEqual(error._tag, "SyncNotFound")
      }
    })
  )

  it.effect("reads take the latest finished sync by default, ties by id, and never one that has not ended", () =>
    Effect.gen(function* () {
      const database = yield* openPlanted([
        { id: syncId(1), endedAt: 50, type: "partial", items: [item(1)] },
        { id: syncId(2), endedAt: 40, items: [item(2)] },
        { id: syncId(3), endedAt: 40, items: [item(3), item(4)] },
        { id: syncId(9), items: [item(9)] }
      ])
      const reader = yield* readerOf(database)
      const idOf = (run: Option.Option<{ readonly sync_id: string }>) => Option.map(run, ({ sync_id }) => sync_id)
      assert.deepStrictEqual(idOf(yield* reader.latestFinishedSync()), Option.some(syncId(1)))
      assert.deepStrictEqual(idOf(yield* reader.latestFinishedSync("full")), Option.some(syncId(3)))
      assert.deepStrictEqual(idOf(yield* reader.latestFinishedSync("other")), Option.none())
      assert.deepStrictEqual((yield* reader.list(Item)).items, [item(1)])
      assert.deepStrictEqual(yield* reader.get(Item, item(1)), Option.some(item(1)))
      assert.deepStrictEqual(yield* Stream.runCollect(reader.stream(Item, { index: "by_group" })), [item(1)])
      assert.deepStrictEqual((yield* reader.list(Item, { sync: syncId(9) })).items, [item(9)])
      assert.deepStrictEqual(
        (yield* reader.listSyncs).map(({ sync_id }) => sync_id),
        [1, 2, 3, 9].map(syncId)
      )
      assert.deepStrictEqual(idOf(yield* reader.getSync(syncId(9))), Option.some(syncId(9)))
      assert.deepStrictEqual(yield* reader.getSync(syncId(7)), Option.none())
      assert.strictEqual((yield* Effect.flip(reader.get(Item, item(1), { sync: syncId(7) })))._tag, "SyncNotFound")
    })
  )

  it.effect("reads without a sync fail with NoFinishedSync while none has ended", () =>
    Effect.gen(function* () {
      const database = yield* openPlanted([{ id: syncId(9), items: [item(9)] }])
      const reader = yield* readerOf(database)
      assert.strictEqual((yield* Effect.flip(reader.list(Item)))._tag, "NoFinishedSync")
      assert.strictEqual((yield* Effect.flip(reader.get(Item, item(9))))._tag, "NoFinishedSync")
      assert.strictEqual((yield* Effect.flip(Stream.runCollect(reader.stream(Item))))._tag, "NoFinishedSync")
      assert.strictEqual((yield* Effect.flip(reader.stats()))._tag, "NoFinishedSync")
    })
  )

  it.effect("stats counts the records of a sync, ended or not, and holds it to its type", () =>
    Effect.gen(function* () {
      const pairs = [{ left: "a", right: 1, text: "" }]
      const database = yield* openPlanted([
        { id: syncId(1), endedAt: 50, items: items(7), pairs },
        { id: syncId(2), endedAt: 60, type: "partial" },
        { id: syncId(8), items: items(5) },
        { id: syncId(9), indexes: "behind", items: items(6), pairs }
      ])
      const reader = yield* readerOf(database)
      const counts = (options?: RecordReader.StatsOptions) => Effect.map(reader.stats(options), (stats) => stats.counts)
      assert.deepStrictEqual(yield* counts(), { Item: 0, Pair: 0 })
      assert.deepStrictEqual(yield* counts({ syncType: "full" }), { Item: 7, Pair: 1 })
      assert.deepStrictEqual(yield* counts({ sync: syncId(8) }), { Item: 5, Pair: 0 })
      assert.deepStrictEqual(yield* counts({ sync: syncId(9), syncType: "full" }), { Item: 6, Pair: 1 })
      const mismatch = yield* Effect.flip(reader.stats({ sync: syncId(2), syncType: "full" }))
      assert.strictEqual(mismatch._tag, "SyncTypeMismatch")
      // What is kept of the sync is out of date until its indexes are written anew.
      const rows = rowsOf([{ id: syncId(9), indexes: "behind", items: items(6) }])
      yield* database.write((batch) => {
        for (const { key } of blocksOf(rows.records)) batch.delete("records", key)
      })
      assert.deepStrictEqual(yield* counts({ sync: syncId(9) }), { Item: 0, Pair: 1 })
    })
  )

  it.effect("make without types reads all that the store describes, as plain objects", () =>
    Effect.gen(function* () {
      const database = yield* openPlanted([{ id: finished, endedAt: 9, items: items(5) }])
      const reader = yield* RecordReader.make({ reader: database.snapshot, path: "/store" })
      assert.deepStrictEqual(
        reader.types.map(({ name }) => name),
        ["Item", "Pair"]
      )
      const page = yield* reader.list(reader.types[0]!, { index: "by_group" })
      assert.deepStrictEqual(page.items, ordered(items(5), "by_group"))
      assert.deepStrictEqual((yield* reader.list(Item)).items, items(5))
    })
  )

  it.effect("make and reads refuse types that contradict what is stored, and reads those that are not there", () =>
    Effect.gen(function* () {
      const database = yield* openPlanted([{ id: finished, endedAt: 9, items: items(5) }])
      const changed = RecordType.make({ name: "Item", fields: Schema.Struct({ id: Schema.Int }), primaryKey: ["id"] })
      const unknown = RecordType.make({
        name: "Unknown",
        fields: Schema.Struct({ id: Schema.Int }),
        primaryKey: ["id"]
      })
      assert.strictEqual((yield* Effect.flip(readerOf(database, [changed])))._tag, "RecordTypeChanged")
      const reader = yield* readerOf(database)
      assert.strictEqual((yield* Effect.flip(reader.list(changed)))._tag, "RecordMisuse")
      assert.strictEqual((yield* Effect.flip(reader.list(unknown)))._tag, "RecordTypeUnknown")
      const declared = yield* readerOf(database, [unknown])
      assert.deepStrictEqual((yield* declared.list(unknown)).items, [])
      assert.deepStrictEqual(yield* declared.get(unknown, { id: 1 }), Option.none())
      assert.deepStrictEqual((yield* declared.list(Item)).items, items(5))
    })
  )

  it.effect("make fails where there is no record store, or one whose schema is damaged", () =>
    Effect.gen(function* () {
      const database = yield* openMemory
      assert.strictEqual((yield* Effect.flip(readerOf(database)))._tag, "NotRecordStore")
      yield* database.write((batch) => batch.put(metaKeyspace, schemaKey(), new Uint8Array([1])))
      assert.strictEqual((yield* Effect.flip(readerOf(database)))._tag, "StoreCorrupt")
    })
  )

  it.effect("reads see it when another program has dropped an index meanwhile", () =>
    Effect.gen(function* () {
      const records = items(20)
      const database = yield* openPlanted([{ id: finished, endedAt: 9, items: records }])
      const reader = yield* readerOf(database)
      const [itemType, pairType] = schema.types
      const types = [{ ...itemType!, description: { ...itemType!.description, indexes: {} }, indexes: [] }, pairType!]
      yield* database.write((batch) => {
        batch.put(metaKeyspace, schemaKey(), encodeSchema({ ...schema, types }))
        batch.deleteRange("indexes", {})
      })
      assert.deepStrictEqual((yield* reader.list(Item, { index: "by_group" })).items, ordered(records, "by_group"))
    })
  )
})
