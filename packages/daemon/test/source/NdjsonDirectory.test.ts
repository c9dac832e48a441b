import { appendFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { follow, layer, temporaryDirectory } from "../support/SourceHarness.ts"

describe("NdjsonSource following a directory", () => {
  it.effect("entries reads files in name order, and new ones as they appear", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const tail = yield* follow({ path }, { from: 0 })
      yield* tail.expectNothing
      writeFileSync(join(path, "2.log"), "a\n")
      assert.deepStrictEqual(yield* tail.next(1), ["a"])
      appendFileSync(join(path, "2.log"), "b\nopen")
      assert.deepStrictEqual(yield* tail.next(1), ["b"])
      writeFileSync(join(path, "3.log"), "c\n")
      assert.deepStrictEqual(yield* tail.next(2), ["open", "c"])
      const resume = tail.position()
      yield* tail.stop
      writeFileSync(join(path, "4.log.gz"), gzipSync("d\n"))
      rmSync(join(path, "2.log"))
      const again = yield* follow({ path }, { from: 4, resume })
      assert.deepStrictEqual(yield* again.next(1), ["d"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("entries does not read a finished file again once it is compressed", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      writeFileSync(join(path, "1.log"), "a\n")
      const tail = yield* follow({ path }, { from: 0 })
      yield* tail.next(1)
      const resume = tail.position()
      writeFileSync(join(path, "1.log.gz"), gzipSync("a\n"))
      rmSync(join(path, "1.log"))
      yield* tail.expectNothing
      yield* tail.stop
      const again = yield* follow({ path }, { from: 1, resume })
      yield* again.expectNothing
      writeFileSync(join(path, "2.log"), "b\n")
      assert.deepStrictEqual(yield* again.next(1), ["b"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("entries fails with SourceChanged when a file was rewritten in the size that it had", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      writeFileSync(join(path, "1.log"), "a\n")
      const tail = yield* follow({ path }, { from: 0 })
      yield* tail.next(1)
      writeFileSync(join(path, "1.log"), "b\n")
      const error = yield* tail.failure
      assert.strictEqual(error._tag, "SourceChanged")
    }).pipe(Effect.provide(layer))
  )

  it.effect("entries fails with SourceOutOfOrder when a file appears before the current one", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      writeFileSync(join(path, "2.log"), "a\n")
      const tail = yield* follow({ path }, { from: 0 })
      yield* tail.next(1)
      writeFileSync(join(path, "1.log"), "early\n")
      const error = yield* tail.failure
      assert.strictEqual(error._tag, "SourceOutOfOrder")
      assert.include(error.message, "1.log")
    }).pipe(Effect.provide(layer))
  )
})
