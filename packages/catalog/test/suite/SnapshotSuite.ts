import { assert, type Vitest } from "@effect/vitest"
import { Disk } from "@icecore/packfile"
import { Effect, Option, Stream } from "effect"
import { chunkKey } from "../../src/format/CatalogKey.ts"
import { ChunkId, WindowId } from "../../src/Geometry.ts"
import * as Layout from "../../src/Layout.ts"
import { chunk, open, type Store, tamper, temporaryLayout, writeFiles, writeWanted } from "../Harness.ts"

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
