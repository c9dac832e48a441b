import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Random } from "effect"
import * as PrivateDirectory from "../src/internal/archive/PrivateDirectory.ts"
import { temporaryDirectory } from "./RuntimesSuite.ts"

describe("PrivateDirectory", () => {
  it.live("make gives a directory that only its owner may enter, and the scope removes it with all that is in it", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryDirectory
      const made = yield* Effect.scoped(
        Effect.gen(function* () {
          const directory = yield* PrivateDirectory.make(parent)
          const other = yield* PrivateDirectory.make(parent)
          assert.strictEqual(path.dirname(directory), parent)
          assert.notStrictEqual(directory, other)
          assert.strictEqual(fs.statSync(directory).mode & 0o777, 0o700)
          fs.mkdirSync(path.join(directory, "a/b"), { recursive: true })
          fs.writeFileSync(path.join(directory, "a/b/c"), "c")
          fs.symlinkSync(parent, path.join(directory, "a/link"))
          fs.writeFileSync(path.join(parent, "beside"), "stays")
          return directory
        })
      )
      assert.isFalse(fs.existsSync(made))
      assert.deepStrictEqual(fs.readdirSync(parent), ["beside"])
    }).pipe(Effect.provide(LiveDisk.layer), Effect.scoped)
  )

  it.live("make makes no directory above its own, which the scope would leave", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryDirectory
      const failure = yield* Effect.flip(Effect.scoped(PrivateDirectory.make(path.join(parent, "missing"))))
      assert.strictEqual(failure._tag, "DiskNotFound")
      assert.deepStrictEqual(fs.readdirSync(parent), [])
    }).pipe(Effect.provide(LiveDisk.layer), Effect.scoped)
  )

  it.live("make refuses a directory that was there already, and leaves it", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryDirectory
      const make = Effect.scoped(Random.withSeed(PrivateDirectory.make(parent), "the same"))
      const first = yield* make
      assert.isFalse(fs.existsSync(first))
      fs.mkdirSync(first)
      fs.writeFileSync(path.join(first, "theirs"), "stays")
      assert.strictEqual((yield* Effect.flip(make))._tag, "DiskExists")
      assert.deepStrictEqual(fs.readdirSync(first), ["theirs"])
    }).pipe(Effect.provide(LiveDisk.layer), Effect.scoped)
  )
})
