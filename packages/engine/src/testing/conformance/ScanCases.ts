/** Scans: their bounds, directions and limits, and the moment that they show. */
import * as assert from "node:assert/strict"
import { Effect, Stream } from "effect"
import { Hex } from "effect/encoding"
import type { Range } from "../../Engine.ts"
import {
  bytes,
  type CaseDefinition,
  define,
  failure,
  putAll,
  rowTexts,
  scanTexts,
  session,
  text,
  unhex
} from "./Subject.ts"

export const scanCases: ReadonlyArray<CaseDefinition> = [
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
          rows.map(({ key }) => Hex.encode(key)),
          keys
        )
        assert.deepEqual(
          rows.map(({ value }) => text(value)),
          keys
        )
        const backwards = yield* Stream.runCollect(database.scan("a", { reverse: true }))
        assert.deepEqual(
          backwards.map(({ key }) => Hex.encode(key)),
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
          const sorted = keys.map(Hex.encode).sort()
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
                        rows.map(({ key }) => Hex.encode(key)),
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
  )
]

const isInside = (key: string, { gt, gte, lt, lte, prefix }: Range): boolean =>
  (gte === undefined || key >= Hex.encode(gte)) &&
  (gt === undefined || key > Hex.encode(gt)) &&
  (lte === undefined || key <= Hex.encode(lte)) &&
  (lt === undefined || key < Hex.encode(lt)) &&
  (prefix === undefined || key.startsWith(Hex.encode(prefix)))
