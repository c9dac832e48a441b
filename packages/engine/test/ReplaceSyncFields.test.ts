import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { syncBytes, syncRunKey, syncsKeyspace } from "../src/format/RecordLayout.ts"
import * as RecordReader from "../src/RecordReader.ts"
import * as RecordType from "../src/RecordType.ts"
import { SyncRun } from "../src/SyncRun.ts"
import { items, Item as itemType } from "./PlantedStore.ts"
import { allRows, basePath, fill, inMemory, momentOf, openAt, sourcePath, syncA, syncB } from "./ReplaceHarness.ts"

const fields = { id: Schema.String, owner: Schema.String }
const plain = RecordType.make({
  name: "Note",
  fields: Schema.Struct(fields),
  primaryKey: ["id"],
  indexes: { by_owner: { paths: ["owner"] } }
})
const withText = RecordType.make({
  name: "Note",
  fields: Schema.Struct({ ...fields, text: Schema.optionalKey(Schema.String) }),
  primaryKey: ["id"],
  version: 2
})
const withNumber = RecordType.make({
  name: "Note",
  fields: Schema.Struct({ ...fields, number: Schema.optionalKey(Schema.Int) }),
  primaryKey: ["id"]
})

it.effect("RecordStore.replaceSync shows fields that only the source declared to who reads without a declaration", () =>
  inMemory(
    Effect.gen(function* () {
      const source = yield* openAt(sourcePath, [withText])
      yield* fill(source, syncA, [[withText, [{ id: "a", owner: "x", text: "hello" }]]])
      yield* Effect.scoped(
        Effect.gen(function* () {
          const base = yield* openAt(basePath, [plain])
          yield* base.replaceSync({ sync: syncA, source: yield* momentOf(source), sourcePath })
          const undeclared = yield* RecordReader.make({ reader: base.database.snapshot, path: basePath })
          const [type] = undeclared.types
          assert.strictEqual(RecordType.describe(type!).version, 2)
          assert.deepStrictEqual(Object.keys(type!.indexes), ["by_owner"])
          const { items: shown } = yield* undeclared.list(type!, { index: "by_owner" })
          assert.deepStrictEqual<unknown>(shown, [{ id: "a", owner: "x", text: "hello" }])
          // The declaration of the open store is what it was, and the store goes on.
          const declared = yield* base.list(plain)
          assert.deepStrictEqual(
            declared.items.map((each) => Object.keys(each)),
            [["id", "owner"]]
          )
          yield* fill(base, syncB, [[plain, [{ id: "b", owner: "x" }]]])
          assert.deepStrictEqual((yield* base.check()).findings, [])
        })
      )
      const again = yield* openAt(basePath, [withText])
      const kept = yield* again.list(withText, { sync: syncA })
      assert.deepStrictEqual<unknown>(kept.items, [{ id: "a", owner: "x", text: "hello" }])
    })
  )
)

it.effect("RecordStore.replaceSync refuses a source whose appended fields contradict those of a source before it", () =>
  inMemory(
    Effect.gen(function* () {
      const source = yield* openAt(sourcePath, [withText])
      yield* fill(source, syncA, [[withText, [{ id: "a", owner: "x", text: "hello" }]]])
      const other = yield* openAt("/other", [withNumber])
      yield* fill(other, syncB, [[withNumber, [{ id: "b", owner: "x", number: 7 }]]])
      const base = yield* openAt(basePath, [plain])
      yield* base.replaceSync({ sync: syncA, source: yield* momentOf(source), sourcePath })
      const before = yield* allRows(base.database)
      const failure = yield* Effect.flip(
        base.replaceSync({ sync: syncB, source: yield* momentOf(other), sourcePath: "/other" })
      )
      assert.deepInclude(failure, { _tag: "RecordTypeChanged", path: basePath, type: "Note" })
      assert.include(failure.message, "in /other")
      assert.deepStrictEqual(yield* allRows(base.database), before)
    })
  )
)

it.effect("RecordStore.replaceSync leaves the schema as it was when it is interrupted behind the records", () =>
  inMemory(
    Effect.gen(function* () {
      const source = yield* openAt(sourcePath, [withText])
      yield* fill(source, syncA, [[withText, [{ id: "a", owner: "x", text: "hello" }]]])
      const base = yield* openAt(basePath, [plain])
      const before = yield* allRows(base.database)
      const reader = yield* momentOf(source)
      const onStep = ({ rowCount }: { readonly rowCount: number }) =>
        rowCount > 0 ? Effect.fail("enough" as const) : Effect.void
      yield* Effect.flip(base.replaceSync({ sync: syncA, source: reader, sourcePath, onStep }))
      assert.deepStrictEqual(yield* allRows(base.database), before)
      yield* base.replaceSync({ sync: syncA, source: reader, sourcePath })
      const undeclared = yield* RecordReader.make({ reader: base.database.snapshot, path: basePath })
      assert.deepStrictEqual(
        undeclared.types[0]!.shape.fields.map(({ name }) => name),
        ["id", "owner", "text"]
      )
    })
  )
)

it.effect(
  "RecordStore.adoptFields keeps fields of other types for good, all of them or none, and passes over types that are not there",
  () =>
    inMemory(
      Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const base = yield* openAt(basePath, [plain])
            const before = yield* allRows(base.database)
            const failure = yield* Effect.flip(base.adoptFields([withText, withNumber]))
            assert.deepInclude(failure, { _tag: "RecordTypeChanged", path: basePath, type: "Note" })
            yield* base.adoptFields([itemType])
            assert.deepStrictEqual(yield* allRows(base.database), before)
            yield* base.adoptFields([withText, itemType])
            yield* fill(base, syncA, [[plain, [{ id: "a", owner: "x" }]]])
            assert.strictEqual((yield* Effect.flip(base.adoptFields([withNumber])))._tag, "RecordTypeChanged")
          })
        )
        const again = yield* openAt(basePath, [])
        assert.deepStrictEqual(
          again.types.map(({ name, shape }) => [name, ...shape.fields.map((field) => field.name)]),
          [["Note", "id", "owner", "text"]]
        )
      })
    )
)

it.effect("RecordStore.replaceSync refuses a source that counts records of a type that nobody has", () =>
  inMemory(
    Effect.gen(function* () {
      const source = yield* openAt(sourcePath)
      yield* fill(source, syncA, [[itemType, items(3)]])
      const run = { ...(yield* source.listSyncs)[0]!, counts: { Item: 3, Ghost: 5 } }
      yield* source.database.write((batch) =>
        batch.put(syncsKeyspace, syncRunKey(syncBytes(syncA)), SyncRun.codec.encodeUnsafe(run))
      )
      const base = yield* openAt(basePath)
      const failure = yield* Effect.flip(base.replaceSync({ sync: syncA, source: yield* momentOf(source), sourcePath }))
      assert.deepInclude(failure, { _tag: "StoreCorrupt", path: sourcePath })
      assert.include(failure.message, "has 0 records of type Ghost, expected 5")
      assert.deepStrictEqual(yield* base.listSyncs, [])
    })
  )
)
