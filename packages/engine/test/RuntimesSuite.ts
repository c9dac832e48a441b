/** The tests that SQLite and LMDB share and that need files or processes of their own. */

import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, describe, it } from "@effect/vitest"
import type { Disk } from "@icecore/packfile"
import { LiveDisk } from "@icecore/packfile/live"
import { Cause, Effect, Exit, Fiber, Layer, Option, type Scope, Stream } from "effect"
import { type Database, Engine, type EngineOpenError, type Reader, type Row } from "../src/Engine.ts"
import { engineConformance, engineModel } from "../src/testing/index.ts"

export interface StoredEngineUnderTest {
  readonly adapter: "sqlite" | "lmdb"
  readonly dataName: string
  readonly layer: Layer.Layer<Engine, never, Disk>
}

const childProgram = fileURLToPath(new URL("./RuntimesChild.ts", import.meta.url))

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A directory of the test's own, removed with the scope. */
export const temporaryDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "icecore-engine-"))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
)

/** The first lines that a child prints until one satisfies `until`, or all of them when it ends. */
const linesOf = (child: ChildProcess, until: (lines: ReadonlyArray<string>) => boolean): Effect.Effect<Array<string>> =>
  Effect.callback((resume) => {
    let text = ""
    const lines = () => text.split("\n").slice(0, -1)
    child.stdout!.on("data", (chunk) => {
      text += chunk
      if (until(lines())) resume(Effect.sync(lines))
    })
    child.stdout!.on("close", () => resume(Effect.sync(lines)))
  })

const startChild = (
  command: string,
  parameters: ReadonlyArray<string>
): Effect.Effect<ChildProcess, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => spawn(command, parameters, { stdio: ["pipe", "pipe", "inherit"] })),
    (child) => killed(child)
  )

const killed = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })

const tagOf = (exit: Exit.Exit<unknown, { readonly _tag: string }>): string =>
  Exit.isSuccess(exit)
    ? "none"
    : Option.match(Cause.findErrorOption(exit.cause), {
        onNone: () => Cause.pretty(exit.cause),
        onSome: ({ _tag }) => _tag
      })

const rows = (database: Reader): Effect.Effect<ReadonlyArray<Row>, { readonly _tag: string }> =>
  Stream.runCollect(database.scan("a"))

export const describeStoredEngine = ({ adapter, dataName, layer }: StoredEngineUnderTest): void => {
  const live = Layer.provide(layer, LiveDisk.layer)
  const test = (name: string, run: Effect.Effect<void, unknown, Engine | Scope.Scope>) =>
    it.live(name, () => Effect.scoped(Effect.provide(run, live)))
  const open = (directory: string): Effect.Effect<Database, EngineOpenError, Engine | Scope.Scope> =>
    Effect.flatMap(Engine, (engine) => engine.open({ path: directory, keyspaces: ["a"] }))
  const child = (...parameters: ReadonlyArray<string>) =>
    startChild(process.execPath, [childProgram, adapter, ...parameters])

  describe("conformance", () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), "icecore-conformance-"))
    afterAll(() => fs.rmSync(directory, { recursive: true, force: true }))
    for (const { name, run } of engineConformance({ directory })) test(name, run)
  })

  test(
    "engineModel agrees over 10,000 random operations with reopening",
    Effect.gen(function* () {
      const directory = path.join(yield* temporaryDirectory, "db")
      yield* engineModel({ path: directory, seed: 1, operations: 10_000 })
    })
  )

  test(
    "open refuses a second process at once while the first lives, though it collected its garbage, and opens when it is killed",
    Effect.gen(function* () {
      const directory = path.join(yield* temporaryDirectory, "db")
      const holder = yield* child("hold", directory)
      assert.deepStrictEqual(yield* linesOf(holder, (lines) => lines.length > 0), ["open"])
      const before = performance.now()
      assert.strictEqual(tagOf(yield* Effect.exit(Effect.scoped(open(directory)))), "EngineLocked")
      assert.isBelow(performance.now() - before, 1_000)
      yield* killed(holder)
      assert.strictEqual(tagOf(yield* Effect.exit(Effect.scoped(open(directory)))), "none")
    })
  )

  test(
    "open reads the old state at once, and refuses a second writer, while another process replaces it",
    Effect.gen(function* () {
      const directory = path.join(yield* temporaryDirectory, "db")
      const replacer = yield* child("replace", directory)
      assert.deepStrictEqual(yield* linesOf(replacer, (lines) => lines.length > 0), ["replacing"])
      const engine = yield* Engine
      const openToRead = engine.open({ path: directory, keyspaces: ["a", "missing"], mode: "readOnly" })
      const before = performance.now()
      const reader = yield* openToRead
      const again = yield* openToRead
      assert.strictEqual(tagOf(yield* Effect.exit(Effect.scoped(open(directory)))), "EngineLocked")
      const snapshot = yield* reader.snapshot
      for (const each of [reader, again]) assert.strictEqual((yield* rows(each)).length, 3)
      assert.isBelow(performance.now() - before, 1_000)
      const done = yield* Effect.forkChild(
        linesOf(replacer, (lines) => lines.length > 0),
        { startImmediately: true }
      )
      replacer.stdin!.write("go on\n")
      assert.deepStrictEqual(yield* Fiber.join(done), ["done"])
      for (const each of [reader, again, yield* openToRead]) {
        const found = yield* rows(each)
        assert.deepStrictEqual(
          found.map(({ value }) => value[0]),
          Array.from({ length: 200 }, (_, number) => number)
        )
      }
      assert.strictEqual((yield* rows(snapshot)).length, 3)
      // What has only been read so far can be written in the same process.
      yield* killed(replacer)
      const writer = yield* open(directory)
      yield* writer.write((batch) => batch.deleteRange("a", {}))
      for (const each of [reader, again, writer]) assert.strictEqual((yield* rows(each)).length, 0)
      assert.strictEqual((yield* rows(snapshot)).length, 3)
    })
  )

  test(
    "write keeps every acknowledged synced batch and a prefix of the buffered ones through kills at any moment",
    Effect.gen(function* () {
      const parent = yield* temporaryDirectory
      for (let round = 0; round < 8; round++) {
        const directory = path.join(parent, `db${round}`)
        const writer = yield* child("write", directory)
        const lines = yield* linesOf(writer, (seen) => seen.length > round * 7)
        yield* killed(writer)
        const acknowledged = Number(lines.at(-1) ?? -1)
        const found = yield* Effect.scoped(Effect.flatMap(open(directory), rows))
        assert.isAtLeast(found.length, acknowledged + 1)
        found.forEach(({ key, value }, index) => {
          assert.strictEqual(new DataView(key.buffer, key.byteOffset).getUint32(0), index)
          assert.deepStrictEqual(value, new Uint8Array(500).fill(index))
        })
      }
    })
  )

  // What a sync reaches cannot be seen without cutting the power; that there was a commit, and so a sync, can.
  test(
    "write and replace that are synced and change nothing still commit what was buffered before them",
    Effect.gen(function* () {
      const directory = path.join(yield* temporaryDirectory, "db")
      const database = yield* open(directory)
      const contents = () =>
        fs
          .readdirSync(directory)
          .filter((name) => name === dataName || name.endsWith("-wal"))
          .map((name) => fs.readFileSync(path.join(directory, name)))
      const idle = [
        database.write(() => {}),
        database.write((batch) => batch.delete("a", bytes("missing"))),
        database.replace([])
      ]
      for (const nothing of idle) {
        yield* database.write((batch) => batch.put("a", bytes("k"), bytes("v")), { durability: "buffered" })
        const before = contents()
        yield* nothing
        const after = contents()
        assert.notDeepEqual(after, before)
        yield* nothing
        assert.deepStrictEqual(contents(), after)
      }
    })
  )

  // The shell's limit is on the size of a file, in blocks of 1,024 bytes (dash: 512); the signal of passing it is ignored,
  // so that the write fails with EFBIG.
  test(
    "write that the system refuses poisons the database and loses nothing acknowledged",
    Effect.gen(function* () {
      const directory = path.join(yield* temporaryDirectory, "db")
      const limited = yield* startChild("sh", [
        "-c",
        `trap '' XFSZ; ulimit -f 4000; exec "$0" "$@"`,
        process.execPath,
        childProgram,
        adapter,
        "fill",
        directory
      ])
      const [line] = yield* linesOf(limited, (lines) => lines.length > 0)
      const [first, next, acknowledged, readable] = line!.split(" ")
      assert.include(["EngineFailed", "EngineFull"], first)
      assert.strictEqual(next, "EnginePoisoned")
      assert.strictEqual(readable, "true")
      yield* killed(limited)
      const found = yield* Effect.scoped(Effect.flatMap(open(directory), rows))
      assert.isAbove(found.length, 3)
      assert.isAtLeast(found.length, Number(acknowledged))
    })
  )

  test(
    "open fails with EngineCorrupt on an empty, foreign or truncated data file",
    Effect.gen(function* () {
      const directory = path.join(yield* temporaryDirectory, "db")
      yield* Effect.scoped(
        Effect.flatMap(open(directory), (database) =>
          database.write((batch) => {
            for (let number = 0; number < 2_000; number++) batch.put("a", bytes(`key ${number}`), new Uint8Array(100))
          })
        )
      )
      const file = path.join(directory, dataName)
      const sound = fs.readFileSync(file)
      const spoiled: Record<string, Uint8Array> = {
        empty: new Uint8Array(0),
        text: bytes("this is a letter to a friend ".repeat(1_000)),
        zeros: new Uint8Array(sound.length),
        "half a header": sound.subarray(0, 50),
        "half the pages": sound.subarray(0, sound.length / 2),
        "all but one page": sound.subarray(0, sound.length - 8_192)
      }
      for (const [name, contents] of Object.entries(spoiled)) {
        fs.writeFileSync(file, contents)
        const error = yield* Effect.flip(Effect.scoped(open(directory)))
        assert.strictEqual(error._tag, "EngineCorrupt", name)
        if (name.includes("page")) assert.match(error.message, /the file has \d+ bytes, expected \d+/)
      }
      fs.writeFileSync(file, sound)
      assert.strictEqual((yield* Effect.scoped(Effect.flatMap(open(directory), rows))).length, 2_000)
    })
  )

  test(
    "get and scan fail with EngineCorrupt and name the key when a byte of the stored value was flipped",
    Effect.gen(function* () {
      const directory = path.join(yield* temporaryDirectory, "db")
      const value = bytes("a value that can be found in the file")
      yield* Effect.scoped(
        Effect.flatMap(open(directory), (database) =>
          database.write((batch) => {
            batch.put("a", bytes("other"), bytes("sound"))
            batch.put("a", bytes("spoiled"), value)
          })
        )
      )
      const file = path.join(directory, dataName)
      const contents = fs.readFileSync(file)
      for (let at = contents.indexOf(value); at >= 0; at = contents.indexOf(value, at + 1)) contents[at + 7]! ^= 4
      fs.writeFileSync(file, contents)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const database = yield* open(directory)
          const error = yield* Effect.flip(database.get("a", bytes("spoiled")))
          assert.strictEqual(error._tag, "EngineCorrupt")
          assert.include(error.message, "keyspace a, key 0x73706f696c6564")
          assert.strictEqual(tagOf(yield* Effect.exit(rows(database))), "EngineCorrupt")
          assert.deepStrictEqual(yield* database.get("a", bytes("other")), Option.some(bytes("sound")))
        })
      )
    })
  )
}
