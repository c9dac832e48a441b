import { assert, it } from "@effect/vitest"
import { CrashEnumerator, CrashRecorder, CrashViolation, SurvivorChoice } from "@icecore/packfile/testing"
import { Effect, Option, type Scope, Stream } from "effect"
import { type Database, type Durability, Engine, type EngineOpenError } from "../src/Engine.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"

const path = "/crash/db"
const copyPath = "/crash/copy"
const number = (value: number): Uint8Array => Uint8Array.of(value >> 8, value)
const open = (at = path): Effect.Effect<Database, EngineOpenError, Engine | Scope.Scope> =>
  Effect.flatMap(Engine, (engine) => engine.open({ path: at, keyspaces: ["a", "b"] }))

/** Write `value` puts one row into each keyspace. */
const writeBoth = (database: Database, value: number, durability: Durability) =>
  database.write(
    (batch) => {
      batch.put("a", number(value), number(value))
      batch.put("b", number(value), number(value))
    },
    { durability }
  )

/** The numbers of the writes that are there; dies when a write is there by half. */
const found = (database: Database) =>
  Effect.gen(function* () {
    const [left, right] = yield* Effect.forEach(["a", "b"], (keyspace) =>
      Effect.map(Stream.runCollect(database.scan(keyspace)), (rows) => rows.map(({ key }) => key[0]! * 256 + key[1]!))
    )
    assert.deepStrictEqual(left, right)
    return left!
  })

/** Writes 0, 1, 2, …, each fifth synced and each seventh followed by a flush; acknowledges what is durable when `promise` says so. */
const writing = (promise: (durability: Durability) => boolean): CrashEnumerator.CrashScenario<Engine, number> => ({
  name: "memory engine writes",
  layer: MemoryEngine.layerCrashing,
  scenario: (acknowledge) =>
    Effect.gen(function* () {
      const database = yield* open()
      for (let value = 0; value < 60; value++) {
        const durability = value % 5 === 4 ? "synced" : "buffered"
        yield* writeBoth(database, value, durability)
        if (promise(durability)) yield* acknowledge(value)
        if (value % 7 === 6) {
          yield* database.flush
          yield* acknowledge(value)
        }
      }
      yield* database.checkpoint(copyPath)
      const rows = Stream.map(Stream.range(0, 69), (value) => ({ key: number(value), value: number(value) }))
      yield* database.replace(["a", "b"].map((keyspace) => ({ keyspace, range: {}, rows })))
      yield* acknowledge(69)
    }),
  recover: Effect.asVoid(open()),
  check: (acknowledged) =>
    Effect.gen(function* () {
      const values = yield* Effect.flatMap(open(), found)
      // No hole below a surviving one, and nothing acknowledged is lost.
      assert.deepStrictEqual(
        values,
        values.map((_, index) => index)
      )
      assert.isAtLeast(values.length, 1 + (acknowledged.at(-1) ?? -1))
    })
})

it.effect("MemoryEngine keeps, in every crash, what was durable and a prefix of the rest", () =>
  Effect.gen(function* () {
    const report = yield* CrashEnumerator.enumerate(writing((durability) => durability === "synced"))
    assert.deepStrictEqual(report.incomparable, [])
    assert.isAbove(report.stateCount, 100)
  })
)

it.effect("MemoryEngine loses buffered writes in some crash, so that a promise made too early is found", () =>
  Effect.gen(function* () {
    const violation = yield* Effect.flip(CrashEnumerator.enumerate(writing(() => true)))
    assert.instanceOf(violation, CrashViolation)
  })
)

it.effect("MemoryEngine can keep any number of the buffered writes, from the first on", () =>
  Effect.gen(function* () {
    const recorder = CrashRecorder.make()
    const engine = MemoryEngine.make(MemoryEngine.makeMedium(recorder))
    const opened = engine.open({ path, keyspaces: ["a", "b"] })
    const [end] = (yield* recorder.record(
      Effect.scoped(
        Effect.flatMap(opened, (database) =>
          Effect.forEach([0, 1, 2, 3], (value) => writeBoth(database, value, "buffered"))
        )
      )
    )).slice(-1)
    const counts = new Set<number>()
    for (let seed = 0; seed < 100; seed++) {
      recorder.restore(recorder.survive(end!.state, () => SurvivorChoice.survivorRandom("random", seed)))
      const values = yield* Effect.scoped(Effect.flatMap(opened, found))
      assert.deepStrictEqual(
        values,
        values.map((_, index) => index)
      )
      counts.add(values.length)
    }
    assert.deepStrictEqual([...counts].sort(), [0, 1, 2, 3, 4])
  })
)

it.effect("MemoryEngine leaves a whole copy or none that opens, when a checkpoint crashes", () =>
  Effect.gen(function* () {
    yield* CrashEnumerator.enumerate<Engine, "checkpoint">({
      name: "memory engine checkpoint",
      layer: MemoryEngine.layerCrashing,
      prepare: Effect.flatMap(open(), (database) => writeBoth(database, 0, "synced")),
      scenario: (acknowledge) =>
        Effect.gen(function* () {
          yield* (yield* open()).checkpoint(copyPath)
          yield* acknowledge("checkpoint")
        }),
      recover: Effect.asVoid(open()),
      check: (acknowledged) =>
        Effect.gen(function* () {
          const engine = yield* Engine
          assert.deepStrictEqual(yield* found(yield* open()), [0])
          const copy = yield* Effect.option(engine.open({ path: copyPath, keyspaces: ["a", "b"], mode: "existing" }))
          if (Option.isSome(copy)) assert.deepStrictEqual(yield* found(copy.value), [0])
          else assert.deepStrictEqual(acknowledged, [])
        })
    })
  })
)

it.effect(
  "MemoryEngine can leave half a database when its creation or its removal crashes, which only create opens",
  () =>
    Effect.gen(function* () {
      const recorder = CrashRecorder.make()
      const medium = MemoryEngine.makeMedium(recorder)
      const engine = MemoryEngine.make(medium)
      const openMode = (mode: "create" | "existing") =>
        Effect.scoped(Effect.flatMap(engine.open({ path, keyspaces: ["a", "b"], mode }), found))
      const crash = (point: CrashRecorder.CrashPoint, policy: "lost" | "kept") =>
        Effect.sync(() =>
          recorder.restore(recorder.survive(point.state, () => SurvivorChoice.survivorRandom(policy, 1)))
        )

      const creation = yield* recorder.record(openMode("create"))
      assert.deepStrictEqual(
        creation.map(({ label }) => label.split(" ").slice(0, -1).join(" ")),
        ["begin to create", "create", "add keyspaces to", ""]
      )
      const half = creation[1]!
      yield* crash(half, "lost")
      assert.strictEqual(medium.face(path), undefined)
      yield* crash(half, "kept")
      assert.strictEqual(medium.face(path), "half")
      assert.strictEqual((yield* Effect.flip(openMode("existing")))._tag, "EngineNotFound")
      assert.deepStrictEqual(yield* openMode("create"), [])

      const removal = yield* recorder.record(engine.destroy(path))
      yield* crash(removal[1]!, "lost")
      assert.deepStrictEqual(yield* openMode("existing"), [])
      yield* crash(removal[1]!, "kept")
      assert.strictEqual((yield* Effect.flip(openMode("existing")))._tag, "EngineNotFound")
      yield* crash(removal[2]!, "lost")
      assert.strictEqual(medium.face(path), undefined)
    })
)

it.effect("MemoryEngine forgets, once it is closed, the buffered writes that a failed sync did not write", () =>
  Effect.gen(function* () {
    const medium = MemoryEngine.makeMedium()
    const engine = MemoryEngine.make(medium)
    const opened = engine.open({ path, keyspaces: ["a", "b"] })
    yield* Effect.scoped(
      Effect.gen(function* () {
        const database = yield* opened
        yield* writeBoth(database, 0, "synced")
        yield* writeBoth(database, 1, "buffered")
        medium.inject({ point: "sync", code: "EIO" })
        yield* Effect.flip(database.flush)
        assert.deepStrictEqual(yield* found(database), [0, 1])
      })
    )
    assert.deepStrictEqual(yield* Effect.scoped(Effect.flatMap(opened, found)), [0])
  })
)

it.effect("MemoryMedium.inject strikes after the passes that it spares, as often as it says, at its path only", () =>
  Effect.gen(function* () {
    const medium = MemoryEngine.makeMedium()
    const engine = MemoryEngine.make(medium)
    medium.inject({ point: "create", code: "ENOSPC", afterCount: 1, failureCount: 2, path: "/full/db" })
    const openAt = (at: string) =>
      Effect.match(Effect.scoped(engine.open({ path: at, keyspaces: ["a"] })), {
        onFailure: (error) => error._tag,
        onSuccess: () => "opened"
      })
    assert.strictEqual(yield* openAt("/other/db"), "opened")
    // The first pass makes the database, the next adds its keyspace.
    assert.strictEqual(yield* openAt("/full/db"), "EngineFull")
    assert.strictEqual(yield* openAt("/full/db"), "EngineFull")
    assert.strictEqual(yield* openAt("/full/db"), "opened")
    medium.inject({ point: "destroy", code: "EIO", failureCount: Number.POSITIVE_INFINITY })
    assert.strictEqual((yield* Effect.flip(engine.destroy("/full/db")))._tag, "EngineFailed")
    assert.strictEqual((yield* Effect.flip(engine.destroy("/full/db")))._tag, "EngineFailed")
    medium.heal()
    yield* engine.destroy("/full/db")
  })
)

it.effect("MemoryEngine refuses what was opened before a restart", () =>
  Effect.gen(function* () {
    const recorder = CrashRecorder.make()
    const engine = MemoryEngine.make(MemoryEngine.makeMedium(recorder))
    yield* Effect.scoped(
      Effect.gen(function* () {
        const before = yield* engine.open({ path, keyspaces: ["a", "b"] })
        yield* writeBoth(before, 0, "synced")
        recorder.restore(recorder.capture())
        const after = yield* engine.open({ path, keyspaces: ["a", "b"] })
        assert.strictEqual((yield* Effect.flip(writeBoth(before, 1, "synced")))._tag, "EngineFailed")
        assert.strictEqual((yield* Effect.flip(before.get("a", number(0))))._tag, "EngineFailed")
        assert.deepStrictEqual(yield* found(after), [0])
      })
    )
  })
)
