import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option, Schema, type Scope, Stream } from "effect"
import type { Engine } from "../src/Engine.ts"
import { allEntryRunsPrefix } from "../src/format/EntryRun.ts"
import { metaKeyspace, syncByTypeKey, syncBytes, syncsKeyspace } from "../src/format/RecordLayout.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import type { ReplaceProgress, SyncReplacement } from "../src/RecordStore.ts"
import * as RecordType from "../src/RecordType.ts"
import { item, items, Item as itemType, openPlanted, Pair, syncId } from "./PlantedStore.ts"
import { assertItems, assertSound } from "./RecordStoreHarness.ts"
import {
  allRows,
  assertSame,
  basePath,
  changedItems,
  fill,
  momentOf,
  openAt,
  rowsNaming,
  sourcePath,
  syncA,
  syncB
} from "./ReplaceHarness.ts"

const inMemory = <A, E>(effect: Effect.Effect<A, E, Engine | Scope.Scope>) =>
  Effect.provide(Effect.scoped(effect), MemoryEngine.layer)

const pairs = [
  { left: "a", right: 1, text: "one" },
  { left: "a", right: 2, text: "two" }
]

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

it.effect("RecordStore.replaceSync works in short steps, which see the old moment, and its end the new one", () =>
  inMemory(
    Effect.gen(function* () {
      const base = yield* openAt(basePath)
      yield* fill(base, syncA, [[itemType, items(4_000)]])
      const source = yield* openAt(sourcePath)
      const large = Array.from({ length: 40 }, (_, at) => ({ left: "l", right: at, text: "x".repeat(100_000) }))
      yield* fill(source, syncA, [
        [itemType, changedItems(5_000)],
        [Pair, large]
      ])
      const steps: Array<ReplaceProgress> = [{ rowCount: 0, bytes: 0 }]
      const replaced = yield* base.replaceSync({
        sync: syncA,
        source: yield* momentOf(source),
        sourcePath,
        onStep: (progress) =>
          Effect.gen(function* () {
            const before = steps[steps.length - 1]!
            steps.push(progress)
            assert.isAtMost(progress.rowCount - before.rowCount, 1_000)
            // With the row that takes it there.
            assert.isAtMost(progress.bytes - before.bytes, 256 * 1024 + 104_000)
            if (steps.length % 10 !== 0) return
            const seen = yield* base.list(itemType, { sync: syncA, index: "by_group", pageSize: 1 })
            assert.strictEqual(seen.items[0]!.group, "group 0")
          }).pipe(Effect.orDie)
      })
      const last = steps[steps.length - 1]!
      assert.strictEqual(last.rowCount, replaced.entryCount + changedItems(5_000).length + 40)
      assert.isAtLeast(steps.length, 30)
      yield* assertItems(base, syncA, changedItems(5_000))
      assert.deepStrictEqual(yield* Stream.runCollect(base.stream(Pair, { sync: syncA })), large)
    })
  )
)

it.effect("RecordStore.replaceSync that is interrupted, or whose step fails, leaves the sync as it was", () =>
  inMemory(
    Effect.gen(function* () {
      const base = yield* openAt(basePath)
      yield* fill(base, syncA, [[itemType, items(3_000)]])
      const source = yield* openAt(sourcePath)
      yield* fill(source, syncA, [[itemType, changedItems(3_000)]])
      const reader = yield* momentOf(source)
      const before = yield* allRows(base.database)
      for (const stopAt of [1, 3, 8]) {
        let stepCount = 0
        const reached = yield* Deferred.make<void>()
        const wait = Effect.andThen(Deferred.succeed(reached, undefined), Effect.never)
        const replacing = yield* Effect.forkChild(
          base.replaceSync({
            sync: syncA,
            source: reader,
            sourcePath,
            onStep: () => Effect.suspend(() => (++stepCount === stopAt ? wait : Effect.void))
          })
        )
        yield* Deferred.await(reached)
        // Another change waits for its turn, and has it.
        const waiting = yield* Effect.forkChild(base.flush)
        yield* Fiber.interrupt(replacing)
        yield* Fiber.join(waiting)
        assert.deepStrictEqual(yield* allRows(base.database), before)
        const failed = yield* Effect.flip(
          base.replaceSync({
            sync: syncA,
            source: reader,
            sourcePath,
            onStep: () => Effect.suspend(() => (++stepCount === 2 * stopAt ? Effect.fail("enough") : Effect.void))
          })
        )
        assert.strictEqual(failed, "enough")
        assert.deepStrictEqual(yield* allRows(base.database), before)
      }
      yield* base.replaceSync({ sync: syncA, source: reader, sourcePath })
      yield* assertItems(base, syncA, changedItems(3_000))
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

it.effect("RecordStore.replaceSync lets others have their turn, but for changes of the store", () =>
  inMemory(
    Effect.gen(function* () {
      const base = yield* openAt(basePath)
      const source = yield* openAt(sourcePath)
      yield* fill(source, syncA, [[itemType, items(5_000)]])
      const reader = yield* momentOf(source)
      let turnCount = 0
      let isOver = false
      const turn = () => {
        turnCount++
        if (!isOver) setImmediate(turn)
      }
      const replacing = yield* Effect.forkChild(base.replaceSync({ sync: syncA, source: reader, sourcePath }))
      setImmediate(turn)
      yield* Effect.yieldNow
      // Would be there first if it did not wait.
      const refused = yield* Effect.flip(base.startSync({ type: "full", syncId: syncA }))
      assert.strictEqual(refused._tag, "SyncExists")
      yield* Fiber.join(replacing)
      isOver = true
      assert.isAbove(turnCount, 10)
      yield* assertItems(base, syncA, items(5_000))
    })
  )
)
