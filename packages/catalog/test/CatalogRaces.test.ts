/** What happens between the steps of the catalog, made to happen there. */
import { assert, describe, it } from "@effect/vitest"
import { type Database, Engine, EngineFailed } from "@icecore/engine"
import * as MemoryEngine from "@icecore/engine/memory"
import { Disk } from "@icecore/packfile"
import { CrashRecorder, SimulatedDisk } from "@icecore/packfile/testing"
import { Deferred, Effect, Fiber, Layer, type Scope, Stream } from "effect"
import type * as Catalog from "../src/Catalog.ts"
import { chunkKey, hotKey } from "../src/format/CatalogKey.ts"
import { ChunkId, WindowId } from "../src/Geometry.ts"
import * as HotEngine from "../src/HotEngine.ts"
import * as Layout from "../src/Layout.ts"
import { layout, open, requireNoEmptyDirectory, requireSettled, writeFile, writeWanted } from "./crash/CrashHarness.ts"
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

/** A store whose disk is as `wrap` makes it. */
const withDisk = <A, E>(wrap: (disk: Disk) => Disk, use: Effect.Effect<A, E, Store | Scope.Scope>) =>
  Effect.suspend(() => {
    const store = Layer.merge(
      HotEngine.layer.pipe(Layer.provideMerge(MemoryEngine.layer)),
      Layer.succeed(Disk, wrap(SimulatedDisk.make(CrashRecorder.make()).disk))
    )
    return Effect.provide(Effect.scoped(use), store)
  })

describe("Catalog", () => {
  it.effect("Catalog.writeChunk makes a directory anew that a sweep is just removing", () =>
    Effect.gen(function* () {
      const isRemoving = yield* Deferred.make<void>()
      const mayRemove = yield* Deferred.make<void>()
      const wrap = (disk: Disk): Disk => ({
        ...disk,
        removeDirectory: (path) =>
          Deferred.succeed(isRemoving, undefined).pipe(
            Effect.andThen(Deferred.await(mayRemove)),
            Effect.andThen(disk.removeDirectory(path))
          )
      })
      const use = Effect.gen(function* () {
        const catalog = yield* open
        yield* catalog.writeChunk({ chunk, kinds: ["entries"], produce: writeWanted })
        yield* catalog.demote([chunkKey(chunk, "entries")])
        const sweep = yield* Effect.forkChild(catalog.sweep())
        yield* Deferred.await(isRemoving)
        const write = catalog.writeChunk({ chunk: ChunkId(1), kinds: ["entries"], produce: writeWanted })
        const written = yield* Effect.forkChild(write, { startImmediately: true })
        for (let turn = 0; turn < 100; turn++) yield* Effect.yieldNow
        yield* Deferred.succeed(mayRemove, undefined)
        yield* Fiber.join(sweep)
        yield* Fiber.join(written)
        yield* requireSettled(catalog)
        assert.strictEqual(yield* stateOf(catalog, chunkKey(ChunkId(1), "entries")), "frozen")
      })
      yield* withDisk(wrap, use)
    })
  )

  it.effect("Catalog.sweep of what is known settles what an interruption at any disk operation left", () =>
    Effect.gen(function* () {
      let at = 0
      let count = 0
      let fiber: Fiber.Fiber<unknown, unknown> | undefined
      const step = Effect.suspend(() =>
        count++ === at && fiber !== undefined ? Effect.andThen(Fiber.interrupt(fiber), Effect.never) : Effect.void
      )
      const guarded = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
        Effect.andThen(Effect.race(step, Effect.void), effect)
      const wrap = (disk: Disk): Disk => ({
        ...disk,
        makeDirectory: (path) => guarded(disk.makeDirectory(path)),
        syncDirectory: (path) => guarded(disk.syncDirectory(path)),
        unlink: (path) => guarded(disk.unlink(path)),
        removeDirectory: (path) => guarded(disk.removeDirectory(path)),
        list: (path) => guarded(disk.list(path)),
        stat: (path) => guarded(disk.stat(path))
      })
      for (let interruptions = 0; ; interruptions++) {
        at = interruptions
        count = 0
        fiber = undefined
        const isDone = yield* withDisk(
          wrap,
          Effect.gen(function* () {
            const catalog = yield* open
            count = 0
            const work = yield* Effect.forkChild(lifecycle(catalog))
            fiber = work
            yield* Fiber.await(work)
            const wasInterrupted = count > at
            fiber = undefined
            yield* catalog.sweep({ known: true })
            const report = yield* catalog.sweep()
            assert.deepStrictEqual(report, { artifactCount: 0, hotCount: 0, deferredCount: 0 }, `after ${at}`)
            yield* requireSettled(catalog)
            yield* requireNoEmptyDirectory
            return !wasInterrupted
          })
        )
        if (isDone) {
          assert.isAbove(interruptions, 30)
          return
        }
      }
    })
  )

  it.effect("Catalog.sweep of what is known reads no other key, and Catalog.prune none above the floor", () =>
    Effect.gen(function* () {
      let rowCount = 0
      let getCount = 0
      const wrap = (database: Database): Database => ({
        ...database,
        get: (keyspace, key) =>
          Effect.suspend(() => {
            getCount++
            return database.get(keyspace, key)
          }),
        scan: (keyspace, options) =>
          Stream.tap(database.scan(keyspace, options), () =>
            Effect.sync(() => {
              rowCount++
            })
          )
      })
      const memory = MemoryEngine.make(MemoryEngine.makeMedium())
      const engine: Engine = { ...memory, open: (options) => Effect.map(memory.open(options), wrap) }
      const store = Layer.merge(
        HotEngine.layer.pipe(Layer.provideMerge(Layer.succeed(Engine, engine))),
        Layer.succeed(Disk, SimulatedDisk.make(CrashRecorder.make()).disk)
      )
      yield* Effect.gen(function* () {
        const catalog = yield* open
        for (let number = 0; number < 40; number++)
          yield* catalog.writeChunk({ chunk: ChunkId(number), kinds: ["entries"], produce: writeWanted })
        yield* catalog.prune(ChunkId(1))
        rowCount = 0
        yield* catalog.prune(ChunkId(3))
        assert.isAtMost(rowCount, 4)
        rowCount = 0
        getCount = 0
        assert.strictEqual((yield* catalog.sweep({ known: true })).artifactCount, 3)
        assert.deepStrictEqual([rowCount, getCount], [0, 3])
        yield* catalog.sweep()
        assert.isAbove(rowCount, 30)
      }).pipe(Effect.scoped, Effect.provide(store))
    })
  )

  it.effect("Catalog.sweep of what is known finishes a discard whose destruction failed", () =>
    Effect.gen(function* () {
      let isFailing = false
      const memory = MemoryEngine.make(MemoryEngine.makeMedium())
      const hot: Engine = {
        ...memory,
        destroy: (path) =>
          Effect.suspend(() =>
            isFailing
              ? Effect.fail(new EngineFailed({ path, operation: "destroy", detail: "EIO" }))
              : memory.destroy(path)
          )
      }
      const store = Layer.mergeAll(
        Layer.succeed(Engine, memory),
        HotEngine.layer.pipe(Layer.provide(Layer.succeed(Engine, hot))),
        Layer.succeed(Disk, SimulatedDisk.make(CrashRecorder.make()).disk)
      )
      yield* Effect.gen(function* () {
        const catalog = yield* open
        yield* Effect.scoped(catalog.openHot(chunk, { keyspaces: ["entries"] }))
        isFailing = true
        assert.strictEqual((yield* Effect.flip(catalog.discardHot(chunk)))._tag, "EngineFailed")
        isFailing = false
        assert.strictEqual((yield* catalog.sweep({ known: true })).hotCount, 1)
        assert.isNull(yield* stateOf(catalog, hotKey(chunk)))
      }).pipe(Effect.scoped, Effect.provide(store))
    })
  )
})

/** Everything that leaves something to sweep, on the way or for good. */
const lifecycle = Effect.fnUntraced(function* (catalog: Catalog.Catalog) {
  for (const number of [0, 1, 2, 3])
    yield* catalog.writeChunk({ chunk: ChunkId(number), kinds: ["entries", "keys"], produce: writeWanted })
  for (const [lo, hi] of [
    [0, 1],
    [0, 3]
  ] as const)
    yield* catalog.writeIndex({ window: WindowId(0), lo: ChunkId(lo), hi: ChunkId(hi), produce: writeFile })
  yield* Effect.scoped(catalog.openHot(chunk, { keyspaces: ["entries"] }))
  yield* catalog.discardHot(chunk)
  yield* catalog.sweep({ known: true })
  yield* catalog.prune(ChunkId(4))
  yield* catalog.sweep({ known: true })
  yield* catalog.writeChunk({ chunk: ChunkId(4), kinds: ["entries"], produce: writeWanted })
})
