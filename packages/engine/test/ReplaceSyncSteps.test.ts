import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Stream } from "effect"
import type { ReplaceProgress } from "../src/RecordStore.ts"
import { items, Item as itemType, Pair } from "./PlantedStore.ts"
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
  syncA
} from "./ReplaceHarness.ts"

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
