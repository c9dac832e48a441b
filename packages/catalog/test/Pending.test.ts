import { assert, describe, it } from "@effect/vitest"
import * as MemoryEngine from "@icecore/engine/memory"
import { CrashRecorder, SimulatedDisk } from "@icecore/packfile/testing"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { chunkKey, encodeKey, hotKey, keyspace, toBytes } from "../src/format/CatalogKey.ts"
import { ChunkId } from "../src/Geometry.ts"
import * as Claims from "../src/internal/Claims.ts"
import * as DurableDirectories from "../src/internal/DurableDirectories.ts"
import * as Pending from "../src/internal/Pending.ts"
import * as Pruning from "../src/internal/Pruning.ts"
import * as Removal from "../src/internal/Removal.ts"
import type { Store } from "../src/internal/Store.ts"
import * as Layout from "../src/Layout.ts"
import { layout } from "./crash/CrashHarness.ts"
import { geometry } from "./Harness.ts"

const key = (number: number) => chunkKey(ChunkId(number), "entries")
const wasFrozen = (number: number): Pending.Demoted => ({ key: key(number), state: "frozen" })

describe("Pending", () => {
  it.effect("Pending.demoting dates what was frozen after its batch, whether it succeeds or fails", () =>
    Effect.gen(function* () {
      const pending = Pending.make()
      yield* TestClock.adjust("5 millis")
      const batch = Effect.gen(function* () {
        assert.strictEqual(pending.demotedAt(key(1)), Number.POSITIVE_INFINITY)
        yield* TestClock.adjust("2 millis")
        return yield* Effect.fail("boom")
      })
      const demoted = [wasFrozen(1), { key: key(2), state: "freezing" as const }]
      assert.strictEqual(yield* Effect.flip(pending.demoting(demoted, batch)), "boom")
      assert.deepStrictEqual(
        [1, 2, 3].map((number) => pending.demotedAt(key(number))),
        [7, -Infinity, -Infinity]
      )
      assert.deepStrictEqual(pending.known(), [key(1), key(2)])
      pending.forget([key(1)])
      assert.deepStrictEqual(pending.known(), [key(2)])
    })
  )

  it.effect(
    "Pending.demotedAt takes the last demotion for every key that it could not note, until all were walked",
    () =>
      Effect.gen(function* () {
        const pending = Pending.make(2)
        pending.note([hotKey(ChunkId(9))])
        yield* TestClock.adjust("5 millis")
        yield* pending.demoting([wasFrozen(1), wasFrozen(2)], Effect.void)
        yield* TestClock.adjust("5 millis")
        yield* pending.demoting(
          [wasFrozen(3)],
          Effect.sync(() => assert.strictEqual(pending.demotedAt(key(2)), Number.POSITIVE_INFINITY))
        )
        assert.deepStrictEqual(
          [1, 2, 3].map((number) => pending.demotedAt(key(number))),
          [5, 10, 10]
        )
        assert.isUndefined(pending.known())
        assert.isFalse(pending.isNoted(key(2)))
        const early = pending.walk()
        yield* pending.demoting([wasFrozen(4)], Effect.void)
        early()
        assert.isUndefined(pending.known())
        pending.walk()()
        assert.deepStrictEqual(pending.known(), [hotKey(ChunkId(9)), key(1)])
        assert.strictEqual(pending.demotedAt(key(3)), Number.NEGATIVE_INFINITY)
      })
  )

  it.effect("Pending makes a sweep of what is known walk all keys, until one has left nothing that is not noted", () =>
    Effect.gen(function* () {
      const path = Layout.catalogPath(layout)
      const engine = MemoryEngine.make(MemoryEngine.makeMedium())
      const database = yield* engine.open({ path, keyspaces: [keyspace] })
      const { disk } = SimulatedDisk.make(CrashRecorder.make())
      let destroyableBefore = 0
      const store: Store = {
        disk,
        hotEngine: engine,
        layout,
        database,
        table: { path, geometry, reader: database },
        claims: Claims.make(),
        directories: DurableDirectories.make(disk),
        pending: Pending.make(8),
        destroyableBefore: Effect.sync(() => destroyableBefore),
        runs: { windows: new Set(), isComplete: false }
      }
      const chunkCount = 20
      yield* database.write((batch) => {
        for (let number = 0; number < chunkCount; number++)
          batch.put(keyspace, toBytes(encodeKey(key(number))), toBytes("frozen"))
      })
      assert.strictEqual(yield* Pruning.prune(store, ChunkId(chunkCount)), chunkCount)
      for (const known of [false, true]) {
        const deferred = { artifactCount: 0, hotCount: 0, deferredCount: chunkCount }
        assert.deepStrictEqual(yield* Removal.sweep(store, { known }), deferred)
      }
      destroyableBefore = 1
      assert.strictEqual((yield* Removal.sweep(store, { known: true })).artifactCount, chunkCount)
      assert.deepStrictEqual(store.pending.known(), [])
    })
  )
})
