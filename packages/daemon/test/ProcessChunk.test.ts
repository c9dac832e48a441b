import { assert, describe, it } from "@effect/vitest"
import { Catalog, Geometry, Layout, StorageLock } from "@icecore/catalog"
import { Effect, Fiber, Option, type Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as ArtifactWork from "../src/ArtifactWork.ts"
import * as EntriesPack from "../src/EntriesPack.ts"
import { hotKeyspaces } from "../src/format/HotFormat.ts"
import * as HotChunk from "../src/HotChunk.ts"
import * as HotSet from "../src/internal/HotSet.ts"
import * as ViewEpoch from "../src/internal/ViewEpoch.ts"
import { choose, processChunk } from "../src/ProcessChunk.ts"
import type { Source } from "../src/Source.ts"
import type { StorageError } from "../src/StorageError.ts"
import type { StoreServices } from "../src/Store.ts"
import * as DemoSource from "../src/source/DemoSource.ts"
import { makeMachine, smallGeometry } from "./support/StoreHarness.ts"

const chunk = Geometry.ChunkId(1)

interface Bench {
  readonly catalog: Catalog.Catalog
  readonly hotSet: HotSet.HotSet<StorageError>
  /** Opens hot chunk 1 with the first `count` entries of the demonstration log that belong there. */
  readonly fill: (count: number) => Effect.Effect<HotChunk.HotChunk, StorageError>
  readonly freeze: (source?: Source) => Effect.Effect<void, StorageError, StoreServices>
  readonly frozen: Effect.Effect<ReadonlyArray<Uint8Array>, unknown, StoreServices>
}

const withBench = <A, E>(use: (bench: Bench) => Effect.Effect<A, E, StoreServices | Scope.Scope>) =>
  Effect.gen(function* () {
    const layout = yield* Layout.make({ dataDir: "/store" })
    yield* StorageLock.acquire(layout)
    const geometry = yield* Geometry.make(smallGeometry)
    const catalog = yield* Catalog.make({ layout, geometry, domain: { name: "ndjson", version: 1 } })
    const hotSet = yield* HotSet.make<StorageError>(ViewEpoch.make())
    const fill = Effect.fnUntraced(function* (count: number) {
      const hot = yield* hotSet.add(
        Effect.map(catalog.openHot(chunk, { keyspaces: hotKeyspaces }), (database) =>
          HotChunk.make({ geometry, chunk, database })
        )
      )
      const entries = Array.from({ length: count }, (_, index) => DemoSource.entryAt(4 + index))
      if (count > 0) yield* HotChunk.commit(hot, { firstSeq: 4, entries })
      return hot
    })
    const frozen = Effect.gen(function* () {
      const pack = yield* EntriesPack.open({
        path: Layout.entriesPath(layout, chunk),
        chunk,
        firstSeq: 4,
        entryCount: 4
      })
      return yield* Stream.runCollect(pack.reader.range(0, 4))
    }).pipe(Effect.scoped)
    const freeze = (source?: Source) =>
      Effect.flatMap(ArtifactWork.ArtifactWork, (work) =>
        processChunk({ catalog, hotSet, work, chunk, kinds: ["entries"], source: Option.fromUndefinedOr(source) })
      )
    return yield* use({ catalog, hotSet, fill, freeze, frozen })
  }).pipe(Effect.scoped, Effect.provide(makeMachine().services))

const expected = Array.from({ length: 4 }, (_, index) => DemoSource.entryAt(4 + index))

describe("ProcessChunk", () => {
  it("choose prefers frozen entries, then a complete hot database, then the source, and skips what is frozen", () => {
    const known = {
      missing: ["entries", "keys"] as const,
      isHotComplete: false,
      hasFrozenEntries: false,
      hasSource: false
    }
    const all = { isHotComplete: true, hasFrozenEntries: true, hasSource: true }
    assert.strictEqual(choose({ missing: [], ...all }), "nothing to do")
    assert.strictEqual(choose({ missing: ["keys"], ...all }), "frozen entries")
    assert.strictEqual(choose({ missing: ["entries"], ...all }), "hot")
    assert.strictEqual(choose({ ...known, isHotComplete: true, hasSource: true }), "hot")
    assert.strictEqual(choose({ ...known, hasSource: true }), "source")
    assert.strictEqual(choose(known), "nowhere")
  })

  it.effect("processChunk freezes a complete hot chunk, and a second time does nothing", () =>
    withBench(({ fill, freeze, frozen, hotSet }) =>
      Effect.gen(function* () {
        yield* fill(4)
        yield* freeze()
        assert.deepStrictEqual(yield* frozen, expected)
        yield* hotSet.retire(chunk)
        yield* freeze()
      })
    )
  )

  it.effect("processChunk passes over a hot chunk that is not complete, and takes the source", () =>
    withBench(({ fill, freeze, frozen }) =>
      Effect.gen(function* () {
        yield* fill(3)
        yield* freeze(DemoSource.make({ count: 20 }))
        assert.deepStrictEqual(yield* frozen, expected)
      })
    )
  )

  it.effect("processChunk names the first entry that is not to be had", () =>
    withBench(({ fill, freeze }) =>
      Effect.gen(function* () {
        const alone = yield* Effect.flip(freeze())
        assert.strictEqual(
          alone.message,
          "Cannot freeze chunk 1: entry 4 is not to be had: no hot database has it, and there is no source"
        )
        yield* fill(2)
        const short = yield* Effect.flip(freeze(DemoSource.make({ count: 7 })))
        assert.strictEqual(
          short.message,
          "Cannot freeze chunk 1: entry 7 is not to be had: source demo has nothing more"
        )
      })
    )
  )

  it.effect("processChunk waits for a silent source a bounded time", () =>
    withBench(({ freeze }) =>
      Effect.gen(function* () {
        const silent: Source = { ...DemoSource.make(), entries: () => Stream.never }
        const waiting = yield* Effect.forkChild(Effect.flip(freeze(silent)))
        yield* TestClock.adjust("9 seconds")
        assert.isUndefined(waiting.pollUnsafe())
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual((yield* Fiber.join(waiting))._tag, "ChunkUncovered")
      })
    )
  )

  it.effect("processChunk refuses a hot chunk with a hole, and freezes nothing", () =>
    withBench(({ catalog, fill, freeze }) =>
      Effect.gen(function* () {
        const hot = yield* fill(2)
        yield* HotChunk.commit(hot, { firstSeq: 7, entries: [DemoSource.entryAt(7)] })
        const error = yield* Effect.flip(freeze(DemoSource.make()))
        assert.strictEqual(error.message, "Cannot read hot chunk 1 at /store/hot/00000001, entry 6: it is missing")
        const state = yield* Effect.flatMap(catalog.snapshot, (snapshot) => snapshot.artifactState(chunk, "entries"))
        assert.deepStrictEqual(state, Option.some("freezing"))
      })
    )
  )
})
