import { assert, type Vitest } from "@effect/vitest"
import { Engine } from "@icecore/engine"
import { Effect, Option, Stream } from "effect"
import type * as Catalog from "../../src/Catalog.ts"
import * as Layout from "../../src/Layout.ts"
import { audit, bytes, chunk, open, type Store, tamper, temporaryLayout } from "../Harness.ts"

/** The brackets around hot databases. */
export const hotSuite = (it: Vitest.MethodsNonLive<Store>): void => {
  const keyspaces = ["entries"]
  const seed = (batch: Parameters<NonNullable<Catalog.OpenHot["seed"]>>[0]) =>
    batch.put("entries", bytes("seed"), bytes("sown"))

  it.effect("Catalog.openHot makes a seeded database once and keeps what it holds", () =>
    Effect.gen(function* () {
      const catalog = yield* Effect.flatMap(temporaryLayout, open)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const database = yield* catalog.openHot(chunk, { keyspaces, seed })
          yield* database.write((batch) => batch.put("entries", bytes("seed"), bytes("grown")))
        })
      )
      const database = yield* catalog.openHot(chunk, { keyspaces, seed })
      const value = yield* database.get("entries", bytes("seed"))
      assert.deepStrictEqual(
        Option.map(value, (found) => new TextDecoder().decode(found)),
        Option.some("grown")
      )
      const snapshot = yield* catalog.snapshot
      assert.deepStrictEqual(yield* Stream.runCollect(snapshot.hotChunks), [{ chunk, state: "ready" }])
    })
  )

  it.effect("Catalog.openHot fails as lost when a ready database is gone", () =>
    Effect.gen(function* () {
      const catalog = yield* Effect.flatMap(temporaryLayout, open)
      yield* Effect.scoped(catalog.openHot(chunk, { keyspaces }))
      const engine = yield* Engine
      yield* engine.destroy(Layout.hotPath(catalog.layout, chunk))
      const error = yield* Effect.flip(Effect.scoped(catalog.openHot(chunk, { keyspaces })))
      assert.strictEqual(error._tag, "HotDatabaseLost")
      assert.strictEqual("chunk" in error && error.chunk, chunk)
    })
  )

  it.effect("Catalog.openHot wipes what lies under a transient key", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      yield* Effect.scoped(
        Effect.gen(function* () {
          const catalog = yield* open(layout)
          const database = yield* catalog.openHot(chunk, { keyspaces })
          yield* database.write((batch) => batch.put("entries", bytes("old"), bytes("row")))
        })
      )
      yield* tamper(layout, { "hot:00000003": "transient" })
      const catalog = yield* open(layout)
      const database = yield* catalog.openHot(chunk, { keyspaces, seed })
      assert.isTrue(Option.isNone(yield* database.get("entries", bytes("old"))))
      assert.isTrue(Option.isSome(yield* database.get("entries", bytes("seed"))))
    })
  )

  it.effect("Catalog.openHot holds the chunk for its scope, and not longer when it fails", () =>
    Effect.gen(function* () {
      const catalog = yield* Effect.flatMap(temporaryLayout, open)
      const bad = catalog.openHot(chunk, { keyspaces: ["Bad Name"] })
      assert.strictEqual((yield* Effect.flip(bad))._tag, "EngineMisuse")
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* catalog.openHot(chunk, { keyspaces })
          assert.strictEqual((yield* Effect.flip(catalog.openHot(chunk, { keyspaces })))._tag, "CatalogBusy")
          assert.strictEqual((yield* Effect.flip(catalog.discardHot(chunk)))._tag, "CatalogBusy")
        })
      )
      yield* catalog.discardHot(chunk)
      assert.deepStrictEqual(yield* audit(catalog), [])
    })
  )

  it.effect("Catalog.discardHot removes the database and its key, and does nothing twice", () =>
    Effect.gen(function* () {
      const catalog = yield* Effect.flatMap(temporaryLayout, open)
      yield* Effect.scoped(catalog.openHot(chunk, { keyspaces, seed }))
      yield* catalog.discardHot(chunk)
      yield* catalog.discardHot(chunk)
      assert.deepStrictEqual(yield* audit(catalog), [])
      const database = yield* catalog.openHot(chunk, { keyspaces })
      assert.isTrue(Option.isNone(yield* database.get("entries", bytes("seed"))))
    })
  )

  it.effect("Catalog.sweep finishes the removal of a transient hot database", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      yield* Effect.scoped(
        Effect.flatMap(open(layout), (catalog) => Effect.scoped(catalog.openHot(chunk, { keyspaces })))
      )
      yield* tamper(layout, { "hot:00000003": "transient" })
      const catalog = yield* open(layout)
      assert.deepStrictEqual(yield* catalog.sweep(), { artifactCount: 0, hotCount: 1, deferredCount: 0 })
      assert.deepStrictEqual(yield* audit(catalog), [])
    })
  )
}
