import { assert, describe, it } from "@effect/vitest"
import { type Engine, RecordReader, RecordStore, RecordType, SyncChange } from "@icecore/engine"
import * as MemoryEngine from "@icecore/engine/memory"
import { Effect, Schema, type Scope } from "effect"
import { Merge, Source } from "../src/index.ts"
import type { SyncSource } from "../src/Source.ts"
import { idOf } from "./CompactorFixtures.ts"
import { Account, account, fillSource, openMemory, partialOf, type SourceRows } from "./MergeFixtures.ts"

const test = (name: string, run: Effect.Effect<void, unknown, Engine | Scope.Scope>): void =>
  it.effect(name, () => run.pipe(Effect.scoped, Effect.provide(MemoryEngine.layer)))

const storeOf = Effect.fnUntraced(function* (path: string, rows: SourceRows, number: number, isUnfinished = false) {
  const store = yield* openMemory(path)
  yield* fillSource(store, rows, { number, isUnfinished })
  return { store, source: yield* Source.ofStore(store), syncId: idOf(number) }
})

/** Merges in two groups, of which the second has only the first source, and changes that one between the two. */
const failureOf = Effect.fnUntraced(function* (first: SyncSource, change: Effect.Effect<unknown, unknown>) {
  const many = Array.from({ length: 3_000 }, (_, at) => account(`m${at}`, 5))
  const second = yield* storeOf("/second", partialOf(many), 2)
  const third = yield* storeOf("/third", partialOf([account("c", 1)]), 3)
  const into = yield* openMemory("/into")
  let isChanged = false
  const onProgress = () =>
    Effect.suspend(() => {
      if (isChanged) return Effect.void
      isChanged = true
      return Effect.asVoid(Effect.orDie(change))
    })
  const error = yield* Effect.flip(Merge.merge({ fanIn: 2, sources: [first, second, third], into, onProgress }))
  assert.deepStrictEqual(yield* into.listSyncs, [])
  return `${error._tag}: ${error.message}`
})

const Note = (appended: Schema.Struct.Fields): RecordType.Any =>
  RecordType.make({ name: "Note", fields: Schema.Struct({ id: Schema.String, ...appended }), primaryKey: ["id"] })

describe("Merge of sources", () => {
  test(
    "merge refuses a sync that was replaced while others were read: its removals would be passed over",
    Effect.gen(function* () {
      const first = yield* storeOf("/first", partialOf([account("a", 1)]), 1)
      const removal = SyncChange.removalOf(Account, { id: "m1" }, 99)
      const other = yield* storeOf("/other", { runType: "full", records: [], changes: [removal] }, 1)
      const change = Effect.scoped(
        Effect.flatMap(other.store.database.snapshot, (source) =>
          first.store.replaceSync({ sync: idOf(1), source, sourcePath: "/other" })
        )
      )
      assert.strictEqual(
        yield* failureOf(first, change),
        `CompactRefused: Cannot merge into /into: sync ${idOf(1)} of /first is no longer what the merge was planned with: somebody changed it meanwhile`
      )
    })
  )

  test(
    "merge refuses a sync without an end that got its first changes while others were read",
    Effect.gen(function* () {
      const first = yield* storeOf("/first", partialOf([account("a", 1)]), 1, true)
      const removal = SyncChange.removalOf(Account, { id: "m1" }, 99)
      assert.match(
        yield* failureOf(first, first.store.put(SyncChange.SyncChange, [removal])),
        /^CompactRefused: .* is no longer what the merge was planned with/
      )
    })
  )

  test(
    "merge of records that grow behind those that it samples writes them by their bytes, not by how many",
    Effect.gen(function* () {
      const sources: Array<SyncSource> = []
      for (const number of [1, 2]) {
        const store = yield* openMemory(`/source${number}`)
        yield* store.startSync({ type: "full" })
        const small = Array.from({ length: 2_000 }, (_, at) => account(`a${at}`, number))
        yield* store.put(Account, small)
        for (let at = 0; at < 32; at++) {
          yield* store.put(Account, [account(`b${at} ${number}`, number, "x".repeat(1024 * 1024))])
        }
        yield* store.endSync()
        sources.push({ source: yield* Source.ofStore(store) })
      }
      const into = yield* openMemory("/into")
      let most = 0
      const noting: RecordStore.RecordStore = {
        ...into,
        put: (type, records) => {
          const sizes = records.map((record) => (record as { readonly origin?: string }).origin?.length ?? 0)
          most = Math.max(
            most,
            sizes.reduce((sum, size) => sum + size, 0)
          )
          return into.put(type, records)
        }
      }
      const { run } = yield* Merge.merge({ sources, into: noting })
      assert.deepStrictEqual(run.counts, { Account: 2_064 })
      assert.isAtMost(most, 24 * 1024 * 1024)
    })
  )

  test(
    "merge refuses sources whose appended fields contradict each other, though the target knows neither",
    Effect.gen(function* () {
      const sources: Array<SyncSource> = []
      for (const [at, appended] of [
        { text: Schema.optionalKey(Schema.String) },
        { number: Schema.optionalKey(Schema.Int) }
      ].entries()) {
        const type = Note(appended)
        const store = yield* RecordStore.open({ path: `/source${at}`, types: [type] })
        yield* store.startSync({ type: "full" })
        yield* store.put(type, [{ id: `${at}` }])
        yield* store.endSync()
        sources.push({ source: yield* Source.ofStore(store) })
      }
      const into = yield* openMemory("/into", [Note({})])
      const error = yield* Effect.flip(Merge.merge({ sources, into }))
      assert.match(
        error.message,
        /^Cannot merge into \/into: .*record type Note: field 1 is number, stored as text in a source before \/source1$/
      )
      yield* Merge.merge({ sources: sources.slice(1), into })
      // Those that came before stand against it too.
      const later = yield* Effect.flip(Merge.merge({ sources: sources.slice(0, 1), into }))
      assert.match(later.message, /record type Note: field 1 is number, stored as text/)
    })
  )

  test(
    "merge shows fields that only sources declared to who reads the result without a declaration",
    Effect.gen(function* () {
      const type = Note({ text: Schema.optionalKey(Schema.String) })
      const store = yield* RecordStore.open({ path: "/source", types: [type] })
      yield* store.startSync({ type: "full" })
      yield* store.put(type, [{ id: "a", text: "hello" }])
      yield* store.endSync()
      const into = yield* openMemory("/into", [Note({})])
      const { run } = yield* Merge.merge({ sources: [{ source: yield* Source.ofStore(store) }], into })
      const undeclared = yield* RecordReader.make({ reader: into.database.snapshot, path: "/into" })
      const { items } = yield* undeclared.list(undeclared.types[0]!, { sync: run.sync_id })
      assert.deepStrictEqual<unknown>(items, [{ id: "a", text: "hello" }])
    })
  )
})
