import { assert, type Vitest } from "@effect/vitest"
import { Disk } from "@icecore/packfile"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Catalog from "../../src/Catalog.ts"
import { chunkKey } from "../../src/format/CatalogKey.ts"
import { ChunkId } from "../../src/Geometry.ts"
import * as Layout from "../../src/Layout.ts"
import * as SteadyClock from "../../src/SteadyClock.ts"
import * as StorageLock from "../../src/StorageLock.ts"
import {
  audit,
  chunk,
  domain,
  exists,
  geometry,
  open,
  type Store,
  tamper,
  temporaryLayout,
  writeFiles,
  writeWanted
} from "../Harness.ts"

/** Demotion, sweep and audit. */
export const removalSuite = (it: Vitest.MethodsNonLive<Store>): void => {
  const key = chunkKey(chunk, "entries")

  it.effect("Catalog.sweep removes demoted and abandoned artifacts with their files, once", () =>
    Effect.gen(function* () {
      const catalog = yield* Effect.flatMap(temporaryLayout, open)
      yield* catalog.writeChunk({ chunk, kinds: ["entries", "events", "keys"], produce: writeWanted })
      const abandoned = { chunk: ChunkId(9), kinds: ["keys"] as const }
      const produce = (wanted: ReadonlyArray<Catalog.WantedArtifact>) =>
        Effect.andThen(writeWanted(wanted), Effect.fail("boom"))
      yield* Effect.flip(catalog.writeChunk({ ...abandoned, produce }))
      yield* catalog.demote([key, chunkKey(chunk, "events"), chunkKey(ChunkId(77), "keys")])
      yield* catalog.demote([key])
      assert.isTrue(yield* exists(Layout.entriesPath(catalog.layout, chunk)))
      assert.deepStrictEqual(yield* catalog.sweep(), { artifactCount: 3, hotCount: 0, deferredCount: 0 })
      assert.deepStrictEqual(yield* catalog.sweep(), { artifactCount: 0, hotCount: 0, deferredCount: 0 })
      assert.isFalse(yield* exists(Layout.entriesPath(catalog.layout, chunk)))
      assert.isTrue(yield* exists(Layout.keyRunPath(catalog.layout, chunk)))
      assert.deepStrictEqual(yield* audit(catalog), [])
    })
  )

  it.effect("Catalog.sweep leaves what readers may reach, and nothing that was demoted before this start", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      const start = Catalog.make({
        layout,
        geometry,
        domain,
        destroyableBefore: Effect.map(SteadyClock.currentMillis, (now) => now - 60_000)
      })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const catalog = yield* start
          yield* catalog.writeChunk({ chunk, kinds: ["entries", "keys"], produce: writeWanted })
          yield* catalog.demote([key])
          yield* TestClock.adjust("1 minute")
          yield* catalog.demote([chunkKey(chunk, "keys")])
          yield* TestClock.adjust("1 millis")
          for (const known of [true, false]) {
            const artifactCount = known ? 1 : 0
            assert.deepStrictEqual(yield* catalog.sweep({ known }), { artifactCount, hotCount: 0, deferredCount: 1 })
          }
          assert.isTrue(yield* exists(Layout.keyRunPath(layout, chunk)))
          yield* TestClock.adjust("59999 millis")
          assert.deepStrictEqual(yield* catalog.sweep(), { artifactCount: 0, hotCount: 0, deferredCount: 1 })
        })
      )
      const catalog = yield* start
      assert.deepStrictEqual(yield* catalog.sweep(), { artifactCount: 1, hotCount: 0, deferredCount: 0 })
    })
  )

  it.effect("Catalog.sweep settles more than one coverage of a window and more keys than a round at once", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      yield* Effect.scoped(open(layout))
      const rows: Record<string, string> = {
        "index:00000001:00000004:00000005": "pruning",
        "index:00000001:00000004:00000006": "freezing"
      }
      for (let number = 0; number < 1_500; number++)
        rows[`chunk:${number.toString().padStart(8, "0")}:keys`] = number % 2 === 0 ? "pruning" : "freezing"
      yield* tamper(layout, rows)
      const catalog = yield* open(layout)
      assert.deepStrictEqual(yield* catalog.sweep(), { artifactCount: 1_502, hotCount: 0, deferredCount: 0 })
      assert.deepStrictEqual(yield* audit(catalog), [])
    })
  )

  it.effect("Audit.findings takes no lock for a stray", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      yield* StorageLock.acquire(layout)
      const catalog = yield* open(layout)
      assert.deepStrictEqual(yield* audit(catalog), [])
    })
  )

  it.effect("Audit.findings names strays, missing files and unsettled keys", () =>
    Effect.gen(function* () {
      const catalog = yield* Effect.flatMap(temporaryLayout, open)
      const { layout } = catalog
      const disk = yield* Disk
      yield* catalog.writeChunk({ chunk, kinds: ["entries", "keys"], produce: writeWanted })
      yield* catalog.demote([chunkKey(chunk, "keys")])
      yield* disk.unlink(Layout.entriesPath(layout, chunk))
      const strays = [Layout.entriesPath(layout, ChunkId(4)), `${layout.roots.entries}/00000/notes.txt`]
      yield* writeFiles(strays)
      yield* disk.makeDirectory(Layout.hotPath(layout, ChunkId(8)))
      assert.deepStrictEqual(yield* audit(catalog), [
        ...strays.map((path) => ({ _tag: "Stray" as const, path })),
        { _tag: "Stray", path: Layout.hotPath(layout, ChunkId(8)) },
        { _tag: "Missing", key: "chunk:00000003:entries", path: Layout.entriesPath(layout, chunk) },
        { _tag: "Unsettled", key: "chunk:00000003:keys", state: "pruning" }
      ])
    })
  )
}
