import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { chunkKey, hotKey } from "../src/format/CatalogKey.ts"
import { ChunkId } from "../src/Geometry.ts"
import * as Pending from "../src/internal/Pending.ts"

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
})
