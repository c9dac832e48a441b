import * as fs from "node:fs"
import * as path from "node:path"
import { DatabaseSync } from "node:sqlite"
import { assert, describe, it } from "@effect/vitest"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer, Option, Result, Stream } from "effect"
import { Engine } from "../src/Engine.ts"
import { makeStoredEngine } from "../src/internal/StoredEngine.ts"
import { loadSqliteDriver } from "../src/live/SqliteDriver.ts"
import * as SqliteEngine from "../src/live/SqliteEngine.ts"
import { sqliteLibrary } from "../src/live/SqliteStore.ts"
import { bytes, describeStoredEngine, temporaryDirectory } from "./RuntimesSuite.ts"

const live = Layer.provide(SqliteEngine.layer, LiveDisk.layer)

describe("SqliteEngine", () => {
  describeStoredEngine({ adapter: "sqlite", dataName: "data.sqlite", layer: SqliteEngine.layer })

  it.live("get closes a connection that it could not prepare, and opens another when it is asked again", () =>
    Effect.gen(function* () {
      const driver = yield* Effect.promise(loadSqliteDriver)
      let isFailing = false
      let openCount = 0
      const engine = yield* makeStoredEngine(
        sqliteLibrary({
          ...driver,
          open: (file, create) => {
            const connection = driver.open(file, create)
            openCount++
            return {
              exec: (sql) => connection.exec(sql),
              close: () => {
                openCount--
                connection.close()
              },
              prepare: (sql) => {
                if (isFailing) throw Object.assign(new Error("disk I/O error"), { errcode: 10 })
                return connection.prepare(sql)
              }
            }
          }
        })
      )
      const directory = path.join(yield* temporaryDirectory, "db")
      yield* Effect.scoped(
        Effect.gen(function* () {
          const database = yield* engine.open({ path: directory, keyspaces: ["a"] })
          const before = openCount
          isFailing = true
          assert.strictEqual((yield* Effect.flip(database.get("a", bytes("k"))))._tag, "EngineFailed")
          assert.strictEqual(openCount, before)
          isFailing = false
          assert.deepStrictEqual(yield* database.get("a", bytes("k")), Option.none())
        })
      )
      assert.strictEqual(openCount, 0)
    }).pipe(Effect.provide(LiveDisk.layer), Effect.scoped)
  )

  it.live(
    "snapshot shows no later rows when a read of another one failed and SQLite ended the transaction of both",
    () =>
      Effect.gen(function* () {
        const driver = yield* Effect.promise(loadSqliteDriver)
        let isFailing = false
        const engine = yield* makeStoredEngine(
          sqliteLibrary({
            ...driver,
            open: (file, create) => {
              const connection = driver.open(file, create)
              return {
                exec: (sql) => connection.exec(sql),
                close: () => connection.close(),
                prepare: (sql) => {
                  const statement = connection.prepare(sql)
                  if (!sql.startsWith("SELECT v, c")) return statement
                  const get: typeof statement.get = (...parameters) => {
                    if (!isFailing) return statement.get(...parameters)
                    // As SQLite does on an I/O error of a read.
                    connection.exec("ROLLBACK")
                    throw Object.assign(new Error("disk I/O error"), { errcode: 10 })
                  }
                  const run: typeof statement.run = (...parameters) => statement.run(...parameters)
                  return { run, get, iterate: (...parameters) => statement.iterate(...parameters) }
                }
              }
            }
          })
        )
        const directory = path.join(yield* temporaryDirectory, "db")
        const database = yield* engine.open({ path: directory, keyspaces: ["a"] })
        const write = (text: string) => database.write((batch) => batch.put("a", bytes("k"), bytes(text)))
        yield* write("old")
        const failed = yield* database.snapshot
        const other = yield* database.snapshot
        isFailing = true
        assert.strictEqual((yield* Effect.flip(failed.get("a", bytes("k"))))._tag, "EngineFailed")
        isFailing = false
        yield* write("new")
        assert.strictEqual((yield* Effect.flip(failed.get("a", bytes("k"))))._tag, "EngineFailed")
        assert.strictEqual((yield* Effect.flip(other.get("a", bytes("k"))))._tag, "EngineFailed")
        assert.deepStrictEqual(yield* database.get("a", bytes("k")), Option.some(bytes("new")))
        const later = yield* database.snapshot
        assert.deepStrictEqual(yield* later.get("a", bytes("k")), Option.some(bytes("new")))
      }).pipe(Effect.provide(LiveDisk.layer), Effect.scoped)
  )

  it.live(
    "open fails with EngineCorrupt on somebody else's SQLite file and on a newer layout, and leaves both alone",
    () =>
      Effect.gen(function* () {
        const engine = yield* Engine
        const directory = path.join(yield* temporaryDirectory, "db")
        const open = Effect.scoped(engine.open({ path: directory, keyspaces: ["a"] }))
        yield* open
        const file = path.join(directory, "data.sqlite")
        const change = (sql: string) =>
          Effect.sync(() => {
            const database = new DatabaseSync(file)
            database.exec(sql)
            database.close()
            return fs.readFileSync(file)
          })
        const newer = yield* change("PRAGMA user_version = 2")
        const error = yield* Effect.flip(open)
        assert.strictEqual(error._tag, "EngineCorrupt")
        assert.include(error.message, "the layout is version 2, this program knows version 1")
        assert.deepStrictEqual(fs.readFileSync(file), newer)
        yield* change("PRAGMA user_version = 1; PRAGMA application_id = 7")
        const foreign = yield* Effect.flip(open)
        assert.strictEqual(foreign._tag, "EngineCorrupt")
        assert.include(foreign.message, "the application id is 0x7")
      }).pipe(Effect.provide(live), Effect.scoped)
  )

  it.live(
    "open runs nothing that a file says: it refuses views, triggers, and tables that are not as it makes them",
    () =>
      Effect.gen(function* () {
        const engine = yield* Engine
        const directory = path.join(yield* temporaryDirectory, "db")
        const file = path.join(directory, "data.sqlite")
        const endless = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
        const cases = [
          [
            "DROP TABLE ks_a; CREATE TABLE ks_a (k BLOB PRIMARY KEY, v AS (zeroblob(900000000)), c)",
            "its table ks_a is not"
          ],
          [
            `DROP TABLE icecore; CREATE VIEW icecore AS SELECT i AS id, i AS flushes FROM (${endless})`,
            "its table icecore is not"
          ],
          [`CREATE TRIGGER t AFTER INSERT ON ks_a BEGIN ${endless}; END`, 'it has a trigger "t"'],
          ["CREATE TABLE other (x)", 'it has a table "other"'],
          ["ANALYZE", undefined]
        ] as const
        for (const [sql, expected] of cases) {
          fs.rmSync(directory, { recursive: true, force: true })
          yield* Effect.scoped(engine.open({ path: directory, keyspaces: ["a"] }))
          const database = new DatabaseSync(file)
          database.exec(sql)
          database.close()
          for (const mode of ["existing", "readOnly"] as const) {
            const opened = yield* Effect.result(Effect.scoped(engine.open({ path: directory, keyspaces: ["a"], mode })))
            if (expected === undefined) assert.isTrue(Result.isSuccess(opened))
            else {
              assert(Result.isFailure(opened) && opened.failure._tag === "EngineCorrupt", sql)
              assert.include(opened.failure.message, expected)
            }
          }
        }
      }).pipe(Effect.provide(live), Effect.scoped)
  )

  it.live("get and scan fail with EngineCorrupt on damaged pages, and writes beside them go on", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const directory = path.join(yield* temporaryDirectory, "db")
      const open = engine.open({ path: directory, keyspaces: ["a", "b"] })
      yield* Effect.scoped(
        Effect.flatMap(open, (database) =>
          database.write((batch) => {
            for (let row = 0; row < 2_000; row++) batch.put("a", bytes(`key ${row}`), new Uint8Array(100))
          })
        )
      )
      const file = path.join(directory, "data.sqlite")
      const contents = fs.readFileSync(file)
      // The page types behind the first five pages, which hold the schema and the roots of the tables.
      for (let page = 5 * 8_192; page < contents.length; page += 8_192) contents[page] = 0
      fs.writeFileSync(file, contents)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const database = yield* open
          for (let round = 0; round < 2; round++) {
            assert.strictEqual((yield* Effect.flip(Stream.runDrain(database.scan("a"))))._tag, "EngineCorrupt")
            assert.strictEqual((yield* Effect.flip(database.get("a", bytes("key 777"))))._tag, "EngineCorrupt")
            yield* database.write((batch) => batch.put("b", bytes(`${round}`), bytes("v")))
          }
          assert.isTrue(Option.isSome(yield* database.get("b", bytes("1"))))
        })
      )
    }).pipe(Effect.provide(live), Effect.scoped)
  )

  it.live("write moves the log into the database again after a long snapshot has ended", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const directory = path.join(yield* temporaryDirectory, "db")
      const database = yield* engine.open({ path: directory, keyspaces: ["a"] })
      const logBytes = () => fs.statSync(path.join(directory, "data.sqlite-wal")).size
      const fill = Effect.forEach(
        Array.from({ length: 40 }, (_, round) => round),
        (round) =>
          database.write((batch) => {
            for (let row = 0; row < 100; row++) batch.put("a", bytes(`${row}`), new Uint8Array(10_000).fill(round))
          }),
        { discard: true }
      )
      yield* Effect.scoped(Effect.andThen(database.snapshot, fill))
      const pinned = logBytes()
      yield* fill
      yield* fill
      assert.isAtMost(logBytes(), 1.5 * pinned)
    }).pipe(Effect.provide(live), Effect.scoped)
  )
})
