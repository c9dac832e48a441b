import { assert, type Vitest } from "@effect/vitest"
import { Disk } from "@icecore/packfile"
import { Effect, Option, Stream } from "effect"
import * as Catalog from "../../src/Catalog.ts"
import { chunkKey } from "../../src/format/CatalogKey.ts"
import { ChunkId, WindowId } from "../../src/Geometry.ts"
import * as Layout from "../../src/Layout.ts"
import {
  chunk,
  domain,
  geometry,
  open,
  type Store,
  tamper,
  temporaryLayout,
  writeFiles,
  writeWanted
} from "../Harness.ts"

/** Reading as of one moment. */
export const snapshotSuite = (it: Vitest.MethodsNonLive<Store>): void => {
  it.effect("CatalogSnapshot lists ranges in both directions and finds the ends of what is frozen", () =>
    Effect.gen(function* () {
      const catalog = yield* Effect.flatMap(temporaryLayout, open)
      for (const number of [1, 2, 5, 10])
        yield* catalog.writeChunk({
          chunk: ChunkId(number),
          kinds: ["entries", "keys"],
          produce: writeWanted
        })
      yield* catalog.demote([chunkKey(ChunkId(1), "entries"), chunkKey(ChunkId(10), "entries")])
      const snapshot = yield* catalog.snapshot
      const list = (range: Parameters<typeof snapshot.artifacts>[0]) =>
        Effect.map(Stream.runCollect(snapshot.artifacts(range)), (found) => found.map(({ key }) => Number(key.chunk)))
      assert.deepStrictEqual(yield* list({ kind: "entries" }), [1, 2, 5, 10])
      assert.deepStrictEqual(yield* list({ kind: "entries", state: "frozen", reverse: true }), [5, 2])
      assert.deepStrictEqual(yield* list({ from: ChunkId(2), to: ChunkId(5) }), [2, 2, 5, 5])
      assert.deepStrictEqual(yield* list({ kind: "keys", from: ChunkId(-1), to: ChunkId(1) }), [1])
      assert.deepStrictEqual(yield* list({ to: ChunkId(-1) }), [])
      assert.deepStrictEqual(yield* list({ kind: "keys", from: ChunkId(6), to: ChunkId(99_999_999) }), [10])
      assert.deepStrictEqual(yield* snapshot.firstFrozen("entries"), Option.some(ChunkId(2)))
      assert.deepStrictEqual(yield* snapshot.lastFrozen("entries"), Option.some(ChunkId(5)))
      assert.deepStrictEqual(yield* snapshot.firstFrozen("events"), Option.none())
    })
  )

  it.effect("CatalogSnapshot.coverages and CatalogSnapshot.runs list what is frozen, in both directions", () =>
    Effect.gen(function* () {
      const catalog = yield* Effect.flatMap(temporaryLayout, open)
      const write = (window: number, lo: number, hi: number) =>
        catalog.writeIndex({
          window: WindowId(window),
          lo: ChunkId(lo),
          hi: ChunkId(hi),
          produce: (file) => writeFiles([file])
        })
      for (const number of [1, 5, 6, 9])
        yield* catalog.writeChunk({ chunk: ChunkId(number), kinds: ["entries", "keys"], produce: writeWanted })
      yield* write(0, 1, 1)
      yield* write(0, 1, 2)
      yield* write(1, 4, 6)
      yield* write(3, 12, 13)
      yield* catalog.demote([chunkKey(ChunkId(6), "keys")])
      const snapshot = yield* catalog.snapshot
      const coverages = (range?: Parameters<typeof snapshot.coverages>[0]) =>
        Effect.map(Stream.runCollect(snapshot.coverages(range)), (found) =>
          found.map(({ window, lo, hi }) => [window, lo, hi].map(Number))
        )
      const all = [
        [0, 1, 2],
        [1, 4, 6],
        [3, 12, 13]
      ]
      assert.deepStrictEqual(yield* coverages(), all)
      assert.deepStrictEqual(yield* coverages({ reverse: true }), all.toReversed())
      assert.deepStrictEqual(yield* coverages({ from: WindowId(1), to: WindowId(2) }), [[1, 4, 6]])
      assert.deepStrictEqual(yield* coverages({ to: WindowId(-1) }), [])
      const runs = (range?: Parameters<typeof snapshot.runs>[0]) =>
        Effect.map(Stream.runCollect(snapshot.runs(range)), (found) => found.map(({ key }) => Number(key.chunk)))
      assert.deepStrictEqual(yield* runs(), [1, 5, 9])
      assert.deepStrictEqual(yield* runs({ from: ChunkId(2), reverse: true }), [9, 5])
    })
  )

  it.effect("Catalog.checkpoint copies the catalog of one moment", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      const catalog = yield* open(layout)
      yield* catalog.writeChunk({ chunk, kinds: ["entries"], produce: writeWanted })
      const copy = `${layout.dataDir}/copy`
      yield* catalog.checkpoint(copy)
      yield* catalog.demote([chunkKey(chunk, "entries")])
      const copied = yield* Layout.make({ dataDir: layout.dataDir, roots: { catalog: copy } })
      const restored = yield* open(copied)
      assert.deepStrictEqual(restored.pins, catalog.pins)
      const snapshot = yield* restored.snapshot
      assert.deepStrictEqual(yield* snapshot.artifactState(chunk, "entries"), Option.some("frozen"))
      assert.strictEqual((yield* Effect.flip(catalog.checkpoint(copy)))._tag, "EngineMisuse")
    })
  )

  for (const reverse of [false, true])
    it.effect(
      `CatalogSnapshot.coverages refuses two frozen key indexes of a window, ${reverse ? "back" : "for"}wards`,
      () =>
        Effect.gen(function* () {
          const layout = yield* temporaryLayout
          yield* Effect.scoped(open(layout))
          yield* tamper(layout, {
            "index:00000001:00000004:00000005": "frozen",
            "index:00000001:00000004:00000006": "frozen"
          })
          const catalog = yield* Catalog.make({ layout, geometry, domain, checkFiles: false })
          const snapshot = yield* catalog.snapshot
          assert.strictEqual(
            (yield* Effect.flip(Stream.runDrain(snapshot.coverages({ reverse }))))._tag,
            "CatalogCorrupt"
          )
        })
    )

  it.effect("CatalogSnapshot is of one moment", () =>
    Effect.gen(function* () {
      const catalog = yield* Effect.flatMap(temporaryLayout, open)
      const before = yield* catalog.snapshot
      yield* catalog.writeChunk({ chunk, kinds: ["entries"], produce: writeWanted })
      assert.deepStrictEqual(yield* before.artifactState(chunk, "entries"), Option.none())
      const after = yield* catalog.snapshot
      assert.deepStrictEqual(yield* after.artifactState(chunk, "entries"), Option.some("frozen"))
    })
  )

  it.effect("CatalogSnapshot.coverage refuses two frozen key indexes of a window", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      yield* Effect.scoped(open(layout))
      yield* tamper(layout, {
        "index:00000001:00000004:00000005": "frozen",
        "index:00000001:00000004:00000006": "frozen"
      })
      const disk = yield* Disk
      const files = [5, 6].map((hi) =>
        Layout.keyIndexPath(layout, { window: WindowId(1), lo: ChunkId(4), hi: ChunkId(hi) })
      )
      yield* disk.makeDirectory(`${layout.roots.keys}/index/00000001`)
      yield* writeFiles(files)
      const catalog = yield* open(layout)
      const snapshot = yield* catalog.snapshot
      assert.strictEqual((yield* Effect.flip(snapshot.coverage(WindowId(1))))._tag, "CatalogCorrupt")
    })
  )

  it.effect("CatalogSnapshot.indexes refuses a key index that is not of its window", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      const key = "index:00000001:00000004:00000008"
      yield* Effect.scoped(open(layout))
      yield* tamper(layout, { [key]: "frozen" })
      const error = yield* Effect.flip(Effect.scoped(open(layout)))
      assert.deepStrictEqual([error._tag, "key" in error && error.key], ["CatalogCorrupt", key])
    })
  )
}
