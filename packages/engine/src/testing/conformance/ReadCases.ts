/** Point reads and counts. */
import * as assert from "node:assert/strict"
import { Effect, Option, Stream } from "effect"
import { Hex } from "effect/encoding"
import { type Database, type EngineReadError, maxKeySizeBytes } from "../../Engine.ts"
import {
  bytes,
  type CaseDefinition,
  define,
  failure,
  getText,
  optionText,
  putAll,
  rowTexts,
  type Subject,
  scanTexts,
  session,
  text,
  unhex
} from "./Subject.ts"

export const readCases: ReadonlyArray<CaseDefinition> = [
  define("get tells a missing key from an empty value and one keyspace from another", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        yield* putAll(database, "a", "empty=", "k=v")
        assert.equal(yield* getText(database, "a", "empty"), "")
        assert.equal(yield* getText(database, "a", "k"), "v")
        assert.equal(yield* getText(database, "a", "missing"), undefined)
        assert.equal(yield* getText(database, "b", "k"), undefined)
      })
    )
  ),
  define("get hands out buffers that are the reader's own", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        yield* putAll(database, "a", "k=v", "l=w")
        const value = Option.getOrThrow(yield* database.get("a", bytes("k")))
        const [row] = yield* Stream.runCollect(database.scan("a"))
        yield* database.get("a", bytes("l"))
        assert.equal(text(value), "v")
        value.fill(0)
        row!.key.fill(0)
        row!.value.fill(0)
        assert.deepEqual(yield* scanTexts(database, "a"), ["k=v", "l=w"])
      })
    )
  ),
  define("getMany answers in the order of the keys, doubles and absences included", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        yield* putAll(database, "a", "1=x", "2=y", "3=z")
        const values = yield* database.getMany("a", ["3", "none", "1", "3", "2"].map(bytes))
        assert.deepEqual(values.map(optionText), ["z", undefined, "x", "z", "y"])
        assert.deepEqual(yield* database.getMany("a", []), [])
      })
    )
  ),
  define("getMany answers from a single moment while writes go on", (subject) =>
    expectOneMoment(subject, (database, keys) =>
      Effect.map(database.getMany("a", keys), (values) => values.map(optionText))
    )
  ),
  define("floor and floorMany answer with the row at a key or the one before it, of the same keyspace", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        const long = `m${"x".repeat(maxKeySizeBytes - 1)}`
        yield* putAll(database, "a", "b=1", "d=2", `${long}=3`, "z=")
        yield* putAll(database, "b", "c=other")
        const expected: ReadonlyArray<readonly [key: string, row: string | undefined]> = [
          ["a", undefined],
          ["b", "b=1"],
          ["b\0", "b=1"],
          ["c", "b=1"],
          ["cz", "b=1"],
          ["d", "d=2"],
          ["m", "d=2"],
          [long, `${long}=3`],
          ["n", `${long}=3`],
          ["zz", "z="],
          ["c", "b=1"]
        ]
        for (const reader of [database, yield* database.snapshot]) {
          const many = yield* reader.floorMany(
            "a",
            expected.map(([key]) => bytes(key))
          )
          assert.deepEqual(
            many.map((row) => Option.getOrUndefined(Option.map(row, (each) => rowTexts([each])[0]))),
            expected.map(([, row]) => row)
          )
          for (const [key, row] of expected) {
            const found = yield* reader.floor("a", bytes(key))
            assert.deepEqual(rowTexts(Option.toArray(found)), row === undefined ? [] : [row])
          }
          assert.deepEqual(yield* reader.floorMany("a", []), [])
          assert.deepEqual(yield* reader.floor("b", bytes("b")), Option.none())
        }
      })
    )
  ),
  define("floor compares bytes unsigned and finds the least key there can be", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        const keys = ["00", "007f", "0080", "7f", "80", "ff", "ffff"]
        yield* database.write((batch) => {
          for (const key of keys) batch.put("a", unhex(key), bytes(key))
        })
        const probes = [...keys, "0000", "7fff", "8000", "fe", "ff00", "ffffff"]
        const found = yield* database.floorMany("a", probes.map(unhex))
        assert.deepEqual(
          found.map((row) => Hex.encode(Option.getOrThrow(row).key)),
          [...keys, "00", "7f", "80", "80", "ff", "ffff"]
        )
      })
    )
  ),
  define("floor hands out buffers that are the reader's own", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        yield* putAll(database, "a", "k=v", "l=w")
        for (const reader of [database, yield* database.snapshot]) {
          const row = Option.getOrThrow(yield* reader.floor("a", bytes("kk")))
          yield* reader.floor("a", bytes("l"))
          assert.deepEqual(rowTexts([row]), ["k=v"])
          row.key.fill(0)
          row.value.fill(0)
          assert.deepEqual(yield* scanTexts(database, "a"), ["k=v", "l=w"])
        }
      })
    )
  ),
  define("floorMany answers from a single moment while writes go on", (subject) =>
    expectOneMoment(subject, (database, keys) =>
      Effect.map(database.floorMany("a", keys), (rows) => rows.map((row) => text(Option.getOrThrow(row).value)))
    )
  ),
  define("Reader fails with EngineMisuse for a keyspace that was not opened", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        for (const reader of [database, yield* database.snapshot]) {
          const error = yield* failure(reader.get("nope", bytes("k")), "EngineMisuse")
          assert.ok(error.message.includes("nope"))
          yield* failure(reader.getMany("nope", [bytes("k")]), "EngineMisuse")
          yield* failure(reader.floor("nope", bytes("k")), "EngineMisuse")
          yield* failure(reader.floorMany("nope", [bytes("k")]), "EngineMisuse")
          yield* failure(Stream.runCollect(reader.scan("nope")), "EngineMisuse")
          yield* failure(Stream.runCollect(reader.scan("nope", { prefix: bytes("x"), lt: bytes("a") })), "EngineMisuse")
        }
      })
    )
  ),
  define("stats counts keys and the bytes that were written", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        yield* putAll(database, "a", "k=v", "long key=longer value")
        const { fileBytes, keyspaces } = yield* database.stats
        assert.deepEqual(keyspaces, { a: { keyCount: 2, contentBytes: 22 }, b: { keyCount: 0, contentBytes: 0 } })
        assert.ok(fileBytes >= 22)
      })
    )
  )
]

/** Reads the values of many keys, again and again, while others write one value to all of them. */
const expectOneMoment = (
  subject: Subject,
  read: (
    database: Database,
    keys: ReadonlyArray<Uint8Array>
  ) => Effect.Effect<ReadonlyArray<string | undefined>, EngineReadError>
) =>
  session(subject, (database) =>
    Effect.gen(function* () {
      const keys = Array.from({ length: 50 }, (_, index) => bytes(`key${index}`))
      const writeAll = (value: string) =>
        database.write(
          (batch) => {
            for (const key of keys) batch.put("a", key, bytes(value))
          },
          { durability: "buffered" }
        )
      yield* writeAll("0")
      yield* Effect.all(
        [
          Effect.forEach(Array.from({ length: 50 }), (_, index) =>
            Effect.andThen(writeAll(`${index}`), Effect.yieldNow)
          ),
          Effect.forEach(Array.from({ length: 50 }), () =>
            Effect.gen(function* () {
              assert.equal(new Set(yield* read(database, keys)).size, 1)
              yield* Effect.yieldNow
            })
          )
        ],
        { concurrency: "unbounded" }
      )
    })
  )
