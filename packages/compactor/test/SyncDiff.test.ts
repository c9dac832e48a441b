import { assert, describe } from "@effect/vitest"
import { type RecordReader, type RecordStore, type RecordType, SyncChange, type SyncRun } from "@icecore/engine"
import { Grant, Resource } from "@icecore/engine/access"
import { SurvivorChoice } from "@icecore/packfile/testing"
import { Effect, Option, Result, Stream } from "effect"
import { Compactor, type SyncDiff } from "../src/index.ts"
import {
  digestBeside,
  engineOf,
  fill,
  grantOf,
  grantsOf,
  idOf,
  openStore,
  withField,
  withoutIndexes
} from "./CompactorFixtures.ts"
import { A, B, C, refusal, sourceOf, test } from "./CompactorWorld.ts"

const types: ReadonlyArray<RecordType.Any> = [Resource, Grant, SyncChange.SyncChange]

/** One store with A and B of these grants, which is the source of both sides. */
const sides = Effect.fnUntraced(function* (before: ReadonlyArray<Grant>, after: ReadonlyArray<Grant>) {
  const engine = yield* engineOf("memory")
  const store = yield* openStore(engine, { path: "/sides" })
  yield* fill(store, A, before)
  yield* fill(store, B, after)
  const source = yield* sourceOf(engine, store)
  const into = yield* openStore(engine, { path: "/into", types })
  const options: SyncDiff.DiffOptions = { base: { source, syncId: A }, applied: { source, syncId: B }, into }
  return { engine, store, source, into, options, ...Compactor.make() }
})

const changesOf = (reader: RecordReader.RecordReader, sync: SyncRun.SyncId) =>
  Effect.map(Stream.runCollect(reader.stream(SyncChange.SyncChange, { sync })), (changes) =>
    changes.map((change) => [
      change.kind,
      change.record_type,
      Object.values(
        Result.getOrThrow(SyncChange.keyOf(change.record_type === "Grant" ? Grant : Resource, change))
      ).join(),
      change.fields.join(),
      change.discovered_at
    ])
  )

/** Merges the first side with the difference, and requires the second. */
const requireApplied = Effect.fnUntraced(function* (
  { engine, merge, options, store }: Effect.Success<ReturnType<typeof sides>>,
  report: SyncDiff.DiffReport
) {
  const into = yield* openStore(engine, { path: "/merged", types })
  const difference = yield* sourceOf(engine, options.into)
  const { run } = yield* merge({ sources: [options.base, { source: difference, syncId: report.run.sync_id }], into })
  const [merged, applied] = [yield* recordsOf(into, run.sync_id), yield* recordsOf(store, options.applied.syncId!)]
  assert.deepStrictEqual(merged, applied)
}, Effect.scoped)

const recordsOf = Effect.fnUntraced(function* (reader: RecordReader.RecordReader, sync: SyncRun.SyncId) {
  const grants = yield* Stream.runCollect(reader.stream(Grant, { sync }))
  const resources = yield* Stream.runCollect(reader.stream(Resource, { sync }))
  return { grants, resources }
})

const last = (store: RecordStore.RecordStore) => Effect.map(store.latestFinishedSync(), Option.getOrThrow)

describe("SyncDiff", () => {
  test(
    "diff keeps others from making a sync of their own current, and refuses to go on when its own is removed",
    Effect.gen(function* () {
      const { diff, into, options } = yield* sides([], grantsOf(0, 3_000, 1))
      let isBegun = false
      const onProgress = Effect.fnUntraced(function* ({ bytes }: SyncDiff.DiffProgress) {
        if (bytes === 0 || isBegun) return
        isBegun = true
        const own = Option.getOrThrow(yield* into.currentSync).sync_id
        const start = into.startSync({ type: "mine", syncId: C })
        assert.strictEqual((yield* Effect.flip(start))._tag, "SyncInUse")
        yield* into.removeSync(own)
        yield* start
      }, Effect.orDie)
      const error = yield* Effect.flip(diff({ ...options, onProgress }))
      assert.match(`${error._tag} ${error.message}`, /^CompactRefused Cannot diff into .*somebody removed it/)
      assert.deepStrictEqual(
        (yield* into.listSyncs).map(({ sync_id }) => sync_id),
        [C]
      )
      assert.deepStrictEqual((yield* into.endSync()).counts, {})
    })
  )

  test(
    "diff holds what was added and changed, says of each what it is, and of what was removed that it was",
    Effect.gen(function* () {
      const changed = { ...grantOf(2, 1), needs_expansion: true, annotations: [] }
      const world = yield* sides(grantsOf(0, 4, 1), [grantOf(0, 1), grantOf(1, 1), changed, grantOf(9, 5)])
      const { diff, into, options, planDiff, store } = world
      const plan = yield* planDiff(options)
      assert.deepStrictEqual(plan.steps, [
        { type: "Grant", baseRows: 4, appliedRows: 4 },
        { type: "Resource", baseRows: 3, appliedRows: 3 }
      ])
      assert.strictEqual(plan.rows, 14)
      assert.isAbove(plan.bytes, 1_000)
      assert.deepStrictEqual(yield* into.listSyncs, [])

      const report = yield* diff(options)

      const { run } = report
      assert.deepStrictEqual(yield* last(into), run)
      assert.deepInclude(run, { type: "partial_diff", parent_sync_id: A, source_sync_ids: [A, B] })
      assert.deepStrictEqual(run.counts, { Grant: 2, SyncChange: 3 })
      const { grants } = yield* recordsOf(into, run.sync_id)
      assert.deepStrictEqual(grants, [changed, grantOf(9, 5)])
      const { ended_at } = Option.getOrThrow(yield* store.getSync(B))
      assert.deepStrictEqual(yield* changesOf(into, run.sync_id), [
        ["changed", "Grant", grantOf(2, 1).external_id, "annotations,needs_expansion", ended_at],
        ["removed", "Grant", grantOf(3, 1).external_id, "", ended_at],
        ["added", "Grant", grantOf(9, 5).external_id, "", grantOf(9, 5).discovered_at]
      ])
      const [counted] = report.types
      assert.deepInclude(counted, {
        type: "Grant",
        leftCount: 4,
        rightCount: 4,
        addedCount: 1,
        removedCount: 1,
        changedCount: 1
      })
      assert.deepStrictEqual((yield* into.check()).findings, [])
      yield* requireApplied(world, report)
    })
  )

  test(
    "diff merged with its base is what it was applied to, whichever is newer",
    Effect.gen(function* () {
      for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
        const next = SurvivorChoice.generator(seed)
        const oneIn = (bound: number) => next() % bound === 0
        // Some of what was has a later time than all of what is, its end included.
        const before = grantsOf(0, 60, 3)
          .filter(() => !oneIn(4))
          .map((grant) => (oneIn(4) ? { ...grant, discovered_at: grant.discovered_at + 1_000_000 } : grant))
        const after = grantsOf(0, 60, 3)
          .filter(() => !oneIn(4))
          .map((grant, at) => (oneIn(3) ? grantOf(at, oneIn(2) ? 1 : 6) : grant))
        const distinct = [...new Map(after.map((grant) => [grant.external_id, grant])).values()]
        const world = yield* sides(before, distinct)
        yield* requireApplied(world, yield* world.diff(world.options))
        const back = {
          ...world,
          options: { ...world.options, base: world.options.applied, applied: world.options.base }
        }
        yield* requireApplied(back, yield* back.diff(back.options))
      }
    })
  )

  test(
    "diff of more records than a step has puts them all, and tells of its progress",
    Effect.gen(function* () {
      const world = yield* sides(grantsOf(0, 3_000, 1), [...grantsOf(0, 1_500, 2), ...grantsOf(5_000, 2_000, 2)])
      const told: Array<SyncDiff.DiffProgress> = []
      const report = yield* world.diff({
        ...world.options,
        onProgress: (progress) =>
          Effect.sync(() => {
            told.push(progress)
          })
      })
      assert.deepStrictEqual(report.run.counts, { Grant: 3_500, Resource: 3, SyncChange: 5_003 })
      assert.isAbove(told.length, 3)
      assert.strictEqual(told.at(-1)!.rowCount, 6_506)
      assert.isAbove(told.at(-1)!.bytes, 3_500 * 100)
      yield* requireApplied(world, report)
    })
  )

  test(
    "diff passes over the fields that it is to ignore, and of two like syncs holds nothing",
    Effect.gen(function* () {
      const before = grantsOf(0, 20, 1)
      const after = before.map((grant) => ({ ...grant, discovered_at: grant.discovered_at + 1 }))
      const { diff, into, options, store } = yield* sides(before, after)
      assert.strictEqual((yield* diff(options)).run.counts.Grant, 20)
      const { run, types } = yield* diff({ ...options, ignoredFields: ["discovered_at"] })
      assert.deepStrictEqual(run.counts, {})
      assert.deepInclude(types[0], { type: "Grant", leftCount: 20, rightCount: 20, changedCount: 0 })
      const source = { source: options.base.source, syncId: A }
      const same = yield* diff({ ...options, base: source, applied: source })
      assert.deepStrictEqual(same.run.source_sync_ids, [A])
      assert.isTrue(Option.isNone(yield* into.currentSync))
      assert.strictEqual((yield* last(store)).sync_id, B)
    })
  )

  test(
    "diff takes syncs of another store and of the one that it writes, also one without an end that is named",
    Effect.gen(function* () {
      const { diff, engine, into, options } = yield* sides(grantsOf(0, 10, 1), grantsOf(0, 12, 1))
      yield* fill(into, C, grantsOf(0, 11, 1), { isUnfinished: true })
      const own = yield* sourceOf(engine, into)
      yield* into.resumeSync(C)
      yield* into.endSync()
      const { run } = yield* diff({ ...options, base: { source: own } })
      assert.deepInclude(run, { parent_sync_id: C, source_sync_ids: [C, B] })
      assert.strictEqual(run.counts.Grant, 1)
      const other = yield* openStore(engine, { path: "/begun" })
      yield* fill(other, C, grantsOf(0, 15, 1), { isUnfinished: true })
      const begun = yield* sourceOf(engine, other)
      assert.strictEqual((yield* diff({ ...options, applied: { source: begun, syncId: C } })).run.counts.Grant, 5)
      const refused = yield* refusal(into, diff({ ...options, applied: { source: begun } }))
      assert.strictEqual(refused.tags, "CompactSourceFailed/NoFinishedSync")
    })
  )

  test(
    "diff refuses a target that is being filled or lacks types, a type that is not partial, and sides that hold changes",
    Effect.gen(function* () {
      const { diff, engine, into, options } = yield* sides(grantsOf(0, 10, 1), grantsOf(0, 12, 1))
      assert.deepStrictEqual(yield* refusal(into, diff({ ...options, type: "full" })), {
        tags: "CompactRefused",
        message: "Cannot diff into /into: its type is full, expected one that begins with partial"
      })
      const { run } = yield* diff(options)
      const own = yield* sourceOf(engine, into)
      assert.deepStrictEqual(
        yield* refusal(into, diff({ ...options, applied: { source: own, syncId: run.sync_id } })),
        {
          tags: "CompactRefused",
          message: `Cannot diff into /into: sync ${run.sync_id} of /into holds changes of another, expected a whole one: merge the two`
        }
      )
      assert.strictEqual(
        (yield* refusal(into, diff({ ...options, base: { source: own, syncId: idOf(77) } }))).tags,
        "CompactSourceFailed/SyncNotFound"
      )
      const narrow = yield* openStore(engine, { path: "/narrow", types: [Resource, Grant] })
      assert.strictEqual(
        (yield* refusal(narrow, diff({ ...options, into: narrow }))).tags,
        "CompactBaseFailed/RecordTypeUnknown"
      )
      yield* into.startSync({ type: "full", syncId: C })
      assert.deepStrictEqual(yield* refusal(into, diff(options)), {
        tags: "CompactRefused",
        message: `Cannot diff into /into: sync ${C} is current, expected none`
      })
    })
  )

  test(
    "diff takes sides whose types have other indexes or fewer fields than the target's, and none with more fields",
    Effect.gen(function* () {
      const { diff, engine, into, options } = yield* sides(grantsOf(0, 10, 1), grantsOf(0, 12, 1))
      const fewer = yield* openStore(engine, {
        path: "/fewer",
        types: [Resource, withoutIndexes(Grant, "by_principal")]
      })
      yield* fill(fewer, B, grantsOf(0, 15, 1))
      const { run } = yield* diff({ ...options, applied: { source: yield* sourceOf(engine, fewer) } })
      assert.strictEqual(run.counts.Grant, 5)
      assert.deepStrictEqual((yield* into.check()).findings, [])
      const longer = withField(Grant, "note")
      const more = yield* openStore(engine, { path: "/more", types: [Resource, longer, SyncChange.SyncChange] })
      yield* fill(more, B, [...grantsOf(0, 9, 1), { ...grantOf(9, 1), note: "new" }] as ReadonlyArray<Grant>)
      const applied = { source: yield* sourceOf(engine, more), syncId: B }
      const refused = yield* refusal(into, diff({ ...options, applied }))
      assert.strictEqual(refused.tags, "CompactBaseFailed/RecordMisuse")
      assert.strictEqual((yield* diff({ ...options, applied, into: more })).run.counts.Grant, 1)
      assert.strictEqual(
        (yield* diff({ ...options, base: applied, applied: options.applied, into: more })).run.counts.Grant,
        3
      )
    })
  )

  test(
    "diff leaves nothing behind when it fails or is interrupted half way",
    Effect.gen(function* () {
      const { diff, into, options, store } = yield* sides(grantsOf(0, 3_000, 1), grantsOf(0, 3_000, 2))
      const before = yield* digestBeside(into.database, idOf(99))
      yield* Effect.exit(diff({ ...options, onProgress: () => Effect.interrupt }))
      assert.strictEqual(yield* digestBeside(into.database, idOf(99)), before)
      assert.isTrue(Option.isNone(yield* into.currentSync))
      const rows = yield* Stream.runCollect(store.database.scan("records"))
      const damaged = rows[rows.length - 20]!
      yield* store.database.write((batch) => batch.put("records", damaged.key, damaged.value.slice(0, -3)))
      const { message, tags } = yield* refusal(into, diff(options))
      assert.match(tags, /^CompactSourceFailed/)
      assert.include(message, "/sides")
      assert.strictEqual(yield* digestBeside(into.database, idOf(99)), before)
    })
  )

  test(
    "diff works from one moment of each side",
    Effect.gen(function* () {
      const { diff, into, options, store } = yield* sides(grantsOf(0, 3_000, 1), grantsOf(0, 2_000, 2))
      let isFirst = true
      const report = yield* diff({
        ...options,
        onProgress: () => {
          if (!isFirst) return Effect.void
          isFirst = false
          return Effect.orDie(Effect.andThen(store.removeSync(B), store.removeSync(A)))
        }
      })
      assert.deepStrictEqual(report.run.counts, { Grant: 2_000, Resource: 3, SyncChange: 3_003 })
      assert.isTrue(Option.isNone(yield* store.getSync(B)))
      assert.deepStrictEqual((yield* into.check()).findings, [])
    })
  )
})
