import { appendFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { gzipSync, zstdCompressSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import * as LinePosition from "../../src/source/LinePosition.ts"
import * as NdjsonSource from "../../src/source/NdjsonSource.ts"
import { layer, layerWith, readAll, temporaryDirectory, text } from "../support/SourceHarness.ts"

const ethereumPath = fileURLToPath(new URL("../../../../../shared/data/ethereum/transactions.ndjson", import.meta.url))

const bytes = (value: string): Uint8Array => new TextEncoder().encode(value)

const crc = (line: string): string => `0x${LinePosition.checksum(bytes(line)).toString(16).padStart(8, "0")}`

const fileWith = (content: string | Uint8Array, name = "log.ndjson") =>
  Effect.map(temporaryDirectory, (directory) => {
    const path = join(directory, name)
    writeFileSync(path, content)
    return path
  })

/** Position behind the entry before `from`. */
const positionAt = (options: NdjsonSource.NdjsonSourceOptions, from: number) =>
  Effect.gen(function* () {
    const source = yield* NdjsonSource.make(options)
    const batches = yield* Stream.runCollect(source.entries({ from: options.firstSeq ?? 0 }))
    for (const batch of batches)
      if (from - batch.firstSeq <= batch.entries.length) return batch.positionAfter(from - batch.firstSeq)
    throw new Error("the source ends before")
  })

describe("NdjsonSource", () => {
  it.effect(
    "progress counts what lies before the position that a stream resumed at, in its file and in those before",
    () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        for (const name of ["a.ndjson", "b.ndjson", "c.ndjson"]) writeFileSync(join(directory, name), "1\n22\n333\n")
        const options = { path: directory }
        const source = yield* NdjsonSource.make(options)
        for (const [from, skippedBytes] of [
          [1, 0],
          [2, 2],
          [5, 9 + 2]
        ] as const) {
          const resume = yield* positionAt(options, from)
          yield* Stream.runDrain(source.entries({ from, resume }))
          // The line of the position itself is read again.
          assert.deepStrictEqual(yield* source.progress, {
            unit: "bytes",
            done: 27,
            skipped: skippedBytes,
            total: Option.some(27)
          })
        }
      }).pipe(Effect.provide(layer))
  )

  it.effect.skipIf(!existsSync(ethereumPath))(
    "entries gives every line of a real log byte for byte, plain, gzip and zstd, and from each position (needs ../shared/data)",
    () =>
      Effect.gen(function* () {
        const content = readFileSync(ethereumPath)
        const lines = content.toString("latin1").split("\n").slice(0, -1)
        assert.strictEqual(lines.length, 1_133)
        const directory = yield* temporaryDirectory
        const paths = [ethereumPath, join(directory, "t.gz"), join(directory, "t.zst")]
        writeFileSync(paths[1]!, gzipSync(content))
        writeFileSync(paths[2]!, zstdCompressSync(content))
        for (const path of paths) {
          const source = yield* NdjsonSource.make({ path, firstSeq: 2 })
          const batches = yield* Stream.runCollect(source.entries({ from: 2 }))
          const entries = batches.flatMap((batch) =>
            batch.entries.map((entry) => Buffer.from(entry).toString("latin1"))
          )
          assert.deepStrictEqual(entries, lines)
          assert.deepStrictEqual(yield* source.tip, Option.some(1_134))
          for (const seq of [2, 3, 500, 1_133]) {
            const resume = yield* positionAt({ path, firstSeq: 2 }, seq + 1)
            assert.deepStrictEqual(yield* readAll(source, { from: seq + 1, resume }), lines.slice(seq - 1).map(asText))
          }
        }
      }).pipe(Effect.provide(layer))
  )

  it.effect("entries takes bytes as they are: CRLF, byte order mark, NUL, invalid UTF-8 and empty lines", () =>
    Effect.gen(function* () {
      const content = Uint8Array.from([0xef, 0xbb, 0xbf, 0x61, 13, 10, 10, 0, 10, 0xff, 0xc0, 10, 13, 10, 0x7a])
      const source = yield* NdjsonSource.make({ path: yield* fileWith(content) })
      const batches = yield* Stream.runCollect(source.entries({ from: 0 }))
      assert.deepStrictEqual(
        batches.flatMap((batch) => batch.entries.map((entry) => Array.from(entry))),
        [[0xef, 0xbb, 0xbf, 0x61, 13], [], [0], [0xff, 0xc0], [13], [0x7a]]
      )
    }).pipe(Effect.provide(layer))
  )

  it.effect("entries from any seq, with or without any earlier position, are the rest of all entries", () =>
    Effect.gen(function* () {
      const lines = Array.from({ length: 9 }, (_, index) => "x".repeat(index % 4))
      for (const [name, pack] of [
        ["a", (content: Uint8Array) => content],
        ["a.gz", (content: Uint8Array) => gzipSync(content)],
        ["a.zst", (content: Uint8Array) => zstdCompressSync(content)]
      ] as const) {
        const path = yield* fileWith(pack(bytes(`${lines.join("\n")}\n`)), name)
        const source = yield* NdjsonSource.make({ path })
        for (let from = 0; from <= lines.length; from++) {
          assert.deepStrictEqual(yield* readAll(source, { from }), lines.slice(from))
          for (let behind = 1; behind <= from; behind++) {
            const resume = yield* positionAt({ path }, behind)
            assert.deepStrictEqual(yield* readAll(source, { from, resume }), lines.slice(from))
          }
        }
      }
    }).pipe(Effect.provide(layer))
  )

  it.effect("entries with a position reads nothing of what was ingested but the last line", () =>
    Effect.gen(function* () {
      const path = yield* fileWith("line\n".repeat(500_000))
      const resume = yield* positionAt({ path }, 499_999)
      const source = yield* NdjsonSource.make({ path })
      assert.deepStrictEqual(yield* readAll(source, { from: 499_999, resume }), ["line"])
      assert.deepStrictEqual(yield* source.progress, {
        unit: "bytes",
        done: 2_500_000,
        skipped: 2_499_990,
        total: Option.some(2_500_000)
      })
    }).pipe(Effect.provide(layer))
  )

  it.effect("entries bounds its batches in rows, also when lines are empty", () =>
    Effect.gen(function* () {
      const source = yield* NdjsonSource.make({ path: yield* fileWith("\n".repeat(100_000)) })
      const batches = yield* Stream.runCollect(source.entries({ from: 0 }))
      for (const batch of batches) assert.isAtMost(batch.entries.length, 8_192)
      assert.strictEqual(
        batches.reduce((sum, batch) => sum + batch.entries.length, 0),
        100_000
      )
    }).pipe(Effect.provide(layer))
  )

  it.effect("entries reads the files of a directory by name, each last line complete, and resumes in any of them", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      writeFileSync(join(path, "b.zst"), zstdCompressSync("3\n4\n"))
      writeFileSync(join(path, "a.gz"), gzipSync("1\n2"))
      writeFileSync(join(path, "c"), "5\n6\n")
      writeFileSync(join(path, "ab"), "")
      writeFileSync(join(path, ".hidden"), "no\n")
      mkdirSync(join(path, "aa"))
      const source = yield* NdjsonSource.make({ path, firstSeq: 1 })
      assert.deepStrictEqual(yield* readAll(source, { from: 1 }), ["1", "2", "3", "4", "5", "6"])
      for (let from = 2; from <= 7; from++) {
        const resume = yield* positionAt({ path, firstSeq: 1 }, from)
        const rest = ["1", "2", "3", "4", "5", "6"].slice(from - 1)
        assert.deepStrictEqual(yield* readAll(source, { from, resume }), rest)
      }
    }).pipe(Effect.provide(layer))
  )

  for (const follow of [false, true])
    it.effect(
      `entries ${follow ? "follows" : "reads"} the files that links in a directory lead to, each file once`,
      () =>
        Effect.gen(function* () {
          const path = yield* temporaryDirectory
          const elsewhere = yield* temporaryDirectory
          writeFileSync(join(elsewhere, "file"), "2\n")
          writeFileSync(join(path, "a"), "1\n")
          writeFileSync(join(path, "c"), "3\n")
          symlinkSync(join(elsewhere, "file"), join(path, "b"))
          symlinkSync("c", join(path, "current"))
          symlinkSync(elsewhere, join(path, "aa"))
          symlinkSync("nothing", join(path, "ab"))
          const source = yield* NdjsonSource.make({ path, follow, pollInterval: 0 })
          const entries = Stream.flatMap(source.entries({ from: 0 }), (batch) => Stream.fromIterable(batch.entries))
          const first = yield* Stream.runCollect(follow ? Stream.take(entries, 3) : entries)
          assert.deepStrictEqual(first.map(text), ["1", "2", "3"])
          if (follow) return
          const resume = yield* positionAt({ path }, 2)
          assert.deepStrictEqual(yield* readAll(source, { from: 2, resume }), ["3"])
        }).pipe(Effect.provide(layer))
    )

  it.effect("entries of a second run are the lines that were appended since", () =>
    Effect.gen(function* () {
      const path = yield* fileWith("a\nb\n")
      const resume = yield* positionAt({ path }, 2)
      const source = yield* NdjsonSource.make({ path })
      assert.deepStrictEqual(yield* readAll(source, { from: 2, resume }), [])
      appendFileSync(path, "c\nd")
      assert.deepStrictEqual(yield* readAll(source, { from: 2, resume }), ["c", "d"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("entries goes on behind a last line that has got its line feed since, and fails when it got longer", () =>
    Effect.gen(function* () {
      const path = yield* fileWith("a\nb")
      const resume = yield* positionAt({ path }, 2)
      const source = yield* NdjsonSource.make({ path })
      assert.deepStrictEqual(yield* readAll(source, { from: 2, resume }), [])
      appendFileSync(path, "\n")
      assert.deepStrictEqual(yield* readAll(source, { from: 2, resume }), [])
      appendFileSync(path, "c\n")
      assert.deepStrictEqual(yield* readAll(source, { from: 2, resume }), ["c"])
      writeFileSync(path, "a\nbb\n")
      const error = yield* Effect.flip(readAll(source, { from: 2, resume }))
      assert.strictEqual(error._tag, "SourceChanged")
      assert.include(error.message, "line 2")
    }).pipe(Effect.provide(layer))
  )

  it.effect(
    "entries fails with SourceChanged, naming file, line, expected and actual, when an ingested line changed or is gone",
    () =>
      Effect.gen(function* () {
        const path = yield* fileWith("a\nb\nc\n")
        const resume = yield* positionAt({ path }, 2)
        const source = yield* NdjsonSource.make({ path })
        writeFileSync(path, "a\nx\nc\n")
        const changed = yield* Effect.flip(readAll(source, { from: 2, resume }))
        assert.strictEqual(
          changed.message,
          `Cannot go on reading ${path}: line 2 changed since it was ingested: expected 1 bytes with CRC32C ${crc("b")}, found 1 bytes with CRC32C ${crc("x")}`
        )
        truncateSync(path, 2)
        const gone = yield* Effect.flip(readAll(source, { from: 2, resume }))
        assert.include(gone.message, "found the end of the file")
      }).pipe(Effect.provide(layer))
  )

  it.effect("entries fails with LineTooLong after every line before it, plain or compressed", () =>
    Effect.gen(function* () {
      const content = bytes(`${"ok\n".repeat(3)}${"x".repeat(101)}\nnever\n`)
      for (const packed of [content, gzipSync(content), zstdCompressSync(content)]) {
        const path = yield* fileWith(packed)
        const source = yield* NdjsonSource.make({ path, lineLimitBytes: 100 })
        const taken: Array<string> = []
        const error = yield* Effect.flip(
          Stream.runForEach(source.entries({ from: 0 }), (batch) =>
            Effect.sync(() => taken.push(...batch.entries.map(text)))
          )
        )
        assert.strictEqual(error.message, `Cannot read ${path}: line 4 is longer than 100 bytes`)
        assert.deepStrictEqual(taken, ["ok", "ok", "ok"])
        const wider = yield* NdjsonSource.make({ path, lineLimitBytes: 101 })
        assert.strictEqual((yield* readAll(wider, { from: 0 })).length, 5)
      }
    }).pipe(Effect.provide(layer))
  )

  it.effect("entries of a truncated or misnamed compressed file fail and name it", () =>
    Effect.gen(function* () {
      const whole = zstdCompressSync(bytes("some line\n".repeat(100)))
      for (const [name, content] of [
        ["a.zst", whole.subarray(0, whole.length - 1)],
        ["b.zst", bytes("plain\n")],
        ["c.gz", whole],
        ["d.gz", new Uint8Array(0)]
      ] as const) {
        const path = yield* fileWith(content, name)
        const source = yield* NdjsonSource.make({ path })
        const error = yield* Effect.flip(readAll(source, { from: 0 }))
        assert.strictEqual(error._tag, "SourceDamaged")
        assert.include(error.message, path)
      }
    }).pipe(Effect.provide(layer))
  )

  it.effect("entries fails when the file is absent, ends before from, or the position is not one", () =>
    Effect.gen(function* () {
      const path = yield* fileWith("a\nb\n")
      const source = yield* NdjsonSource.make({ path })
      assert.strictEqual(
        (yield* Effect.flip(readAll(source, { from: 3 }))).message,
        `Cannot read ${path} from entry 3: it ends before entry 2`
      )
      const resume = yield* positionAt({ path }, 2)
      assert.strictEqual((yield* Effect.flip(readAll(source, { from: 1, resume })))._tag, "PositionInvalid")
      assert.strictEqual(
        (yield* Effect.flip(readAll(source, { from: 1, resume: bytes("{}") })))._tag,
        "PositionInvalid"
      )
      const absent = yield* NdjsonSource.make({ path: `${path}.none` })
      assert.strictEqual((yield* Effect.flip(readAll(absent, { from: 0 })))._tag, "SourceMissing")
    }).pipe(Effect.provide(layer))
  )
})

describe("NdjsonSource on standard input", () => {
  const chunksOf = (content: Uint8Array, size: number) =>
    Array.from({ length: Math.ceil(content.length / size) }, (_, index) =>
      content.subarray(index * size, (index + 1) * size)
    )

  for (const [form, content] of [
    ["plain", bytes("a\nbb\n\nccc\nd")],
    ["gzip", new Uint8Array(gzipSync("a\nbb\n\nccc\nd"))],
    ["zstd", new Uint8Array(zstdCompressSync("a\nbb\n\nccc\nd"))]
  ] as const) {
    it.effect(`entries reads ${form} lines, passing over those that were ingested`, () =>
      Effect.gen(function* () {
        for (const size of [1, 2, 3, 1_000])
          for (let from = 0; from <= 5; from++) {
            const piped = layerWith(chunksOf(content, size))
            const counted = yield* Effect.provide(NdjsonSource.make({ path: "-" }), piped)
            assert.deepStrictEqual(yield* readAll(counted, { from }), ["a", "bb", "", "ccc", "d"].slice(from))
            if (from === 0) continue
            const resume = yield* Effect.provide(positionAt({ path: "-" }, from), piped)
            const resumed = yield* Effect.provide(NdjsonSource.make({ path: "-" }), piped)
            assert.deepStrictEqual(yield* readAll(resumed, { from, resume }), ["a", "bb", "", "ccc", "d"].slice(from))
          }
      })
    )
  }

  it.effect("entries fails when the last ingested line is another one now, and when it is asked for twice", () =>
    Effect.gen(function* () {
      const resume = yield* Effect.provide(positionAt({ path: "-" }, 2), layerWith([bytes("a\nb\n")]))
      const source = yield* Effect.provide(NdjsonSource.make({ path: "-" }), layerWith([bytes("a\nx\nc\n")]))
      const error = yield* Effect.flip(readAll(source, { from: 2, resume }))
      assert.strictEqual(error._tag, "SourceChanged")
      assert.strictEqual((yield* Effect.flip(readAll(source, { from: 0 })))._tag, "SourceFailed")
    })
  )
})

const asText = (latin1: string): string => Buffer.from(latin1, "latin1").toString("utf8")
