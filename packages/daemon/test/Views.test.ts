import { assert, describe, it } from "@effect/vitest"
import { Geometry } from "@icecore/catalog"
import { Effect, Exit, Fiber, Option, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { withTiers } from "./support/TierHarness.ts"
import { repeat, seqsOf, spread, tagOf } from "./support/TierReads.ts"

describe("Views", () => {
  it.effect("let a read end what was frozen, indexed, discarded, pruned and swept meanwhile", () =>
    withTiers({}, (tiers) =>
      Effect.gen(function* () {
        yield* spread(tiers)
        const pull = yield* Stream.toPull(Stream.flattenIterable(tiers.reads.range()))
        const first = yield* pull
        const seen = [...first].map(({ seq }) => seq)
        yield* repeat(tiers.append, 4)
        yield* tiers.freeze(3)
        yield* tiers.index(0, 3)
        yield* tiers.discard(3)
        yield* tiers.prune(3)
        assert.isAbove(yield* tiers.sweep, 0)
        for (;;) {
          const more = yield* Effect.exit(pull)
          if (Exit.isFailure(more)) break
          seen.push(...[...more.value].map(({ seq }) => seq))
        }
        assert.deepStrictEqual(
          seen,
          Array.from({ length: 14 }, (_, seq) => seq)
        )
      })
    )
  )

  it.effect("keep what they reach until they close, and no longer", () =>
    withTiers({}, (tiers) =>
      Effect.gen(function* () {
        yield* spread(tiers)
        const scope = yield* Scope.make()
        const view = yield* Scope.provide(tiers.views.open, scope)
        yield* TestClock.adjust("1 minute")
        yield* tiers.prune(2)
        assert.strictEqual(view.floor, 0)
        assert.strictEqual(yield* tagOf(tiers.reads.get(5)), "EntryBelowFloor")
        assert.isAbove(yield* tiers.sweep, 0)
        assert.strictEqual((yield* view.route(Geometry.ChunkId(1)))._tag, "Cold")
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(yield* tiers.sweep, 0)
      })
    )
  )

  it.effect("keep what they reach although the time of day is set back", () =>
    withTiers({}, (tiers) =>
      Effect.gen(function* () {
        yield* TestClock.adjust("1 hour")
        yield* spread(tiers)
        const scope = yield* Scope.make()
        yield* Scope.provide(tiers.views.open, scope)
        yield* TestClock.setTime(0)
        yield* tiers.prune(2)
        assert.isAbove(yield* tiers.sweep, 0)
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(yield* tiers.sweep, 0)
      })
    )
  )

  it.effect("do not keep anything once they have expired", () =>
    withTiers({ views: { maxAgeMillis: 300_000 } }, (tiers) =>
      Effect.gen(function* () {
        yield* spread(tiers)
        const pull = yield* Stream.toPull(tiers.reads.range({ from: 4 }))
        yield* pull
        yield* tiers.prune(1)
        yield* TestClock.adjust("300 seconds")
        assert.isAbove(yield* tiers.sweep, 0)
        yield* pull
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* tiers.sweep, 0)
        const error = yield* Effect.flip(pull)
        assert.strictEqual(
          (error as { readonly message?: string }).message,
          "Cannot read history on: the read began 300001 ms ago, allowed are 300000 ms"
        )
      })
    )
  )

  it.effect("are bounded in number, but not for the store's own work", () =>
    withTiers({ views: { maxCount: 2 } }, (tiers) =>
      Effect.gen(function* () {
        yield* spread(tiers)
        const scope = yield* Scope.make()
        yield* Scope.provide(Effect.andThen(tiers.views.open, tiers.views.open), scope)
        assert.strictEqual(tiers.views.count(), 2)
        assert.strictEqual(yield* tagOf(tiers.reads.get(1)), "ViewsExhausted")
        assert.strictEqual(yield* tagOf(tiers.reads.find(tiers.keyOf("key 1"))), "ViewsExhausted")
        assert.strictEqual(yield* tagOf(seqsOf(tiers.reads)), "ViewsExhausted")
        assert.deepStrictEqual(yield* tiers.reads.occupied([tiers.keyOf("key 1")]), [1])
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(yield* tiers.reads.get(1), tiers.entryAt(1))
        assert.strictEqual(tiers.views.count(), 0)
      })
    )
  )

  it.effect("do not hold a hot database that is to be closed and that nobody reads", () =>
    withTiers({}, (tiers) =>
      Effect.gen(function* () {
        yield* repeat(tiers.append, 6)
        yield* tiers.reads.get(1)
        yield* tiers.freeze(0)
        yield* tiers.reads.get(2)
        yield* tiers.discard(0)
        yield* Effect.yieldNow
        const state = yield* Effect.scoped(
          Effect.flatMap(tiers.catalog.snapshot, (snapshot) => snapshot.hotState(Geometry.ChunkId(0)))
        )
        assert.deepStrictEqual(state, Option.none())
      })
    )
  )

  it.effect("make way for a database that is opened again", () =>
    withTiers({}, (tiers) =>
      Effect.gen(function* () {
        yield* repeat(tiers.append, 3)
        yield* tiers.reads.get(1)
        yield* tiers.reopen(0)
        assert.deepStrictEqual(yield* seqsOf(tiers.reads), [0, 1, 2])
      })
    )
  )

  it.effect("are opened on the present state while a hot chunk waits to be opened again", () =>
    withTiers({}, (tiers) =>
      Effect.gen(function* () {
        yield* spread(tiers)
        const scope = yield* Scope.make()
        yield* Scope.provide(tiers.views.open, scope)
        const reopening = yield* Effect.forkChild(tiers.reopen(3), { startImmediately: true })
        // A view that holds chunk 3 is open: other chunks are read meanwhile, chunk 3 waits.
        assert.deepStrictEqual(yield* tiers.reads.get(5), tiers.entryAt(5))
        const waiting = yield* Effect.forkChild(tiers.reads.get(13), { startImmediately: true })
        yield* repeat(Effect.yieldNow, 10)
        assert.isUndefined(waiting.pollUnsafe())
        assert.isUndefined(reopening.pollUnsafe())
        yield* Scope.close(scope, Exit.void)
        yield* Fiber.join(reopening)
        assert.deepStrictEqual(yield* Fiber.join(waiting), tiers.entryAt(13))
      })
    )
  )

  it.effect("close the packs of what was pruned", () =>
    withTiers({}, (tiers) =>
      Effect.gen(function* () {
        yield* spread(tiers)
        yield* tiers.reads.get(1)
        assert.isDefined(tiers.packs.peekUnsafe(Geometry.ChunkId(0)))
        yield* tiers.prune(1)
        assert.isUndefined(tiers.packs.peekUnsafe(Geometry.ChunkId(0)))
      })
    )
  )
})
