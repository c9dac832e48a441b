import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Exit, Fiber, Layer, Option, Scope } from "effect"
import { open as openLmdb } from "lmdb"
import { Engine } from "../src/Engine.ts"
import * as LmdbEngine from "../src/live/LmdbEngine.ts"
import { bytes, describeStoredEngine, temporaryDirectory } from "./RuntimesSuite.ts"

const live = Layer.provide(LmdbEngine.layer, LiveDisk.layer)

describe("LmdbEngine", () => {
  describeStoredEngine({ adapter: "lmdb", dataName: "data.mdb", layer: LmdbEngine.layer })

  it.live("open fails with EngineCorrupt on somebody else's LMDB file", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const directory = path.join(yield* temporaryDirectory, "db")
      yield* Effect.promise(async () => {
        const root = openLmdb({ path: path.join(directory, "data.mdb"), overlappingSync: false })
        await root.put("theirs", 1)
        await root.close()
      })
      const error = yield* Effect.flip(Effect.scoped(engine.open({ path: directory, keyspaces: ["a"] })))
      assert.strictEqual(error._tag, "EngineCorrupt")
      assert.include(error.message, "no layout marker")
    }).pipe(Effect.provide(live), Effect.scoped)
  )

  it.live("open takes a file that is shorter than its meta page says because its last pages are free", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const directory = path.join(yield* temporaryDirectory, "db")
      let shortCount = 0
      for (let round = 0; round < 12; round++) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const database = yield* engine.open({ path: directory, keyspaces: ["a"] })
            yield* database.write((batch) => {
              for (let row = 0; row < 60; row++)
                batch.put("a", bytes(`${round} ${row}`), new Uint8Array(5_000 * (round % 5)))
              for (let row = 59; row >= round; row--) batch.delete("a", bytes(`${round} ${row}`))
              batch.deleteRange("a", { prefix: bytes(`${round - 2} `) })
            })
          })
        )
        const contents = fs.readFileSync(path.join(directory, "data.mdb"))
        const lastPage = Math.max(Number(contents.readBigUInt64LE(144)), Number(contents.readBigUInt64LE(4_096 + 144)))
        if (contents.length < (lastPage + 1) * 4_096) shortCount++
      }
      assert.isAbove(shortCount, 0)
    }).pipe(Effect.provide(live), Effect.scoped)
  )

  // Without the wait the library works on an environment that is gone, and the process dies.
  it.live("close waits for a flush and for a checkpoint that are under way", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const parent = yield* temporaryDirectory
      const copy = path.join(parent, "copy")
      const copying: Effect.Effect<void> = Effect.suspend(() =>
        fs.existsSync(path.join(copy, "new.data.mdb")) ? Effect.void : Effect.andThen(Effect.sleep(1), copying)
      )
      for (const work of ["flush", "checkpoint"] as const) {
        const scope = yield* Scope.make()
        const database = yield* Scope.provide(engine.open({ path: path.join(parent, "db"), keyspaces: ["a"] }), scope)
        yield* database.write(
          (batch) => {
            for (let row = 0; row < 16; row++) batch.put("a", bytes(`${row}`), new Uint8Array(8_000_000).fill(row))
          },
          { durability: "buffered" }
        )
        const fiber = yield* Effect.forkChild(work === "flush" ? database.flush : database.checkpoint(copy))
        if (work === "flush") yield* Effect.sleep(1)
        else yield* copying
        yield* Scope.close(scope, Exit.void)
        yield* Fiber.join(fiber)
      }
      const found = yield* Effect.scoped(
        Effect.flatMap(engine.open({ path: copy, keyspaces: ["a"], mode: "existing" }), (database) => database.stats)
      )
      assert.strictEqual(found.keyspaces.a?.keyCount, 16)
    }).pipe(Effect.provide(live), Effect.scoped)
  )

  it.live("write grows the map while snapshots are open, and they keep reading their moment", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const database = yield* engine.open({ path: path.join(yield* temporaryDirectory, "db"), keyspaces: ["a"] })
      yield* database.write((batch) => batch.put("a", bytes("k"), bytes("old")))
      const snapshot = yield* database.snapshot
      for (let round = 0; round < 40; round++) {
        yield* database.write(
          (batch) => {
            batch.put("a", bytes("k"), bytes("new"))
            batch.put("a", bytes(`big ${round}`), new Uint8Array(2 * 1024 * 1024).fill(round))
          },
          { durability: "buffered" }
        )
      }
      assert.deepStrictEqual(yield* snapshot.get("a", bytes("k")), Option.some(bytes("old")))
      const last = Option.getOrThrow(yield* database.get("a", bytes("big 39")))
      assert.strictEqual(last.length, 2 * 1024 * 1024)
      assert.isTrue(last.every((byte) => byte === 39))
    }).pipe(Effect.provide(live), Effect.scoped)
  )

  it.live("snapshot lets go of its pages: the file does not grow with the number of ended ones", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const directory = path.join(yield* temporaryDirectory, "db")
      const database = yield* engine.open({ path: directory, keyspaces: ["a"] })
      for (let round = 0; round < 300; round++) {
        yield* Effect.scoped(
          Effect.andThen(
            database.snapshot,
            database.write((batch) => batch.put("a", bytes("k"), new Uint8Array(100_000)), { durability: "buffered" })
          )
        )
      }
      assert.isBelow((yield* database.stats).fileBytes, 2_000_000)
    }).pipe(Effect.provide(live), Effect.scoped)
  )
})
