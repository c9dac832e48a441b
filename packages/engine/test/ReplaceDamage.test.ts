import { assert, it } from "@effect/vitest"
import { Effect, Result, type Scope } from "effect"
import type { EngineError, Reader } from "../src/Engine.ts"
import { entryRunKey } from "../src/format/EntryRun.ts"
import { metaKeyspace, recordsKeyspace, syncBytes } from "../src/format/RecordLayout.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import type { RecordReplaceError, RecordStore } from "../src/RecordStore.ts"
import * as RecordType from "../src/RecordType.ts"
import {
  blocksOf,
  type Item,
  items,
  Item as itemType,
  type LogicalRows,
  openMemory,
  openPlanted,
  type PlantedSync,
  plantBlocks,
  rowsOf
} from "./PlantedStore.ts"
import { assertItems } from "./RecordStoreHarness.ts"
import { allRows, basePath, fill, momentOf, openAt, sourcePath, syncA } from "./ReplaceHarness.ts"

const whole: PlantedSync = { id: syncA, endedAt: 3, items: items(30) }

/** A base with the sync, into which that of the source cannot come. */
const refusing = (
  source: Effect.Effect<Reader, EngineError, Scope.Scope>,
  options: { readonly types?: ReadonlyArray<RecordType.Any> } = {}
): Effect.Effect<RecordReplaceError, unknown> =>
  Effect.gen(function* () {
    const base = yield* openAt(basePath, options.types)
    yield* fill(base, syncA, [[base.types[0]!, items(10)]])
    const before = yield* allRows(base.database)
    const reader = yield* source
    const failure = yield* Effect.flip(base.replaceSync({ sync: syncA, source: reader, sourcePath }))
    assert.deepStrictEqual(yield* allRows(base.database), before)
    return failure
  }).pipe(Effect.scoped, Effect.provide(MemoryEngine.layer))

const plantedBlocks = (change: (rows: LogicalRows) => LogicalRows) =>
  Effect.gen(function* () {
    const database = yield* openMemory
    const rows = rowsOf([whole])
    const blocks = { ...rows, records: blocksOf(rows.records), indexes: blocksOf(rows.indexes) }
    yield* plantBlocks(database, change(blocks))
    return yield* database.snapshot
  })

it.effect("RecordStore.replaceSync refuses a source with a block that is none, and names the source", () =>
  Effect.gen(function* () {
    for (const keyspace of ["records", "indexes"] as const) {
      const failure = yield* refusing(
        plantedBlocks((rows) => ({
          ...rows,
          [keyspace]: rows[keyspace].map((row, at) => (at === 5 ? { ...row, value: row.value.slice(0, -1) } : row))
        }))
      )
      assert.deepInclude(failure, { _tag: "BlockCorrupt", keyspace, path: sourcePath })
      assert.include(failure.message, `of ${sourcePath}, keyspace ${keyspace}`)
    }
  })
)

it.effect("RecordStore.replaceSync refuses a source whose blocks overlap", () =>
  Effect.gen(function* () {
    const rows = rowsOf([whole])
    for (const keyspace of ["records", "indexes"] as const) {
      // A block of the first rows, and one that begins within it.
      const [first, second, third] = rows[keyspace].toSorted((left, right) => Buffer.compare(left.key, right.key))
      for (const within of [[second!], [third!]]) {
        const failure = yield* refusing(
          plantedBlocks((sound) => ({ ...sound, [keyspace]: [...blocksOf([first!, third!]), ...blocksOf(within)] }))
        )
        // The same key in a block of its own takes the place of the first one.
        assert.deepInclude(failure, { _tag: "BlockCorrupt", keyspace, path: sourcePath })
        assert.include(failure.message, "not behind those of the block before it")
      }
    }
  })
)

it.effect("RecordStore.replaceSync refuses a source that has more or fewer records than it counts", () =>
  Effect.gen(function* () {
    for (const count of [0, 29, 31]) {
      const failure = yield* refusing(
        Effect.gen(function* () {
          const database = yield* openMemory
          const rows = rowsOf([whole])
          const other = rowsOf([{ ...whole, items: items(count) }])
          yield* plantBlocks(database, { ...rows, records: blocksOf(rows.records), syncs: other.syncs, indexes: [] })
          return yield* database.snapshot
        })
      )
      assert.deepInclude(failure, { _tag: "StoreCorrupt", path: sourcePath, part: "bookkeeping" })
      assert.include(failure.message, `has 30 records of type Item, expected ${count}`)
    }
  })
)

it.effect(
  "RecordStore.replaceSync refuses a source of whose index entries are missing, or that has more than records",
  () =>
    Effect.gen(function* () {
      const rows = rowsOf([whole])
      const changed = (tagged: (entries: LogicalRows["indexes"]) => LogicalRows["indexes"]) =>
        refusing(
          Effect.gen(function* () {
            const database = yield* openMemory
            const indexes = blocksOf(tagged(rows.indexes))
            yield* plantBlocks(database, { ...rows, records: blocksOf(rows.records), indexes })
            return yield* database.snapshot
          })
        )
      const [first] = rows.indexes
      const missing = yield* changed((entries) => entries.filter((entry) => entry !== first))
      assert.deepInclude(missing, { _tag: "StoreCorrupt", path: sourcePath, part: "bookkeeping" })
      assert.match(missing.message, /index by_group of record type Item has 29 entries, expected 30/)
      const more = yield* changed((entries) => [
        ...entries,
        ...entries
          .filter(({ key }) => key[1] === first!.key[1])
          .map(({ key, value }) => ({ key: Uint8Array.of(...key, 1), value }))
      ])
      assert.match(more.message, /index by_group of record type Item has 60 entries, expected 30/)
    })
)

it.effect(
  "RecordStore.replaceSync refuses a source without the bookkeeping of the sync, and one that is no store",
  () =>
    Effect.gen(function* () {
      const noBook = yield* refusing(
        plantedBlocks((rows) => ({
          ...rows,
          meta: rows.meta.filter(({ key }) => Buffer.from(key).toString() === "schema")
        }))
      )
      assert.deepInclude(noBook, { _tag: "StoreCorrupt", path: sourcePath, part: "bookkeeping" })
      const noStore = yield* refusing(Effect.flatMap(openMemory, (database) => database.snapshot))
      assert.deepInclude(noStore, { _tag: "NotRecordStore", path: sourcePath })
    })
)

it.effect("RecordStore.replaceSync refuses a record of which an index that it has to make cannot have the entry", () =>
  Effect.gen(function* () {
    const { indexes: _, ...described } = RecordType.describe(itemType)
    const plain = Result.getOrThrow(RecordType.fromDescription({ ...described, indexes: {} }))
    const long: Item = { ...items(1)[0]!, note: "n".repeat(2_000) }
    const failure = yield* refusing(
      Effect.gen(function* () {
        const source = yield* openAt(sourcePath, [plain])
        yield* fill(source, syncA, [[plain, [...items(20), { ...long, id: "long" }]]])
        return yield* momentOf(source)
      }).pipe(Effect.orDie, Effect.provide(MemoryEngine.layer))
    )
    assert.deepInclude(failure, { _tag: "RecordTypeChanged", path: basePath, type: "Item" })
    assert.include(failure.message, `of ${sourcePath}, whose entry would be longer than 1900 bytes`)
  })
)

it.effect("RecordStore.replaceSync refuses a record that does not decode where it has to make entries of it", () =>
  Effect.gen(function* () {
    const failure = yield* refusing(
      Effect.gen(function* () {
        const database = yield* openMemory
        const rows = rowsOf([{ ...whole, indexes: "behind" }])
        const records = rows.records.map((row, at) => (at === 7 ? { ...row, value: Uint8Array.of(1, 2) } : row))
        yield* plantBlocks(database, { ...rows, records: blocksOf(records), indexes: [] })
        return yield* database.snapshot
      })
    )
    assert.deepInclude(failure, { _tag: "RecordCorrupt", path: sourcePath, type: "Item" })
  })
)

it.effect("RecordStore.replaceSync names the base where a block of the records that go is none", () =>
  Effect.gen(function* () {
    const base = yield* openAt(basePath)
    yield* fill(base, syncA, [[itemType, items(200)]])
    const rows = yield* base.database.page(recordsKeyspace)
    const { key, value } = rows.rows[1]!
    yield* base.database.write((batch) => batch.put(recordsKeyspace, key, value.slice(0, -1)))
    const source = yield* (yield* openPlanted([whole])).snapshot
    const failure = yield* Effect.flip(base.replaceSync({ sync: syncA, source, sourcePath }))
    assert.deepInclude(failure, { _tag: "BlockCorrupt", keyspace: "records", path: basePath })
  }).pipe(Effect.scoped, Effect.provide(MemoryEngine.layer))
)

it.effect("RecordStore.replaceSync removes what somebody left aside of the sync", () =>
  Effect.gen(function* () {
    const base: RecordStore = yield* openAt(basePath)
    yield* base.database.write((batch) =>
      batch.put(metaKeyspace, entryRunKey(syncBytes(syncA), 3, 0), Uint8Array.of(0, 2, 7))
    )
    const source = yield* (yield* openPlanted([whole])).snapshot
    yield* base.replaceSync({ sync: syncA, source, sourcePath })
    assert.strictEqual((yield* base.database.stats).keyspaces.meta?.keyCount, 2)
    yield* assertItems(base, syncA, items(30))
  }).pipe(Effect.scoped, Effect.provide(MemoryEngine.layer))
)
