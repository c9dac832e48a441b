/** What a failed commit or sync leaves, where the environment can make one fail. */
import * as assert from "node:assert/strict"
import { Effect } from "effect"
import type { Database, EngineWriteError } from "../../Engine.ts"
import {
  bytes,
  type CaseDefinition,
  define,
  type EngineFaults,
  failure,
  getText,
  putAll,
  rowsOf,
  scanTexts,
  session
} from "./Subject.ts"

type Writing = (database: Database) => Effect.Effect<void, EngineWriteError>

const writings: ReadonlyArray<{ readonly name: string; readonly run: Writing }> = [
  { name: "a synced write", run: (database) => putAll(database, "a", "k=lost") },
  {
    name: "a replace",
    run: (database) => database.replace([{ keyspace: "a", range: {}, rows: rowsOf("k=lost") }])
  },
  {
    name: "a flush",
    run: (database) =>
      Effect.andThen(
        database.write((batch) => batch.put("b", bytes("k"), bytes("perhaps")), { durability: "buffered" }),
        database.flush
      )
  }
]

export const faultCases = (faults: EngineFaults): ReadonlyArray<CaseDefinition> =>
  writings.flatMap(({ name, run }) =>
    (["EIO", "ENOSPC"] as const).map((code) =>
      define(
        `Database takes no writes after a sync of ${name} failed with ${code}, until it is opened again`,
        (subject) =>
          Effect.gen(function* () {
            yield* session(subject, (database) =>
              Effect.gen(function* () {
                yield* putAll(database, "a", "k=acknowledged")
                yield* faults.failNext({ path: subject.path("db"), point: "sync", code })
                yield* failure(run(database), code === "EIO" ? "EngineFailed" : "EngineFull")
                yield* failure(putAll(database, "a", "k=refused"), "EnginePoisoned")
                yield* failure(
                  database.write((batch) => batch.put("a", bytes("k"), bytes("refused")), { durability: "buffered" }),
                  "EnginePoisoned"
                )
                yield* failure(database.flush, "EnginePoisoned")
                yield* failure(
                  database.replace([{ keyspace: "a", range: {}, rows: rowsOf("k=refused") }]),
                  "EnginePoisoned"
                )
                assert.equal(yield* getText(database, "a", "k"), "acknowledged")
              })
            )
            yield* session(subject, (database) =>
              Effect.gen(function* () {
                assert.deepEqual(yield* scanTexts(database, "a"), ["k=acknowledged"])
                yield* putAll(database, "a", "k=new")
                assert.equal(yield* getText(database, "a", "k"), "new")
              })
            )
          })
      )
    )
  )
