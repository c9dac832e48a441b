import { assert, describe, it } from "@effect/vitest"
import { CatalogKey, Geometry } from "@icecore/catalog"
import { Deferred, Effect, Fiber, Option, Stream } from "effect"
import { PositionInvalid, type Source } from "../src/Source.ts"
import type * as Store from "../src/Store.ts"
import * as DemoSource from "../src/source/DemoSource.ts"
import { check, demo, haltingAt14, keyOf, make, opened, problemOf, withOthers } from "./support/RetainedLog.ts"
import { makeMachine } from "./support/StoreHarness.ts"

/** Entry `seq` of a log in which some entries have the bytes, so the key, of another. */
const repeating = (count: number, repeats: Readonly<Record<number, number>>): Source => ({
  ...demo(count),
  name: "repeating",
  entries: (options) =>
    Stream.map(demo(count).entries(options), (batch) => ({
      ...batch,
      entries: batch.entries.map((bytes, index) => {
        const repeated = repeats[batch.firstSeq + index]
        return repeated === undefined ? bytes : DemoSource.entryAt(repeated)
      })
    }))
})
describe("Store widening", () => {
  it.effect("ends at a chunk that the source cannot give, though those behind it are frozen still", () => {
    const machine = makeMachine()
    const torn: Source = {
      ...demo(30),
      name: "torn",
      entries: (options) =>
        Stream.map(demo(30).entries(options), (batch) => ({
          ...batch,
          entries: batch.entries.map((bytes, index) =>
            batch.firstSeq + index === 1 ? new TextEncoder().encode("two\nlines") : bytes
          )
        }))
    }
    return Effect.gen(function* () {
      yield* opened(machine, {}, (store) =>
        Effect.gen(function* () {
          yield* store.ingest(demo(30))
          yield* store.catalog.setBeginSeq(20)
          yield* store.catalog.demote([CatalogKey.chunkKey(Geometry.ChunkId(0), "entries")])
        })
      )
      yield* opened(
        machine,
        {},
        (store) =>
          Effect.gen(function* () {
            yield* store.ingest(torn)
            assert.deepStrictEqual(yield* store.history.served, Option.some({ floor: 20, latest: 29 }))
          }),
        { backfill: { workers: 8 } }
      )
    })
  })
})

describe("Store widening from a source that is not the log", () => {
  const failureOf = (store: Store.Store, source: Source) =>
    Effect.map(Effect.flip(store.ingest(source)), (e) => e.message)

  it.effect("fails at the first kept entry that the source gives otherwise, and serves nothing of it", () => {
    const machine = make()
    return Effect.gen(function* () {
      yield* opened(machine, { chunks: 2 }, (store) => store.ingest(demo(30)))
      yield* opened(machine, {}, (store) =>
        Effect.gen(function* () {
          const problem = "Cannot ingest from source other: its entry 22 is not the one that was ingested before"
          assert.strictEqual(
            yield* failureOf(
              store,
              withOthers(30, (seq) => seq === 22 || seq < 20)
            ),
            problem
          )
          assert.deepStrictEqual(yield* problemOf(store), [
            Option.some({ floor: 20, latest: 29 }),
            `entries 0 to 19 were not filled in: ${problem}`
          ])
          assert.strictEqual((yield* store.history.status).builds.chunks, 0)
        })
      )
      yield* opened(machine, {}, (store) => Effect.andThen(store.ingest(demo(30)), check(store, 0, 29)))
    })
  })

  it.effect("fills nothing in from a source that cannot go on at the position", () => {
    const machine = make()
    return Effect.gen(function* () {
      yield* opened(machine, { chunks: 2 }, (store) => store.ingest(demo(30)))
      yield* opened(machine, {}, (store) =>
        Effect.gen(function* () {
          const lost: Source = {
            ...demo(30),
            entries: (options) =>
              options.resume === undefined
                ? demo(30).entries(options)
                : Stream.fail(new PositionInvalid({ source: "lost", detail: "line 30 changed" }))
          }
          assert.strictEqual(yield* failureOf(store, lost), "Cannot resume source lost: line 30 changed")
          assert.strictEqual((yield* store.history.status).builds.chunks, 0)
          assert.deepStrictEqual(yield* problemOf(store), [
            Option.some({ floor: 20, latest: 29 }),
            "entries 0 to 19 were not filled in: Cannot resume source lost: line 30 changed"
          ])
        })
      )
    })
  })

  it.effect("fills nothing in from a source that ends before all that is kept of a log with no position", () => {
    const machine = make()
    return Effect.gen(function* () {
      yield* opened(machine, { chunks: 2 }, (store) =>
        Effect.forEach(Array.from({ length: 30 }), (_, seq) => store.history.append([DemoSource.entryAt(seq)])).pipe(
          Effect.andThen(store.settled)
        )
      )
      yield* opened(machine, {}, (store) =>
        Effect.gen(function* () {
          yield* Effect.ignore(store.ingest(demo(20)))
          assert.deepStrictEqual(yield* problemOf(store), [
            Option.some({ floor: 20, latest: 29 }),
            "entries 0 to 19 were not filled in: source demo ends before entry 20, so that nothing of it can be compared"
          ])
        })
      )
      yield* opened(machine, {}, (store) => Effect.andThen(store.ingest(demo(30)), check(store, 0, 29)))
    })
  })

  it.effect("compares the source, though as many views are open as readers may have", () => {
    const machine = make()
    return Effect.gen(function* () {
      yield* opened(machine, { chunks: 2 }, (store) => store.ingest(demo(30)))
      yield* opened(
        machine,
        {},
        (store) =>
          Effect.gen(function* () {
            const stalled = yield* Deferred.make<void>()
            const stall = Effect.andThen(Deferred.succeed(stalled, undefined), Effect.never)
            const reading = yield* Effect.forkChild(Stream.runForEach(store.history.range(), () => stall))
            yield* Deferred.await(stalled)
            assert.strictEqual((yield* Effect.flip(store.history.get(20)))._tag, "ViewsExhausted")
            yield* store.ingest(demo(30))
            yield* Fiber.interrupt(reading)
            yield* check(store, 0, 29)
          }),
        { views: { maxCount: 1 } }
      )
    })
  })

  it.effect("makes chunks of an earlier attempt anew of which the source gives other entries", () => {
    const machine = make()
    return Effect.gen(function* () {
      yield* opened(machine, { chunks: 2 }, (store) => store.ingest(demo(42)))
      yield* opened(machine, {}, (store) =>
        Effect.gen(function* () {
          const running = yield* Effect.forkChild(store.ingest(haltingAt14((seq) => seq === 6 || seq === 11)))
          yield* Effect.repeat(store.history.status, { until: ({ builds }) => builds.chunks === 3 })
          yield* Fiber.interrupt(running)
        })
      )
      yield* opened(machine, {}, (store) =>
        Effect.gen(function* () {
          assert.deepInclude(yield* store.ingest(demo(42)), { builtChunkCount: 7 })
          yield* check(store, 0, 41)
        })
      )
    })
  })
})

describe("Store widening over keys that are taken", () => {
  it.effect("ends a widening at a key that a newer entry has taken since, and says of which entries", () => {
    const machine = make()
    return Effect.gen(function* () {
      yield* opened(machine, { chunks: 2 }, (store) =>
        Effect.gen(function* () {
          yield* store.ingest(demo(30))
          yield* store.history.append([DemoSource.entryAt(9)])
        })
      )
      yield* opened(machine, {}, (store) =>
        Effect.gen(function* () {
          const before = yield* store.history.served
          // What is wrong with the source beyond the widening is met by ordinary ingestion.
          yield* Effect.ignore(store.ingest(demo(30)))
          yield* store.settled
          assert.deepStrictEqual(yield* problemOf(store), [
            before,
            "entries 0 to 19 were not filled in: entries 9 and 30 have one key"
          ])
          assert.strictEqual(Option.getOrThrow(yield* store.history.find(keyOf(9))).seq, 30)
        })
      )
    })
  })

  it.effect("ends a widening at a key that two of its own chunks have, in one window and in two", () =>
    Effect.gen(function* () {
      for (const [first, second] of [
        [1, 6],
        [2, 17]
      ] as const) {
        const machine = make()
        yield* opened(machine, { earliest: 20 }, (store) => store.ingest(repeating(30, { [second]: first })))
        yield* opened(machine, { earliest: "genesis" }, (store) =>
          Effect.gen(function* () {
            yield* store.ingest(repeating(30, { [second]: first }))
            assert.deepStrictEqual(yield* problemOf(store), [
              Option.some({ floor: 20, latest: 29 }),
              `entries 0 to 19 were not filled in: entries ${first} and ${second} have one key`
            ])
            yield* store.settled
          })
        )
      }
    })
  )

  it.effect("holds what an interrupted widening left against what was appended since", () => {
    const machine = make()
    return Effect.gen(function* () {
      yield* opened(machine, { chunks: 2 }, (store) => store.ingest(demo(42)))
      yield* opened(machine, {}, (store) =>
        Effect.gen(function* () {
          const running = yield* Effect.forkChild(store.ingest(haltingAt14()))
          yield* Effect.repeat(store.history.status, { until: ({ builds }) => builds.chunks === 3 })
          yield* Fiber.interrupt(running)
          // Of a chunk that is frozen, and not served.
          yield* store.history.append([DemoSource.entryAt(6)])
        })
      )
      yield* opened(machine, {}, (store) =>
        Effect.gen(function* () {
          yield* Effect.ignore(store.ingest(demo(42)))
          assert.deepStrictEqual(yield* problemOf(store), [
            Option.some({ floor: 32, latest: 42 }),
            "entries 0 to 31 were not filled in: entries 6 and 42 have one key"
          ])
        })
      )
    })
  })

  for (const [what, appended, expected] of [
    ["takes them as they are", 30, [Option.some({ floor: 0, latest: 30 }), null]],
    [
      "names a key that was taken since",
      3,
      [Option.some({ floor: 20, latest: 30 }), "entries 0 to 19 were not filled in: entries 3 and 30 have one key"]
    ]
  ] as const)
    it.effect(`widens over chunks that are all frozen still: ${what}`, () => {
      const machine = make()
      return Effect.gen(function* () {
        yield* opened(machine, {}, (store) =>
          Effect.gen(function* () {
            yield* store.ingest(demo(30))
            // As a crash leaves it between the mark and the prune.
            yield* store.catalog.setBeginSeq(20)
          })
        )
        yield* opened(machine, {}, (store) =>
          Effect.gen(function* () {
            yield* store.history.append([DemoSource.entryAt(appended)])
            yield* Effect.ignore(store.ingest(demo(30)))
            yield* store.settled
            assert.deepStrictEqual(yield* problemOf(store), [...expected])
          })
        )
      })
    })

  it.effect("ends a widening at a chunk that failed, though later ones are frozen still", () => {
    const machine = make()
    return Effect.gen(function* () {
      yield* opened(machine, {}, (store) =>
        Effect.gen(function* () {
          yield* store.ingest(demo(30))
          yield* store.catalog.setBeginSeq(20)
          const chunk = Geometry.ChunkId(0)
          yield* store.catalog.demote([CatalogKey.chunkKey(chunk, "entries")])
        })
      )
      yield* opened(machine, {}, (store) =>
        Effect.gen(function* () {
          yield* store.ingest(repeating(30, { 1: 25 }))
          assert.deepStrictEqual(yield* problemOf(store), [
            Option.some({ floor: 20, latest: 29 }),
            "entries 0 to 19 were not filled in: entries 1 and 25 have one key"
          ])
        })
      )
      yield* opened(machine, {}, (store) => Effect.andThen(store.ingest(demo(30)), check(store, 0, 29)))
    })
  })
})
