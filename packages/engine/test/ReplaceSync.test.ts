import { assert, it } from "@effect/vitest"
import { Effect, Option, Schema, Stream } from "effect"
import { syncByTypeKey, syncBytes, syncsKeyspace } from "../src/format/RecordLayout.ts"
import type { SyncReplacement } from "../src/RecordStore.ts"
import * as RecordType from "../src/RecordType.ts"
import { items, Item as itemType, Pair, syncId } from "./PlantedStore.ts"
import { assertItems, assertSound } from "./RecordStoreHarness.ts"
import {
  allRows,
  assertSame,
  basePath,
  changedItems,
  fill,
  inMemory,
  momentOf,
  openAt,
  rowsNaming,
  sourcePath,
  syncA,
  syncB
} from "./ReplaceHarness.ts"

const pairs = [
  { left: "a", right: 1, text: "one" },
  { left: "a", right: 2, text: "two" }
]

const changeOf = ({ types }: SyncReplacement, type: string) => {
  const { bytes: _, ...counts } = types.find((each) => each.type === type)!
  return counts
}

it.effect("RecordStore.replaceSync makes a sync what the source has of it, and leaves the others byte for byte", () =>
  inMemory(
    Effect.gen(function* () {
      const base = yield* openAt(basePath)
      yield* fill(base, syncB, [[itemType, items(500)]])
      yield* fill(base, syncA, [
        [itemType, items(700)],
        [Pair, pairs]
      ])
      // With other tags.
      const source = yield* openAt(sourcePath, [Pair, itemType])
      yield* fill(source, syncB, [[itemType, items(3)]])
      yield* fill(source, syncA, [[itemType, changedItems(700)]], { endedAt: 9 })
      const others = yield* rowsNaming(base.database, syncB)
      const replaced = yield* base.replaceSync({ sync: syncA, source: yield* momentOf(source), sourcePath })

      const before = new Map(items(700).map((each) => [each.id, each]))
      const after = changedItems(700)
      const kept = after.filter(({ id }) => before.has(id))
      const same = kept.filter((each) => JSON.stringify(each) === JSON.stringify(before.get(each.id)))
      assert.deepStrictEqual(changeOf(replaced, "Item"), {
        type: "Item",
        addedCount: after.length - kept.length,
        replacedCount: kept.length - same.length,
        removedCount: 700 - kept.length,
        unchangedCount: same.length
      })
      assert.deepStrictEqual(changeOf(replaced, "Pair"), {
        type: "Pair",
        addedCount: 0,
        replacedCount: 0,
        removedCount: 2,
        unchangedCount: 0
      })
      assert.strictEqual(replaced.before?.ended_at, 5)
      assert.strictEqual(replaced.run.ended_at, 9)
      assert.isFalse(replaced.isEmpty)
      const entries = yield* Effect.forEach(["by_group", "by_flag", "by_note"] as const, (index) =>
        Stream.runCount(source.stream(itemType, { sync: syncA, index }))
      )
      assert.strictEqual(
        replaced.entryCount,
        entries.reduce((sum, count) => sum + count)
      )
      yield* assertItems(base, syncA, after)
      yield* assertSame(base, source, syncA, [itemType, Pair])
      assert.deepStrictEqual(yield* base.getSync(syncA), yield* source.getSync(syncA))
      assert.deepStrictEqual((yield* base.stats({ sync: syncA })).counts, { Item: after.length, Pair: 0 })
      assert.deepStrictEqual(yield* rowsNaming(base.database, syncB), others)
      assert.deepStrictEqual(Option.getOrUndefined(yield* base.latestFinishedSync())?.sync_id, syncA)
    })
  )
)

it.effect("RecordStore.replaceSync writes as many bytes as it says, in full blocks", () =>
  inMemory(
    Effect.gen(function* () {
      const base = yield* openAt(basePath)
      const source = yield* openAt(sourcePath)
      yield* fill(source, syncA, [[itemType, items(2_000)]])
      const replaced = yield* base.replaceSync({ sync: syncA, source: yield* momentOf(source), sourcePath })
      assert.isUndefined(replaced.before)
      const rows = yield* rowsNaming(base.database, syncA)
      let bytes = 0
      for (const [, of] of rows) for (const { key, value } of of) bytes += key.length + value.length
      assert.strictEqual(replaced.bytes, bytes)
      const recordBytes = rows.find(([keyspace]) => keyspace === "records")![1]
      assert.strictEqual(
        replaced.types[0]!.bytes,
        recordBytes.reduce((sum, { key, value }) => sum + key.length + value.length, 0)
      )
      // All blocks but the last one are full.
      for (const { value } of recordBytes.slice(0, -1)) assert.isAbove(value.length, 3_800)
    })
  )
)

it.effect("RecordStore.replaceSync empties a sync of which the source has no records", () =>
  inMemory(
    Effect.gen(function* () {
      const base = yield* openAt(basePath)
      yield* fill(base, syncA, [[itemType, items(50)]])
      const source = yield* openAt(sourcePath, [])
      yield* fill(source, syncA, [])
      const replaced = yield* base.replaceSync({ sync: syncA, source: yield* momentOf(source), sourcePath })
      assert.isTrue(replaced.isEmpty)
      assert.strictEqual(changeOf(replaced, "Item").removedCount, 50)
      assert.strictEqual(replaced.entryCount, 0)
      yield* assertItems(base, syncA, [])
    })
  )
)

it.effect("RecordStore.replaceSync refuses, each with an error of its own, and changes nothing", () =>
  inMemory(
    Effect.gen(function* () {
      const base = yield* openAt(basePath, [itemType])
      yield* fill(base, syncA, [[itemType, items(20)]])
      yield* base.startSync({ type: "full", syncId: syncId(7) })
      yield* base.flush
      const before = yield* allRows(base.database)
      const failureOf = (sync: typeof syncA, path: string, types: ReadonlyArray<RecordType.Any>, records?: unknown) =>
        Effect.gen(function* () {
          const source = yield* openAt(path, types)
          if (records !== undefined) yield* fill(source, sync, [[types[0]!, records as ReadonlyArray<unknown>]])
          const reader = yield* momentOf(source)
          return yield* Effect.flip(base.replaceSync({ sync, source: reader, sourcePath: path }))
        })
      const absent = yield* failureOf(syncA, "/absent", [itemType])
      assert.deepInclude(absent, { _tag: "SyncNotFound", path: "/absent", sync: syncA })
      const current = yield* failureOf(syncId(7), "/current", [itemType], items(2))
      assert.deepInclude(current, { _tag: "SyncInUse", path: basePath, sync: syncId(7) })
      assert.include(current.message, "Cannot replace sync")
      const unknown = yield* failureOf(syncA, "/unknown", [Pair], pairs)
      assert.deepInclude(unknown, { _tag: "RecordTypeUnknown", path: basePath, type: "Pair" })
      const other = RecordType.make({ name: "Item", fields: Schema.Struct({ id: Schema.Int }), primaryKey: ["id"] })
      const changed = yield* failureOf(syncA, "/other", [other], [{ id: 1 }])
      assert.deepInclude(changed, { _tag: "RecordTypeChanged", path: basePath, type: "Item" })
      assert.include(changed.message, "field id is string, stored as int in /other")

      const open = yield* openAt("/open", [itemType])
      yield* open.startSync({ type: "full", syncId: syncA })
      yield* open.flush
      const source = yield* momentOf(open)
      const unfinished = yield* Effect.flip(base.replaceSync({ sync: syncA, source, sourcePath: "/open" }))
      assert.deepInclude(unfinished, { _tag: "SyncUnfinished", path: "/open", sync: syncA })
      assert.strictEqual(unfinished.message, `Cannot copy sync ${syncA} of /open: it has not ended`)
      assert.deepStrictEqual(yield* allRows(base.database), before)
    })
  )
)

it.effect(
  "RecordStore.replaceSync takes no notice of a type that the base lacks or has otherwise, without records",
  () =>
    inMemory(
      Effect.gen(function* () {
        const base = yield* openAt(basePath, [itemType])
        const other = RecordType.make({ name: "Pair", fields: Schema.Struct({ id: Schema.Int }), primaryKey: ["id"] })
        const source = yield* openAt(sourcePath, [itemType, other])
        yield* fill(source, syncA, [[itemType, items(5)]])
        yield* base.replaceSync({ sync: syncA, source: yield* momentOf(source), sourcePath })
        yield* assertItems(base, syncA, items(5))
      })
    )
)

it.effect(
  "RecordStore.replaceSync takes the type of the run that comes, and a snapshot of before keeps the old one",
  () =>
    inMemory(
      Effect.gen(function* () {
        const base = yield* openAt(basePath)
        yield* fill(base, syncA, [[itemType, items(10)]], { type: "full" })
        const source = yield* openAt(sourcePath)
        yield* source.startSync({ type: "partial", syncId: syncA, parent: syncB, sources: [syncB, syncId(3)] })
        yield* source.checkpointSync("a token")
        yield* source.endSync({ endedAt: 11 })
        yield* base.replaceSync({ sync: syncA, source: yield* momentOf(source), sourcePath })
        const run = Option.getOrThrow(yield* base.getSync(syncA))
        assert.deepInclude(run, {
          type: "partial",
          parent_sync_id: syncB,
          source_sync_ids: [syncB, syncId(3)],
          token: "a token",
          ended_at: 11
        })
        const { database } = base
        const sync = syncBytes(syncA)
        assert.isTrue(Option.isNone(yield* database.get(syncsKeyspace, syncByTypeKey("full", sync))))
        assert.isTrue(Option.isSome(yield* database.get(syncsKeyspace, syncByTypeKey("partial", sync))))
        yield* assertSound(base)
      })
    )
)

it.effect("RecordStore.replaceSync may have its own store as the source, and then changes nothing", () =>
  inMemory(
    Effect.gen(function* () {
      const base = yield* openAt(basePath)
      yield* fill(base, syncA, [[itemType, items(400)]])
      const replaced = yield* base.replaceSync({ sync: syncA, source: yield* momentOf(base), sourcePath: basePath })
      assert.deepInclude(changeOf(replaced, "Item"), { unchangedCount: 400, addedCount: 0, removedCount: 0 })
      yield* assertItems(base, syncA, items(400))
    })
  )
)

it.effect("RecordStore.replaceSync leaves what was put into the current sync alone", () =>
  inMemory(
    Effect.gen(function* () {
      const base = yield* openAt(basePath)
      const source = yield* openAt(sourcePath)
      yield* fill(source, syncA, [[itemType, items(100)]])
      yield* base.startSync({ type: "full", syncId: syncB })
      yield* base.put(itemType, items(300))
      yield* base.replaceSync({ sync: syncA, source: yield* momentOf(source), sourcePath })
      yield* base.put(itemType, items(350).slice(300))
      yield* base.endSync()
      yield* assertItems(base, syncB, items(350))
      yield* assertItems(base, syncA, items(100))
    })
  )
)

it.effect("RecordStore.replaceSync keeps fields that this store does not know", () =>
  inMemory(
    Effect.gen(function* () {
      const fields = { id: Schema.String, discovered_at: Schema.Int }
      const plain = RecordType.make({ name: "Thing", fields: Schema.Struct(fields), primaryKey: ["id"] })
      const longer = RecordType.make({
        name: "Thing",
        fields: Schema.Struct({ ...fields, note: Schema.optionalKey(Schema.String) }),
        primaryKey: ["id"],
        indexes: { by_note: { paths: ["note"] } }
      })
      const records = [
        { id: "a", discovered_at: 1, note: "first" },
        { id: "b", discovered_at: 2 }
      ]
      const source = yield* openAt(sourcePath, [longer])
      yield* fill(source, syncA, [[longer, records]])
      yield* Effect.scoped(
        Effect.gen(function* () {
          const base = yield* openAt(basePath, [plain])
          yield* base.replaceSync({ sync: syncA, source: yield* momentOf(source), sourcePath })
          assert.strictEqual(yield* Stream.runCount(base.stream(plain)), 2)
        })
      )
      const base = yield* openAt(basePath, [longer])
      assert.deepStrictEqual(yield* Stream.runCollect(base.stream(longer)), records)
      yield* assertSound(base)
    })
  )
)
