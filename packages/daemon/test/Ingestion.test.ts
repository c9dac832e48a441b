import { assert, describe, it } from "@effect/vitest"
import { CatalogKey, Geometry } from "@icecore/catalog"
import { Deferred, Effect, Fiber, Option, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as NdjsonDomain from "../src/domain/NdjsonDomain.ts"
import * as DemoSource from "../src/source/DemoSource.ts"
import { collect, makeMachine, withStore } from "./support/StoreHarness.ts"

const domain = NdjsonDomain.layerWith({ keys: ["/hash"] })

const keyed = { geometry: { firstSeq: 0, entriesPerChunk: 4, chunksPerWindow: 30 }, graceMillis: 30_000 } as const

const { chunkKey, indexKey } = CatalogKey

describe("Ingestion", () => {
  it.effect("waits until the keys of a damaged run are derived anew, says so, and goes on", () =>
    withStore(
      makeMachine({ domain }),
      (store) =>
        Effect.gen(function* () {
          yield* store.ingest(DemoSource.make({ count: 9 }))
          // As it is when the build of an index finds a run damaged.
          const chunk = Geometry.ChunkId(1)
          yield* store.catalog.demote([
            indexKey(Geometry.WindowId(0), Geometry.ChunkId(0), chunk),
            chunkKey(chunk, "keys")
          ])
          const ingesting = yield* Effect.forkChild(store.ingest(DemoSource.make({ count: 20 })))
          yield* TestClock.adjust("10 seconds")
          const { ingestion, nextSeq } = yield* store.history.status
          assert.strictEqual(nextSeq, 9)
          assert.deepStrictEqual(ingestion, {
            state: "waiting",
            problem: Option.some(
              "Cannot look up keys of chunk 1: no hot database, key run or key index has them; entries 0 to 8 are served"
            )
          })
          yield* TestClock.adjust("2 minutes")
          assert.deepInclude(yield* Fiber.join(ingesting), { entryCount: 11, nextSeq: 20 })
          assert.strictEqual((yield* collect(store.history)).length, 20)
        }),
      keyed
    )
  )

  it.effect("compares what a source gives again, though as many views are open as readers may have", () =>
    withStore(
      makeMachine(),
      ({ history, ingest }) =>
        Effect.gen(function* () {
          yield* ingest(DemoSource.make({ count: 2 }))
          yield* history.append([DemoSource.entryAt(2)])
          const stalled = yield* Deferred.make<void>()
          const stall = Effect.andThen(Deferred.succeed(stalled, undefined), Effect.never)
          yield* Effect.forkChild(Stream.runForEach(history.range(), () => stall))
          yield* Deferred.await(stalled)
          assert.strictEqual((yield* Effect.flip(history.get(0)))._tag, "ViewsExhausted")
          assert.deepInclude(yield* ingest(DemoSource.make({ count: 5 })), { entryCount: 2, nextSeq: 5 })
        }),
      { geometry: { ...keyed.geometry, entriesPerChunk: 40 }, views: { maxCount: 1 } }
    )
  )
})
