import { assert, describe, it } from "@effect/vitest"
import { Catalog, CatalogKey, Geometry, Layout, StorageLock } from "@icecore/catalog"
import { Disk, KeyIndex, type KeyRun } from "@icecore/packfile"
import { Effect, Option, type Scope, Stream } from "effect"
import { ArtifactWork } from "../src/ArtifactWork.ts"
import { buildKeyIndex } from "../src/BuildKeyIndex.ts"
import * as NdjsonDomain from "../src/domain/NdjsonDomain.ts"
import * as HotSet from "../src/internal/HotSet.ts"
import * as ViewEpoch from "../src/internal/ViewEpoch.ts"
import { processChunk } from "../src/ProcessChunk.ts"
import type { Source } from "../src/Source.ts"
import type { StorageError } from "../src/StorageError.ts"
import type { StoreServices } from "../src/Store.ts"
import * as DemoSource from "../src/source/DemoSource.ts"
import { makeMachine } from "./support/StoreHarness.ts"

const geometry = { firstSeq: 0, entriesPerChunk: 4, chunksPerWindow: 2 } as const

const chunk = Geometry.ChunkId
const window = Geometry.WindowId(0)

const keyOf = (seq: number): Uint8Array =>
  Uint8Array.from(Buffer.from(JSON.parse(new TextDecoder().decode(DemoSource.entryAt(seq))).hash, "hex"))

interface Bench {
  readonly catalog: Catalog.Catalog
  readonly freeze: (id: number, kinds: ReadonlyArray<"entries" | "keys">) => Effect.Effect<unknown, StorageError, Disk>
  readonly build: (lo: number, hi: number) => Effect.Effect<boolean, StorageError, StoreServices>
  readonly lookup: (lo: number, hi: number, seq: number) => Effect.Effect<number, unknown, Disk>
}

const withBench = <A, E>(
  source: Source,
  use: (bench: Bench) => Effect.Effect<A, E, StoreServices | Scope.Scope>
): Effect.Effect<A, unknown> =>
  Effect.gen(function* () {
    const layout = yield* Layout.make({ dataDir: "/store" })
    yield* StorageLock.acquire(layout)
    const work = yield* ArtifactWork
    const catalog = yield* Catalog.make({ layout, geometry, domain: { name: "ndjson", version: 1 } })
    const hotSet = yield* HotSet.make<StorageError>(ViewEpoch.make())
    const known = new Map<Geometry.ChunkId, KeyRun.ExpectedRun>()
    return yield* use({
      catalog,
      freeze: (id, kinds) =>
        processChunk({ catalog, hotSet, work, chunk: chunk(id), kinds, source: Option.some(source) }),
      build: (lo, hi) =>
        buildKeyIndex({ catalog, work, duplicates: "error", known, window, lo: chunk(lo), hi: chunk(hi) }),
      lookup: (lo, hi, seq) =>
        Effect.scoped(
          Effect.flatMap(
            KeyIndex.open(Layout.filesOf(layout, CatalogKey.indexKey(window, chunk(lo), chunk(hi)))[0]!),
            (index) => index.lookup(keyOf(seq))
          )
        )
    })
  }).pipe(Effect.scoped, Effect.provide(makeMachine({ domain: NdjsonDomain.layerWith({ keys: ["/hash"] }) }).services))

const stateOf = (catalog: Catalog.Catalog, id: number) =>
  Effect.scoped(
    Effect.flatMap(catalog.snapshot, (snapshot) =>
      Effect.map(snapshot.artifactState(chunk(id), "keys"), Option.getOrUndefined)
    )
  )

const both = ["entries", "keys"] as const

describe("BuildKeyIndex.buildKeyIndex", () => {
  it.effect("covers more of the window each time, and lets go of the runs when it is finished", () =>
    withBench(DemoSource.make({ count: 20 }), ({ catalog, freeze, build, lookup }) =>
      Effect.gen(function* () {
        yield* freeze(0, both)
        assert.isTrue(yield* build(0, 0))
        assert.isFalse(yield* build(0, 0))
        assert.strictEqual(yield* stateOf(catalog, 0), "frozen")
        yield* freeze(1, both)
        assert.isTrue(yield* build(0, 1))
        for (let seq = 0; seq < 8; seq++) assert.strictEqual(yield* lookup(0, 1, seq), seq)
        assert.deepStrictEqual([yield* stateOf(catalog, 0), yield* stateOf(catalog, 1)], ["pruning", "pruning"])
        const coverages = yield* Stream.runCollect(
          Stream.unwrap(Effect.map(catalog.snapshot, (snapshot) => snapshot.coverages()))
        )
        assert.deepStrictEqual(
          coverages.map(({ lo, hi }) => [lo, hi]),
          [[chunk(0), chunk(1)]]
        )
      })
    )
  )

  it.effect("has a damaged run derived anew from the frozen entries", () =>
    withBench(DemoSource.make({ count: 20 }), ({ catalog, freeze, build, lookup }) =>
      Effect.gen(function* () {
        yield* freeze(0, both)
        yield* freeze(1, both)
        const disk = yield* Disk
        const path = Layout.filesOf(catalog.layout, CatalogKey.chunkKey(chunk(1), "keys"))[0]!
        yield* Effect.scoped(
          Effect.flatMap(disk.open(path, "readWrite"), (file) => file.writeAt(Uint8Array.of(0xff), 20))
        )
        const error = yield* Effect.flip(build(0, 1))
        assert.deepInclude(error, { _tag: "KeyRunCorrupt", path })
        assert.strictEqual(yield* stateOf(catalog, 1), "pruning")
        yield* freeze(1, ["keys"])
        assert.isTrue(yield* build(0, 1))
        for (let seq = 0; seq < 8; seq++) assert.strictEqual(yield* lookup(0, 1, seq), seq)
      })
    )
  )

  it.effect("builds over a key that two entries have all the same, and lets the later one answer", () => {
    const demo = DemoSource.make({ count: 20 })
    const source: Source = {
      ...demo,
      entries: (options) =>
        Stream.map(demo.entries(options), (batch) => ({
          ...batch,
          entries: batch.entries.map((bytes, index) => (batch.firstSeq + index === 6 ? DemoSource.entryAt(1) : bytes))
        }))
    }
    return withBench(source, ({ freeze, build, lookup }) =>
      Effect.gen(function* () {
        yield* freeze(0, both)
        yield* freeze(1, both)
        assert.isTrue(yield* build(0, 1))
        assert.strictEqual(yield* lookup(0, 1, 1), 6)
        assert.strictEqual(yield* lookup(0, 1, 5), 5)
      })
    )
  })
})
