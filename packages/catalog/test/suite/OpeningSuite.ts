import { rmSync } from "node:fs"
import { assert, type Vitest } from "@effect/vitest"
import { Disk } from "@icecore/packfile"
import { Effect } from "effect"
import * as Catalog from "../../src/Catalog.ts"
import type * as Geometry from "../../src/Geometry.ts"
import * as Layout from "../../src/Layout.ts"
import { chunk, domain, geometry, open, type Store, tamper, temporaryLayout, writeWanted } from "../Harness.ts"

/** Pins, and every state a directory can be found in. */
export const openSuite = (it: Vitest.MethodsNonLive<Store>): void => {
  it.effect("Catalog.make pins a fresh catalog and finds it pinned later", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      const first = yield* Effect.scoped(open(layout))
      const second = yield* Effect.scoped(open(layout))
      assert.deepStrictEqual([first.fresh, second.fresh], [true, false])
      assert.deepStrictEqual(second.pins, { geometry, domain, earliestSeq: geometry.firstSeq })
      assert.deepStrictEqual(second.pins, first.pins)
    })
  )

  const changes: ReadonlyArray<readonly [string, Partial<Catalog.CatalogOptions>, string, string]> = [
    ["first_seq", { geometry: { ...geometry, firstSeq: 0 } }, "2", "0"],
    ["entries_per_chunk", { geometry: { ...geometry, entriesPerChunk: 11 } }, "10", "11"],
    ["chunks_per_window", { geometry: { ...geometry, chunksPerWindow: 5 } }, "4", "5"],
    ["domain_name", { domain: { ...domain, name: "other" } }, "test", "other"],
    ["domain_version", { domain: { ...domain, version: 2 } }, "1", "2"],
    ["domain_options", { domain: { ...domain, options: "keys=/hash" } }, "nothing", "keys=/hash"]
  ]
  for (const [pin, change, pinned, configured] of changes)
    it.effect(`Catalog.make refuses a start that differs in ${pin}`, () =>
      Effect.gen(function* () {
        const layout = yield* temporaryLayout
        yield* Effect.scoped(open(layout))
        const options: Catalog.CatalogOptions = { layout, geometry, domain, ...change }
        const error = yield* Effect.flip(Effect.scoped(Catalog.make(options)))
        assert.strictEqual(error._tag, "CatalogPinMismatch")
        assert.include(error.message, `${pin} is pinned to ${pinned}, configured is ${configured}`)
      })
    )

  it.effect(
    "Catalog.make takes what is pinned where the geometry leaves a number out, and defaults on first start",
    () =>
      Effect.gen(function* () {
        const layout = yield* temporaryLayout
        const start = (given: Partial<Geometry.Geometry>) =>
          Effect.scoped(Catalog.make({ layout, geometry: given, geometryDefaults: geometry, domain }))
        const expected = { ...geometry, entriesPerChunk: 7 }
        assert.deepStrictEqual((yield* start({ entriesPerChunk: 7 })).pins.geometry, expected)
        assert.deepStrictEqual((yield* start({})).pins.geometry, expected)
        assert.deepStrictEqual((yield* start({ firstSeq: geometry.firstSeq })).pins.geometry, expected)
        assert.strictEqual((yield* Effect.flip(start({ entriesPerChunk: 8 })))._tag, "CatalogPinMismatch")
      })
  )

  it.effect("Catalog.setBeginSeq keeps where history begins, which another earliest seq does not move", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      const start = (earliestSeq: number) => Effect.scoped(Catalog.make({ layout, geometry, domain, earliestSeq }))
      assert.strictEqual((yield* start(30)).beginSeq(), 30)
      assert.strictEqual((yield* start(12)).beginSeq(), 30)
      assert.strictEqual((yield* start(12)).beginSeq(), 30)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const catalog = yield* Catalog.make({ layout, geometry, domain })
          yield* catalog.setBeginSeq(52)
          assert.strictEqual(catalog.beginSeq(), 52)
        })
      )
      assert.strictEqual((yield* start(12)).beginSeq(), 52)
    })
  )

  it.effect("Catalog.make asks for the earliest seq on the first start only", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      let asked = 0
      const earliestSeq = { onFirstStart: Effect.sync(() => 40 + asked++) }
      const start = Effect.scoped(Catalog.make({ layout, geometry, domain, earliestSeq }))
      assert.strictEqual((yield* start).pins.earliestSeq, 40)
      assert.strictEqual((yield* start).pins.earliestSeq, 40)
      assert.strictEqual(asked, 1)
    })
  )

  it.effect("Catalog.make refuses to pin an earliest seq before the first", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      const error = yield* Effect.flip(Effect.scoped(Catalog.make({ layout, geometry, domain, earliestSeq: 1 })))
      assert.deepStrictEqual([error._tag, "pin" in error && error.pin], ["CatalogPinInvalid", "earliest_seq"])
      assert.isTrue((yield* Effect.scoped(open(layout))).fresh)
    })
  )

  it.effect("Catalog.make refuses a catalog of a newer version before it looks at anything else", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      yield* Effect.scoped(open(layout))
      yield* tamper(layout, { "config:catalog_version": "3", "config:new_pin": "x", "archive:1": "y" })
      const error = yield* Effect.flip(Effect.scoped(open(layout)))
      assert.strictEqual(error._tag, "CatalogTooNew")
    })
  )

  const damages: ReadonlyArray<readonly [string, Readonly<Record<string, string | undefined>>]> = [
    ["config:first_seq", { "config:first_seq": undefined }],
    ["config:first_seq", { "config:first_seq": "two" }],
    ["config:catalog_version", { "config:catalog_version": "0" }],
    ["config:new_pin", { "config:new_pin": "1" }],
    ["a:key", { "a:key": "x" }],
    ["d", { d: "x" }],
    ["zebra", { zebra: "x" }],
    ["chunk:00000001:entries", { "chunk:00000001:entries": "thawed" }],
    ["chunk:1:entries", { "chunk:1:entries": "frozen" }]
  ]
  for (const [key, rows] of damages)
    it.effect(`Catalog.make refuses ${JSON.stringify(rows)} and names the key`, () =>
      Effect.gen(function* () {
        const layout = yield* temporaryLayout
        yield* Effect.scoped(open(layout))
        yield* tamper(layout, rows)
        const error = yield* Effect.flip(Effect.scoped(open(layout)))
        assert.deepStrictEqual([error._tag, "key" in error && error.key], ["CatalogCorrupt", key])
      })
    )

  it.effect("Catalog.make refuses rows without pins", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      yield* tamper(layout, { "hot:00000001": "ready" })
      const error = yield* Effect.flip(Effect.scoped(open(layout)))
      assert.deepStrictEqual([error._tag, "key" in error && error.key], ["CatalogCorrupt", "hot:00000001"])
    })
  )

  for (const place of ["hot/00000001", "entries/00000", "events/00012", "keys/run", "keys/index"])
    it.effect(`Catalog.make refuses to pin a fresh catalog beside data in ${place}`, () =>
      Effect.gen(function* () {
        const layout = yield* temporaryLayout
        const disk = yield* Disk
        yield* disk.makeDirectory(`${layout.dataDir}/${place}`)
        const error = yield* Effect.flip(Effect.scoped(open(layout)))
        assert.strictEqual(error._tag, "CatalogLost")
        assert.include(error.message, place)
        yield* disk.removeDirectory(`${layout.dataDir}/${place}`)
        assert.isTrue((yield* Effect.scoped(open(layout))).fresh)
      })
    )

  it.effect("Catalog.make refuses a store whose frozen files are not there", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      yield* Effect.scoped(
        Effect.flatMap(open(layout), (catalog) =>
          catalog.writeChunk({ chunk, kinds: ["entries"], produce: writeWanted })
        )
      )
      const path = Layout.entriesPath(layout, chunk)
      yield* Effect.sync(() => rmSync(path))
      const error = yield* Effect.flip(Effect.scoped(open(layout)))
      assert.deepStrictEqual([error._tag, "path" in error && error.path], ["ArtifactMissing", path])
    })
  )

  it.effect("Catalog.make refuses a store whose frozen key index is not there", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      yield* Effect.scoped(open(layout))
      yield* tamper(layout, { "index:00000001:00000004:00000007": "frozen" })
      const error = yield* Effect.flip(Effect.scoped(open(layout)))
      assert.deepStrictEqual(
        [error._tag, "key" in error && error.key],
        ["ArtifactMissing", "index:00000001:00000004:00000007"]
      )
    })
  )

  it.effect("Catalog.make refuses a second scope on the same directory", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      yield* open(layout)
      const error = yield* Effect.flip(Effect.scoped(open(layout)))
      assert.strictEqual(error._tag, "EngineLocked")
    })
  )
}
