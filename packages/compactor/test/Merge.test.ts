import { assert, describe, it } from "@effect/vitest"
import { type Engine, RecordType, SyncChange, type SyncRun } from "@icecore/engine"
import * as MemoryEngine from "@icecore/engine/memory"
import { Effect, Option, Schema, type Scope, Stream } from "effect"
import { Merge, Source } from "../src/index.ts"
import { idOf } from "./CompactorFixtures.ts"
import {
  Account,
  account,
  accounts,
  allTypes,
  assertSound,
  contentsOf,
  type Expected,
  fillSource,
  fullOf,
  makeChoices,
  mergedNaively,
  Note,
  openMemory,
  partialOf,
  randomSource,
  type SourceRows,
  storesOf
} from "./MergeFixtures.ts"

const test = (name: string, run: Effect.Effect<void, unknown, Engine | Scope.Scope>, timeoutMillis = 60_000): void =>
  it.effect(name, () => run.pipe(Effect.scoped, Effect.provide(MemoryEngine.layer)), timeoutMillis)

const assertContents = (actual: Expected, expected: Expected): void => {
  const sorted = (all: Expected) => [...all].toSorted(([left], [right]) => (left < right ? -1 : 1))
  const plain = (all: Expected) => sorted(all).map(([name, { change, record }]) => ({ name, record, change }))
  assert.deepStrictEqual(plain(actual), plain(expected))
}

/** Merges these, oldest first, in a store of its own, and gives the accounts: id, time and where each is from. */
const mergedAccounts = Effect.fnUntraced(function* (root: string, sources: ReadonlyArray<SourceRows>) {
  const opened = yield* storesOf(sources, root)
  const into = yield* openMemory(`${root}/into`)
  const { run } = yield* Merge.merge({ sources: opened, into })
  const records = yield* Stream.runCollect(into.stream(Account, { sync: run.sync_id }))
  const changes = yield* Stream.runCollect(into.stream(SyncChange.SyncChange, { sync: run.sync_id }))
  return {
    accounts: records.map(({ discovered_at, id, origin }) => `${id} ${discovered_at} ${origin}`),
    changes: changes.map(({ discovered_at, kind, record_key }) => `${kind} ${Buffer.from(record_key)} ${discovered_at}`)
  }
})

const scenarioCount = Number(process.env.ICECORE_MERGE_SCENARIOS ?? 60)

describe("Merge", () => {
  test(
    `merge has in ${scenarioCount} random cases what a naive model has, however many sources are read at once`,
    Effect.gen(function* () {
      for (let seed = 1; seed <= scenarioCount; seed++) {
        const choices = makeChoices(seed)
        const isPartial = choices.nextInt(3) === 0
        const sources = Array.from({ length: 1 + choices.nextInt(9) }, (_, place) =>
          randomSource(choices, place, isPartial || choices.nextInt(2) === 0)
        )
        const expected = mergedNaively(sources)
        yield* Effect.gen(function* () {
          const opened = yield* storesOf(sources, `/${seed}`)
          const into = yield* openMemory(`/${seed}/into`)
          for (const fanIn of [2, 3, 64]) {
            const { plan, run, types } = yield* Merge.merge({ sources: opened, into, fanIn })
            assertContents(yield* contentsOf(into, run.sync_id), expected)
            assert.strictEqual(plan.groups.length, groupCountOf(sources.length, fanIn))
            assertCounts(types, sources, expected)
          }
          yield* assertSound(into)
        }).pipe(
          Effect.scoped,
          Effect.tapCause(() => Effect.sync(() => console.error(`seed ${seed}`)))
        )
      }
    }),
    Math.max(60_000, 2_000 * scenarioCount)
  )

  test(
    "merge keeps the newest record of each key, and of equally new ones that of the newer source",
    Effect.gen(function* () {
      const merged = yield* mergedAccounts("", [
        fullOf(account("a", 5, "old"), account("b", 5, "old")),
        fullOf(account("a", 4, "mid"), account("b", 5, "mid")),
        fullOf(account("c", 1, "new"))
      ])
      assert.deepStrictEqual(merged.accounts, ["a 5 old", "b 5 mid", "c 1 new"])
    })
  )

  test(
    "merge takes records of a type without recency from the newest source that has them",
    Effect.gen(function* () {
      const note = (number: number, origin: string) => ({
        type: Note,
        record: { room: Uint8Array.of(1), number, origin }
      })
      const sources = yield* storesOf([
        { runType: "full", changes: [], records: [note(1, "old"), note(2, "old")] },
        { runType: "full", changes: [], records: [note(2, "new")] }
      ])
      const into = yield* openMemory("/into")
      const { run } = yield* Merge.merge({ sources, into })
      const notes = yield* Stream.runCollect(into.stream(Note, { sync: run.sync_id }))
      assert.deepStrictEqual(
        notes.map(({ number, origin }) => `${number} ${origin}`),
        ["1 old", "2 new"]
      )
    })
  )

  test(
    "merge has a removal take away what is older, and nothing newer, and leaves none in a full result",
    Effect.gen(function* () {
      const removals = ["a", "b", "c"].map((id) => SyncChange.removalOf(Account, { id }, 5))
      const old = accounts(account("a", 4, "old"), account("b", 5, "old"), account("c", 6, "old"))
      const merged = yield* mergedAccounts("", [
        { runType: "full", changes: [], records: old },
        { runType: "partial", changes: removals, records: [] },
        { runType: "partial", changes: [], records: accounts(account("d", 1, "new")) }
      ])
      assert.deepStrictEqual(merged, { accounts: ["c 6 old", "d 1 new"], changes: [] })
      // A newer source that is as old as the removal has the record again.
      const again = yield* mergedAccounts("/again", [
        { runType: "partial", changes: removals, records: [] },
        fullOf(account("a", 5, "new"), account("b", 4, "new"))
      ])
      assert.deepStrictEqual(again, { accounts: ["a 5 new"], changes: [] })
    })
  )

  test(
    "merge of partial syncs keeps the removals that win, and the changes of records that do",
    Effect.gen(function* () {
      const change = (id: string, kind: "added" | "changed", discoveredAt: number) =>
        SyncChange.make({ type: Account, record: { id }, kind, discoveredAt })
      const merged = yield* mergedAccounts("", [
        partialOf([account("a", 4, "old"), account("b", 4, "old")], [change("a", "added", 4), change("b", "added", 4)]),
        partialOf([], [SyncChange.removalOf(Account, { id: "a" }, 5), SyncChange.removalOf(Account, { id: "c" }, 1)]),
        partialOf([account("b", 6, "new"), account("c", 2, "new")], [change("b", "changed", 3)])
      ])
      assert.deepStrictEqual(merged, { accounts: ["b 6 new", "c 2 new"], changes: ["removed a 5"] })
    })
  )

  test(
    "merge gives a record the time of the change beside it, so that what a diff holds applies",
    Effect.gen(function* () {
      const changed = SyncChange.make({ type: Account, record: { id: "a" }, kind: "changed", discoveredAt: 9 })
      const merged = yield* mergedAccounts("", [
        fullOf(account("a", 8, "base")),
        partialOf([account("a", 2, "applied")], [changed]),
        fullOf(account("a", 8, "later"))
      ])
      assert.deepStrictEqual(merged, { accounts: ["a 2 applied"], changes: [] })
    })
  )

  test(
    "merge makes a finished sync of its own that names the newest source as its parent and all as its sources",
    Effect.gen(function* () {
      const into = yield* openMemory("/into")
      for (const number of [1, 2]) {
        yield* fillSource(into, fullOf(account("a", number)), { number })
      }
      yield* fillSource(into, fullOf(account("b", 1)), { number: 3, isUnfinished: true })
      yield* into.startSync({ type: "other", syncId: idOf(4) })
      yield* into.endSync()
      const source = yield* Source.ofStore(into)
      const sources = [3, 2, 1, 1].map((number) => ({ source, syncId: idOf(number) }))
      const { run, types } = yield* Merge.merge({ sources, into, type: "nightly" })
      assert.strictEqual(run.type, "nightly")
      assert.strictEqual(run.parent_sync_id, idOf(1))
      assert.deepStrictEqual(run.source_sync_ids, [idOf(3), idOf(2), idOf(1)])
      assert.deepStrictEqual(Option.getOrUndefined(yield* into.latestFinishedSync("nightly")), run)
      assert.deepStrictEqual(run.counts, { Account: 2 })
      assert.isTrue(Option.isNone(yield* into.currentSync))
      assert.deepStrictEqual(types, [
        { type: "Account", readCount: 4, writtenCount: 2, supersededCount: 2, removedCount: 0 }
      ])
      // What it was made of is as it was.
      assert.strictEqual(yield* countOf(into, idOf(1)), 1)
      yield* assertSound(into)
    })
  )

  test(
    "merge reads many syncs of one source at one moment of it",
    Effect.gen(function* () {
      const store = yield* openMemory("/source")
      const numbers = Array.from({ length: 100 }, (_, at) => at + 1)
      for (const number of numbers) yield* fillSource(store, fullOf(account(`${number % 60}`, number)), { number })
      const { reader, source } = yield* Source.ofStore(store)
      let momentCount = 0
      const snapshot = Effect.tap(source.snapshot, () => Effect.sync(() => void momentCount++))
      const counted = { reader, source: { ...source, snapshot } }
      const sources = numbers.map((number) => ({ source: counted, syncId: idOf(number) }))
      const planned = yield* Merge.planMerge({ sources, into: { path: "/into", types: allTypes }, fanIn: 128 })
      assert.strictEqual(planned.groups.length, 1)
      const planningCount = momentCount
      const into = yield* openMemory("/into")
      const { run } = yield* Merge.merge({ sources, into, fanIn: 128 })
      assert.strictEqual(momentCount, 2 * planningCount + 1)
      assert.deepStrictEqual(run.counts, { Account: 60 })
    })
  )

  test(
    "merge takes the latest finished sync of a source unless another is named",
    Effect.gen(function* () {
      const store = yield* openMemory("/source")
      for (const number of [1, 2]) {
        const records = accounts(account(`${number}`, 1))
        yield* fillSource(store, { runType: "full", changes: [], records }, { number, isUnfinished: number === 2 })
      }
      const into = yield* openMemory("/into")
      const { run } = yield* Merge.merge({ sources: [{ source: yield* Source.ofStore(store) }], into })
      assert.deepStrictEqual(run.source_sync_ids, [idOf(1)])
    })
  )

  test(
    "merge keeps the fields that the target's declaration does not know",
    Effect.gen(function* () {
      const fields = { id: Schema.String, discovered_at: Schema.Int }
      const Short = RecordType.make({ name: "Thing", fields: Schema.Struct(fields), primaryKey: ["id"] })
      const Long = RecordType.make({
        name: "Thing",
        fields: Schema.Struct({ ...fields, note: Schema.optionalKey(Schema.String) }),
        primaryKey: ["id"]
      })
      const store = yield* openMemory("/source", [Long])
      yield* store.startSync({ type: "full" })
      yield* store.put(Long, [{ id: "a", discovered_at: 1, note: "kept" }])
      yield* store.endSync()
      const into = yield* openMemory("/into", [Short])
      const { run } = yield* Merge.merge({ sources: [{ source: yield* Source.ofStore(store) }], into })
      const found = yield* into.get(Long, { id: "a" }, { sync: run.sync_id })
      assert.deepStrictEqual(Option.getOrUndefined(found), { id: "a", discovered_at: 1, note: "kept" })
    })
  )

  test(
    "merge tells of its progress, which only grows and ends with every row of the sources",
    Effect.gen(function* () {
      const records = (origin: string) =>
        accounts(...Array.from({ length: 3_000 }, (_, at) => account(`${at}`, 1, origin)))
      const sources = yield* storesOf([
        { runType: "full", changes: [], records: records("old") },
        { runType: "full", changes: [], records: records("new") }
      ])
      const into = yield* openMemory("/into")
      const seen: Array<Merge.MergeProgress> = []
      const onProgress = (progress: Merge.MergeProgress) => Effect.sync(() => void seen.push(progress))
      const { plan } = yield* Merge.merge({ sources, into, onProgress })
      assert.isAbove(seen.length, 2)
      assert.strictEqual(seen.at(-1)?.rowCount, 6_000)
      assert.approximately(seen.at(-1)!.bytes, plan.bytes / 2, plan.bytes / 20)
      const rows = seen.map(({ rowCount }) => rowCount)
      assert.deepStrictEqual(
        rows,
        [...new Set(rows)].toSorted((left, right) => left - right)
      )
    })
  )

  test(
    "planMerge says what merge reports, for a target that is not there, and changes nothing",
    Effect.gen(function* () {
      const choices = makeChoices(7)
      const sources = yield* storesOf(Array.from({ length: 5 }, (_, place) => randomSource(choices, place, false)))
      const planned = yield* Merge.planMerge({ sources, into: { path: "/into", types: allTypes }, fanIn: 3 })
      const into = yield* openMemory("/into")
      assert.deepStrictEqual(yield* into.listSyncs, [])
      const { plan } = yield* Merge.merge({ sources, into, fanIn: 3 })
      assert.deepStrictEqual({ ...plan, types: [] }, { ...planned, types: [] })
      assert.deepStrictEqual(
        plan.types.map(({ recordCount, type }) => [type.name, recordCount]),
        planned.types.map(({ recordCount, type }) => [type.name, recordCount])
      )
    })
  )
})

const countOf = (store: Parameters<typeof contentsOf>[0], sync: SyncRun.SyncId) =>
  Effect.map(contentsOf(store, sync), ({ size }) => size)

const groupCountOf = (count: number, fanIn: number): number =>
  count <= fanIn ? 1 : 1 + Math.ceil((count - fanIn) / (fanIn - 1))

const assertCounts = (
  reports: ReadonlyArray<Merge.MergeTypeReport>,
  sources: ReadonlyArray<SourceRows>,
  expected: Expected
): void => {
  for (const { readCount, removedCount, supersededCount, type, writtenCount } of reports) {
    const put = sources.reduce(
      (count, { records }) =>
        count +
        new Set(
          records
            .filter((each) => each.type.name === type)
            .map((each) => Buffer.from(SyncChange.recordKeyOf(each.type, each.record)).toString("hex"))
        ).size,
      0
    )
    const kept = [...expected.values()].filter((each) => each.type.name === type && each.record !== undefined).length
    assert.strictEqual(readCount, put, type)
    assert.strictEqual(writtenCount, kept, type)
    assert.strictEqual(writtenCount + supersededCount + removedCount, readCount, type)
  }
}
