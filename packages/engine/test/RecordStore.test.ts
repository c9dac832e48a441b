import { assert, it } from "@effect/vitest"
import { Effect, Option, Schema, Stream } from "effect"
import { entryRunPrefix } from "../src/format/EntryRun.ts"
import { syncBytes } from "../src/format/RecordLayout.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import type * as RecordStore from "../src/RecordStore.ts"
import * as RecordType from "../src/RecordType.ts"
import type { SyncId } from "../src/SyncRun.ts"
import { Item, item, items, Pair } from "./PlantedStore.ts"
import { assertItems, inMemory, openStore } from "./RecordStoreHarness.ts"

/** The same in a sync that this store started, and in one that was resumed. */
const inBoth = <E>(
  name: string,
  effect: (store: RecordStore.RecordStore, sync: SyncId) => Effect.Effect<void, E>
): void => {
  it.effect(`${name}, in a fresh sync`, () =>
    inMemory((store) => Effect.flatMap(store.startSync({ type: "full" }), ({ sync_id }) => effect(store, sync_id)))
  )
  it.effect(`${name}, in a resumed sync`, () =>
    inMemory((store) =>
      Effect.gen(function* () {
        const { sync_id } = yield* store.startSync({ type: "full" })
        yield* store.startSync({ type: "other" })
        yield* store.resumeSync(sync_id)
        yield* effect(store, sync_id)
      })
    )
  )
}

inBoth("RecordStore.put stores records with their index entries and counts them", (store, sync) =>
  Effect.gen(function* () {
    yield* store.put(Item, items(1_000))
    yield* store.put(Pair, [{ left: "a", right: 1, text: "" }])
    yield* assertItems(store, sync, items(1_000))
    assert.deepStrictEqual((yield* store.stats({ sync })).counts, { Item: 1_000, Pair: 1 })
    const ended = yield* store.endSync()
    assert.deepStrictEqual(ended.counts, { Item: 1_000, Pair: 1 })
    yield* assertItems(store, sync, items(1_000))
  })
)

inBoth("RecordStore.put keeps the last of records with the same key, within a call and across calls", (store, sync) =>
  Effect.gen(function* () {
    const [first, second, third] = ["a", "b", "c"].map((group) => item(1, { group, flag: group === "b" }))
    yield* store.put(Item, [first!, item(2), second!])
    yield* assertItems(store, sync, [second!, item(2)])
    yield* store.put(Item, [third!])
    yield* store.put(Item, [first!])
    yield* assertItems(store, sync, [first!, item(2)])
    assert.strictEqual((yield* store.stats({ sync })).counts.Item, 2)
  })
)

inBoth("RecordStore.put moves the index entries of what it overwrites, and leaves those that stay", (store, sync) =>
  Effect.gen(function* () {
    yield* store.put(Item, items(500))
    yield* assertItems(store, sync, items(500))
    const changed = items(500).map((each, index) => {
      const { note: _, ...rest } = each
      if (index % 4 === 0) return { ...rest, flag: !each.flag }
      return index % 4 === 1 ? { ...each, group: "moved", note: "new" } : each
    })
    yield* store.put(Item, changed)
    yield* assertItems(store, sync, changed)
    // The same again changes nothing.
    yield* store.put(Item, changed)
    yield* assertItems(store, sync, changed)
    assert.strictEqual((yield* store.stats({ sync })).counts.Item, 500)
  })
)

inBoth("RecordStore.delete removes a record with its index entries, and says whether there was one", (store, sync) =>
  Effect.gen(function* () {
    yield* store.put(Item, items(100))
    assert.isTrue(yield* store.delete(Item, { id: item(3).id }))
    assert.isFalse(yield* store.delete(Item, { id: item(3).id }))
    assert.isFalse(yield* store.delete(Item, { id: "x".repeat(5_000) }))
    const keys = items(120)
      .slice(90)
      .flatMap(({ id }) => [{ id }, { id }])
    assert.strictEqual(yield* store.deleteMany(Item, keys), 10)
    yield* assertItems(
      store,
      sync,
      items(90).filter(({ id }) => id !== item(3).id)
    )
    yield* store.put(Item, [item(3)])
    yield* assertItems(store, sync, items(90))
    assert.strictEqual((yield* store.endSync()).counts.Item, 90)
  })
)

inBoth("RecordStore.putResolved refuses a result with another key, and stores nothing", (store, sync) =>
  Effect.gen(function* () {
    yield* store.put(Item, [item(1)])
    const changed = store.putResolved(Item, [item(1), item(2)], (_, given) =>
      Option.some(given.id === item(2).id ? item(3) : item(1, { group: "other" }))
    )
    assert.strictEqual((yield* Effect.flip(changed))._tag, "RecordMisuse")
    yield* assertItems(store, sync, [item(1)])
  })
)

inBoth("RecordStore.putIfNewer stores what is strictly newer, than what is there and within the call", (store, sync) =>
  Effect.gen(function* () {
    const at = (index: number, time: number, group: string) => item(index, { discovered_at: time, group })
    yield* store.put(Item, [at(1, 10, "old"), at(2, 10, "old"), at(3, 10, "old")])
    const newer = [
      at(1, 9, "older"),
      at(2, 10, "same"),
      at(3, 11, "newer"),
      at(4, 1, "a"),
      at(4, 2, "b"),
      at(4, 2, "c")
    ]
    assert.strictEqual(yield* store.putIfNewer(Item, newer), 2)
    yield* assertItems(store, sync, [at(1, 10, "old"), at(2, 10, "old"), at(3, 11, "newer"), at(4, 2, "b")])
    assert.strictEqual(yield* store.putIfNewer(Item, newer), 0)
    const refused = yield* Effect.flip(store.putIfNewer(Pair, []))
    assert.include(refused.message, "record type Pair has no field that says how new a record is")
  })
)

inBoth(
  "RecordStore.putResolved gives what is there, the call's own included, and stores what comes back",
  (store, sync) =>
    Effect.gen(function* () {
      yield* store.put(Item, [item(1, { number: 5 })])
      const add = (existing: Option.Option<Item>, record: Item): Option.Option<Item> =>
        record.number < 0
          ? Option.none()
          : Option.some({ ...record, number: record.number + (Option.isSome(existing) ? existing.value.number : 0) })
      const given = [item(1, { number: 1 }), item(2, { number: 7 }), item(1, { number: 2 }), item(3, { number: -1 })]
      assert.strictEqual(yield* store.putResolved(Item, given, add), 2)
      yield* assertItems(store, sync, [item(1, { number: 8 }), item(2, { number: 7 })])
    })
)

inBoth("RecordStore.put refuses a record that is none of its type, and stores nothing of the call", (store, sync) =>
  Effect.gen(function* () {
    yield* store.put(Item, items(3))
    const wrong: ReadonlyArray<readonly [unknown, string]> = [
      [{ ...item(4), number: "1" }, "number"],
      [{ ...item(4), number: 1.5 }, "number"],
      [{ ...item(4), id: 7 }, "id"],
      [{ ...item(4), group: "\ud800" }, "group"],
      [{}, "id"]
    ]
    for (const [record, field] of wrong) {
      for (const call of [
        store.put(Item, [item(5), record as Item]),
        store.putIfNewer(Item, [item(5), record as Item])
      ]) {
        const refused = yield* Effect.flip(call)
        assert.deepInclude(refused, { _tag: "RecordRefused", type: "Item", position: 1, field })
      }
    }
    const long = yield* Effect.flip(store.put(Item, [item(5), item(6, { id: "x".repeat(1_900) })]))
    assert.deepInclude(long, { _tag: "RecordKeySize", type: "Item", position: 1, limit: 1_900 })
    const longEntry = yield* Effect.flip(store.put(Item, [item(5), item(6, { group: "x".repeat(1_890) })]))
    assert.deepInclude(longEntry, { _tag: "RecordKeySize", index: "by_group", position: 1 })
    yield* assertItems(store, sync, items(3))
  })
)

inBoth(
  "RecordStore.putIfNewer names the record of the call that is refused, not the one of those that are newer",
  (store) =>
    Effect.gen(function* () {
      yield* store.put(Item, [item(1, { number: 9 })])
      const group = "g".repeat(1_870)
      const error = yield* Effect.flip(store.putIfNewer(Item, [item(1, { number: 3 }), item(2, { group })]))
      assert.deepInclude(error, { _tag: "RecordKeySize", index: "by_group", position: 1 })
    })
)

it.effect("RecordStore.put stores a call larger than its arena, and nothing of one that ends in a wrong record", () =>
  inMemory((store) =>
    Effect.gen(function* () {
      const { sync_id } = yield* store.startSync({ type: "full" })
      const many = items(30_000)
      yield* store.put(Item, [item(40_000)])
      const refused = yield* Effect.flip(store.put(Item, [...many, { ...item(1), flag: 1 } as unknown as Item]))
      assert.deepInclude(refused, { _tag: "RecordRefused", position: 30_000, field: "flag" })
      yield* assertItems(store, sync_id, [item(40_000)])
      yield* store.put(Item, many)
      yield* assertItems(store, sync_id, [...many, item(40_000)])
    })
  )
)

it.effect("RecordStore.put takes records as large as an engine's value, and refuses larger ones", () =>
  inMemory((store) =>
    Effect.gen(function* () {
      const { sync_id } = yield* store.startSync({ type: "full" })
      const text = "x".repeat(15 * 1024 * 1024)
      yield* store.put(Pair, [
        { left: "a", right: 1, text },
        { left: "a", right: 2, text },
        { left: "a", right: 3, text: "small" }
      ])
      const refused = yield* Effect.flip(store.put(Pair, [{ left: "b", right: 1, text: "x".repeat(17 * 1024 * 1024) }]))
      assert.deepInclude(refused, { _tag: "RecordRefused", position: 0, field: "" })
      const found = yield* store.getMany(
        Pair,
        [1, 2, 3, 4].map((right) => ({ left: "a", right })),
        { sync: sync_id }
      )
      assert.deepStrictEqual(
        found.map((each) => (Option.isSome(each) ? each.value.text.length : -1)),
        [text.length, text.length, 5, -1]
      )
    })
  )
)

it.effect("RecordStore.put takes at most 100,000 records a call in a resumed sync", () =>
  inMemory((store) =>
    Effect.gen(function* () {
      const { sync_id } = yield* store.startSync({ type: "full" })
      yield* store.startSync({ type: "full" })
      yield* store.resumeSync(sync_id)
      const many = Array.from({ length: 100_001 }, (_, right) => ({ left: "a", right, text: "" }))
      const refused = yield* Effect.flip(store.put(Pair, many))
      assert.deepInclude(refused, { _tag: "RecordCountLimit", actual: 100_001, limit: 100_000 })
      yield* store.put(Pair, many.slice(1))
      assert.strictEqual((yield* store.stats({ sync: sync_id })).counts.Pair, 100_000)
    })
  )
)

it.effect("RecordStore refuses a type that it was not opened with, and another declaration of one that it was", () =>
  inMemory((store) =>
    Effect.gen(function* () {
      yield* store.startSync({ type: "full" })
      const declare = (name: string, indexes: Record<string, RecordType.Index>): RecordType.Any =>
        RecordType.make({ name, fields: Schema.Struct({ left: Schema.String }), primaryKey: ["left"], indexes })
      assert.strictEqual((yield* Effect.flip(store.put(declare("Other", {}), [])))._tag, "RecordTypeUnknown")
      assert.strictEqual((yield* Effect.flip(store.put(declare("Pair", {}), [])))._tag, "RecordMisuse")
      const again: RecordType.Any = RecordType.make({
        name: "Pair",
        fields: Schema.Struct({ left: Schema.String, right: Schema.Int, text: Schema.String }),
        primaryKey: ["left", "right"]
      })
      yield* store.put(again, [{ left: "a", right: 1, text: "" }])
      assert.strictEqual((yield* store.endSync()).counts.Pair, 1)
    })
  )
)

it.effect("RecordStore writes what was put when it closes", () =>
  Effect.gen(function* () {
    const { sync_id } = yield* Effect.scoped(
      Effect.gen(function* () {
        const store = yield* openStore()
        const started = yield* store.startSync({ type: "full" })
        yield* store.put(Item, items(10))
        return started
      })
    )
    yield* Effect.scoped(
      Effect.gen(function* () {
        const store = yield* openStore()
        yield* assertItems(store, sync_id, items(10))
        assert.isTrue(Option.isNone(yield* store.latestFinishedSync()))
      })
    )
  }).pipe(Effect.provide(MemoryEngine.layer))
)

it.effect("RecordStore keeps what several fibers put at once", () =>
  inMemory((store) =>
    Effect.gen(function* () {
      const { sync_id } = yield* store.startSync({ type: "full" })
      const pages = Array.from({ length: 40 }, (_, page) => items(40_000).slice(page * 1_000, (page + 1) * 1_000))
      const reading = Effect.repeat(store.list(Item, { sync: sync_id, index: "by_group", pageSize: 100 }), {
        times: 20
      })
      yield* Effect.all([Effect.forEach(pages, (page) => store.put(Item, page), { concurrency: 8 }), reading], {
        concurrency: 2
      })
      yield* assertItems(store, sync_id, items(40_000))
    })
  )
)

it.effect("RecordStore keeps entries that come in no order aside until the sync is read or ended", () =>
  inMemory((store) =>
    Effect.gen(function* () {
      const { sync_id } = yield* store.startSync({ type: "full" })
      const scattered = items(30_000).map((each, index) => ({ ...each, number: (index * 7_919) % 30_011 }))
      const runCount = Stream.runCount(store.database.scan("meta", { prefix: entryRunPrefix(syncBytes(sync_id)) }))
      const put = Effect.forEach([0, 1, 2, 3, 4, 5], (page) =>
        store.put(Item, scattered.slice(5_000 * page, 5_000 * (page + 1)))
      )
      yield* put
      assert.isAbove(yield* runCount, 0)
      // What was put into runs moves, goes and comes back before they are merged.
      const moved = scattered.slice(0, 2_000).map((each) => ({ ...each, group: "moved", flag: !each.flag }))
      yield* store.put(Item, moved)
      yield* store.deleteMany(Item, scattered.slice(2_000, 3_000))
      yield* store.put(Item, scattered.slice(0, 1_000))
      yield* store.put(Item, scattered.slice(2_500, 3_000))
      yield* put
      yield* store.put(Item, moved)
      yield* store.deleteMany(Item, scattered.slice(2_000, 2_500))
      yield* assertItems(store, sync_id, [...moved, ...scattered.slice(2_500)])
      assert.strictEqual(yield* runCount, 0)
      yield* put
      const ended = yield* store.endSync()
      assert.deepStrictEqual([ended.counts.Item, yield* runCount], [30_000, 0])
      yield* assertItems(store, sync_id, scattered)
    })
  )
)

it.effect("RecordStore.list ends a page, and stream a step, with so many bytes of records that memory holds them", () =>
  inMemory((store) =>
    Effect.gen(function* () {
      const { sync_id: sync } = yield* store.startSync({ type: "full" })
      const text = "t".repeat(6 * 2 ** 20)
      for (let right = 0; right < 12; right++) yield* store.put(Pair, [{ left: "a", right, text }])
      const first = yield* store.list(Pair, { sync })
      assert.lengthOf(first.items, 11)
      const rest = yield* store.list(Pair, { sync, pageToken: Option.getOrThrow(first.nextPageToken) })
      assert.deepStrictEqual([rest.items.length, Option.isNone(rest.nextPageToken)], [1, true])
      const steps: Array<number> = []
      yield* Stream.runForEachArray(store.stream(Pair, { sync }), (pairs) =>
        Effect.sync(() => steps.push(pairs.length))
      )
      assert.deepStrictEqual(steps, [2, 2, 2, 2, 2, 2])
    })
  )
)
