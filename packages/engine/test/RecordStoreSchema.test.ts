import { assert, it } from "@effect/vitest"
import { CrashEnumerator } from "@icecore/packfile/testing"
import { Effect, Option, Schema, Stream } from "effect"
import { Engine } from "../src/Engine.ts"
import { allEntryRunsPrefix, entryRunKey } from "../src/format/EntryRun.ts"
import { syncBytes, tagPrefix } from "../src/format/RecordLayout.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import * as RecordStore from "../src/RecordStore.ts"
import * as RecordType from "../src/RecordType.ts"
import { syncId } from "./PlantedStore.ts"
import { assertSound, path } from "./RecordStoreHarness.ts"

const fields = { id: Schema.String, group: Schema.String, discovered_at: Schema.Int }

const declare = (indexes: Record<string, RecordType.Index>, extra: Schema.Struct.Fields = {}): RecordType.Any =>
  RecordType.make({ name: "Thing", fields: Schema.Struct({ ...fields, ...extra }), primaryKey: ["id"], indexes })

const plain = declare({})
const grouped = declare({ by_group: { paths: ["group"] } })
const noted = declare(
  { by_group: { paths: ["group"] }, by_note: { paths: ["note"] } },
  { note: Schema.optionalKey(Schema.String) }
)

interface Thing {
  readonly id: string
  readonly group: string
  readonly discovered_at: number
}

const things = (count: number): Array<Thing> =>
  Array.from({ length: count }, (_, index) => ({ id: `thing ${index}`, group: `${index % 3}`, discovered_at: index }))

const open = (type: RecordType.Any, options: Partial<RecordStore.RecordStoreOptions> = {}) =>
  RecordStore.open({ path, types: [type], arenaBytes: RecordStore.minArenaBytes, ...options })

/** Two finished syncs and one that is not. */
const fill = (type: RecordType.Any) =>
  Effect.scoped(
    Effect.gen(function* () {
      const store = yield* open(type)
      for (const number of [1, 2, 3]) {
        yield* store.startSync({ type: "full", syncId: syncId(number) })
        yield* store.put(type, things(number * 100))
        if (number < 3) yield* store.endSync({ endedAt: number })
      }
    })
  )

const groupsOf = (store: RecordStore.RecordStore, type: RecordType.Any, number: number) =>
  Effect.map(Stream.runCollect(store.stream(type, { sync: syncId(number), index: "by_group" })), (listed) =>
    listed.map((each) => (each as { readonly group: string }).group)
  )

const sortedGroups = (count: number): Array<string> =>
  things(count)
    .map(({ group }) => group)
    .sort()

const inMemory = <A, E>(effect: Effect.Effect<A, E, Engine>) => Effect.provide(effect, MemoryEngine.layer)

it.effect("RecordStore.open builds a new index in every sync before it returns", () =>
  inMemory(
    Effect.gen(function* () {
      yield* fill(plain)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open(grouped)
          for (const number of [1, 2, 3]) {
            assert.deepStrictEqual(yield* groupsOf(store, grouped, number), sortedGroups(number * 100))
          }
          yield* assertSound(store)
          yield* store.resumeSync(syncId(3))
          yield* store.put(grouped, things(301))
          assert.deepStrictEqual(yield* groupsOf(store, grouped, 3), sortedGroups(301))
          yield* assertSound(store)
        })
      )
    })
  )
)

it.effect("RecordStore.open removes a dropped index, and builds it anew under another tag", () =>
  inMemory(
    Effect.gen(function* () {
      yield* fill(grouped)
      const entryCount = (tag: number) =>
        Effect.scoped(
          Effect.flatMap(open(plain), (store) =>
            Stream.runCount(store.database.scan("indexes", { prefix: tagPrefix(tag) }))
          )
        )
      assert.strictEqual(yield* entryCount(129), 0)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open(grouped)
          assert.deepStrictEqual(yield* groupsOf(store, grouped, 2), sortedGroups(200))
          assert.isAbove(yield* Stream.runCount(store.database.scan("indexes", { prefix: tagPrefix(130) })), 0)
          yield* assertSound(store)
        })
      )
    })
  )
)

it.effect("RecordStore.open takes in appended fields, and a program without them keeps what they hold", () =>
  inMemory(
    Effect.gen(function* () {
      yield* fill(grouped)
      const record = { ...things(1)[0]!, note: "kept" }
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open(noted)
          yield* store.startSync({ type: "full", syncId: syncId(4) })
          yield* store.put(noted, [...things(10), record])
          const listed = yield* store.list(noted, { sync: syncId(4), index: "by_note" })
          assert.deepStrictEqual(listed.items, [record])
          yield* store.checkpointSync("")
        })
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          const older = yield* open(grouped)
          yield* older.resumeSync(syncId(4))
          const found = Option.getOrThrow(yield* older.get(grouped, { id: record.id }, { sync: syncId(4) }))
          yield* older.put(grouped, [Object.assign(found, { group: "changed" })])
          yield* assertSound(older)
        })
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open(noted)
          const found = yield* store.list(noted, { sync: syncId(4), index: "by_note" })
          assert.deepStrictEqual(found.items, [{ ...record, group: "changed" }])
          yield* assertSound(store)
        })
      )
    })
  )
)

it.effect("RecordStore.open refuses a contradicting declaration, and changes nothing", () =>
  inMemory(
    Effect.gen(function* () {
      yield* fill(grouped)
      const other = RecordType.make({ name: "Thing", fields: Schema.Struct(fields), primaryKey: ["group"] })
      for (const mode of ["create", "existing", "readOnly"] as const) {
        const refused = yield* Effect.flip(Effect.scoped(open(other, { mode })))
        assert.deepInclude(refused, { _tag: "RecordTypeChanged", type: "Thing" })
      }
      yield* Effect.scoped(
        Effect.flatMap(open(grouped), (store) =>
          Effect.map(groupsOf(store, grouped, 1), (groups) => assert.deepStrictEqual(groups, sortedGroups(100)))
        )
      )
    })
  )
)

it.effect("RecordStore.open reads with other indexes than the stored ones when it may not write", () =>
  inMemory(
    Effect.gen(function* () {
      yield* fill(plain)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open(grouped, { mode: "readOnly" })
          assert.deepStrictEqual(yield* groupsOf(store, grouped, 2), sortedGroups(200))
          assert.strictEqual((yield* Effect.flip(store.startSync({ type: "full" })))._tag, "EngineMisuse")
        })
      )
    })
  )
)

it.effect("RecordStore.open refuses a database that is no record store", () =>
  inMemory(
    Effect.gen(function* () {
      const engine = yield* Engine
      assert.strictEqual((yield* Effect.flip(Effect.scoped(open(plain, { mode: "existing" }))))._tag, "EngineNotFound")
      yield* Effect.scoped(
        Effect.flatMap(engine.open({ path, keyspaces: ["records"] }), (database) =>
          database.write((batch) => batch.put("records", Uint8Array.of(1), Uint8Array.of(1)))
        )
      )
      for (const mode of ["create", "existing", "readOnly"] as const) {
        const refused = yield* Effect.flip(Effect.scoped(open(plain, { mode })))
        assert.strictEqual(refused._tag, "NotRecordStore")
      }
      for (const arenaBytes of [0, 1.5, 1024, 2 ** 40]) {
        assert.strictEqual((yield* Effect.flip(Effect.scoped(open(plain, { arenaBytes }))))._tag, "RecordMisuse")
      }
    })
  )
)

it.effect("RecordStore.open builds an index whole, in every crash, however often it begins", () =>
  Effect.gen(function* () {
    const report = yield* CrashEnumerator.enumerate<Engine, "opened">({
      name: "record store index",
      layer: MemoryEngine.layerCrashing,
      prepare: fill(declare({ by_time: { paths: ["discovered_at"] } })),
      scenario: (acknowledge) => Effect.andThen(open(grouped), acknowledge("opened")),
      recover: Effect.asVoid(open(grouped)),
      check: () =>
        Effect.gen(function* () {
          const store = yield* open(grouped)
          for (const number of [1, 2, 3]) {
            assert.deepStrictEqual(yield* groupsOf(store, grouped, number), sortedGroups(number * 100))
          }
          yield* assertSound(store)
        })
    })
    assert.isAbove(report.stepCount, 3)
  })
)

it.effect("RecordStore.open with older types reads rightly, in every crash of building an index for newer ones", () =>
  CrashEnumerator.enumerate<Engine, "opened">({
    name: "record store half an index",
    layer: MemoryEngine.layerCrashing,
    prepare: fill(plain),
    scenario: () => open(grouped),
    recover: Effect.void,
    secondCrash: false,
    check: () =>
      Effect.gen(function* () {
        const reader = yield* open(grouped, { mode: "readOnly" })
        assert.deepStrictEqual(yield* groupsOf(reader, grouped, 2), sortedGroups(200))
        const store = yield* open(plain)
        yield* assertSound(store)
        assert.strictEqual(yield* Stream.runCount(store.database.scan("indexes")), 0)
      })
  })
)

it.effect("RecordStore.open removes the runs of entries that a crash left, and a reader leaves them", () =>
  inMemory(
    Effect.gen(function* () {
      yield* fill(grouped)
      const planted = entryRunKey(syncBytes(syncId(3)), 0, 0)
      const runCount = (mode: "readOnly" | "create") =>
        Effect.scoped(
          Effect.flatMap(open(grouped, { mode }), (store) =>
            Stream.runCount(store.database.scan("meta", { prefix: allEntryRunsPrefix() }))
          )
        )
      yield* Effect.scoped(
        Effect.flatMap(open(grouped), ({ database }) =>
          database.write((batch) => batch.put("meta", planted, Uint8Array.of(0, 2, 1)))
        )
      )
      assert.strictEqual(yield* runCount("readOnly"), 1)
      assert.strictEqual(yield* runCount("create"), 0)
    })
  )
)

it.effect(
  "RecordStore.open refuses an index that a stored record is too long for, and the store opens without it",
  () =>
    inMemory(
      Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* open(plain)
            yield* store.startSync({ type: "full", syncId: syncId(1) })
            yield* store.put(plain, [...things(10), { id: "long", group: "g".repeat(1_900), discovered_at: 1 }])
            yield* store.endSync()
          })
        )
        for (const _ of [1, 2]) {
          const refused = yield* Effect.flip(Effect.scoped(open(grouped)))
          assert.strictEqual(refused._tag, "RecordTypeChanged")
          assert.include(refused.message, "its index by_group cannot have the stored record 0x")
        }
        for (const types of [[], [plain]]) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const store = yield* RecordStore.open({ path, types })
              assert.deepStrictEqual((yield* store.check()).findings, [])
              assert.strictEqual((yield* store.stats()).counts.Thing, 11)
            })
          )
        }
      })
    )
)
