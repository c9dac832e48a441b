/** Replacing ranges. */
import * as assert from "node:assert/strict"
import { Deferred, Effect, Fiber, Option, Stream } from "effect"
import { maxKeySizeBytes, maxValueSizeBytes, type Reader, type Row } from "../../Engine.ts"
import { bytes, type CaseDefinition, define, failure, putAll, rowsOf, scanTexts, session, text } from "./Subject.ts"

export const replaceCases: ReadonlyArray<CaseDefinition> = [
  define("replace swaps exactly the ranges, in several keyspaces at once", (subject) =>
    Effect.gen(function* () {
      yield* session(subject, (database) =>
        Effect.gen(function* () {
          yield* putAll(database, "a", "p1=old", "p2=old", "q1=kept")
          yield* putAll(database, "b", "1=old", "2=kept")
          yield* database.replace([
            { keyspace: "a", range: { prefix: bytes("p") }, rows: rowsOf("p0=new", "p2=new") },
            { keyspace: "b", range: { lte: bytes("1") }, rows: Stream.empty },
            { keyspace: "b", range: { gt: bytes("2") }, rows: rowsOf("3=new") }
          ])
        })
      )
      yield* session(subject, (database) =>
        Effect.gen(function* () {
          assert.deepEqual(yield* scanTexts(database, "a"), ["p0=new", "p2=new", "q1=kept"])
          assert.deepEqual(yield* scanTexts(database, "b"), ["2=kept", "3=new"])
        })
      )
    })
  ),
  define("replace refuses rows that write to its own database, inside exclusive too, and leaves the old", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        yield* putAll(database, "a", "k=old")
        const writes = [
          putAll(database, "a", "k=nested"),
          database.flush,
          database.replace([]),
          database.exclusive(putAll(database, "a", "k=nested"))
        ]
        for (const write of writes) {
          const rows = Stream.concat(rowsOf("k=new"), Stream.drain(Stream.fromEffect(write)))
          const replace = database.replace([{ keyspace: "a", range: {}, rows }])
          for (const attempt of [replace, database.exclusive(replace)]) {
            yield* failure(attempt, "EngineMisuse")
            assert.deepEqual(yield* scanTexts(database, "a"), ["k=old"])
          }
        }
        yield* putAll(database, "a", "k=new")
      })
    )
  ),
  define("replace keeps to its range when the caller changes the buffers of its bounds", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        const range = { gte: bytes("p"), lt: bytes("q") }
        const rows = Stream.suspend(() => {
          range.gte.set(bytes("r"))
          range.lt.set(bytes("s"))
          return rowsOf("p1=v")
        })
        yield* database.replace([{ keyspace: "a", range, rows }])
        assert.deepEqual(yield* scanTexts(database, "a"), ["p1=v"])
      })
    )
  ),
  define(
    "replace refuses rows that are out of order, doubled, outside the range or out of bounds, and leaves the old",
    (subject) =>
      session(subject, (database) =>
        Effect.gen(function* () {
          const old = ["p1=old", "q1=old"]
          yield* putAll(database, "a", ...old)
          const row = (keyBytes: number, valueBytes: number): Stream.Stream<Row> =>
            Stream.succeed({ key: new Uint8Array(keyBytes).fill(0x70), value: new Uint8Array(valueBytes) })
          const refused = (rows: Stream.Stream<Row>, tag: "EngineMisuse" | "EngineKeySize" | "EngineValueSize") =>
            Effect.gen(function* () {
              yield* failure(
                database.replace([
                  { keyspace: "b", range: {}, rows: rowsOf("k=v") },
                  { keyspace: "a", range: { prefix: bytes("p") }, rows }
                ]),
                tag
              )
              assert.deepEqual(yield* scanTexts(database, "a"), old)
              assert.deepEqual(yield* scanTexts(database, "b"), [])
            })
          yield* refused(rowsOf("p2=v", "p1=v"), "EngineMisuse")
          yield* refused(rowsOf("p1=v", "p1=v"), "EngineMisuse")
          yield* refused(Stream.rechunk(rowsOf("p1=v", "p2=v", "p1=v"), 1), "EngineMisuse")
          yield* refused(rowsOf("p1=v", "q1=v"), "EngineMisuse")
          yield* refused(rowsOf("o=v"), "EngineMisuse")
          yield* refused(row(0, 1), "EngineKeySize")
          yield* refused(row(maxKeySizeBytes + 1, 1), "EngineKeySize")
          yield* refused(row(1, maxValueSizeBytes + 1), "EngineValueSize")
          yield* failure(database.replace([{ keyspace: "nope", range: {}, rows: Stream.empty }]), "EngineMisuse")
          const empty = { keyspace: "a", range: { gt: bytes("z"), lt: bytes("a") } }
          yield* failure(database.replace([{ ...empty, rows: rowsOf("m=v") }]), "EngineMisuse")
          yield* database.replace([{ ...empty, rows: Stream.empty }])
          assert.deepEqual(yield* scanTexts(database, "a"), old)
        })
      )
  ),
  define("replace passes on the failure of a stream and leaves the old", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        yield* putAll(database, "a", "k=old")
        const rows = Stream.concat(rowsOf("k=new"), Stream.fail({ _tag: "Broken" as const }))
        yield* failure(database.replace([{ keyspace: "a", range: {}, rows }]), "Broken")
        assert.deepEqual(yield* scanTexts(database, "a"), ["k=old"])
        const exit = yield* Effect.exit(database.replace([{ keyspace: "a", range: {}, rows: Stream.die("bug") }]))
        assert.equal(exit._tag, "Failure")
        assert.deepEqual(yield* scanTexts(database, "a"), ["k=old"])
        yield* putAll(database, "a", "k=after")
      })
    )
  ),
  define("replace is not seen before it is done, and an interruption leaves the old", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        yield* putAll(database, "a", "k=old", "l=old")
        const loading = yield* Deferred.make<void>()
        const proceed = yield* Deferred.make<void>()
        const wait = Effect.andThen(Deferred.succeed(loading, undefined), Deferred.await(proceed))
        const rows = Stream.concat(
          rowsOf("k=new"),
          Stream.concat(Stream.drain(Stream.fromEffect(wait)), rowsOf("m=new"))
        )
        const replacing = yield* Effect.forkChild(database.replace([{ keyspace: "a", range: {}, rows }]))
        yield* Deferred.await(loading)
        const during = yield* database.snapshot
        assert.deepEqual(yield* scanTexts(database, "a"), ["k=old", "l=old"])
        assert.ok(Option.isSome(yield* database.get("a", bytes("l"))))
        // Each in its own way of reading: rows below a key were once those of the open transaction.
        for (const reader of [database, during]) {
          const key = bytes("z")
          const { rows } = yield* reader.page("a", { reverse: true, limit: 1 })
          const found = [
            yield* reader.floor("a", key),
            ...(yield* reader.floorMany("a", [key, key])),
            Option.some(rows[0]!)
          ]
          assert.deepEqual(
            found.map((row) => text(Option.getOrThrow(row).key)),
            ["l", "l", "l", "l"]
          )
        }
        // A write waits for its turn.
        const writing = yield* Effect.forkChild(putAll(database, "a", "n=written"))
        for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
        assert.deepEqual(yield* scanTexts(database, "a"), ["k=old", "l=old"])
        yield* Deferred.succeed(proceed, undefined)
        yield* Fiber.join(replacing)
        yield* Fiber.join(writing)
        assert.deepEqual(yield* scanTexts(database, "a"), ["k=new", "m=new", "n=written"])
        assert.deepEqual(yield* scanTexts(during, "a"), ["k=old", "l=old"])

        const again = yield* Deferred.make<void>()
        const stuck = Stream.concat(
          rowsOf("z=never"),
          Stream.fromEffect(Effect.andThen(Deferred.succeed(again, undefined), Effect.never))
        )
        const interrupted = yield* Effect.forkChild(database.replace([{ keyspace: "a", range: {}, rows: stuck }]))
        yield* Deferred.await(again)
        yield* Fiber.interrupt(interrupted)
        assert.deepEqual(yield* scanTexts(database, "a"), ["k=new", "m=new", "n=written"])
        yield* putAll(database, "a", "o=after")
      })
    )
  ),
  define("replace that waits for its rows lets the database be opened to read, which sees the old", (subject) =>
    Effect.gen(function* () {
      yield* session(subject, (database) =>
        Effect.gen(function* () {
          yield* putAll(database, "a", "k=old")
          yield* putAll(database, "b", "k=kept")
          const read = Effect.scoped(
            Effect.gen(function* () {
              const other = yield* subject.open({ mode: "readOnly", keyspaces: ["a", "b", "none"] })
              assert.deepEqual(yield* scanTexts(other, "a"), ["k=old"])
              assert.deepEqual(yield* scanTexts(other, "none"), [])
              return other
            })
          )
          const rows = Stream.concat(
            rowsOf("k=new"),
            Stream.concat(Stream.drain(Stream.fromEffect(read)), rowsOf("l=new"))
          )
          yield* database.replace([{ keyspace: "a", range: {}, rows }])
          assert.deepEqual(yield* scanTexts(database, "a"), ["k=new", "l=new"])
          yield* putAll(database, "a", "m=after")
        })
      )
      yield* session(subject, (database) =>
        Effect.gen(function* () {
          assert.deepEqual(yield* scanTexts(database, "a"), ["k=new", "l=new", "m=after"])
          assert.deepEqual(yield* scanTexts(database, "b"), ["k=kept"])
        })
      )
    })
  ),
  define(
    "replace is not seen before it is done by readers that were opened before the writer, nor by ones opened since",
    (subject) =>
      Effect.gen(function* () {
        yield* session(subject, (database) => putAll(database, "a", "k=old"))
        const reader = yield* subject.open({ mode: "readOnly", keyspaces: ["a", "none"] })
        const earlier = yield* reader.snapshot
        const state = Effect.fnUntraced(function* (from: Reader) {
          const [floor] = yield* from.floorMany("a", [bytes("z")])
          assert.deepEqual(yield* from.floor("a", bytes("z")), floor)
          return [...(yield* scanTexts(from, "a")), text(Option.getOrThrow(floor!).key)]
        })
        yield* session(
          subject,
          (writer) =>
            Effect.gen(function* () {
              const read = Effect.scoped(
                Effect.gen(function* () {
                  const during = yield* subject.open({ mode: "readOnly", keyspaces: ["none", "a", "b"] })
                  for (const each of [reader, earlier, yield* reader.snapshot, during, yield* during.snapshot])
                    assert.deepEqual(yield* state(each), ["k=old", "k"])
                })
              )
              const rows = Stream.concat(
                rowsOf("k=new"),
                Stream.concat(Stream.drain(Stream.fromEffect(read)), rowsOf("l=new"))
              )
              yield* writer.replace([{ keyspace: "a", range: {}, rows }])
              for (const each of [writer, reader]) assert.deepEqual(yield* state(each), ["k=new", "l=new", "l"])
              assert.deepEqual(yield* state(earlier), ["k=old", "k"])
              yield* putAll(writer, "none", "k=made")
            }),
          { keyspaces: ["b", "none", "a"] }
        )
        yield* session(subject, (writer) => putAll(writer, "a", "m=after"))
        assert.deepEqual(yield* state(reader), ["k=new", "l=new", "m=after", "m"])
        assert.deepEqual(yield* state(earlier), ["k=old", "k"])
      })
  ),
  define("replace empties ranges of any number of rows, exactly", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        for (const count of [0, 1, 127, 128, 129, 255, 256, 257, 2_000]) {
          const inside = Array.from({ length: count }, (_, index) => `p${10_000 + index}=v`)
          yield* putAll(database, "a", "o=kept", ...inside, "q=kept")
          yield* database.replace([{ keyspace: "a", range: { prefix: bytes("p") }, rows: Stream.empty }])
          assert.deepEqual(yield* scanTexts(database, "a"), ["o=kept", "q=kept"])
          yield* putAll(database, "a", ...inside)
          yield* database.replace([{ keyspace: "a", range: { lte: bytes("o") }, rows: rowsOf("n=new") }])
          yield* database.replace([{ keyspace: "a", range: { gt: bytes("n"), lt: bytes("q") }, rows: rowsOf("p=new") }])
          assert.deepEqual(yield* scanTexts(database, "a"), ["n=new", "p=new", "q=kept"])
          yield* database.replace([{ keyspace: "a", range: {}, rows: Stream.empty }])
        }
      })
    )
  ),
  define("replace may read what it replaces", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        yield* putAll(database, "a", ...Array.from({ length: 3_000 }, (_, index) => `${10_000 + index}=v`))
        const rows = Stream.map(database.scan("a"), ({ key }) => ({ key, value: bytes("w") }))
        yield* database.replace([{ keyspace: "a", range: {}, rows }])
        const after = yield* scanTexts(database, "a")
        assert.equal(after.length, 3_000)
        assert.ok(after.every((row) => row.endsWith("=w")))
      })
    )
  ),
  define("replace loads many rows from buffers that are used again", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        const count = 50_000
        const key = new Uint8Array(4)
        const value = new Uint8Array(100)
        const indexes = Stream.rechunk(Stream.range(0, count - 1), 1)
        const rows = Stream.map(indexes, (index): Row => {
          new DataView(key.buffer).setUint32(0, index)
          value.fill(index)
          return { key, value }
        })
        yield* database.replace([{ keyspace: "a", range: {}, rows }])
        const stats = yield* database.stats
        assert.deepEqual(stats.keyspaces.a, { keyCount: count, contentBytes: count * 104 })
        const last = Uint8Array.of(0, 0, 0xc3, 0x4f)
        assert.equal(Option.getOrThrow(yield* database.get("a", last))[0], 0x4f)
      })
    )
  )
]
