import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Database, Engine } from "../src/Engine.ts"
import { metaKeyspace, schemaKey, storeKeyspaces } from "../src/format/RecordLayout.ts"
import { encodeSchema } from "../src/format/StoreSchema.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import * as RecordReader from "../src/RecordReader.ts"
import { schema } from "./PlantedStore.ts"
import { openStore, path } from "./RecordStoreHarness.ts"

const written = JSON.parse(new TextDecoder().decode(encodeSchema(schema)))

const plant = (row: unknown) =>
  Effect.scoped(
    Effect.gen(function* () {
      const database: Database = yield* (yield* Engine).open({ path, keyspaces: storeKeyspaces })
      yield* database.write((batch) =>
        batch.put(metaKeyspace, schemaKey(), new TextEncoder().encode(JSON.stringify(row)))
      )
      return yield* Effect.flip(RecordReader.make({ reader: database.snapshot, path }))
    })
  )

/** What reading and opening a store with this schema fails with, which must be the same. */
const failureOf = (row: unknown) =>
  Effect.gen(function* () {
    const reading = yield* plant(row)
    const opening = yield* Effect.flip(Effect.scoped(openStore()))
    assert.strictEqual(opening._tag, reading._tag)
    assert.strictEqual(opening.message, reading.message)
    return reading
  }).pipe(Effect.provide(MemoryEngine.layer))

it.effect("StoreVersionUnknown says which version of a store is not known, whatever else its schema has", () =>
  Effect.gen(function* () {
    const format = yield* failureOf({ format: 2, entirely: "different" })
    assert.deepInclude(format, { _tag: "StoreVersionUnknown", path, part: "schema format", expected: 1, actual: 2 })
    assert.strictEqual(format.message, `Cannot read record store ${path}: its schema format is version 2, expected 1`)
    const layout = yield* failureOf({ ...written, key_layout: 7 })
    assert.deepInclude(layout, { _tag: "StoreVersionUnknown", path, part: "key layout", expected: 1, actual: 7 })
  })
)

it.effect("StoreCorrupt says of a schema without versions, or with ones that are none, that it is damaged", () =>
  Effect.gen(function* () {
    const { format: _, ...without } = written
    for (const row of [without, { ...written, format: "1" }, { ...written, key_layout: null }, []]) {
      assert.deepInclude(yield* failureOf(row), { _tag: "StoreCorrupt", path, part: "schema" })
    }
  })
)
