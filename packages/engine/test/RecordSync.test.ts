import { assert, it } from "@effect/vitest"
import { Ksuid } from "@icecore/codec"
import { Effect, Option, Result } from "effect"
import { TestClock } from "effect/testing"
import { syncBookKey, syncBytes } from "../src/format/RecordLayout.ts"
import { decodeSyncBook } from "../src/format/StoreSchema.ts"
import { SyncEnded, SyncExists, SyncNotFound } from "../src/RecordError.ts"
import type * as RecordStore from "../src/RecordStore.ts"
import type { SyncId } from "../src/SyncRun.ts"
import { Item, item, items, syncId } from "./PlantedStore.ts"
import { assertItems, assertSound, inMemory } from "./RecordStoreHarness.ts"

it.effect("RecordStore gives a sync its times from the clock, and keeps an id and times that it is told", () =>
  inMemory((store) =>
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
  inMemory((store) =>
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

it.effect(
  "RecordStore lets no other sync become current beside an exclusive one until that has ended or is removed",
  () =>
    inMemory((store) =>
      Effect.gen(function* () {
        const open = yield* store.startSync({ type: "full" })
        for (const leave of [store.endSync(), store.removeSync(syncId(9))]) {
          yield* store.startSync({ type: "full", syncId: syncId(9), exclusive: true })
          const other = store.startSync({ type: "full", syncId: syncId(8) })
          for (const error of [yield* Effect.flip(other), yield* Effect.flip(store.resumeSync(open.sync_id))]) {
            assert.match(
              `${error._tag} ${error.message}`,
              new RegExp(`^SyncInUse .* another beside sync ${syncId(9)} `)
            )
          }
          yield* leave
          yield* store.resumeSync(open.sync_id)
          yield* store.removeSync(syncId(9))
        }
        assert.deepStrictEqual(
          (yield* store.listSyncs).map(({ sync_id }) => sync_id),
          [open.sync_id]
        )
      })
    )
)

it.effect("RecordStore.resumeSync makes a sync current that has not ended, and no other", () =>
  inMemory((store) =>
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
  inMemory((store) =>
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

it.effect("RecordStore.cleanup removes whole syncs, says which, and only says it in a dry run", () =>
  inMemory((store) =>
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

it.effect("RecordStore.resumeSync of the sync that is current makes each call from then on durable", () =>
  inMemory((store) =>
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
  inMemory((store) =>
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
  inMemory((store) =>
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

it.effect("RecordStore.checkpointSync refuses a token behind which the end of the sync would not fit", () =>
  inMemory((store) =>
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
