import { assert, describe, it } from "@effect/vitest"
import { type Database, Engine, EngineCorrupt, EngineFull } from "@icecore/engine"
import * as MemoryEngine from "@icecore/engine/memory"
import { Deferred, Effect, Exit, Fiber, Stream } from "effect"
import { Copy } from "../src/index.ts"

const bytes = (...values: ReadonlyArray<number>): Uint8Array => Uint8Array.from(values)

/** Key: big-endian number, so that key order is number order. */
const keyOf = (number: number): Uint8Array =>
  bytes(number >>> 24, (number >>> 16) & 255, (number >>> 8) & 255, number & 255)

const open = Effect.fnUntraced(function* (path: string, keyspaces: ReadonlyArray<string>) {
  const engine = yield* Engine
  return yield* engine.open({ path, keyspaces })
})

const fill = (database: Database, keyspace: string, numbers: Iterable<number>, value: Uint8Array) =>
  database.write((batch) => {
    for (const number of numbers) batch.put(keyspace, keyOf(number), value)
  })

const contents = (database: Database, keyspace: string) =>
  Stream.runCollect(database.scan(keyspace)).pipe(
    Effect.map((rows) => rows.map(({ key, value }) => `${[...key]}=${[...value]}`))
  )

const numbers = (from: number, to: number): Array<number> =>
  Array.from({ length: to - from }, (_, index) => from + index)

const test = (name: string, run: Effect.Effect<void, unknown, Engine | import("effect").Scope.Scope>): void =>
  it.effect(name, () => run.pipe(Effect.scoped, Effect.provide(MemoryEngine.layer)))

describe("Copy", () => {
  test(
    "copy brings every keyspace of the source, replaces what the target held, and counts rows and bytes",
    Effect.gen(function* () {
      const source = yield* open("/source", ["a", "b"])
      const target = yield* open("/target", ["a", "b", "c"])
      yield* fill(source, "a", numbers(0, 5_000), bytes(1, 2, 3))
      yield* fill(source, "b", [7], bytes())
      yield* fill(target, "a", [3, 9_999], bytes(9))
      yield* fill(target, "c", [1], bytes(1))

      const report = yield* Copy.copy({ source, target })

      assert.deepStrictEqual(yield* contents(target, "a"), yield* contents(source, "a"))
      assert.deepStrictEqual(yield* contents(target, "b"), yield* contents(source, "b"))
      assert.deepStrictEqual(yield* contents(target, "c"), ["0,0,0,1=1"])
      assert.deepStrictEqual(report, {
        rowCount: 5_001,
        contentBytes: 35_004,
        ranges: [
          { keyspace: "a", rowCount: 5_000, contentBytes: 35_000 },
          { keyspace: "b", rowCount: 1, contentBytes: 4 }
        ]
      })
    })
  )

  test(
    "copy of a range leaves the rest of the keyspace as it was",
    Effect.gen(function* () {
      const source = yield* open("/source", ["a"])
      const target = yield* open("/target", ["a"])
      yield* fill(source, "a", numbers(0, 10), bytes(1))
      yield* fill(target, "a", numbers(0, 10), bytes(2))

      const report = yield* Copy.copy({
        source,
        target,
        ranges: [
          { keyspace: "a", range: { gte: keyOf(2), lt: keyOf(4) } },
          { keyspace: "a", range: { gt: keyOf(7) } }
        ]
      })

      const values = (yield* contents(target, "a")).map((row) => row.slice(-1)).join("")
      assert.strictEqual(values, "2211222211")
      assert.deepStrictEqual(
        report.ranges.map(({ rowCount }) => rowCount),
        [2, 2]
      )
    })
  )

  test(
    "copy of a range that is empty in the source empties it in the target",
    Effect.gen(function* () {
      const source = yield* open("/source", ["a"])
      const target = yield* open("/target", ["a"])
      yield* fill(target, "a", numbers(0, 10), bytes(2))
      const report = yield* Copy.copy({ source, target, ranges: [{ keyspace: "a", range: { lt: keyOf(9) } }] })
      assert.strictEqual(report.rowCount, 0)
      assert.deepStrictEqual(yield* contents(target, "a"), ["0,0,0,9=2"])
    })
  )

  test(
    "copy takes all ranges from one moment of the source",
    Effect.gen(function* () {
      const source = yield* open("/source", ["a", "b"])
      const target = yield* open("/target", ["a", "b"])
      yield* fill(source, "a", [1], bytes(1))
      yield* fill(source, "b", [1], bytes(1))
      yield* Copy.copy({
        source,
        target,
        onProgress: () =>
          Effect.orDie(Effect.andThen(fill(source, "a", [1, 2], bytes(2)), fill(source, "b", [1, 2], bytes(2))))
      })
      assert.deepStrictEqual(yield* contents(target, "a"), ["0,0,0,1=1"])
      assert.deepStrictEqual(yield* contents(target, "b"), ["0,0,0,1=1"])
    })
  )

  test(
    "copy reports progress that only grows and ends at the total",
    Effect.gen(function* () {
      const source = yield* open("/source", ["a"])
      const target = yield* open("/target", ["a"])
      for (let part = 0; part < 10; part++)
        yield* fill(source, "a", numbers(part * 10_000, (part + 1) * 10_000), bytes(1))
      const seen: Array<number> = []
      const report = yield* Copy.copy({
        source,
        target,
        onProgress: ({ rowCount }) => Effect.sync(() => void seen.push(rowCount))
      })
      assert.isAbove(seen.length, 1)
      assert.deepStrictEqual(
        seen,
        [...new Set(seen)].sort((a, b) => a - b)
      )
      assert.strictEqual(seen.at(-1), 100_000)
      assert.strictEqual(report.rowCount, 100_000)
    })
  )

  test(
    "copy that fails or is interrupted half way leaves the target as it was",
    Effect.gen(function* () {
      const source = yield* open("/source", ["a", "b"])
      const target = yield* open("/target", ["a", "b"])
      yield* fill(source, "a", numbers(0, 3_000), bytes(1))
      yield* fill(source, "b", numbers(0, 3_000), bytes(1))
      yield* fill(target, "a", [1], bytes(9))
      const before = yield* contents(target, "a")

      const corrupt = new EngineCorrupt({ path: "/source", keyspace: "b", detail: "value checksum is wrong" })
      const error = yield* Effect.flip(Copy.copy({ source: failingAt(source, "b", corrupt), target }))
      assert.instanceOf(error, Copy.CopySourceFailed)
      assert.strictEqual(error.cause, corrupt)
      assert.strictEqual(error.message, `Cannot copy from /source: ${corrupt.message}`)
      assert.deepStrictEqual(yield* contents(target, "a"), before)

      const reached = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkChild(
        Copy.copy({
          source,
          target,
          onProgress: () => Effect.andThen(Deferred.succeed(reached, undefined), Effect.never)
        })
      )
      yield* Deferred.await(reached)
      yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isFailure(yield* Fiber.await(fiber)))
      assert.deepStrictEqual(yield* contents(target, "a"), before)
      assert.deepStrictEqual(yield* contents(target, "b"), [])
    })
  )

  test(
    "copy says when it was the target that failed",
    Effect.gen(function* () {
      const source = yield* open("/source", ["a"])
      const target = yield* open("/target", ["a"])
      const full = new EngineFull({ path: "/target", detail: "ENOSPC" })
      const error = yield* Effect.flip(Copy.copy({ source, target: { ...target, replace: () => Effect.fail(full) } }))
      assert.instanceOf(error, Copy.CopyTargetFailed)
      assert.strictEqual(error.cause, full)
    })
  )

  test(
    "copy counts only the last run when the target reads the rows again",
    Effect.gen(function* () {
      const source = yield* open("/source", ["a"])
      const target = yield* open("/target", ["a"])
      yield* fill(source, "a", numbers(0, 10), bytes(1))
      const twice: Database = {
        ...target,
        replace: (replacements) => Effect.andThen(target.replace(replacements), target.replace(replacements))
      }
      assert.strictEqual((yield* Copy.copy({ source, target: twice })).rowCount, 10)
    })
  )

  test(
    "copy refuses what makes no sense, with the target untouched",
    Effect.gen(function* () {
      const source = yield* open("/source", ["a", "b"])
      const target = yield* open("/target", ["b", "c"])
      const refusal = (options: Partial<Copy.CopyOptions>) =>
        Effect.map(Effect.flip(Copy.copy({ source, target, ...options })), (error) => {
          assert.instanceOf(error, Copy.CopyRefused)
          return error.message
        })
      assert.strictEqual(yield* refusal({}), "Cannot copy /source to /target: the target has no keyspace a")
      assert.match(yield* refusal({ ranges: [{ keyspace: "c" }] }), /the source has no keyspace c/)
      assert.match(yield* refusal({ ranges: [] }), /no range is given/)
      assert.match(yield* refusal({ target: source }), /they are the same database/)
    })
  )
})

/** The same database, whose snapshots cannot read one keyspace to its end. */
const failingAt = (database: Database, keyspace: string, error: EngineCorrupt): Database => ({
  ...database,
  snapshot: Effect.map(database.snapshot, (reader) => ({
    ...reader,
    scan: (name, options) =>
      name === keyspace
        ? Stream.concat(Stream.take(reader.scan(name, options), 5), Stream.fail(error))
        : reader.scan(name, options)
  }))
})
