import { assert, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { allEntryRunsPrefix } from "../src/format/EntryRun.ts"
import { metaKeyspace } from "../src/format/RecordLayout.ts"
import { item, items, Item as itemType, syncId } from "./PlantedStore.ts"
import { assertItems, inMemory } from "./RecordStoreHarness.ts"
import { fill, rowsNaming, syncA, syncB } from "./ReplaceHarness.ts"

it.effect("RecordStore.removeSync removes everything of a sync and nothing else, and gives its run", () =>
  inMemory((store) =>
    Effect.gen(function* () {
      yield* fill(store, syncA, [[itemType, items(200)]])
      yield* fill(store, syncB, [[itemType, items(100)]])
      const others = yield* rowsNaming(store.database, syncB)
      const run = yield* store.getSync(syncA)
      assert.deepStrictEqual(yield* store.removeSync(syncA), run)
      for (const [keyspace, rows] of yield* rowsNaming(store.database, syncA)) assert.lengthOf(rows, 0, keyspace)
      assert.deepStrictEqual(yield* rowsNaming(store.database, syncB), others)
      assert.deepStrictEqual(yield* store.removeSync(syncA), Option.none())
      assert.deepStrictEqual(yield* store.removeSync("no id" as never), Option.none())
      yield* assertItems(store, syncB, items(100))
      yield* fill(store, syncA, [[itemType, items(5)]])
      yield* assertItems(store, syncA, items(5))
    })
  )
)

it.effect(
  "RecordStore.removeSync of the current sync takes what is not yet written with it, and leaves none current",
  () =>
    inMemory((store) =>
      Effect.gen(function* () {
        // In no order, so that entries are kept aside.
        const scattered = items(20_000).map((each, index) => ({ ...each, group: `group ${(index * 7_919) % 20_011}` }))
        yield* store.startSync({ type: "full", syncId: syncA })
        for (let from = 0; from < scattered.length; from += 500)
          yield* store.put(itemType, scattered.slice(from, from + 500))
        const aside = yield* store.database.page(metaKeyspace, { prefix: allEntryRunsPrefix() })
        assert.isAbove(aside.rows.length, 0)
        assert.strictEqual(Option.getOrUndefined(yield* store.removeSync(syncA))?.sync_id, syncA)
        assert.deepStrictEqual(yield* store.currentSync, Option.none())
        assert.strictEqual((yield* Effect.flip(store.put(itemType, [item(1)])))._tag, "NoCurrentSync")
        yield* store.flush
        for (const [keyspace, rows] of yield* rowsNaming(store.database, syncA)) assert.lengthOf(rows, 0, keyspace)
        yield* store.startSync({ type: "full", syncId: syncB })
        yield* store.put(itemType, items(20))
        yield* store.removeSync(syncId(9))
        yield* store.endSync()
        yield* assertItems(store, syncB, items(20))
      })
    )
)

it.effect("RecordStore.removeSync leaves the current sync current when it removes another", () =>
  inMemory((store) =>
    Effect.gen(function* () {
      yield* fill(store, syncA, [[itemType, items(30)]])
      yield* store.startSync({ type: "full", syncId: syncB })
      yield* store.put(itemType, items(40))
      yield* store.removeSync(syncA)
      yield* store.put(itemType, [item(40)])
      yield* store.endSync()
      yield* assertItems(store, syncB, items(41))
    })
  )
)
