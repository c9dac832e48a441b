/** Point reads, scans and counts. */
import * as assert from "node:assert/strict"
import { Effect, Option, Stream } from "effect"
import { type Database, type EngineReadError, maxKeySizeBytes, type Range } from "../../Engine.ts"
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
  text
} from "./Subject.ts"

const hex = (key: Uint8Array): string => Array.from(key, (byte) => byte.toString(16).padStart(2, "0")).join("")

const unhex = (key: string): Uint8Array => Uint8Array.from(key.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))

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
          found.map((row) => hex(Option.getOrThrow(row).key)),
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
  define("scan keeps to its bounds when the caller changes their buffers while it runs", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        yield* putAll(database, "a", ...Array.from({ length: 5_000 }, (_, index) => `${10_000 + index}=v`))
        const lt = bytes("14000")
        let count = 0
        yield* Stream.runForEach(database.scan("a", { lt }), () =>
          Effect.sync(() => {
            count++
            lt.fill(0)
          })
        )
        assert.equal(count, 4_000)
      })
    )
  ),
  define("scan orders keys bytewise unsigned", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        const keys = ["00", "0000", "0001", "01", "7f", "7fff", "80", "80ff", "c3a9", "fe", "ff", "ff00", "ffff"]
        yield* database.write((batch) => {
          for (const key of keys.toReversed()) batch.put("a", unhex(key), bytes(key))
        })
        const rows = yield* Stream.runCollect(database.scan("a"))
        assert.deepEqual(
          rows.map(({ key }) => hex(key)),
          keys
        )
        assert.deepEqual(
          rows.map(({ value }) => text(value)),
          keys
        )
        const backwards = yield* Stream.runCollect(database.scan("a", { reverse: true }))
        assert.deepEqual(
          backwards.map(({ key }) => hex(key)),
          keys.toReversed()
        )
      })
    )
  ),
  define(
    "scan keeps to every combination of bounds and prefix, in both directions, with and without a limit",
    (subject) =>
      session(subject, (database) =>
        Effect.gen(function* () {
          // The model is the definition: a key is in range when it satisfies all bounds.
          const alphabet = [0x00, 0x61, 0xff]
          const keys = [
            ...alphabet.map((first) => [first]),
            ...alphabet.flatMap((first) => alphabet.map((second) => [first, second])),
            [0xff, 0xff, 0x00],
            [0xff, 0xff, 0xff]
          ].map((key) => Uint8Array.from(key))
          yield* database.write((batch) => {
            for (const key of keys) batch.put("a", key, bytes("v"))
          })
          const sorted = keys.map(hex).sort()
          const edges = [undefined, [], [0x61], [0x61, 0x62], [0xff], [0xff, 0xff]].map((edge) =>
            edge === undefined ? undefined : Uint8Array.from(edge)
          )
          for (const lower of edges) {
            for (const upper of edges) {
              for (const prefix of edges) {
                for (const closed of [true, false]) {
                  const range: Range = {
                    ...(lower === undefined ? {} : closed ? { gte: lower } : { gt: lower }),
                    ...(upper === undefined ? {} : closed ? { lte: upper } : { lt: upper }),
                    ...(prefix === undefined ? {} : { prefix })
                  }
                  const expected = sorted.filter((key) => isInside(key, range))
                  for (const reverse of [false, true]) {
                    for (const limit of [undefined, 2]) {
                      const options = { ...range, reverse, ...(limit === undefined ? {} : { limit }) }
                      const rows = yield* Stream.runCollect(database.scan("a", options))
                      assert.deepEqual(
                        rows.map(({ key }) => hex(key)),
                        (reverse ? expected.toReversed() : expected).slice(0, limit)
                      )
                    }
                  }
                }
              }
            }
          }
        })
      )
  ),
  define("scan combines an inclusive and an exclusive bound, and takes bounds longer than a key", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        yield* putAll(database, "a", "a=1", "b=2", "c=3")
        assert.deepEqual(yield* scanTexts(database, "a", { gte: bytes("a"), gt: bytes("a") }), ["b=2", "c=3"])
        assert.deepEqual(yield* scanTexts(database, "a", { lte: bytes("c"), lt: bytes("c") }), ["a=1", "b=2"])
        assert.deepEqual(yield* scanTexts(database, "a", { gte: bytes("b"), gt: bytes("a") }), ["b=2", "c=3"])
        assert.deepEqual(yield* scanTexts(database, "a", { gt: bytes("c"), lt: bytes("a") }), [])
        const long = bytes(`b${"x".repeat(5_000)}`)
        assert.deepEqual(yield* scanTexts(database, "a", { gte: long }), ["c=3"])
        assert.deepEqual(yield* scanTexts(database, "a", { lt: long }), ["a=1", "b=2"])
        assert.deepEqual(yield* scanTexts(database, "a", { prefix: long }), [])
      })
    )
  ),
  define("scan takes a limit of any whole number and refuses others", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        yield* putAll(database, "a", "a=1", "b=2", "c=3")
        assert.deepEqual(yield* scanTexts(database, "a", { limit: 0 }), [])
        assert.deepEqual(yield* scanTexts(database, "a", { limit: 3 }), ["a=1", "b=2", "c=3"])
        assert.deepEqual(yield* scanTexts(database, "a", { limit: Number.MAX_SAFE_INTEGER }), ["a=1", "b=2", "c=3"])
        for (const limit of [-1, 1.5, Number.NaN]) {
          yield* failure(Stream.runCollect(database.scan("a", { limit })), "EngineMisuse")
        }
      })
    )
  ),
  define("scan goes through many rows and large ones, stops early and can run again", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        const count = 12_345
        yield* database.write((batch) => {
          for (let index = 0; index < count; index++) batch.put("a", bytes(`${100_000 + index}`), bytes(`${index}`))
          for (let index = 0; index < 5; index++)
            batch.put("b", bytes(`${index}`), new Uint8Array(3_000_000).fill(index))
        })
        const rows = yield* Stream.runCollect(database.scan("a"))
        assert.equal(rows.length, count)
        assert.ok(rows.every(({ value }, index) => text(value) === `${index}`))
        const large = yield* Stream.runCollect(database.scan("b", { reverse: true }))
        assert.deepEqual(
          large.map(({ value }) => value[0]),
          [4, 3, 2, 1, 0]
        )
        const scan = database.scan("a")
        for (let round = 0; round < 100; round++) {
          assert.deepEqual(rowTexts(yield* Stream.runCollect(Stream.take(scan, 2))), ["100000=0", "100001=1"])
        }
        yield* putAll(database, "a", "!=new")
        assert.deepEqual(rowTexts(yield* Stream.runCollect(Stream.take(scan, 1))), ["!=new"])
      })
    )
  ),
  define("scan sees the moment in which it starts while writes go on", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        const count = 5_000
        yield* putAll(database, "a", ...Array.from({ length: count }, (_, index) => `${10_000 + index}=old`))
        let seen = 0
        yield* Stream.runForEach(database.scan("a"), ({ value }) =>
          Effect.gen(function* () {
            if (seen === 0) {
              yield* database.write((batch) => {
                batch.deleteRange("a", { gte: bytes("12000") })
                batch.put("a", bytes("11500"), bytes("new"))
                batch.put("a", bytes("115000"), bytes("new"))
              })
            }
            assert.equal(text(value), "old")
            seen++
          })
        )
        assert.equal(seen, count)
        assert.equal((yield* scanTexts(database, "a")).length, 2_001)
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

const isInside = (key: string, { gt, gte, lt, lte, prefix }: Range): boolean =>
  (gte === undefined || key >= hex(gte)) &&
  (gt === undefined || key > hex(gt)) &&
  (lte === undefined || key <= hex(lte)) &&
  (lt === undefined || key < hex(lt)) &&
  (prefix === undefined || key.startsWith(hex(prefix)))
