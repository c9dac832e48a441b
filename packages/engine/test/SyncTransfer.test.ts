import { assert, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import * as RecordType from "../src/RecordType.ts"
import * as SyncTransfer from "../src/SyncTransfer.ts"
import { items, Item as itemType, openPlanted, Pair } from "./PlantedStore.ts"
import { basePath, fill, momentOf, openAt, sourcePath, syncA, syncB } from "./ReplaceHarness.ts"

const run = { sync_id: syncA, type: "full", started_at: 1, ended_at: 2, token: "", counts: {} }

const indexNames = ["by_flag", "by_group", "by_note"]

const outlineOf = (
  path: string,
  counts: { readonly items?: number; readonly pairs?: number },
  other: Partial<SyncTransfer.SyncOutline> = {}
): SyncTransfer.SyncOutline => ({
  path,
  sync: syncA,
  run,
  isBehind: false,
  types: [
    { type: Pair, recordCount: counts.pairs ?? 0, indexes: [], recordBytes: 10, entryBytes: {} },
    {
      type: itemType,
      recordCount: counts.items ?? 0,
      indexes: indexNames,
      recordBytes: 100,
      entryBytes: { by_flag: 20, by_group: 30, by_note: 0 }
    }
  ],
  ...other
})

const stepsOf = (
  base: SyncTransfer.SyncOutline,
  source: SyncTransfer.SyncOutline,
  options?: SyncTransfer.PlanOptions
) =>
  Result.getOrThrow(SyncTransfer.plan(base, source, options)).steps.map(
    ({ action, baseRows, index, keyspace, sourceRows, type }) =>
      `${keyspace} ${type ?? ""} ${index ?? ""} ${action} ${sourceRows} for ${baseRows}`
  )

const failureOf = (base: SyncTransfer.SyncOutline, source: SyncTransfer.SyncOutline) =>
  Result.getOrThrow(Result.flip(SyncTransfer.plan(base, source)))

it("SyncTransfer.plan has records by type, then indexes, then the run and the bookkeeping, and sums them up", () => {
  const source = outlineOf(sourcePath, { items: 50, pairs: 4 })
  assert.deepStrictEqual(stepsOf(outlineOf(basePath, { items: 7 }), source), [
    "records Item  copy 50 for 7",
    "records Pair  copy 4 for 0",
    "indexes Item by_flag copy 50 for 7",
    "indexes Item by_group copy 50 for 7",
    "indexes Item by_note copy 50 for 7",
    "syncs   copy 1 for 1",
    "meta   copy 1 for 1"
  ])
  const plan = Result.getOrThrow(SyncTransfer.plan(outlineOf(basePath, {}), source))
  assert.strictEqual(plan.rows, 50 * 4 + 4 + 2)
  assert.deepStrictEqual(
    plan.steps.slice(0, 5).map(({ bytes }) => bytes),
    // An index of which nothing is known is taken to be as large as the records.
    [5_000, 40, 1_000, 1_500, 5_000]
  )
  assert.strictEqual(
    plan.bytes,
    plan.steps.reduce((sum, { bytes }) => sum + bytes, 0)
  )
  assert.deepStrictEqual(plan.run, run)
})

it("SyncTransfer.plan empties ranges of which the source has nothing, and leaves empty ones out", () => {
  assert.deepStrictEqual(stepsOf(outlineOf(basePath, { items: 7 }), outlineOf(sourcePath, { pairs: 1 })), [
    "records Item  remove 0 for 7",
    "records Pair  copy 1 for 0",
    "indexes Item by_flag remove 0 for 7",
    "indexes Item by_group remove 0 for 7",
    "indexes Item by_note remove 0 for 7",
    "syncs   copy 1 for 1",
    "meta   copy 1 for 1"
  ])
  assert.deepStrictEqual(
    stepsOf(outlineOf(basePath, {}, { run: undefined }), outlineOf(sourcePath, {}, { types: [] })),
    ["syncs   copy 1 for 0", "meta   copy 1 for 0"]
  )
})

it("SyncTransfer.plan makes indexes that the source lacks, has otherwise, or is behind with", () => {
  const { by_flag, by_group } = itemType.indexes
  const declared = RecordType.fromShape({
    ...itemType,
    version: 1,
    indexes: { by_flag: { paths: by_flag.paths }, by_group, other: { paths: ["note"] } },
    recency: "discovered_at"
  })
  const source = outlineOf(
    sourcePath,
    {},
    {
      types: [
        {
          type: Result.getOrThrow(declared),
          recordCount: 5,
          indexes: ["by_flag", "by_group", "other"],
          recordBytes: 1,
          entryBytes: {}
        }
      ]
    }
  )
  const actions = (of: SyncTransfer.SyncOutline, options?: SyncTransfer.PlanOptions) =>
    Result.getOrThrow(SyncTransfer.plan(outlineOf(basePath, { items: 1 }), of, options))
      .steps.filter(({ keyspace }) => keyspace === "indexes")
      .map(({ action }) => action)
  assert.deepStrictEqual(actions(source), ["build", "copy", "build"])
  const unready = { ...source, types: [{ ...source.types[0]!, indexes: ["by_flag"] }] }
  assert.deepStrictEqual(actions(unready), ["build", "build", "build"])
  assert.deepStrictEqual(actions({ ...outlineOf(sourcePath, { items: 5 }), isBehind: true }), [
    "build",
    "build",
    "build"
  ])
  const { ended_at: _, ...open } = run
  const behind = { ...outlineOf(sourcePath, { items: 5 }), isBehind: true, run: open }
  assert.deepStrictEqual(actions(behind, { unfinished: "copy" }), ["remove", "remove", "remove"])
})

it("SyncTransfer.plan refuses what cannot be, and says of which side it is", () => {
  const base = outlineOf(basePath, { items: 1 })
  assert.deepInclude(failureOf(base, outlineOf(sourcePath, {}, { run: undefined })), {
    _tag: "SyncNotFound",
    path: sourcePath,
    sync: syncA
  })
  const { ended_at: _, ...open } = run
  const unfinished = outlineOf(sourcePath, { items: 1 }, { run: open })
  assert.deepInclude(failureOf(base, unfinished), { _tag: "SyncUnfinished", path: sourcePath, sync: syncA })
  assert.isTrue(Result.isSuccess(SyncTransfer.plan(base, unfinished, { unfinished: "copy" })))
  const poor = { ...base, types: base.types.slice(0, 1) }
  assert.deepInclude(failureOf(poor, outlineOf(sourcePath, { items: 1 })), {
    _tag: "RecordTypeUnknown",
    path: basePath,
    type: "Item"
  })
  assert.isTrue(Result.isSuccess(SyncTransfer.plan(poor, outlineOf(sourcePath, { pairs: 1 }))))
})

it.effect("SyncTransfer.outline says what a store has of a sync, and of one that it does not have", () =>
  Effect.gen(function* () {
    const store = yield* openAt(basePath)
    yield* fill(store, syncA, [[itemType, items(500)]])
    const reader = yield* momentOf(store)
    const outline = yield* SyncTransfer.outline({ reader, path: basePath, sync: syncA })
    assert.deepInclude(outline, { path: basePath, sync: syncA, isBehind: false })
    assert.strictEqual(outline.run?.ended_at, 5)
    const [item, pair] = outline.types
    assert.deepInclude(item!, { recordCount: 500, indexes: ["by_group", "by_flag", "by_note"] })
    const { keyspaces } = yield* store.database.stats
    // All blocks are in the sample.
    assert.closeTo(item!.recordBytes * 500, keyspaces.records!.contentBytes, 1)
    assert.isAbove(item!.entryBytes.by_group!, 1)
    assert.deepInclude(pair!, { recordCount: 0, indexes: [], recordBytes: 0, entryBytes: {}, entryCounts: {} })
    const absent = yield* SyncTransfer.outline({ reader, path: basePath, sync: syncB })
    assert.isUndefined(absent.run)
    assert.deepStrictEqual(
      absent.types.map(({ recordCount }) => recordCount),
      [0, 0]
    )
  }).pipe(Effect.scoped, Effect.provide(MemoryEngine.layer))
)

it.effect("SyncTransfer.outline takes an index with a condition for no larger than it is", () =>
  Effect.gen(function* () {
    const store = yield* openAt(basePath)
    for (const [sync, share] of [
      [syncA, 2_001],
      [syncB, 4]
    ] as const) {
      const records = items(2_000).map((each, place) => ({ ...each, flag: place % share === share - 1 }))
      yield* fill(store, sync, [[itemType, records]])
      const outline = yield* SyncTransfer.outline({ reader: yield* momentOf(store), path: basePath, sync })
      const empty = outlineOf(sourcePath, {}, { run: undefined })
      const { steps } = Result.getOrThrow(SyncTransfer.plan(empty, outline))
      const { bytes, sourceRows } = steps.find(({ index }) => index === "by_flag")!
      assert.closeTo(sourceRows, Math.floor(2_000 / share), 100)
      assert.isAtMost(bytes, sourceRows * 100)
    }
  }).pipe(Effect.scoped, Effect.provide(MemoryEngine.layer))
)

it.effect("SyncTransfer.outline counts the records of a sync that a crash left behind", () =>
  Effect.gen(function* () {
    const planted = yield* openPlanted([{ id: syncA, items: items(33), indexes: "behind" }])
    const outline = yield* SyncTransfer.outline({ reader: yield* planted.snapshot, path: "/behind", sync: syncA })
    assert.isTrue(outline.isBehind)
    assert.strictEqual(outline.types[0]!.recordCount, 33)
  }).pipe(Effect.scoped)
)
