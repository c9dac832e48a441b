import { assert, describe, it } from "@effect/vitest"
import { type Database, Engine, EngineFailed, EnginePoisoned } from "@icecore/engine"
import * as MemoryEngine from "@icecore/engine/memory"
import { Disk, type DiskError } from "@icecore/packfile"
import { CrashRecorder, FaultEnumerator, SimulatedDisk } from "@icecore/packfile/testing"
import { Cause, Effect, Exit, Layer, Option, type Scope, Stream } from "effect"
import { artifactKinds, chunkKey } from "../src/format/CatalogKey.ts"
import { ChunkId, WindowId } from "../src/Geometry.ts"
import * as HotEngine from "../src/HotEngine.ts"
import * as Layout from "../src/Layout.ts"
import {
  layout,
  open,
  recover,
  requireFrozen,
  requireNoEmptyDirectory,
  requireSettled,
  writeFile,
  writeWanted
} from "./crash/CrashHarness.ts"
import { exists, type Store } from "./Harness.ts"

const chunk = ChunkId(0)
const key = chunkKey(chunk, "entries")

/** A database whose next commit is seen by readers though its sync failed: what engines do after a failed sync. */
interface FailingSync {
  readonly engine: Engine
  readonly failNext: () => void
}

const failingSync = (engine: Engine): FailingSync => {
  let isFailing = false
  let isPoisoned = false
  const wrap = (database: Database): Database => ({
    ...database,
    write: (build, options) =>
      Effect.suspend(() => {
        const { path } = database
        if (isPoisoned) return Effect.fail(new EnginePoisoned({ path, detail: "sync failed" }))
        if (!isFailing) return database.write(build, options)
        isPoisoned = true
        return Effect.andThen(
          database.write(build, { durability: "buffered" }),
          Effect.fail(new EngineFailed({ path, operation: "write to", detail: "sync failed" }))
        )
      })
  })
  return {
    engine: { ...engine, open: (options) => Effect.map(engine.open(options), wrap) },
    failNext: () => {
      isFailing = true
    }
  }
}

const withFailingSync = <A, E>(use: (failNext: () => void) => Effect.Effect<A, E, Store | Scope.Scope>) =>
  Effect.suspend(() => {
    const { engine, failNext } = failingSync(MemoryEngine.make(MemoryEngine.makeMedium()))
    const store = Layer.merge(
      HotEngine.layer.pipe(Layer.provideMerge(Layer.succeed(Engine, engine))),
      Layer.succeed(Disk, SimulatedDisk.make(CrashRecorder.make()).disk)
    )
    return Effect.provide(Effect.scoped(use(failNext)), store)
  })

describe("Catalog", () => {
  it.effect("Catalog.sweep unlinks nothing under a demotion whose sync failed", () =>
    withFailingSync((failNext) =>
      Effect.gen(function* () {
        const catalog = yield* open
        yield* catalog.writeChunk({ chunk, kinds: ["entries"], produce: writeWanted })
        failNext()
        assert.strictEqual((yield* Effect.flip(catalog.demote([key])))._tag, "EngineFailed")
        const snapshot = yield* catalog.snapshot
        assert.deepStrictEqual(yield* snapshot.state(key), Option.some("pruning"))
        assert.strictEqual((yield* Effect.flip(catalog.sweep()))._tag, "EnginePoisoned")
        assert.isTrue(yield* exists(Layout.entriesPath(layout, chunk)))
      })
    )
  )

  it.effect("Catalog.writeChunk writes no file under a mark whose sync failed", () =>
    withFailingSync((failNext) =>
      Effect.gen(function* () {
        const catalog = yield* open
        failNext()
        const write = catalog.writeChunk({ chunk, kinds: ["entries"], produce: writeWanted })
        assert.strictEqual((yield* Effect.flip(write))._tag, "EngineFailed")
        assert.strictEqual((yield* Effect.flip(write))._tag, "EnginePoisoned")
        assert.isFalse(yield* exists(Layout.entriesPath(layout, chunk)))
      })
    )
  )

  it.effect("Catalog.openHot makes no database under a mark whose sync failed", () =>
    withFailingSync((failNext) =>
      Effect.gen(function* () {
        const catalog = yield* open
        failNext()
        const openHot = Effect.scoped(catalog.openHot(chunk, { keyspaces: ["entries"] }))
        assert.strictEqual((yield* Effect.flip(openHot))._tag, "EngineFailed")
        assert.strictEqual((yield* Effect.flip(openHot))._tag, "EnginePoisoned")
        const engine = yield* Engine
        const database = Effect.scoped(
          engine.open({ path: Layout.hotPath(layout, chunk), keyspaces: ["entries"], mode: "existing" })
        )
        assert.strictEqual((yield* Effect.flip(database))._tag, "EngineNotFound")
      })
    )
  )

  it.live("Catalog.writeChunk and Catalog.sweep fail typed and settle later, whichever disk operation fails", () =>
    Effect.gen(function* () {
      let engine = MemoryEngine.make(MemoryEngine.makeMedium())
      const onEngine = <A, E>(
        effect: Effect.Effect<A, E, Store | Scope.Scope>
      ): Effect.Effect<A, E, Disk | Scope.Scope> =>
        Effect.suspend(() =>
          Effect.provide(effect, HotEngine.layer.pipe(Layer.provideMerge(Layer.succeed(Engine, engine))))
        )
      const tags = new Set<DiskError["_tag"] | string>([
        "DiskFull",
        "DiskFailed",
        "DiskNotFound",
        "DiskExists",
        "DiskShortRead"
      ])
      const report = yield* FaultEnumerator.enumerateFaults({
        name: "freezing and sweeping",
        prepare: Effect.sync(() => {
          engine = MemoryEngine.make(MemoryEngine.makeMedium())
        }),
        scenario: onEngine(
          Effect.gen(function* () {
            const catalog = yield* open
            yield* catalog.writeChunk({ chunk, kinds: artifactKinds, produce: writeWanted })
            yield* catalog.demote([chunkKey(chunk, "keys")])
            yield* catalog.sweep()
          })
        ),
        check: (outcome, fault) =>
          onEngine(
            Effect.gen(function* () {
              const frozen = yield* Effect.flatMap(recover, requireSettled)
              if (fault === undefined) {
                assert.isTrue(Exit.isSuccess(outcome))
                yield* requireFrozen(frozen, key)
                yield* requireFrozen(frozen, chunkKey(chunk, "keys"), false)
                return
              }
              if (Exit.isFailure(outcome)) {
                const error = Option.getOrThrow(Exit.findErrorOption(outcome))
                assert.isTrue("_tag" in error && tags.has(String(error._tag)), String(error))
              }
            })
          )
      })
      assert.isAbove(report.runCount, 100)
    })
  )

  it.live("Catalog.prune, Catalog.writeIndex and Catalog.sweep settle in the same process what a disk fault left", () =>
    Effect.gen(function* () {
      const provided = <A, E>(effect: Effect.Effect<A, E, Store | Scope.Scope>) =>
        Effect.provide(effect, HotEngine.layer.pipe(Layer.provideMerge(MemoryEngine.layer)))
      const window = WindowId(0)
      const report = yield* FaultEnumerator.enumerateFaults({
        name: "pruning and rolling",
        scenario: provided(
          Effect.gen(function* () {
            const catalog = yield* open
            const attempt = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.exit(effect)
            for (const number of [0, 1, 2, 3]) {
              const kinds = ["entries", "keys"] as const
              yield* attempt(catalog.writeChunk({ chunk: ChunkId(number), kinds, produce: writeWanted }))
            }
            for (const [lo, hi] of [
              [0, 1],
              [1, 3],
              [0, 3]
            ] as const)
              yield* attempt(
                catalog.writeIndex({ window, lo: ChunkId(lo), hi: ChunkId(hi), produce: (file) => writeFile(file) })
              )
            yield* attempt(catalog.prune(ChunkId(2)))
            yield* attempt(catalog.sweep({ known: true }))
            yield* attempt(catalog.prune(ChunkId(4)))
            yield* attempt(catalog.sweep({ known: true }))
            const last = yield* attempt(catalog.sweep({ known: true }))
            if (Exit.isFailure(last)) return false
            assert.deepStrictEqual(yield* catalog.sweep(), { artifactCount: 0, hotCount: 0, deferredCount: 0 })
            const snapshot = yield* catalog.snapshot
            assert.deepStrictEqual(yield* Stream.runCollect(snapshot.artifacts()), [])
            assert.deepStrictEqual(yield* Stream.runCollect(snapshot.indexes), [])
            return true
          })
        ),
        check: (outcome, fault) =>
          Effect.gen(function* () {
            if (Exit.isFailure(outcome) && fault === undefined) return yield* Effect.failCause(outcome.cause)
            if (Exit.isFailure(outcome) && Cause.hasDies(outcome.cause)) return yield* Effect.failCause(outcome.cause)
            if (Exit.isSuccess(outcome) && outcome.value) yield* requireNoEmptyDirectory
          })
      })
      assert.isAbove(report.runCount, 300)
    })
  )
})
