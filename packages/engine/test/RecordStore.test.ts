import { assert, it } from "@effect/vitest"
import { Ksuid } from "@icecore/codec"
import { Effect, Option, Result, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { entryRunPrefix } from "../src/format/EntryRun.ts"
import { syncBookKey, syncBytes } from "../src/format/RecordLayout.ts"
import { decodeSyncBook } from "../src/format/StoreSchema.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import { SyncEnded, SyncExists, SyncNotFound } from "../src/RecordError.ts"
import type * as RecordStore from "../src/RecordStore.ts"
import * as RecordType from "../src/RecordType.ts"
import type { SyncId } from "../src/SyncRun.ts"
import { Item, item, items, Pair, syncId } from "./PlantedStore.ts"
import { assertItems, assertSound, openStore } from "./RecordStoreHarness.ts"

const run = <A, E>(effect: (store: RecordStore.RecordStore) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(openStore(), effect)).pipe(Effect.provide(MemoryEngine.layer))

/** The same in a sync that this store started, and in one that was resumed. */
const inBoth = <E>(
  name: string,
  effect: (store: RecordStore.RecordStore, sync: SyncId) => Effect.Effect<void, E>
): void => {
  it.effect(`${name}, in a fresh sync`, () =>
    run((store) => Effect.flatMap(store.startSync({ type: "full" }), ({ sync_id }) => effect(store, sync_id)))
  )
  it.effect(`${name}, in a resumed sync`, () =>
    run((store) =>
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

it.effect("RecordStore.put stores a call larger than its arena, and nothing of one that ends in a wrong record", () =>
  run((store) =>
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
  run((store) =>
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
  run((store) =>
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

it.effect("RecordStore gives a sync its times from the clock, and keeps an id and times that it is told", () =>
  run((store) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_700_000_000_000)
      const started = yield* store.startSync({ type: "full" })
      assert.strictEqual(started.started_at, 1_700_000_000_000_000)
      assert.strictEqual(Ksuid.secondsOf(started.sync_id), 1_700_000_000)
      yield* TestClock.adjust("3 seconds")
      const ended = yield* store.endSync()
      assert.strictEqual(ended.ended_at, 1_700_000_003_000_000)
      const given = { type: "full", syncId: syncId(9), startedAt: 5, parent: started.sync_id }
      assert.deepStrictEqual(yield* store.startSync(given), {
        sync_id: syncId(9),
        type: "full",
        parent_sync_id: started.sync_id,
        started_at: 5,
        token: "",
        counts: {}
      })
      assert.strictEqual((yield* store.endSync({ endedAt: 7 })).ended_at, 7)
      assert.instanceOf(yield* Effect.flip(store.startSync(given)), SyncExists)
    })
  )
)

it.effect("RecordStore refuses changes without a current sync", () =>
  run((store) =>
    Effect.gen(function* () {
      const calls: ReadonlyArray<Effect.Effect<unknown, RecordStore.RecordPutError>> = [
        store.put(Item, [item(1)]),
        store.putIfNewer(Item, [item(1)]),
        store.delete(Item, { id: "a" }),
        store.checkpointSync("token"),
        store.endSync()
      ]
      for (const call of calls) assert.strictEqual((yield* Effect.flip(call))._tag, "NoCurrentSync")
      assert.isTrue(Option.isNone(yield* store.currentSync))
      yield* store.startSync({ type: "full" })
      yield* store.endSync()
      for (const call of calls) assert.strictEqual((yield* Effect.flip(call))._tag, "NoCurrentSync")
    })
  )
)

it.effect("RecordStore.resumeSync makes a sync current that has not ended, and no other", () =>
  run((store) =>
    Effect.gen(function* () {
      const first = yield* store.startSync({ type: "full" })
      yield* store.put(Item, [item(1)])
      yield* store.checkpointSync("page 1")
      const second = yield* store.startSync({ type: "full" })
      yield* store.put(Item, [item(2)])
      assert.deepStrictEqual(yield* store.resumeSync(first.sync_id), { ...first, token: "page 1" })
      assert.deepStrictEqual(yield* store.currentSync, Option.some({ ...first, token: "page 1" }))
      yield* store.put(Item, [item(3)])
      yield* store.endSync()
      yield* assertItems(store, first.sync_id, [item(1), item(3)])
      yield* assertItems(store, second.sync_id, [item(2)])
      assert.instanceOf(yield* Effect.flip(store.resumeSync(first.sync_id)), SyncEnded)
      assert.instanceOf(yield* Effect.flip(store.resumeSync(syncId(1))), SyncNotFound)
      assert.isTrue(Option.isNone(yield* store.currentSync))
    })
  )
)

it.effect("RecordStore reads the finished sync that ended last, and one that has not ended only by its id", () =>
  run((store) =>
    Effect.gen(function* () {
      const first = yield* store.startSync({ type: "full" })
      yield* store.put(Item, [item(1)])
      assert.strictEqual((yield* Effect.flip(store.list(Item)))._tag, "NoFinishedSync")
      yield* store.endSync()
      yield* store.startSync({ type: "full" })
      yield* store.put(Item, [item(2)])
      assert.deepStrictEqual((yield* store.list(Item)).items, [item(1)])
      assert.deepStrictEqual(
        Option.map(yield* store.latestFinishedSync(), ({ sync_id }) => sync_id),
        Option.some(first.sync_id)
      )
    })
  )
)

it.effect("RecordStore refuses a type that it was not opened with, and another declaration of one that it was", () =>
  run((store) =>
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

it.effect("RecordStore.cleanup removes whole syncs, says which, and only says it in a dry run", () =>
  run((store) =>
    Effect.gen(function* () {
      const runs = []
      for (const index of [1, 2, 3, 4]) {
        yield* store.startSync({ type: "full", syncId: syncId(index), startedAt: index })
        yield* store.put(Item, items(10 * index))
        runs.push(yield* store.endSync({ endedAt: index }))
      }
      const current = yield* store.startSync({ type: "full", syncId: syncId(5), startedAt: 5 })
      yield* store.put(Item, items(3))
      const policy = { keepFinishedPerType: 1, keepUnfinishedMillis: 0 }
      const dry = yield* store.cleanup(policy, { dryRun: true })
      assert.deepStrictEqual(
        dry.remove.map(({ sync_id }) => sync_id),
        [1, 2, 3].map(syncId)
      )
      assert.strictEqual((yield* store.listSyncs).length, 5)
      assert.deepStrictEqual(yield* store.cleanup(policy), dry)
      assert.deepStrictEqual(yield* store.listSyncs, [runs[3]!, current])
      yield* assertItems(store, syncId(4), items(40))
      yield* assertItems(store, current.sync_id, items(3))
      assert.strictEqual((yield* Effect.flip(store.list(Item, { sync: syncId(1) })))._tag, "SyncNotFound")
      const stats = yield* store.database.stats
      assert.strictEqual(stats.keyspaces.syncs?.keyCount, 4)
      assert.strictEqual(stats.keyspaces.meta?.keyCount, 3)
      yield* assertSound(store)
      assert.strictEqual((yield* Effect.flip(store.cleanup({ keepFinishedPerType: -1 })))._tag, "RecordMisuse")
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
  run((store) =>
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
  run((store) =>
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

it.effect("RecordStore.resumeSync of the sync that is current makes each call from then on durable", () =>
  run((store) =>
    Effect.gen(function* () {
      const { sync_id } = yield* store.startSync({ type: "full" })
      yield* store.put(Item, items(10))
      yield* store.resumeSync(sync_id)
      yield* store.put(Item, [item(20)])
      const book = Option.getOrThrow(yield* store.database.get("meta", syncBookKey(syncBytes(sync_id))))
      assert.deepStrictEqual(Result.getOrThrow(decodeSyncBook(book)), { indexes: "complete", counts: { Item: 11 } })
    })
  )
)

it.effect("RecordStore.startSync leaves what was put with the sync that it was put into", () =>
  run((store) =>
    Effect.gen(function* () {
      const first = yield* store.startSync({ type: "full" })
      yield* store.put(Item, items(20))
      const second = yield* store.startSync({ type: "full" })
      yield* store.put(Item, items(3))
      assert.deepStrictEqual((yield* store.stats({ sync: second.sync_id })).counts.Item, 3)
      assert.deepStrictEqual((yield* store.stats({ sync: first.sync_id })).counts.Item, 20)
      const book = Option.getOrThrow(yield* store.database.get("meta", syncBookKey(syncBytes(first.sync_id))))
      assert.deepStrictEqual(Result.getOrThrow(decodeSyncBook(book)), { indexes: "complete", counts: { Item: 20 } })
      yield* assertItems(store, first.sync_id, items(20))
      yield* assertItems(store, second.sync_id, items(3))
    })
  )
)

it.effect("RecordStore.startSync refuses an id that is none, and reads find no sync of it", () =>
  run((store) =>
    Effect.gen(function* () {
      for (const text of ["", "nope", "zzzzzzzzzzzzzzzzzzzzzzzzzzz", "\ud800"]) {
        const id = text as SyncId
        for (const options of [{ syncId: id }, { parent: id }]) {
          const error = yield* Effect.flip(store.startSync({ type: "full", ...options }))
          assert.strictEqual(error._tag, "RecordMisuse")
        }
        assert.strictEqual((yield* Effect.flip(store.resumeSync(id)))._tag, "SyncNotFound")
        assert.strictEqual((yield* Effect.flip(store.get(Item, { id: "a" }, { sync: id })))._tag, "SyncNotFound")
        assert.isTrue(Option.isNone(yield* store.getSync(id)))
      }
      assert.deepStrictEqual(yield* store.listSyncs, [])
    })
  )
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

it.effect("RecordStore.checkpointSync refuses a token behind which the end of the sync would not fit", () =>
  run((store) =>
    Effect.gen(function* () {
      yield* store.startSync({ type: "full" })
      yield* store.put(Item, [item(1)])
      const error = yield* Effect.flip(store.checkpointSync("t".repeat(2 ** 24 - 80)))
      assert.strictEqual(error._tag, "RecordMisuse")
      const token = "t".repeat(2 ** 24 - 65 * 1_024)
      yield* store.checkpointSync(token)
      assert.strictEqual((yield* store.endSync()).token, token)
    })
  )
)

it.effect("RecordStore.list ends a page, and stream a step, with so many bytes of records that memory holds them", () =>
  run((store) =>
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
