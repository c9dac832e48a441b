import { assert, it } from "@effect/vitest"
import { Effect, Layer, Option, Stream } from "effect"
import { type Database, Engine } from "../src/Engine.ts"
import { entryRunPrefix } from "../src/format/EntryRun.ts"
import { metaKeyspace, syncBytes } from "../src/format/RecordLayout.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import { Item, item, items, Pair, syncId } from "./PlantedStore.ts"
import { assertItems, openStore } from "./RecordStoreHarness.ts"

/** What is done to a store between two openings; each step may be the one that a fault strikes. */
const life = Effect.gen(function* () {
  const store = yield* openStore()
  yield* store.startSync({ type: "full", syncId: syncId(1) })
  yield* store.put(Item, items(3_000))
  yield* store.put(Item, items(6_000).slice(2_000))
  yield* store.checkpointSync("half")
  yield* store.put(Item, items(8_000).slice(5_000))
  yield* store.endSync()
})

for (const code of ["EIO", "ENOSPC"] as const) {
  for (const point of ["commit", "sync"] as const) {
    it.effect(
      `RecordStore leaves a sync plainly unfinished when any ${point} fails with ${code}, and it can be resumed`,
      () =>
        Effect.gen(function* () {
          for (let afterCount = 0; ; afterCount++) {
            const medium = MemoryEngine.makeMedium()
            const layer = MemoryEngine.layerMedium(medium)
            medium.inject({ point, code, afterCount })
            const outcome = yield* Effect.result(Effect.scoped(life)).pipe(Effect.provide(layer))
            medium.heal()
            const isClean = yield* Effect.scoped(
              Effect.gen(function* () {
                const store = yield* openStore()
                const run = Option.getOrUndefined(yield* store.getSync(syncId(1)))
                if (outcome._tag === "Success") {
                  assert.isDefined(run?.ended_at)
                  yield* assertItems(store, syncId(1), items(8_000))
                  return true
                }
                assert.include(["EngineFailed", "EngineFull"], outcome.failure._tag)
                assert.isUndefined(run?.ended_at)
                if (run === undefined) return false
                yield* store.resumeSync(syncId(1))
                yield* store.put(Item, items(8_000))
                yield* assertItems(store, syncId(1), items(8_000))
                assert.deepStrictEqual((yield* store.endSync()).counts, { Item: 8_000 })
                return false
              })
            ).pipe(Effect.provide(layer))
            if (isClean) {
              assert.isAbove(afterCount, point === "commit" ? 5 : 2)
              return
            }
          }
        })
    )
  }
}

/** An engine whose reads of some rows fail for as long as it is told. */
const failingReads = (isStruck: (keyspace: string, key: Uint8Array) => boolean) => {
  const state = { isFailing: false, failures: 0 }
  const spoil = (database: Database): Database => ({
    ...database,
    floor: (keyspace, key) =>
      Effect.suspend(() => {
        if (!state.isFailing || !isStruck(keyspace, key)) return database.floor(keyspace, key)
        state.failures++
        return database.get(keyspace, new Uint8Array()) as never
      })
  })
  const layer = Layer.effect(
    Engine,
    Effect.map(Engine, (engine): Engine => ({ ...engine, open: (options) => Effect.map(engine.open(options), spoil) }))
  )
  return { state, layer: Layer.provide(layer, MemoryEngine.layer) }
}

it.effect("RecordStore makes the entries of a sync anew when a read fails in the middle of writing them", () => {
  const { layer, state } = failingReads((keyspace) => keyspace === "indexes")
  return Effect.scoped(
    Effect.gen(function* () {
      const store = yield* openStore()
      const { sync_id } = yield* store.startSync({ type: "full" })
      yield* store.put(Item, items(1_000))
      yield* store.put(Pair, [{ left: "a", right: 1, text: "" }])
      yield* store.flush
      yield* store.put(Item, [item(1, { group: "moved" }), item(2, { flag: true })])
      state.isFailing = true
      assert.strictEqual((yield* Effect.flip(store.flush))._tag, "EngineKeySize")
      assert.strictEqual((yield* Effect.flip(store.endSync()))._tag, "EngineKeySize")
      state.isFailing = false
      assert.isAbove(state.failures, 0)
      yield* store.put(Item, [item(1_000)])
      const expected = [...items(1_001), item(1, { group: "moved" }), item(2, { flag: true })]
      yield* assertItems(store, sync_id, expected)
      assert.deepStrictEqual((yield* store.endSync()).counts, { Item: 1_001, Pair: 1 })
    })
  ).pipe(Effect.provide(layer))
})

it.effect("RecordStore makes the entries of a sync anew when a read fails behind a batch of its records", () => {
  // Records of the second type are read when those of the first are written.
  const { layer, state } = failingReads((keyspace, key) => keyspace === "records" && key[1] === 3)
  return Effect.scoped(
    Effect.gen(function* () {
      const store = yield* openStore()
      const { sync_id } = yield* store.startSync({ type: "full" })
      const large = items(850).map((each) => ({ ...each, group: `${each.group} ${"x".repeat(300)}` }))
      yield* store.put(Item, large)
      yield* store.put(Pair, [{ left: "a", right: 1, text: "" }])
      state.isFailing = true
      assert.strictEqual((yield* Effect.flip(store.checkpointSync("")))._tag, "EngineKeySize")
      state.isFailing = false
      const stored = yield* Stream.runCount(store.database.scan("records"))
      assert.isAbove(stored, 0)
      assert.deepStrictEqual((yield* store.endSync()).counts, { Item: 850, Pair: 1 })
      yield* assertItems(store, sync_id, large)
    })
  ).pipe(Effect.provide(layer))
})

it.effect(
  "RecordStore makes the entries of a sync anew when some that were kept aside are gone, so that it can end",
  () =>
    Effect.scoped(
      Effect.gen(function* () {
        const store = yield* openStore()
        const { sync_id } = yield* store.startSync({ type: "full" })
        const scattered = items(20_000).map((each, index) => ({ ...each, group: `group ${(index * 7_919) % 20_011}` }))
        for (let from = 0; from < scattered.length; from += 500)
          yield* store.put(Item, scattered.slice(from, from + 500))
        const chunks = yield* Stream.runCollect(
          store.database.scan(metaKeyspace, { prefix: entryRunPrefix(syncBytes(sync_id)) })
        )
        assert.isAbove(chunks.length, 1)
        yield* store.database.write((batch) => batch.delete(metaKeyspace, chunks[chunks.length - 1]!.key))
        assert.strictEqual((yield* Effect.flip(store.endSync()))._tag, "StoreCorrupt")
        assert.deepStrictEqual((yield* store.endSync()).counts, { Item: 20_000 })
        yield* assertItems(store, sync_id, scattered)
      })
    ).pipe(Effect.provide(MemoryEngine.layer))
)

it.effect("RecordStore leaves what is stored when an atomic call fails to read, and takes it again", () => {
  const { layer, state } = failingReads((keyspace) => keyspace === "indexes")
  return Effect.scoped(
    Effect.gen(function* () {
      const store = yield* openStore()
      const { sync_id } = yield* store.startSync({ type: "full" })
      yield* store.put(Item, items(100))
      yield* store.resumeSync(sync_id)
      state.isFailing = true
      const moved = items(50).map((each) => ({ ...each, group: "moved" }))
      assert.strictEqual((yield* Effect.flip(store.put(Item, moved)))._tag, "EngineKeySize")
      state.isFailing = false
      yield* assertItems(store, sync_id, items(100))
      yield* store.put(Item, moved)
      yield* assertItems(store, sync_id, [...items(100), ...moved])
    })
  ).pipe(Effect.provide(layer))
})

it.effect("RecordStore says which record does not decode when it is to be overwritten, and stores nothing", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const store = yield* openStore()
      const { sync_id } = yield* store.startSync({ type: "full" })
      yield* store.put(Item, items(1))
      yield* store.resumeSync(sync_id)
      const [row] = yield* Stream.runCollect(store.database.scan("records"))
      // A block of one row: its value ends the block, and its first byte is the version of the record's type.
      const value = row!.value.slice()
      value[2] = 0xc1
      yield* store.database.write((batch) => batch.put("records", row!.key, value))
      const failure = yield* Effect.flip(store.put(Item, [item(0, { group: "moved" })]))
      assert.deepInclude(failure, { _tag: "RecordCorrupt", type: "Item" })
      assert.strictEqual((yield* Effect.flip(store.putIfNewer(Item, items(1))))._tag, "RecordCorrupt")
      assert.strictEqual((yield* Effect.flip(store.delete(Item, items(1)[0]!)))._tag, "RecordCorrupt")
    })
  ).pipe(Effect.provide(MemoryEngine.layer))
)
