import { appendFileSync, copyFileSync, mkdirSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Disk } from "@icecore/packfile"
import { Effect, Option } from "effect"
import * as FollowedDirectory from "../../src/source/FollowedDirectory.ts"
import * as FollowedFile from "../../src/source/FollowedFile.ts"
import * as LineCursor from "../../src/source/LineCursor.ts"
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

describe("NdjsonSource following a file", () => {
  it.effect("entries come as lines are completed, and a line without its end waits", () =>
    Effect.gen(function* () {
      const path = yield* logPath
      writeFileSync(path, "a\nb")
      const tail = yield* follow({ path }, { from: 0 })
      assert.deepStrictEqual(yield* tail.next(1), ["a"])
      yield* tail.expectNothing
      appendFileSync(path, "b\n\nc\n")
      assert.deepStrictEqual(yield* tail.next(3), ["bb", "", "c"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("entries waits for a file that is not there yet, in a directory that is not there yet", () =>
    Effect.gen(function* () {
      const path = join(yield* temporaryDirectory, "later", "log")
      const tail = yield* follow({ path }, { from: 5 })
      yield* tail.expectNothing
      mkdirSync(join(path, ".."))
      writeFileSync(path, "0\n1\n2\n3\n4\n5\n")
      assert.deepStrictEqual(yield* tail.next(1), ["5"])
    }).pipe(Effect.provide(layer))
  )

  it.effect(
    "entries goes on over a rename, with what is written to the old file meanwhile and its last open line",
    () =>
      Effect.gen(function* () {
        const path = yield* logPath
        writeFileSync(path, "a\n")
        const tail = yield* follow({ path }, { from: 0 })
        yield* tail.next(1)
        renameSync(path, `${path}.1`)
        appendFileSync(`${path}.1`, "b\nopen")
        yield* tail.next(1)
        yield* tail.expectNothing
        writeFileSync(path, "c\n")
        assert.deepStrictEqual(yield* tail.next(2), ["open", "c"])
      }).pipe(Effect.provide(layer))
  )

  it.effect("entries reads every generation when two rotations happen between two looks", () =>
    Effect.gen(function* () {
      const path = yield* logPath
      writeFileSync(path, "a\n")
      const tail = yield* follow({ path }, { from: 0 })
      yield* tail.next(1)
      appendFileSync(path, "b\n")
      renameSync(path, `${path}.2`)
      writeFileSync(`${path}.1`, "c\n")
      writeFileSync(path, "d\n")
      assert.deepStrictEqual(yield* tail.next(3), ["b", "c", "d"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("entries goes on with the new file when the old one was removed", () =>
    Effect.gen(function* () {
      const path = yield* logPath
      writeFileSync(`${path}.1`, "older\n")
      writeFileSync(path, "a\n")
      const tail = yield* follow({ path }, { from: 0 })
      yield* tail.next(1)
      rmSync(path)
      writeFileSync(path, "b\nc\n")
      assert.deepStrictEqual(yield* tail.next(2), ["b", "c"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("entries goes on behind the last line when an editor replaced the file by a longer copy", () =>
    Effect.gen(function* () {
      const path = yield* logPath
      writeFileSync(path, "a\nb\n")
      const tail = yield* follow({ path }, { from: 0 })
      yield* tail.next(2)
      writeFileSync(`${path}~`, "a\nb\nc\n")
      renameSync(`${path}~`, path)
      assert.deepStrictEqual(yield* tail.next(1), ["c"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("entries finishes the copy that copytruncate made before the truncated file", () =>
    Effect.gen(function* () {
      const path = yield* logPath
      writeFileSync(path, "first\nsecond\n")
      const tail = yield* follow({ path }, { from: 0 })
      yield* tail.next(2)
      appendFileSync(path, "third\n")
      copyFileSync(path, `${path}.1`)
      truncateSync(path)
      appendFileSync(path, "4\n")
      assert.deepStrictEqual(yield* tail.next(2), ["third", "4"])
    }).pipe(Effect.provide(layer))
  )

  it.effect(
    "entries does not read an older rotated file again behind a copy that somebody made before truncating",
    () =>
      Effect.gen(function* () {
        const path = yield* logPath
        writeFileSync(`${path}.1`, "older\n")
        writeFileSync(path, "a\n")
        const tail = yield* follow({ path }, { from: 0 })
        yield* tail.next(1)
        copyFileSync(path, `${path}.bak`)
        truncateSync(path)
        yield* tail.expectNothing
        appendFileSync(path, "b\n")
        assert.deepStrictEqual(yield* tail.next(1), ["b"])
      }).pipe(Effect.provide(layer))
  )

  it.effect(
    "entries takes the lines that a truncated file got before anybody looked, though its size is the old one",
    () =>
      Effect.gen(function* () {
        const path = yield* logPath
        writeFileSync(path, "a\n")
        const tail = yield* follow({ path }, { from: 0 })
        yield* tail.next(1)
        copyFileSync(path, `${path}.1`)
        truncateSync(path)
        appendFileSync(path, "b\n")
        assert.deepStrictEqual(yield* tail.next(1), ["b"])
      }).pipe(Effect.provide(layer))
  )

  it.effect("entries does not read old generations again when rotation changes to dates", () =>
    Effect.gen(function* () {
      const path = yield* logPath
      writeFileSync(`${path}.1`, "older\n")
      writeFileSync(path, "a\n")
      const tail = yield* follow({ path }, { from: 0 })
      yield* tail.next(1)
      renameSync(path, `${path}-20260101`)
      writeFileSync(path, "b\n")
      assert.deepStrictEqual(yield* tail.next(1), ["b"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("entries fails rather than to guess whether a generation comes before or after a date", () =>
    Effect.gen(function* () {
      const path = yield* logPath
      writeFileSync(path, "a\n")
      const tail = yield* follow({ path }, { from: 0 })
      yield* tail.next(1)
      const resume = tail.position()
      yield* tail.stop
      renameSync(path, `${path}-20260101`)
      writeFileSync(`${path}.1`, "older or newer\n")
      writeFileSync(path, "b\n")
      const again = yield* follow({ path }, { from: 1, resume })
      const error = yield* again.failure
      assert.include(error.message, "log.1: its name does not say whether it comes before or after log-20260101")
      rmSync(`${path}.1`)
      const last = yield* follow({ path }, { from: 1, resume })
      assert.deepStrictEqual(yield* last.next(1), ["b"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("entries does not read a file again that rotation compressed at once", () =>
    Effect.gen(function* () {
      const path = yield* logPath
      writeFileSync(`${path}.1.gz`, gzipSync("older\n"))
      writeFileSync(path, "a\n")
      const tail = yield* follow({ path }, { from: 0 })
      yield* tail.next(1)
      renameSync(`${path}.1.gz`, `${path}.2.gz`)
      writeFileSync(`${path}.1.gz`, gzipSync("a\nb\n"))
      rmSync(path)
      writeFileSync(path, "c\n")
      assert.deepStrictEqual(yield* tail.next(2), ["b", "c"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("entries fails with SourceTruncated when nothing holds the rest of a truncated file", () =>
    Effect.gen(function* () {
      const path = yield* logPath
      writeFileSync(path, "first\nsecond\n")
      const tail = yield* follow({ path }, { from: 0 })
      yield* tail.next(2)
      writeFileSync(path, "new\n")
      const error = yield* tail.failure
      assert.strictEqual(error._tag, "SourceTruncated")
      assert.include(error.message, path)
    }).pipe(Effect.provide(layer))
  )

  it.effect("entries takes the lines of a truncated file for new ones when gaps are accepted", () =>
    Effect.gen(function* () {
      const path = yield* logPath
      writeFileSync(path, "first\nsecond\nopen")
      const tail = yield* follow({ path, onGap: "continue" }, { from: 0 })
      yield* tail.next(2)
      writeFileSync(path, "new\n")
      assert.deepStrictEqual(yield* tail.next(1), ["new"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("entries fails with SourceChanged when a file was rewritten under it", () =>
    Effect.gen(function* () {
      const path = yield* logPath
      writeFileSync(path, "first\nsecond\n")
      const tail = yield* follow({ path }, { from: 0 })
      yield* tail.next(2)
      writeFileSync(path, "first\nSECOND\nthird\n")
      const error = yield* tail.failure
      assert.strictEqual(error._tag, "SourceChanged")
      assert.include(error.message, "line 2")
    }).pipe(Effect.provide(layer))
  )

  it.effect("entries fails with LineTooLong after the lines before it", () =>
    Effect.gen(function* () {
      const path = yield* logPath
      writeFileSync(path, "ok\nlong")
      const tail = yield* follow({ path, lineLimitBytes: 6 }, { from: 0 })
      yield* tail.next(1)
      appendFileSync(path, "er and longer")
      const error = yield* tail.failure
      assert.strictEqual(error.message, `Cannot read ${path}: line 2 is longer than 6 bytes`)
    }).pipe(Effect.provide(layer))
  )
})

describe("NdjsonSource leaving a file", () => {
  it.effect("entries does not wait for an empty file that has newer ones", () =>
    Effect.gen(function* () {
      const path = yield* logPath
      writeFileSync(path, "a\n")
      const resume = yield* ingest(path, 1)
      renameSync(path, `${path}.2`)
      writeFileSync(`${path}.1`, "")
      writeFileSync(path, "b\n")
      const file = yield* follow({ path }, { from: 1, resume })
      assert.deepStrictEqual(yield* file.next(1), ["b"])
      const directory = yield* temporaryDirectory
      for (const [name, content] of [
        ["1", ""],
        ["2", "c\n"],
        ["3", ""],
        ["4", "d\n"]
      ] as const)
        writeFileSync(join(directory, name), content)
      const all = yield* follow({ path: directory }, { from: 0 })
      assert.deepStrictEqual(yield* all.next(2), ["c", "d"])
    }).pipe(Effect.provide(layer))
  )

  for (const [kind, make, newer] of [
    ["FollowedFile", FollowedFile.make, "log"],
    ["FollowedDirectory", FollowedDirectory.make, "log.2"]
  ] as const)
    it.effect(`${kind} looks once more at a file that has a newer one before it leaves it`, () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const log = join(directory, "log")
        writeFileSync(log, "x\n")
        const files = make({
          disk: yield* Disk,
          path: kind === "FollowedFile" ? log : directory,
          lineLimitBytes: 100,
          onRead: () => {},
          onSkip: () => {},
          pollInterval: 0,
          onGap: "fail"
        })
        const cursor = Option.getOrThrow(yield* files.begin(Option.none()))
        assert.isTrue(Option.isSome(yield* LineCursor.take(cursor)))
        assert.isTrue(Option.isNone(yield* LineCursor.take(cursor)))
        assert.strictEqual(yield* files.atEnd(cursor), "more")
        if (kind === "FollowedFile") renameSync(log, `${log}.1`)
        writeFileSync(join(directory, newer), "")
        assert.strictEqual(yield* files.atEnd(cursor), "more")
        assert.strictEqual(yield* files.atEnd(cursor), "finished")
      }).pipe(Effect.provide(layer))
    )

  it.effect("entries does not take a longer line for the open one that was ingested", () =>
    Effect.gen(function* () {
      const path = yield* logPath
      writeFileSync(path, "a\nopen")
      const tail = yield* follow({ path }, { from: 0 })
      yield* tail.next(1)
      renameSync(path, `${path}.1`)
      writeFileSync(path, "")
      yield* tail.next(1)
      yield* tail.stop
      // A copy of the rotated file in its place, and beside it a file that begins with the same bytes.
      renameSync(`${path}.1`, `${path}~`)
      copyFileSync(`${path}~`, `${path}.1`)
      writeFileSync(path, "a\nopen and more\n")
      const again = yield* follow({ path }, { from: 2, resume: tail.position() })
      assert.deepStrictEqual(yield* again.next(2), ["a", "open and more"])
    }).pipe(Effect.provide(layer))
  )
})
