import { rmSync } from "node:fs"
import { assert, type Vitest } from "@effect/vitest"
import { Disk } from "@icecore/packfile"
import { Effect, Exit, Option, Stream } from "effect"
import * as Catalog from "../../src/Catalog.ts"
import type * as Geometry from "../../src/Geometry.ts"
import { ChunkId, WindowId } from "../../src/Geometry.ts"
import * as Layout from "../../src/Layout.ts"
import { version1, version1Files, version1Pins } from "../fixtures/CatalogVersion1.ts"
import {
  audit,
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

  it.effect("Catalog.setBeginSeq dies of what no start could read back, and pins nothing", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      const start = Catalog.make({ layout, geometry, domain })
      for (const seq of [Number.NaN, -1, 0.5, 2 ** 53]) {
        const exit = yield* Effect.exit(Effect.scoped(Effect.flatMap(start, (catalog) => catalog.setBeginSeq(seq))))
        assert.isTrue(Exit.hasDies(exit))
        assert.strictEqual((yield* Effect.scoped(start)).beginSeq(), geometry.firstSeq)
      }
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

  it.effect("Catalog.make pins another earliest seq, and says once what it was", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      const start = (earliestSeq?: number) =>
        Effect.scoped(
          Effect.map(
            Catalog.make({ layout, geometry, domain, ...(earliestSeq === undefined ? {} : { earliestSeq }) }),
            ({ pins, previousEarliestSeq }) => [pins.earliestSeq, Option.getOrNull(previousEarliestSeq)]
          )
        )
      assert.deepStrictEqual(yield* start(30), [30, null])
      assert.deepStrictEqual(yield* start(12), [12, 30])
      assert.deepStrictEqual(yield* start(12), [12, null])
      assert.deepStrictEqual(yield* start(), [12, null])
      assert.deepStrictEqual(yield* start(31), [31, 12])
    })
  )

  it.effect("Catalog.make pins no other earliest seq when it fails", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      yield* Effect.scoped(open(layout))
      const start = (options: Partial<Catalog.CatalogOptions>) =>
        Effect.flip(Effect.scoped(Catalog.make({ layout, geometry, domain, ...options })))
      const below = yield* start({ earliestSeq: 1 })
      assert.deepStrictEqual([below._tag, "pin" in below && below.pin], ["CatalogPinInvalid", "earliest_seq"])
      assert.strictEqual(
        (yield* start({ earliestSeq: 9, domain: { ...domain, version: 2 } }))._tag,
        "CatalogPinMismatch"
      )
      yield* tamper(layout, { "index:00000001:00000004:00000007": "frozen" })
      assert.strictEqual((yield* start({ earliestSeq: 9 }))._tag, "ArtifactMissing")
      yield* tamper(layout, { "index:00000001:00000004:00000007": undefined })
      assert.strictEqual((yield* Effect.scoped(open(layout))).pins.earliestSeq, geometry.firstSeq)
    })
  )

  it.effect("Catalog.make compares domain options that are too long to be pinned by their hash", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      const start = (options: string) =>
        Effect.scoped(Catalog.make({ layout, geometry, domain: { ...domain, options } }))
      yield* start("x".repeat(1_000))
      const { pins } = yield* start("x".repeat(1_000))
      assert.match(pins.domain.options ?? "", /^sha256:[0-9a-f]{64}$/)
      const error = yield* Effect.flip(start("x".repeat(1_001)))
      assert.strictEqual(error._tag, "CatalogPinMismatch")
      assert.include(error.message, `domain_options is pinned to ${pins.domain.options}, configured is sha256:`)
    })
  )

  it.effect("Catalog.make reads a catalog of version 1 and makes it version 2 with the first pin that changes", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      yield* tamper(layout, version1)
      const disk = yield* Disk
      for (const path of version1Files(layout)) {
        yield* disk.makeDirectory(path.slice(0, path.lastIndexOf("/")))
        yield* writeFiles([path])
      }
      const start = (options: Partial<Catalog.CatalogOptions> = {}) =>
        Catalog.make({ layout, geometry: {}, domain: { name: "ndjson", version: 1 }, ...options })
      const read = Effect.scoped(
        Effect.gen(function* () {
          const catalog = yield* start()
          const snapshot = yield* catalog.snapshot
          assert.deepStrictEqual(catalog.pins, version1Pins)
          assert.deepStrictEqual(yield* snapshot.firstFrozen("entries"), Option.some(ChunkId(12)))
          assert.deepStrictEqual(yield* Stream.runCollect(snapshot.hotChunks), [{ chunk: ChunkId(14), state: "ready" }])
          assert.strictEqual(Option.getOrThrow(yield* snapshot.coverage(WindowId(3))).hi, 13)
        })
      )
      yield* read
      const error = yield* Effect.flip(
        Effect.scoped(start({ domain: { name: "ndjson", version: 1, options: "keys=/hash" } }))
      )
      assert.include(error.message, "domain_options is pinned to nothing, configured is keys=/hash")
      yield* tamper(layout, { "config:begin_seq": "7" })
      assert.strictEqual((yield* Effect.flip(Effect.scoped(start())))._tag, "CatalogCorrupt")
      yield* tamper(layout, { "config:begin_seq": undefined })
      yield* Effect.scoped(start({ earliestSeq: 3 }))
      yield* tamper(layout, { "config:begin_seq": "7" })
      yield* Effect.scoped(start({ earliestSeq: 7 }))
      yield* read
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

  it.effect("Catalog.make names a missing file at either end of what is frozen, above what was pruned", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      yield* Effect.scoped(
        Effect.gen(function* () {
          const catalog = yield* open(layout)
          for (const number of [2, 3, 4, 5, 6])
            yield* catalog.writeChunk({ chunk: ChunkId(number), kinds: ["entries"], produce: writeWanted })
          yield* catalog.prune(ChunkId(4))
        })
      )
      const remove = (number: number) => Effect.sync(() => rmSync(Layout.entriesPath(layout, ChunkId(number))))
      yield* remove(2)
      yield* Effect.scoped(Effect.flatMap(open(layout), (catalog) => catalog.sweep()))
      for (const number of [6, 4]) {
        yield* remove(number)
        const error = yield* Effect.flip(Effect.scoped(open(layout)))
        const path = Layout.entriesPath(layout, ChunkId(number))
        assert.deepStrictEqual([error._tag, "path" in error && error.path], ["ArtifactMissing", path])
        const catalog = Catalog.make({ layout, geometry, domain, checkFiles: false })
        const findings = yield* Effect.scoped(Effect.flatMap(catalog, audit))
        assert.isTrue(findings.some((finding) => finding._tag === "Missing" && finding.path === path))
        yield* writeFiles([path])
      }
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
