import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema, Stream } from "effect"
import { metaKeyspace, schemaKey } from "../src/format/RecordLayout.ts"
import { encodeSchema } from "../src/format/StoreSchema.ts"
import { compareBytes } from "../src/internal/Bounds.ts"
import * as RecordReader from "../src/RecordReader.ts"
import * as RecordType from "../src/RecordType.ts"
import { finished, indexNames, ordered, planted, readerOf, withIndex } from "./ListedItems.ts"
import {
  blocksOf,
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

  it.effect("stream takes as many records in a step as it is told to, and refuses numbers that are none", () =>
    Effect.gen(function* () {
      const records = items(100)
      const reader = yield* readerOf(yield* openPlanted([{ id: finished, endedAt: 9, items: records }]))
      for (const index of indexNames) {
        for (const batchSize of [1, 7, 100, 10_000]) {
          const steps: Array<number> = []
          const batches = Stream.mapArray(reader.stream(Item, { ...withIndex(index), batchSize }), (batch) => {
            steps.push(batch.length)
            return batch
          })
          assert.deepStrictEqual(yield* Stream.runCollect(batches), ordered(records, index))
          assert.strictEqual(Math.max(...steps), Math.min(batchSize, ordered(records, index).length))
        }
      }
      for (const batchSize of [0, -1, 1.5, 10_001, Number.NaN]) {
        const failure = yield* Effect.flip(Stream.runCollect(reader.stream(Item, { batchSize })))
        assert.strictEqual(failure._tag, "RecordMisuse")
        assert.include(failure.message, `the batch size is ${batchSize}, expected a whole number from 1 to 10000`)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("stream ends a step with so many bytes as it is told to, and refuses numbers that are none", () =>
    Effect.gen(function* () {
      const records = items(100).map((each) => ({ ...each, note: "n".repeat(1_000) }))
      const reader = yield* readerOf(yield* openPlanted([{ id: finished, endedAt: 9, items: records }]))
      for (const [batchBytes, stepCount] of [
        [1, 100],
        [10_000, 10],
        [8 * 1024 * 1024, 1]
      ] as const) {
        const steps: Array<number> = []
        const batches = Stream.mapArray(reader.stream(Item, { batchBytes }), (batch) => {
          steps.push(batch.length)
          return batch
        })
        assert.deepStrictEqual(yield* Stream.runCollect(batches), records)
        assert.strictEqual(steps.length, stepCount)
      }
      for (const batchBytes of [0, 1.5, 8 * 1024 * 1024 + 1]) {
        const failure = yield* Effect.flip(Stream.runCollect(reader.stream(Item, { batchBytes })))
        assert.include(failure.message, `the number of bytes of a batch is ${batchBytes}, expected a whole number`)
      }
    }).pipe(Effect.scoped)
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
