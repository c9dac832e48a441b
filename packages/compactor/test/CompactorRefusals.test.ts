import { assert, describe } from "@effect/vitest"
import { type Engine, EngineFailed, EngineFull, RecordType } from "@icecore/engine"
import { Resource } from "@icecore/engine/access"
import { Effect, Schema, Stream } from "effect"
import type { Source } from "../src/index.ts"
import { engineNames, engineOf, fill, grantsOf, openStore, temporaryDirectory } from "./CompactorFixtures.ts"
import { A, B, C, refusal, sourceOf, test, world } from "./CompactorWorld.ts"

/** An engine whose databases take so many more rows of a replacement. */
const fillingUp = (engine: Engine, disk: { freeRows: number }): Engine => ({
  ...engine,
  open: (options) =>
    Effect.map(engine.open(options), (database) => ({
      ...database,
      replace: (replacements) => {
        let free = disk.freeRows
        return database.replace(
          replacements.map((each) => ({
            ...each,
            rows: Stream.mapArrayEffect(each.rows, (rows) => {
              free -= rows.length
              return free >= 0
                ? Effect.succeed(rows)
                : Effect.fail(new EngineFull({ path: database.path, detail: "it is" }))
            })
          }))
        )
      }
    }))
})

describe("Compactor", () => {
  test(
    "compact refuses a sync that source does not have, has not ended, or where none has",
    Effect.gen(function* () {
      const { base, compact, engine, other, source } = yield* world
      yield* fill(other, C, grantsOf(0, 10, 1), { isUnfinished: true })
      assert.deepStrictEqual(yield* refusal(base, compact({ base, source, syncId: B })), {
        tags: "CompactSourceFailed/SyncNotFound",
        message: `Cannot compact from /source: Cannot use sync ${B} of record store /source: there is none`
      })
      assert.deepStrictEqual(yield* refusal(base, compact({ base, source, syncId: C })), {
        tags: "CompactSourceFailed/SyncUnfinished",
        message: `Cannot compact from /source: Cannot copy sync ${C} of /source: it has not ended`
      })
      const begun = yield* openStore(engine, { path: "/begun" })
      yield* fill(begun, C, grantsOf(0, 10, 1), { isUnfinished: true })
      const call = compact({ base, source: yield* sourceOf(engine, begun) })
      assert.strictEqual((yield* refusal(base, call)).tags, "CompactSourceFailed/NoFinishedSync")
    })
  )

  test(
    "compact refuses types that base does not have or has otherwise",
    Effect.gen(function* () {
      const { compact, engine, source } = yield* world
      const narrow = yield* openStore(engine, { path: "/narrow", types: [Resource] })
      assert.deepStrictEqual(yield* refusal(narrow, compact({ base: narrow, source })), {
        tags: "CompactBaseFailed/RecordTypeUnknown",
        message:
          "Cannot compact into /narrow: Cannot use record type Grant in record store /narrow: it was not opened with it"
      })
      const otherGrant = RecordType.make({
        name: "Grant",
        fields: Schema.Struct({ external_id: Schema.String, entitlement_id: Schema.Int }),
        primaryKey: ["external_id"]
      })
      const changed = yield* openStore(engine, { path: "/changed", types: [Resource, otherGrant] })
      assert.strictEqual(
        (yield* refusal(changed, compact({ base: changed, source }))).tags,
        "CompactBaseFailed/RecordTypeChanged"
      )
    })
  )

  test(
    "compact refuses a source of another layout version, and one that is no record store",
    Effect.gen(function* () {
      const { base, compact, other, source } = yield* world
      const [schema] = yield* Stream.runCollect(
        other.database.scan("meta", { prefix: new TextEncoder().encode("schema") })
      )
      const text = new TextDecoder().decode(schema!.value)
      const rewrite = (from: string, to: string) =>
        other.database.write((batch) =>
          batch.put("meta", schema!.key, new TextEncoder().encode(text.replace(from, to)))
        )
      for (const [part, row] of [
        ["key layout", "key_layout"],
        ["schema format", "format"]
      ] as const) {
        yield* rewrite(`"${row}":1`, `"${row}":2`)
        assert.deepStrictEqual(yield* refusal(base, compact({ base, source, syncId: A })), {
          tags: "CompactSourceFailed/StoreVersionUnknown",
          message: `Cannot compact from /source: Cannot read record store /source: its ${part} is version 2, expected 1`
        })
      }
      yield* other.database.write((batch) => batch.delete("meta", schema!.key))
      assert.strictEqual(
        (yield* refusal(base, compact({ base, source, syncId: A }))).tags,
        "CompactSourceFailed/NotRecordStore"
      )
    })
  )

  test(
    "compact refuses a base that is read-only, and the source itself",
    Effect.gen(function* () {
      const { base, compact, engine, source } = yield* world
      const reading = yield* openStore(engine, { path: "/base", mode: "readOnly" })
      assert.strictEqual(
        (yield* refusal(reading, compact({ base: reading, source }))).tags,
        "CompactBaseFailed/EngineMisuse"
      )
      const itself = yield* sourceOf(engine, base)
      for (const same of [itself, { ...itself, source: { ...itself.source, path: "/other/../base" } }]) {
        assert.deepStrictEqual(yield* refusal(base, compact({ base, source: same })), {
          tags: "CompactRefused",
          message: "Cannot compact into /base: the source is the same store, expected another"
        })
      }
    })
  )

  test(
    "compact refuses the sync that base is filling, and so does its plan",
    Effect.gen(function* () {
      const { base, compact, other, planCompact, source } = yield* world
      yield* base.startSync({ type: "full", syncId: C })
      yield* fill(other, C, grantsOf(0, 10, 1))
      for (const call of [compact, planCompact]) {
        const { tags } = yield* refusal(base, call({ base, source, syncId: C }))
        assert.strictEqual(tags, "CompactBaseFailed/SyncInUse")
      }
    })
  )

  test(
    "compact leaves base as it was when source turns out to be damaged, and says which",
    Effect.gen(function* () {
      const { base, compact, other, source } = yield* world
      const rows = yield* Stream.runCollect(other.database.scan("records"))
      const last = rows[rows.length - 2]!
      yield* other.database.write((batch) => batch.put("records", last.key, last.value.slice(0, -3)))
      const { message, tags } = yield* refusal(base, compact({ base, source }))
      assert.match(tags, /^CompactSourceFailed\/(BlockCorrupt|RecordCorrupt)$/)
      assert.include(message, "/source")
    })
  )

  test(
    "compact says that source failed when the database in an archive names a private directory",
    Effect.gen(function* () {
      const { base, compact, source } = yield* world
      const failure = new EngineFailed({ path: "/private", operation: "read", detail: "it does" })
      const failing: Source.Source = {
        ...source,
        source: {
          ...source.source,
          snapshot: Effect.map(source.source.snapshot, (reader) => ({
            ...reader,
            page: (keyspace, options) =>
              keyspace === "records" ? Effect.fail(failure) : reader.page(keyspace, options),
            scan: (keyspace, options) =>
              keyspace === "records" ? Stream.fail(failure) : reader.scan(keyspace, options)
          }))
        }
      }
      assert.deepStrictEqual(yield* refusal(base, compact({ base, source: failing })), {
        tags: "CompactSourceFailed/EngineFailed",
        message: "Cannot compact from /source: Cannot read database /private: it does"
      })
    })
  )

  for (const name of engineNames) {
    test(
      `compact leaves base as it was when the disk is full half way, on ${name}`,
      Effect.gen(function* () {
        const { compact, source } = yield* world
        const engine = yield* engineOf(name)
        const path = name === "memory" ? "/full" : `${yield* temporaryDirectory}/full`
        const disk = { freeRows: Number.POSITIVE_INFINITY }
        const base = yield* openStore(fillingUp(engine, disk), { path })
        yield* fill(base, A, grantsOf(0, 3_000, 1))
        for (const freeRows of [0, 20, 60]) {
          disk.freeRows = freeRows
          assert.strictEqual((yield* refusal(base, compact({ base, source }))).tags, "CompactBaseFailed/EngineFull")
        }
        disk.freeRows = Number.POSITIVE_INFINITY
        assert.strictEqual((yield* compact({ base, source }))._tag, "SyncReplaced")
      })
    )
  }
})
