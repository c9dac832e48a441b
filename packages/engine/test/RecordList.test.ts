import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import type * as RecordReader from "../src/RecordReader.ts"
import * as RecordType from "../src/RecordType.ts"
import {
  finished,
  idsOf,
  indexNames,
  type Options,
  ordered,
  pagesOf,
  planted,
  readerOf,
  withIndex
} from "./ListedItems.ts"
import {
  entryKey,
  Item,
  item,
  items,
  openMemory,
  openPlanted,
  Pair,
  plantRows,
  recordKey,
  rowsOf,
  syncId
} from "./PlantedStore.ts"

describe("RecordReader.list", () => {
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
})
