import { appendFileSync, copyFileSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { follow, layer, temporaryDirectory } from "../support/SourceHarness.ts"

/** `log`, in a directory of its own. */
const logPath = Effect.map(temporaryDirectory, (directory) => join(directory, "log"))

/** Follows `path`, takes `count` entries and stops: a daemon that ran and went away. */
const ingest = (path: string, count: number, from = 0) =>
  Effect.gen(function* () {
    const tail = yield* follow({ path }, { from })
    yield* tail.next(count)
    yield* tail.stop
    return tail.position()
  })

describe("NdjsonSource resuming a followed file", () => {
  it.effect(
    "entries finds the file that was rotated twice meanwhile, finishes it, and reads the newer ones in order",
    () =>
      Effect.gen(function* () {
        const path = yield* logPath
        writeFileSync(path, "a\nb\n")
        const resume = yield* ingest(path, 2)
        appendFileSync(path, "c\n")
        renameSync(path, `${path}.2`)
        writeFileSync(`${path}.1`, "d\n")
        writeFileSync(path, "e\n")
        const tail = yield* follow({ path }, { from: 2, resume })
        assert.deepStrictEqual(yield* tail.next(3), ["c", "d", "e"])
        appendFileSync(path, "f\n")
        assert.deepStrictEqual(yield* tail.next(1), ["f"])
      }).pipe(Effect.provide(layer))
  )

  it.effect("entries finds a rotated file that was compressed meanwhile by its content", () =>
    Effect.gen(function* () {
      const path = yield* logPath
      writeFileSync(path, "a\nb\n")
      const resume = yield* ingest(path, 2)
      appendFileSync(path, "c\n")
      writeFileSync(`${path}.2.gz`, gzipSync(readFileSync(path)))
      rmSync(path)
      writeFileSync(`${path}.1`, "d\n")
      writeFileSync(path, "e\n")
      const tail = yield* follow({ path }, { from: 2, resume })
      assert.deepStrictEqual(yield* tail.next(3), ["c", "d", "e"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("entries goes on in a restored copy of the file, whose identity is another", () =>
    Effect.gen(function* () {
      const path = yield* logPath
      writeFileSync(path, "a\nb\n")
      const resume = yield* ingest(path, 2)
      copyFileSync(path, `${path}~`)
      rmSync(path)
      renameSync(`${path}~`, path)
      appendFileSync(path, "c\n")
      const tail = yield* follow({ path }, { from: 2, resume })
      assert.deepStrictEqual(yield* tail.next(1), ["c"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("entries fails with SourceMissing when the rotated file is gone, unless gaps are accepted", () =>
    Effect.gen(function* () {
      const path = yield* logPath
      writeFileSync(path, "some line\nanother\n")
      const resume = yield* ingest(path, 2)
      // Kept open by another name, so that the new file cannot get the same inode.
      renameSync(path, `${path}~`)
      writeFileSync(path, "new\n")
      const strict = yield* follow({ path }, { from: 2, resume })
      const error = yield* strict.failure
      assert.strictEqual(error._tag, "SourceMissing")
      assert.include(error.message, "line 2")
      const lenient = yield* follow({ path, onGap: "continue" }, { from: 2, resume })
      assert.deepStrictEqual(yield* lenient.next(1), ["new"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("entries fails with SourceChanged when an ingested line was edited", () =>
    Effect.gen(function* () {
      const path = yield* logPath
      writeFileSync(path, "first\nsecond\n")
      const resume = yield* ingest(path, 2)
      writeFileSync(path, "first\nSECOND\n")
      const tail = yield* follow({ path }, { from: 2, resume })
      const error = yield* tail.failure
      assert.strictEqual(error._tag, "SourceChanged")
      assert.include(error.message, `${path}: line 2`)
    }).pipe(Effect.provide(layer))
  )

  it.effect(
    "entries finishes the copy of a file that was copied and truncated meanwhile, and has grown past its old size",
    () =>
      Effect.gen(function* () {
        const path = yield* logPath
        writeFileSync(path, "first\nsecond\n")
        const resume = yield* ingest(path, 2)
        appendFileSync(path, "third\n")
        copyFileSync(path, `${path}.1`)
        truncateSync(path)
        appendFileSync(path, "4th line\n5th line\n6th line\n")
        const tail = yield* follow({ path }, { from: 2, resume })
        assert.deepStrictEqual(yield* tail.next(4), ["third", "4th line", "5th line", "6th line"])
      }).pipe(Effect.provide(layer))
  )

  it.effect("entries passes over what lies between the position and from", () =>
    Effect.gen(function* () {
      const path = yield* logPath
      writeFileSync(path, "a\nb\n")
      const resume = yield* ingest(path, 1)
      renameSync(path, `${path}.1`)
      writeFileSync(path, "c\nd\ne\n")
      const tail = yield* follow({ path }, { from: 3, resume })
      assert.deepStrictEqual(yield* tail.next(2), ["d", "e"])
    }).pipe(Effect.provide(layer))
  )
})
