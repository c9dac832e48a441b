import { assert, it } from "@effect/vitest"
import { Effect, Option, Schema, Stream } from "effect"
import { allEntryRunsPrefix } from "../src/format/EntryRun.ts"
import { metaKeyspace } from "../src/format/RecordLayout.ts"
import * as RecordType from "../src/RecordType.ts"
import { item, items, Item as itemType, openPlanted } from "./PlantedStore.ts"
import { assertItems } from "./RecordStoreHarness.ts"
import {
  allRows,
  basePath,
  changedItems,
  fill,
  inMemory,
  momentOf,
  openAt,
  sourcePath,
  syncA,
  syncB
} from "./ReplaceHarness.ts"

/** The item type without two of its indexes, and with another order of paths in a third. */
const barelyIndexed = RecordType.make({
  name: "Item",
  fields: Schema.Struct({
    id: Schema.String,
    group: Schema.String,
    number: Schema.Int,
    flag: Schema.Boolean,
    note: Schema.optionalKey(Schema.String),
    discovered_at: Schema.Int
  }),
  primaryKey: ["id"],
  indexes: { by_group: { paths: ["number", "group"] }, by_flag: { paths: ["flag"] } }
})

it.effect("RecordStore.replaceSync makes the entries of indexes that the source lacks, and leaves nothing aside", () =>
  inMemory(
    Effect.gen(function* () {
      const count = 25_000
      const base = yield* openAt(basePath)
      yield* fill(base, syncA, [[itemType, items(10)]])
      const source = yield* openAt(sourcePath, [barelyIndexed])
      yield* fill(source, syncA, [[barelyIndexed, items(count)]])
      const chunkCounts: Array<number> = []
      const chunks = base.database.scan(metaKeyspace, { prefix: allEntryRunsPrefix() })
      const replaced = yield* base.replaceSync({
        sync: syncA,
        source: yield* momentOf(source),
        sourcePath,
        onStep: () =>
          Effect.map(Effect.orDie(Stream.runCount(chunks)), (chunkCount) => void chunkCounts.push(chunkCount))
      })
      assert.deepStrictEqual(
        replaced.plan.steps.map(({ action, index }) => `${index} ${action}`),
        ["undefined copy", "by_flag build", "by_group build", "by_note build", "undefined copy", "undefined copy"]
      )
      // More than one run of each index.
      assert.isAbove(Math.max(...chunkCounts), 6)
      assert.strictEqual(yield* Stream.runCount(chunks), 0)
      yield* assertItems(base, syncA, items(count))
    })
  )
)

it.effect("RecordStore.replaceSync leaves nothing aside when it fails behind the entries that it made", () =>
  inMemory(
    Effect.gen(function* () {
      const base = yield* openAt(basePath)
      yield* fill(base, syncA, [[itemType, items(10)]])
      const source = yield* openAt(sourcePath, [barelyIndexed])
      yield* fill(source, syncA, [[barelyIndexed, items(500)]])
      const before = yield* allRows(base.database)
      const failure = yield* Effect.flip(
        base.replaceSync({
          sync: syncA,
          source: yield* momentOf(source),
          sourcePath,
          onStep: ({ rowCount }) => (rowCount > 0 ? Effect.fail("enough" as const) : Effect.void)
        })
      )
      assert.strictEqual(failure, "enough")
      assert.deepStrictEqual(yield* allRows(base.database), before)
    })
  )
)

it.effect("RecordStore.replaceSync makes all entries of a finished sync whose indexes are behind", () =>
  inMemory(
    Effect.gen(function* () {
      const base = yield* openAt(basePath)
      const planted = yield* openPlanted([{ id: syncA, endedAt: 3, items: items(40), indexes: "behind" }])
      const replaced = yield* base.replaceSync({ sync: syncA, source: yield* planted.snapshot, sourcePath })
      assert.isAbove(replaced.entryCount, 40)
      yield* assertItems(base, syncA, items(40))
    })
  )
)

it.effect("RecordStore.replaceSync copies an unfinished sync as it is when it is asked to, behind if it is", () =>
  inMemory(
    Effect.gen(function* () {
      const base = yield* openAt(basePath)
      yield* fill(base, syncA, [[itemType, items(60)]])
      const planted = yield* openPlanted([
        { id: syncA, items: changedItems(40), indexes: "behind" },
        { id: syncB, items: items(30) }
      ])
      const source = yield* planted.snapshot
      const replaced = yield* base.replaceSync({ sync: syncA, source, sourcePath, unfinished: "copy" })
      assert.strictEqual(replaced.entryCount, 0)
      assert.deepStrictEqual(
        replaced.plan.steps.filter(({ keyspace }) => keyspace === "indexes").map(({ action }) => action),
        ["remove", "remove", "remove"]
      )
      assert.isUndefined(Option.getOrThrow(yield* base.getSync(syncA)).ended_at)
      const byGroup = yield* Stream.runCollect(base.stream(itemType, { sync: syncA, index: "by_group" }))
      assert.lengthOf(byGroup, changedItems(40).length)
      yield* base.replaceSync({ sync: syncB, source, sourcePath, unfinished: "copy" })
      yield* assertItems(base, syncB, items(30))
      yield* base.resumeSync(syncA)
      yield* base.put(itemType, [item(900)])
      yield* base.endSync()
      yield* assertItems(base, syncA, [...changedItems(40), item(900)])
    })
  )
)
