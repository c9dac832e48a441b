import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer, Option } from "effect"
import { Engine, type OpenMode } from "../src/Engine.ts"
import * as LmdbEngine from "../src/live/LmdbEngine.ts"
import * as SqliteEngine from "../src/live/SqliteEngine.ts"
import { bytes, temporaryDirectory } from "./RuntimesSuite.ts"

const engineOf = (layer: typeof SqliteEngine.layer): Effect.Effect<Engine> =>
  Effect.provide(Engine, Layer.provide(layer, LiveDisk.layer))

const modes: ReadonlyArray<OpenMode> = ["create", "existing", "readOnly"]

const pairs = [
  { owner: SqliteEngine.layer, other: LmdbEngine.layer, name: "sqlite", dataName: "data.sqlite" },
  { owner: LmdbEngine.layer, other: SqliteEngine.layer, name: "lmdb", dataName: "data.mdb" }
]

describe("Engine", () => {
  for (const { owner, other, name, dataName } of pairs) {
    it.live(`open and destroy refuse a database of ${name} in the other engine, and leave it as it is`, () =>
      Effect.gen(function* () {
        const directory = path.join(yield* temporaryDirectory, "db")
        const mine = yield* engineOf(owner)
        const stranger = yield* engineOf(other)
        const open = mine.open({ path: directory, keyspaces: ["a"] })
        yield* Effect.scoped(
          Effect.flatMap(open, (database) => database.write((batch) => batch.put("a", bytes("key"), bytes("value"))))
        )
        const names = fs.readdirSync(directory)
        const attempts = [
          ...modes.map((mode) => Effect.scoped(stranger.open({ path: directory, keyspaces: ["a"], mode }))),
          stranger.destroy(directory)
        ]
        for (const attempt of attempts) {
          const error = yield* Effect.flip(attempt)
          assert.strictEqual(error._tag, "EngineMisuse")
          assert.include(error.message, `it is a database of engine ${name} (${dataName})`)
          assert.deepStrictEqual(fs.readdirSync(directory), names)
        }
        const value = yield* Effect.scoped(Effect.flatMap(open, (database) => database.get("a", bytes("key"))))
        assert.deepStrictEqual(value, Option.some(bytes("value")))
      }).pipe(Effect.scoped)
    )
  }
})
