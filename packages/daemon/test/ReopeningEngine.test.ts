import { assert, describe, it } from "@effect/vitest"
import { Engine, EngineFailed } from "@icecore/engine"
import * as MemoryEngine from "@icecore/engine/memory"
import { engineConformance } from "@icecore/engine/testing"
import { Effect, Exit, Fiber, Layer, Option, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as ReopeningEngine from "../src/internal/ReopeningEngine.ts"

const reopening = (medium: MemoryEngine.MemoryMedium, freeSpace = { bytes: 100 }) =>
  ReopeningEngine.make({
    engine: MemoryEngine.make(medium),
    freeSpaceBytes: Effect.sync(() => freeSpace.bytes),
    neededBytes: 10
  })

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe("ReopeningEngine", () => {
  const shared = MemoryEngine.makeMedium()
  for (const { name, run } of engineConformance({ directory: "/conformance" }))
    it.effect(`gives the engine's answers: ${name}`, () =>
      Effect.provide(run, Layer.succeed(Engine, reopening(shared)))
    )

  it.effect("opens a database again before the write that follows a failed one", () =>
    Effect.gen(function* () {
      const medium = MemoryEngine.makeMedium()
      const database = yield* reopening(medium).open({ path: "/db", keyspaces: ["a"] })
      yield* database.write((batch) => batch.put("a", bytes("1"), bytes("x")))
      medium.inject({ point: "sync", code: "ENOSPC" })
      const error = yield* Effect.flip(database.write((batch) => batch.put("a", bytes("2"), bytes("y"))))
      assert.strictEqual(error._tag, "EngineFull")
      yield* database.write((batch) => batch.put("a", bytes("3"), bytes("z")))
      assert.deepStrictEqual(yield* database.get("a", bytes("1")), Option.some(bytes("x")))
      assert.deepStrictEqual(yield* database.get("a", bytes("3")), Option.some(bytes("z")))
    })
  )

  it.effect("opens it again before an exclusive section, too", () =>
    Effect.gen(function* () {
      const medium = MemoryEngine.makeMedium()
      const database = yield* reopening(medium).open({ path: "/db", keyspaces: ["a"] })
      medium.inject({ point: "sync", code: "EIO" })
      yield* Effect.flip(database.write((batch) => batch.put("a", bytes("2"), bytes("y"))))
      yield* database.exclusive(database.write((batch) => batch.put("a", bytes("3"), bytes("z"))))
      assert.deepStrictEqual(yield* database.get("a", bytes("3")), Option.some(bytes("z")))
    })
  )

  it.effect("leaves a failed database open for readers while there is no space to open it again", () =>
    Effect.gen(function* () {
      const medium = MemoryEngine.makeMedium()
      const freeSpace = { bytes: 9 }
      const database = yield* reopening(medium, freeSpace).open({ path: "/db", keyspaces: ["a"] })
      yield* database.write((batch) => batch.put("a", bytes("1"), bytes("x")))
      medium.inject({ point: "sync", code: "ENOSPC" })
      const put = database.write((batch) => batch.put("a", bytes("2"), bytes("y")))
      yield* Effect.flip(put)
      const refused = yield* Effect.flip(put)
      assert.strictEqual(refused.message, "Cannot reopen database /db: 9 bytes are free, 10 are needed")
      assert.deepStrictEqual(yield* database.get("a", bytes("1")), Option.some(bytes("x")))
      freeSpace.bytes = 10
      yield* put
    })
  )

  it.effect("gives up for now on a database that is being read all the time", () =>
    Effect.gen(function* () {
      const medium = MemoryEngine.makeMedium()
      const database = yield* reopening(medium).open({ path: "/db", keyspaces: ["a"] })
      const put = database.write((batch) => batch.put("a", bytes("1"), bytes("x")))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const snapshot = yield* database.snapshot
          medium.inject({ point: "sync", code: "EIO" })
          yield* Effect.flip(put)
          const waiting = yield* Effect.forkChild(Effect.flip(put))
          yield* TestClock.adjust("5 seconds")
          const error = yield* Fiber.join(waiting)
          assert.instanceOf(error, EngineFailed)
          assert.deepStrictEqual(yield* Stream.runCollect(snapshot.scan("a")), [])
        })
      )
      yield* put
      assert.deepStrictEqual(yield* database.get("a", bytes("1")), Option.some(bytes("x")))
    })
  )

  it.effect("has snapshots given back that are only kept to be at hand, before it opens a database again", () =>
    Effect.gen(function* () {
      const medium = MemoryEngine.makeMedium()
      const kept = yield* Scope.make()
      const engine = ReopeningEngine.make({
        engine: MemoryEngine.make(medium),
        freeSpaceBytes: Effect.succeed(100),
        neededBytes: 10,
        onReopen: Scope.close(kept, Exit.void)
      })
      const database = yield* engine.open({ path: "/db", keyspaces: ["a"] })
      yield* Scope.provide(database.snapshot, kept)
      const put = database.write((batch) => batch.put("a", bytes("1"), bytes("x")))
      medium.inject({ point: "sync", code: "EIO" })
      yield* Effect.flip(put)
      yield* put
      assert.deepStrictEqual(yield* database.get("a", bytes("1")), Option.some(bytes("x")))
    })
  )
})
