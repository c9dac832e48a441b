/** Batches, limits of keys and values, durability, and mutual exclusion. */
import * as assert from "node:assert/strict"
import { Cause, Deferred, Effect, Exit, Fiber, Option } from "effect"
import { maxKeySizeBytes, maxValueSizeBytes, type WriteBatch } from "../../Engine.ts"
import { bytes, type CaseDefinition, define, failure, getText, putAll, scanTexts, session } from "./Subject.ts"

export const writeCases: ReadonlyArray<CaseDefinition> = [
  define("write lets later calls of a batch win over earlier ones", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        yield* putAll(database, "a", "kept=0", "range1=0", "range2=0", "range3=0")
        yield* database.write((batch) => {
          batch.put("a", bytes("twice"), bytes("1"))
          batch.put("a", bytes("twice"), bytes("2"))
          batch.put("a", bytes("gone"), bytes("1"))
          batch.delete("a", bytes("gone"))
          batch.delete("a", bytes("back"))
          batch.put("a", bytes("back"), bytes("1"))
          batch.put("a", bytes("range0"), bytes("put before the range"))
          batch.deleteRange("a", { prefix: bytes("range") })
          batch.put("a", bytes("range2"), bytes("put after the range"))
          batch.delete("a", bytes("missing"))
          batch.put("b", bytes("k"), bytes("v"))
        })
        assert.deepEqual(yield* scanTexts(database, "a"), ["back=1", "kept=0", "range2=put after the range", "twice=2"])
        assert.deepEqual(yield* scanTexts(database, "b"), ["k=v"])
      })
    )
  ),
  define("write deletes exactly the range, for every kind of bound", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        const all = ["a=", "b=", "b1=", "c=", "d="]
        const cases = [
          { range: {}, left: [] },
          { range: { gte: bytes("b"), lt: bytes("c") }, left: ["a=", "c=", "d="] },
          { range: { gt: bytes("b"), lte: bytes("c") }, left: ["a=", "b=", "d="] },
          { range: { prefix: bytes("b") }, left: ["a=", "c=", "d="] },
          { range: { prefix: bytes("b"), gt: bytes("b") }, left: ["a=", "b=", "c=", "d="] },
          { range: { lt: bytes("a") }, left: all },
          { range: { gt: bytes("c"), lt: bytes("b") }, left: all },
          { range: { gte: bytes("c") }, left: ["a=", "b=", "b1="] }
        ]
        for (const { range, left } of cases) {
          yield* putAll(database, "a", ...all)
          yield* putAll(database, "b", ...all)
          yield* database.write((batch) => batch.deleteRange("a", range))
          assert.deepEqual(yield* scanTexts(database, "a"), left)
          assert.deepEqual(yield* scanTexts(database, "b"), all)
        }
      })
    )
  ),
  define("write copies its buffers before it returns", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        const key = bytes("k1")
        const value = bytes("v1")
        yield* database.write((batch) => {
          batch.put("a", key, value)
          key[1] = 0x32
          value[1] = 0x32
          batch.put("a", key, value)
        })
        key.fill(0)
        value.fill(0)
        const rows = yield* scanTexts(database, "a")
        assert.equal(rows.at(-1), "k2=v2")
      })
    )
  ),
  define("write takes keys of 1 to 1,900 bytes and no others, and writes nothing when one is out", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        const key = (length: number) => new Uint8Array(length).fill(0xfe)
        const value = bytes("v")
        for (const length of [1, maxKeySizeBytes - 1, maxKeySizeBytes]) {
          yield* database.write((batch) => batch.put("a", key(length), value))
          assert.ok(Option.isSome(yield* database.get("a", key(length))))
        }
        for (const length of [0, maxKeySizeBytes + 1, 5_000]) {
          const attempts: ReadonlyArray<(batch: WriteBatch) => void> = [
            (batch) => batch.put("a", key(length), value),
            (batch) => batch.delete("a", key(length))
          ]
          for (const attempt of attempts) {
            const error = yield* failure(
              database.write((batch) => {
                batch.put("b", bytes("before"), value)
                attempt(batch)
                batch.put("b", bytes("after"), value)
              }),
              "EngineKeySize"
            )
            assert.ok(error.message.includes(`${length} bytes`))
            assert.ok(error.message.includes(`${maxKeySizeBytes}`))
          }
          yield* failure(database.get("a", key(length)), "EngineKeySize")
          yield* failure(database.getMany("a", [key(1), key(length)]), "EngineKeySize")
          yield* failure(database.floor("a", key(length)), "EngineKeySize")
          yield* failure(database.floorMany("a", [key(1), key(length)]), "EngineKeySize")
        }
        assert.deepEqual(yield* scanTexts(database, "b"), [])
        // A refusal is the caller's, the database goes on.
        yield* putAll(database, "b", "k=v")
      })
    )
  ),
  define("write takes values up to 16 MiB and no longer, and writes nothing when one is", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        const largest = new Uint8Array(maxValueSizeBytes)
        for (let index = 0; index < largest.length; index++) largest[index] = index * 31 + (index >> 8)
        yield* database.write((batch) => batch.put("a", bytes("largest"), largest))
        const stored = Option.getOrThrow(yield* database.get("a", bytes("largest")))
        assert.ok(stored.length === largest.length && stored.every((byte, index) => byte === largest[index]))
        const error = yield* failure(
          database.write((batch) => {
            batch.put("b", bytes("before"), bytes("v"))
            batch.put("a", bytes("largest"), new Uint8Array(maxValueSizeBytes + 1))
          }),
          "EngineValueSize"
        )
        assert.ok(error.message.includes(`${maxValueSizeBytes + 1}`))
        assert.deepEqual(yield* scanTexts(database, "b"), [])
        yield* putAll(database, "b", "k=v")
      })
    )
  ),
  define("write fails with EngineMisuse for a keyspace that was not opened, and writes nothing", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        yield* failure(
          database.write((batch) => {
            batch.put("a", bytes("k"), bytes("v"))
            batch.put("nope", bytes("k"), bytes("v"))
          }),
          "EngineMisuse"
        )
        yield* failure(
          database.write((batch) => batch.delete("nope", bytes("k"))),
          "EngineMisuse"
        )
        yield* failure(
          database.write((batch) => batch.deleteRange("nope", {})),
          "EngineMisuse"
        )
        assert.deepEqual(yield* scanTexts(database, "a"), [])
      })
    )
  ),
  define("write dies of what its build throws, and writes nothing", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        const thrown = new Error("a bug in the build")
        const exit = yield* Effect.exit(
          database.write((batch) => {
            batch.put("a", bytes("k"), bytes("v"))
            throw thrown
          })
        )
        assert.ok(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
        assert.equal(Cause.squash(exit.cause), thrown)
        assert.deepEqual(yield* scanTexts(database, "a"), [])
        yield* putAll(database, "a", "k=v")
      })
    )
  ),
  define("write with buffered is seen at once and kept by a close, with or without a flush", (subject) =>
    Effect.gen(function* () {
      const buffered = { durability: "buffered" } as const
      yield* session(subject, (database) =>
        Effect.gen(function* () {
          yield* database.write((batch) => batch.put("a", bytes("1"), bytes("x")), buffered)
          assert.equal(yield* getText(database, "a", "1"), "x")
          yield* database.flush
          yield* database.flush
          yield* database.write((batch) => batch.put("a", bytes("2"), bytes("y")), buffered)
        })
      )
      yield* session(subject, (database) =>
        Effect.gen(function* () {
          assert.deepEqual(yield* scanTexts(database, "a"), ["1=x", "2=y"])
          yield* database.flush
        })
      )
    })
  ),
  define("write takes an empty batch", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        yield* database.write(() => {})
        yield* database.write(() => {}, { durability: "buffered" })
        yield* database.flush
        assert.deepEqual(yield* scanTexts(database, "a"), [])
      })
    )
  ),
  define("write applies all batches of fibers that write at once, each whole", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        yield* Effect.forEach(
          Array.from({ length: 100 }, (_, index) => index),
          (index) =>
            database.write(
              (batch) => {
                batch.put("a", bytes(`key${index}`), bytes("v"))
                batch.put("a", bytes("last"), bytes(`${index}`))
                batch.put("b", bytes("last"), bytes(`${index}`))
              },
              { durability: "buffered" }
            ),
          { concurrency: "unbounded", discard: true }
        )
        assert.equal((yield* scanTexts(database, "a")).length, 101)
        assert.equal(yield* getText(database, "a", "last"), yield* getText(database, "b", "last"))
      })
    )
  ),
  define("exclusive lets no other write in between, whoever writes", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        const increment = database.exclusive(
          Effect.gen(function* () {
            const count = Number((yield* getText(database, "a", "count")) ?? "0")
            yield* Effect.yieldNow
            yield* putAll(database, "a", `count=${count + 1}`)
          })
        )
        yield* Effect.all(
          Array.from({ length: 50 }, () => increment),
          { concurrency: "unbounded", discard: true }
        )
        assert.equal(yield* getText(database, "a", "count"), "50")

        const entered = yield* Deferred.make<void>()
        const leave = yield* Deferred.make<void>()
        const holder = yield* Effect.forkChild(
          database.exclusive(
            Effect.gen(function* () {
              yield* Deferred.succeed(entered, undefined)
              yield* Deferred.await(leave)
              yield* putAll(database, "a", "count=held")
            })
          )
        )
        yield* Deferred.await(entered)
        const others = yield* Effect.forkChild(
          Effect.all([putAll(database, "a", "count=write"), database.replace([])], { concurrency: "unbounded" })
        )
        for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
        assert.equal(yield* getText(database, "a", "count"), "50")
        yield* Deferred.succeed(leave, undefined)
        yield* Fiber.join(holder)
        yield* Fiber.join(others)
        assert.equal(yield* getText(database, "a", "count"), "write")
      })
    )
  ),
  define("exclusive inside exclusive goes through, and the outer one still holds", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        const inner = database.exclusive(putAll(database, "a", "1=inner"))
        yield* database
          .exclusive(
            Effect.gen(function* () {
              yield* inner
              const other = yield* Effect.forkChild(putAll(database, "a", "2=other"))
              for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
              assert.deepEqual(yield* scanTexts(database, "a"), ["1=inner"])
              return other
            })
          )
          .pipe(Effect.flatMap(Fiber.join))
        assert.deepEqual(yield* scanTexts(database, "a"), ["1=inner", "2=other"])
      })
    )
  ),
  define("exclusive is released by a failure, a defect and an interruption inside", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        yield* Effect.exit(database.exclusive(Effect.fail("no")))
        yield* putAll(database, "a", "1=v")
        yield* Effect.exit(database.exclusive(Effect.die("bug")))
        yield* putAll(database, "a", "2=v")
        const entered = yield* Deferred.make<void>()
        const fiber = yield* Effect.forkChild(
          database.exclusive(Effect.andThen(Deferred.succeed(entered, undefined), Effect.never))
        )
        yield* Deferred.await(entered)
        yield* Fiber.interrupt(fiber)
        yield* putAll(database, "a", "3=v")
        assert.deepEqual(yield* scanTexts(database, "a"), ["1=v", "2=v", "3=v"])
      })
    )
  )
]
