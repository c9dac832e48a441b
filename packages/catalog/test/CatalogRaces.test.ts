/** What happens between the steps of a sweep, made to happen there. */
import { assert, describe, it } from "@effect/vitest"
import { type Database, Engine } from "@icecore/engine"
import * as MemoryEngine from "@icecore/engine/memory"
import { Disk } from "@icecore/packfile"
import { CrashRecorder, SimulatedDisk } from "@icecore/packfile/testing"
import { Effect, Layer, type Scope, Stream } from "effect"
import { chunkKey, hotKey } from "../src/format/CatalogKey.ts"
import { ChunkId } from "../src/Geometry.ts"
import * as HotEngine from "../src/HotEngine.ts"
import * as Layout from "../src/Layout.ts"
import { layout, open, writeWanted } from "./crash/CrashHarness.ts"
import { exists, type Store, stateOf } from "./Harness.ts"

const chunk = ChunkId(0)

/** A store in which an effect can be made to run, once, between the next row that is scanned and whoever scans. */
const withBetween = <A, E>(
  use: (between: (effect: Effect.Effect<unknown>) => void) => Effect.Effect<A, E, Store | Scope.Scope>
) =>
  Effect.suspend(() => {
    let next: Effect.Effect<unknown> = Effect.void
    const once = Effect.suspend(() => {
      const effect = next
      next = Effect.void
      return effect
    })
    const wrap = (database: Database): Database => ({
      ...database,
      scan: (keyspace, options) => Stream.tap(database.scan(keyspace, options), () => once)
    })
    const memory = MemoryEngine.make(MemoryEngine.makeMedium())
    const engine: Engine = { ...memory, open: (options) => Effect.map(memory.open(options), wrap) }
    const store = Layer.merge(
      HotEngine.layer.pipe(Layer.provideMerge(Layer.succeed(Engine, engine))),
      Layer.succeed(Disk, SimulatedDisk.make(CrashRecorder.make()).disk)
    )
    return Effect.provide(
      Effect.scoped(
        use((effect) => {
          next = effect
        })
      ),
      store
    )
  })

describe("Catalog.sweep", () => {
  it.effect("Catalog.sweep keeps an artifact that was frozen after the sweep saw it half made", () =>
    withBetween((between) =>
      Effect.gen(function* () {
        const context = yield* Effect.context<Store>()
        const catalog = yield* open
        yield* Effect.flip(catalog.writeChunk({ chunk, kinds: ["entries"], produce: () => Effect.fail("full") }))
        const rebuild = catalog.writeChunk({ chunk, kinds: ["entries"], produce: writeWanted })
        between(Effect.orDie(Effect.provideContext(rebuild, context)))
        assert.strictEqual((yield* catalog.sweep()).artifactCount, 0)
        assert.strictEqual(yield* stateOf(catalog, chunkKey(chunk, "entries")), "frozen")
        assert.isTrue(yield* exists(Layout.entriesPath(layout, chunk)))
      })
    )
  )

  it.effect("Catalog.sweep keeps a hot database that became ready after the sweep saw it half made", () =>
    withBetween((between) =>
      Effect.gen(function* () {
        const catalog = yield* open
        const dying = catalog.openHot(chunk, { keyspaces: ["entries"], seed: () => assert.fail("no seed") })
        yield* Effect.exit(Effect.scoped(dying))
        assert.strictEqual(yield* stateOf(catalog, hotKey(chunk)), "transient")
        between(Effect.orDie(Effect.scoped(catalog.openHot(chunk, { keyspaces: ["entries"] }))))
        assert.strictEqual((yield* catalog.sweep()).hotCount, 0)
        assert.strictEqual(yield* stateOf(catalog, hotKey(chunk)), "ready")
        yield* Effect.scoped(catalog.openHot(chunk, { keyspaces: ["entries"] }))
      })
    )
  )
})
