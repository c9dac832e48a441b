import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import * as fc from "fast-check"
import { chunkKey, hotKey, indexKey } from "../src/format/CatalogKey.ts"
import { ChunkId, WindowId } from "../src/Geometry.ts"
import * as Layout from "../src/Layout.ts"
import { storageKeys } from "./Generators.ts"

const layouts: ReadonlyArray<Layout.LayoutOptions> = [
  { dataDir: "/data" },
  { dataDir: "data" },
  { dataDir: "." },
  { dataDir: "/" },
  { dataDir: "./a//b/./c/", roots: { entries: "/slow/entries/", hot: "../fast/hot", keys: "/slow/keys" } }
]

describe("Layout", () => {
  it.effect("Layout.filesOf names the files as documented", () =>
    Effect.gen(function* () {
      const layout = yield* Layout.make({ dataDir: "/data", roots: { keys: "/fast/k" } })
      assert.deepStrictEqual(Layout.filesOf(layout, chunkKey(ChunkId(12_345), "entries")), [
        "/data/entries/00012/00012345.pack"
      ])
      assert.deepStrictEqual(Layout.filesOf(layout, chunkKey(ChunkId(999), "events")), [
        "/data/events/00000/00000999-events.pack",
        "/data/events/00000/00000999-index.pack",
        "/data/events/00000/00000999-index.hash"
      ])
      assert.deepStrictEqual(Layout.filesOf(layout, chunkKey(ChunkId(1_000), "keys")), [
        "/fast/k/run/00001/00001000.bin"
      ])
      assert.deepStrictEqual(Layout.filesOf(layout, indexKey(WindowId(1), ChunkId(1_000), ChunkId(1_999))), [
        "/fast/k/index/00000001/00001000-00001999.idx"
      ])
      assert.deepStrictEqual(Layout.filesOf(layout, hotKey(ChunkId(99_999_999))), ["/data/hot/99999999"])
      assert.strictEqual(Layout.catalogPath(layout), "/data/catalog")
    })
  )

  for (const options of layouts)
    it.effect(`Layout.keyOf is the inverse of Layout.filesOf in ${options.dataDir}`, () =>
      Effect.map(Layout.make(options), (layout) => {
        fc.assert(
          fc.property(storageKeys, (key) => {
            for (const file of Layout.filesOf(layout, key))
              assert.deepStrictEqual(Layout.keyOf(layout, file), Option.some(key))
          })
        )
      })
    )

  it.effect("Layout.filesOf gives no path to two keys", () =>
    Effect.map(Layout.make({ dataDir: "/data" }), (layout) => {
      fc.assert(
        fc.property(storageKeys, storageKeys, (one, other) => {
          const shared = Layout.filesOf(layout, one).filter((file) => Layout.filesOf(layout, other).includes(file))
          assert.strictEqual(shared.length > 0, JSON.stringify(one) === JSON.stringify(other))
        }),
        { numRuns: 1_000 }
      )
    })
  )

  for (const path of [
    "/data/entries/00001/00000001.pack",
    "/data/entries/00000/0000001.pack",
    "/data/entries/00000/00000001.pack.tmp",
    "/data/entries/00000/00000001-events.pack",
    "/data/entries/00000//00000001.pack",
    "/data/events/00000/00000001.pack",
    "/data/events/00000/00000001-index.bin",
    "/data/keys/00000/00000001.bin",
    "/data/keys/index/00000000/00000002-00000001.idx",
    "/data/hot/00000001/data.sqlite",
    "/data/hot",
    "/data/catalog",
    "/data/icecore.lock",
    "data/hot/00000001",
    ""
  ])
    it.effect(`Layout.keyOf knows no key for "${path}"`, () =>
      Effect.map(Layout.make({ dataDir: "/data" }), (layout) => {
        assert.isTrue(Option.isNone(Layout.keyOf(layout, path)))
      })
    )

  const refused: ReadonlyArray<readonly [string, Layout.LayoutOptions, Layout.Tree | "dataDir"]> = [
    ["an empty data directory", { dataDir: "" }, "dataDir"],
    ["an empty root", { dataDir: "/data", roots: { hot: "" } }, "hot"],
    ["two trees in one directory", { dataDir: "/data", roots: { hot: "/x", keys: "/x/" } }, "hot"],
    ["a tree in another", { dataDir: "/data", roots: { keys: "/data/hot/keys" } }, "keys"],
    ["a tree that is the data directory", { dataDir: "/data", roots: { keys: "/data/." } }, "keys"],
    ["a tree around the data directory", { dataDir: "/a/data", roots: { entries: "/a" } }, "entries"]
  ]
  for (const [name, options, tree] of refused)
    it.effect(`Layout.make refuses ${name}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Layout.make(options))
        assert.deepStrictEqual([error._tag, error.tree], ["LayoutInvalid", tree])
      })
    )
})
