/** Opening, locking, closing, destroying. */
import * as assert from "node:assert/strict"
import { Effect, Exit, Option, Scope, Stream } from "effect"
import { bytes, type CaseDefinition, define, failure, getText, putAll, rowsOf, scanTexts, session } from "./Subject.ts"

export const openCases: ReadonlyArray<CaseDefinition> = [
  define("open keeps what was written for the next open", (subject) =>
    Effect.gen(function* () {
      yield* session(subject, (database) => putAll(database, "a", "k=v"))
      assert.equal(yield* session(subject, (database) => getText(database, "a", "k"), { mode: "existing" }), "v")
      assert.equal(yield* session(subject, (database) => getText(database, "a", "k"), { mode: "create" }), "v")
    })
  ),
  define("open says its path and keyspaces", (subject) =>
    session(subject, (database) =>
      Effect.sync(() => {
        assert.equal(database.path, subject.path("db"))
        assert.deepEqual([...database.keyspaces], ["a", "b"])
      })
    )
  ),
  define("open keeps to the keyspaces it was given when the caller changes the list", (subject) =>
    Effect.gen(function* () {
      const keyspaces = ["a", "b"]
      yield* session(
        subject,
        (database) =>
          Effect.gen(function* () {
            keyspaces.reverse()
            yield* putAll(database, "a", "k=a")
            yield* putAll(database, "b", "k=b")
            yield* database.write((batch) => batch.deleteRange("a", {}))
            assert.deepEqual(yield* scanTexts(database, "b"), ["k=b"])
          }),
        { keyspaces }
      )
      yield* session(subject, (database) =>
        Effect.gen(function* () {
          assert.deepEqual(yield* scanTexts(database, "a"), [])
          assert.deepEqual(yield* scanTexts(database, "b"), ["k=b"])
        })
      )
    })
  ),
  define("open makes missing directories in mode create", (subject) =>
    session(subject, (database) => putAll(database, "a", "k=v"), { path: subject.path("deep/er/db") })
  ),
  define("open fails with EngineNotFound where there is no database", (subject) =>
    Effect.gen(function* () {
      for (const mode of ["existing", "readOnly"] as const) {
        const error = yield* failure(Effect.scoped(subject.open({ mode })), "EngineNotFound")
        assert.ok(error.message.includes(subject.path("db")))
      }
      // The refusals have made nothing.
      yield* failure(Effect.scoped(subject.open({ mode: "existing" })), "EngineNotFound")
    })
  ),
  define("open refuses a second writer at once", (subject) =>
    Effect.gen(function* () {
      yield* session(subject, (database) =>
        Effect.gen(function* () {
          yield* failure(Effect.scoped(subject.open()), "EngineLocked")
          yield* failure(Effect.scoped(subject.open({ mode: "existing" })), "EngineLocked")
          yield* putAll(database, "a", "k=v")
        })
      )
      yield* session(subject, (database) => putAll(database, "a", "l=w"), { mode: "existing" })
    })
  ),
  define("open refuses keyspaces that have no valid name, are doubled, too many or none", (subject) =>
    Effect.gen(function* () {
      const many = (count: number) => Array.from({ length: count }, (_, index) => `k${index}`)
      const wrong = [[], [""], ["A"], ["1a"], ["a-b"], ["_a"], ["a".repeat(64)], ["a", "a"], many(65)]
      for (const keyspaces of wrong) yield* failure(Effect.scoped(subject.open({ keyspaces })), "EngineMisuse")
      yield* session(subject, (database) => putAll(database, "k63", "k=v"), { keyspaces: many(64) })
      yield* session(subject, (database) => putAll(database, "a".repeat(63), "k=v"), {
        path: subject.path("long"),
        keyspaces: ["a".repeat(63), "a_1"]
      })
    })
  ),
  define("open adds keyspaces to a database and leaves the others", (subject) =>
    Effect.gen(function* () {
      yield* session(subject, (database) => putAll(database, "a", "k=v"), { keyspaces: ["a"] })
      yield* session(subject, (database) => putAll(database, "c", "l=w"), { keyspaces: ["c"], mode: "existing" })
      yield* session(
        subject,
        (database) =>
          Effect.gen(function* () {
            assert.equal(yield* getText(database, "a", "k"), "v")
            assert.equal(yield* getText(database, "c", "l"), "w")
          }),
        { keyspaces: ["c", "a"] }
      )
    })
  ),
  define("open in mode readOnly reads, takes no lock and refuses every write", (subject) =>
    session(subject, (writer) =>
      Effect.gen(function* () {
        yield* putAll(writer, "a", "k=v")
        const reader = yield* subject.open({ mode: "readOnly", keyspaces: ["a", "missing"] })
        yield* subject.open({ mode: "readOnly" })
        assert.equal(yield* getText(reader, "a", "k"), "v")
        assert.deepEqual(yield* scanTexts(reader, "a"), ["k=v"])
        assert.deepEqual(yield* scanTexts(reader, "missing"), [])
        assert.deepEqual(yield* reader.floor("missing", bytes("k")), Option.none())
        assert.deepEqual(yield* reader.floorMany("missing", [bytes("k")]), [Option.none()])
        assert.equal(yield* getText(reader, "missing", "k"), undefined)
        yield* failure(putAll(reader, "a", "l=w"), "EngineMisuse")
        yield* failure(reader.replace([{ keyspace: "a", range: {}, rows: rowsOf("l=w") }]), "EngineMisuse")
        yield* putAll(writer, "a", "m=x")
        assert.deepEqual(yield* scanTexts(reader, "a"), ["k=v", "m=x"])
      })
    )
  ),
  define(
    "open in mode readOnly before a writer of the same process leaves the writer alone, in any order of closing",
    (subject) =>
      Effect.gen(function* () {
        yield* session(subject, (database) => putAll(database, "a", "k=v"))
        const readerScope = yield* Scope.make()
        const reader = yield* Scope.provide(subject.open({ mode: "readOnly" }), readerScope)
        for (const value of ["w", "x"]) {
          yield* session(subject, (writer) => putAll(writer, "a", `k=${value}`))
          assert.equal(yield* getText(reader, "a", "k"), value)
        }
        yield* session(subject, (writer) =>
          Effect.gen(function* () {
            yield* Scope.close(readerScope, Exit.void)
            yield* putAll(writer, "a", "k=y")
            assert.equal(yield* getText(writer, "a", "k"), "y")
          })
        )
      })
  ),
  define("Database fails with EngineMisuse once it is closed", (subject) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const database = yield* Scope.provide(subject.open(), scope)
      yield* putAll(database, "a", "k=v")
      const reader = yield* Scope.provide(database.snapshot, scope)
      yield* Scope.close(scope, Exit.void)
      yield* failure(database.get("a", bytes("k")), "EngineMisuse")
      yield* failure(database.getMany("a", [bytes("k")]), "EngineMisuse")
      yield* failure(database.floor("a", bytes("k")), "EngineMisuse")
      yield* failure(database.floorMany("a", [bytes("k")]), "EngineMisuse")
      yield* failure(Stream.runCollect(database.scan("a")), "EngineMisuse")
      yield* failure(putAll(database, "a", "l=w"), "EngineMisuse")
      yield* failure(database.flush, "EngineMisuse")
      yield* failure(Effect.scoped(database.snapshot), "EngineMisuse")
      yield* failure(database.replace([{ keyspace: "a", range: {}, rows: Stream.empty }]), "EngineMisuse")
      yield* failure(database.checkpoint(subject.path("copy")), "EngineMisuse")
      yield* failure(database.stats, "EngineMisuse")
      yield* failure(reader.get("a", bytes("k")), "EngineMisuse")
      yield* failure(Stream.runCollect(reader.scan("a")), "EngineMisuse")
      assert.equal(yield* session(subject, (again) => getText(again, "a", "k")), "v")
    })
  ),
  define("Database fails a scan that outlives it", (subject) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const database = yield* Scope.provide(subject.open(), scope)
      yield* putAll(database, "a", ...Array.from({ length: 5_000 }, (_, index) => `${10_000 + index}=v`))
      yield* failure(
        Stream.runForEach(database.scan("a"), () => Scope.close(scope, Exit.void)),
        "EngineMisuse"
      )
    })
  ),
  define("destroy removes a database and does nothing where there is none", (subject) =>
    Effect.gen(function* () {
      yield* subject.engine.destroy(subject.path("db"))
      yield* session(subject, (database) => putAll(database, "a", "k=v"))
      yield* subject.engine.destroy(subject.path("db"))
      yield* failure(Effect.scoped(subject.open({ mode: "existing" })), "EngineNotFound")
      yield* subject.engine.destroy(subject.path("db"))
      assert.deepEqual(yield* session(subject, (database) => scanTexts(database, "a")), [])
    })
  ),
  define("destroy refuses a database that is open", (subject) =>
    session(subject, (database) =>
      Effect.gen(function* () {
        yield* putAll(database, "a", "k=v")
        yield* failure(subject.engine.destroy(subject.path("db")), "EngineLocked")
        assert.equal(yield* getText(database, "a", "k"), "v")
      })
    )
  )
]
