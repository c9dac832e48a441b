/** Snapshots and checkpoints. */
import * as assert from "node:assert/strict"
import { Effect, Exit, References, Scope, Stream } from "effect"
import type { EngineWriteError } from "../../Engine.ts"
import {
  bytes,
  type CaseDefinition,
  define,
  failure,
  getText,
  optionText,
  putAll,
  scanTexts,
  session
} from "./Subject.ts"

export const viewCases: ReadonlyArray<CaseDefinition> = [
  define("snapshot reads the same whatever is written afterwards", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        yield* putAll(database, "a", "1=old", "2=old", "3=old")
        const snapshot = yield* database.snapshot
        yield* database.write((batch) => {
          batch.put("a", bytes("1"), bytes("new"))
          batch.delete("a", bytes("2"))
          batch.put("a", bytes("4"), bytes("new"))
          batch.put("b", bytes("1"), bytes("new"))
        })
        yield* database.replace([{ keyspace: "a", range: { gte: bytes("3") }, rows: Stream.empty }])
        for (let round = 0; round < 2; round++) {
          assert.deepEqual(yield* scanTexts(snapshot, "a"), ["1=old", "2=old", "3=old"])
          assert.deepEqual(yield* scanTexts(snapshot, "a", { reverse: true, limit: 1 }), ["3=old"])
          assert.deepEqual(yield* scanTexts(snapshot, "b"), [])
          assert.equal(yield* getText(snapshot, "a", "2"), "old")
          assert.equal(yield* getText(snapshot, "a", "4"), undefined)
          const values = yield* snapshot.getMany("a", ["4", "3", "1"].map(bytes))
          assert.deepEqual(values.map(optionText), [undefined, "old", "old"])
        }
        assert.deepEqual(yield* scanTexts(database, "a"), ["1=new"])
      })
    )
  ),
  define("snapshot names a moment that ends with every kind of change", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        const moment = Effect.scoped(Effect.map(database.snapshot, (snapshot) => snapshot.moment))
        const changes: ReadonlyArray<Effect.Effect<void, EngineWriteError>> = [
          database.write((batch) => batch.put("a", bytes("1"), bytes("new"))),
          database.write((batch) => batch.put("a", bytes("2"), bytes("new")), { durability: "buffered" }),
          database.write((batch) => batch.deleteRange("a", { gte: bytes("2") })),
          database.replace([{ keyspace: "a", range: {}, rows: Stream.empty }])
        ]
        for (const change of changes) {
          const before = yield* moment
          yield* change
          const after = yield* moment
          assert.ok(after === undefined || after !== before, "two moments with one name")
        }
        const held = yield* database.snapshot
        assert.equal(held.moment, yield* moment)
        assert.equal(database.moment, undefined, "the database itself is of no moment")
      })
    )
  ),
  define("snapshot that is taken beside writes has the moment of its rows, wherever fibers take turns", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        const values = new Map<object, string | undefined>()
        const change = (index: number): Effect.Effect<void, EngineWriteError> =>
          index % 2 === 0
            ? database.write((batch) => batch.put("a", bytes("k"), bytes(`${index}`)), { durability: "buffered" })
            : database.replace([
                {
                  keyspace: "a",
                  range: {},
                  rows: Stream.make({ key: bytes("k"), value: bytes(`${index}`) })
                }
              ])
        const look = Effect.scoped(
          Effect.gen(function* () {
            const { moment, ...snapshot } = yield* database.snapshot
            const value = yield* getText(snapshot, "a", "k")
            if (moment === undefined) return
            if (values.has(moment)) assert.equal(value, values.get(moment), "two contents of one moment")
            values.set(moment, value)
          })
        )
        const changes = Effect.forEach(Array.from({ length: 60 }), (_, index) => change(index), { discard: true })
        const looks = Effect.forEach(Array.from({ length: 60 }), () => look, { discard: true })
        // With fewer a fiber makes no progress.
        const opCounts = [3, 4, 5, 6]
        const slowed = [changes, looks].flatMap((each) =>
          opCounts.map((count) => Effect.provideService(each, References.MaxOpsBeforeYield, count))
        )
        yield* Effect.all(slowed, { concurrency: "unbounded" })
      })
    )
  ),
  define("snapshot can be taken many times, each of its own moment", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        const snapshots = []
        for (let index = 0; index < 100; index++) {
          yield* database.write((batch) => batch.put("a", bytes("k"), bytes(`${index}`)), { durability: "buffered" })
          snapshots.push(yield* database.snapshot)
        }
        for (const [index, snapshot] of snapshots.entries()) {
          assert.equal(yield* getText(snapshot, "a", "k"), `${index}`)
        }
        for (let index = 0; index < 2_000; index++) {
          assert.equal(yield* Effect.scoped(Effect.flatMap(database.snapshot, (it) => getText(it, "a", "k"))), "99")
        }
      })
    )
  ),
  define("snapshot fails with EngineMisuse once its scope is closed, and the database goes on", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        yield* putAll(database, "a", "k=v")
        const scope = yield* Scope.make()
        const snapshot = yield* Scope.provide(database.snapshot, scope)
        yield* Scope.close(scope, Exit.void)
        yield* failure(snapshot.get("a", bytes("k")), "EngineMisuse")
        yield* failure(snapshot.getMany("a", [bytes("k")]), "EngineMisuse")
        yield* failure(snapshot.floor("a", bytes("k")), "EngineMisuse")
        yield* failure(snapshot.floorMany("a", [bytes("k")]), "EngineMisuse")
        yield* failure(Stream.runCollect(snapshot.scan("a")), "EngineMisuse")
        yield* putAll(database, "a", "l=w")
        assert.deepEqual(yield* scanTexts(database, "a"), ["k=v", "l=w"])
      })
    )
  ),
  define("snapshot refuses more than 900 at once, which leave reads and writes alone", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        const write = (value: string) =>
          database.write((batch) => batch.put("a", bytes("k"), bytes(value)), { durability: "buffered" })
        const all = Effect.gen(function* () {
          for (let number = 0; number < 900; number++) {
            yield* write(`${number}`)
            yield* database.snapshot
          }
          yield* failure(database.snapshot, "EngineMisuse")
          yield* failure(Stream.runCollect(database.scan("a")), "EngineMisuse")
          yield* write("last")
          assert.equal(yield* getText(database, "a", "k"), "last")
          assert.deepEqual((yield* database.getMany("a", [bytes("k")])).map(optionText), ["last"])
        })
        yield* Effect.scoped(all)
        assert.deepEqual(yield* scanTexts(yield* database.snapshot, "a"), ["k=last"])
      })
    )
  ),
  define("checkpoint is a database with what was there when it was made", (subject) =>
    Effect.gen(function* () {
      const path = subject.path("copy")
      yield* session(subject, (database) =>
        Effect.gen(function* () {
          yield* putAll(database, "a", ...Array.from({ length: 3_000 }, (_, index) => `${10_000 + index}=v`))
          yield* database.write((batch) => batch.put("b", bytes("k"), bytes("buffered")), { durability: "buffered" })
          yield* database.checkpoint(path)
          yield* putAll(database, "b", "k=later")
          yield* session(
            subject,
            (copy) =>
              Effect.gen(function* () {
                assert.equal((yield* scanTexts(copy, "a")).length, 3_000)
                assert.deepEqual(yield* scanTexts(copy, "b"), ["k=buffered"])
                yield* putAll(copy, "b", "k=copy")
              }),
            { path, mode: "existing" }
          )
          assert.equal(yield* getText(database, "b", "k"), "later")
        })
      )
      yield* subject.engine.destroy(subject.path("db"))
      assert.equal(yield* session(subject, (copy) => getText(copy, "b", "k"), { path, mode: "readOnly" }), "copy")
    })
  ),
  define("checkpoint is one moment while writes go on", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        const writeBoth = (value: number) =>
          database.write(
            (batch) => {
              batch.put("a", bytes("k"), bytes(`${value}`))
              batch.put("b", bytes("k"), bytes(`${value}`))
            },
            { durability: "buffered" }
          )
        yield* writeBoth(0)
        yield* Effect.all(
          [
            Effect.forEach(Array.from({ length: 200 }), (_, index) =>
              Effect.andThen(writeBoth(index), Effect.yieldNow)
            ),
            database.checkpoint(subject.path("copy"))
          ],
          { concurrency: "unbounded" }
        )
        const copy = yield* subject.open({ path: subject.path("copy"), mode: "existing" })
        assert.equal(yield* getText(copy, "a", "k"), yield* getText(copy, "b", "k"))
      })
    )
  ),
  define("checkpoint of several fibers to one place makes one copy, and the others leave it alone", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        yield* putAll(database, "a", "k=v")
        const path = subject.path("copy")
        const copy = Effect.match(database.checkpoint(path), {
          onFailure: (error): string => error._tag,
          onSuccess: () => "copied"
        })
        const ends = yield* Effect.all([copy, copy, copy], { concurrency: "unbounded" })
        assert.equal(ends.filter((end) => end === "copied").length, 1)
        for (const end of ends) assert.ok(["copied", "EngineLocked", "EngineMisuse"].includes(end), end)
        const found = session(subject, (other) => scanTexts(other, "a"), { path, mode: "existing" })
        assert.deepEqual(yield* found, ["k=v"])
      })
    )
  ),
  define("checkpoint refuses a target that exists and leaves it as it is", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        const path = subject.path("copy")
        yield* putAll(database, "a", "k=v")
        yield* session(subject, (other) => putAll(other, "a", "k=other"), { path })
        yield* failure(database.checkpoint(path), "EngineMisuse")
        yield* failure(database.checkpoint(subject.path("db")), "EngineMisuse")
        assert.equal(yield* session(subject, (other) => getText(other, "a", "k"), { path }), "other")
        assert.equal(yield* getText(database, "a", "k"), "v")
      })
    )
  )
]
