import { assert, it } from "@effect/vitest"
import { CrashEnumerator } from "@icecore/packfile/testing"
import { Effect, Option, type Scope, Stream } from "effect"
import type { Engine } from "../src/Engine.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import type * as RecordStore from "../src/RecordStore.ts"
import { isFinished } from "../src/SyncRun.ts"
import { Item, item, items, Pair, syncId } from "./PlantedStore.ts"
import { assertItems, openStore } from "./RecordStoreHarness.ts"

/** More than the least arena takes, so that a put writes in the middle of a sync. */
const many = 3_000

/** Half a minute on an idle machine. */
const crashTimeoutMillis = 600_000

/** What was promised: that the sync is there, with these items at least, and with a token or finished. */
interface Kept {
  readonly sync: number
  readonly token?: string
  readonly items?: ReadonlyArray<Item>
  readonly ended?: boolean
}

type Acknowledge = (promise: Kept) => Effect.Effect<void>

const changed = items(many)
  .slice(0, 500)
  .map((each, index) => ({ ...each, group: `changed ${index % 3}`, flag: !each.flag }))

const afterChanges = [...changed, ...items(many).slice(500)]

const fresh = (acknowledge: Acknowledge) =>
  Effect.gen(function* () {
    const store = yield* openStore()
    yield* store.startSync({ type: "full", syncId: syncId(1) })
    yield* acknowledge({ sync: 1 })
    yield* store.put(Item, items(many).slice(0, 1_000))
    yield* store.put(Item, items(many).slice(1_000))
    yield* store.put(Pair, [{ left: "a", right: 1, text: "" }])
    yield* store.checkpointSync("half")
    yield* acknowledge({ sync: 1, token: "half", items: items(many) })
    yield* store.put(Item, changed)
    yield* store.endSync()
    yield* acknowledge({ sync: 1, ended: true, items: afterChanges })
  })

const resumed = (acknowledge: Acknowledge) =>
  Effect.gen(function* () {
    const store = yield* openStore()
    yield* store.resumeSync(syncId(1))
    let present = items(100)
    for (const [index, page] of [items(130).slice(90), changed.slice(0, 40), items(200).slice(130)].entries()) {
      yield* store.put(Item, page)
      present = [...new Map([...present, ...page].map((each) => [each.id, each])).values()]
      yield* acknowledge({ sync: 1, items: present })
      if (index !== 1) continue
      yield* store.deleteMany(Item, items(20))
      present = present.filter(({ id }) => id >= item(20).id)
      yield* acknowledge({ sync: 1, items: present })
    }
    yield* store.endSync()
    yield* acknowledge({ sync: 1, ended: true, items: present })
  })

const newest = (promises: ReadonlyArray<Kept>): Kept | undefined => promises.at(-1)

const itemsOf = (store: RecordStore.RecordStore, number: number) =>
  Stream.runCollect(store.stream(Item, { sync: syncId(number) }))

/** Every acknowledged item is there as it was put, or as a later put of the scenario has it; nothing else is. */
const assertKept = (found: ReadonlyArray<Item>, promised: ReadonlyArray<Item>): void => {
  const byId = new Map(found.map((each) => [each.id, each]))
  const later = new Map(changed.map((each) => [each.id, each]))
  for (const each of promised) {
    const kept = byId.get(each.id)
    if (kept?.group !== later.get(each.id)?.group) assert.deepStrictEqual(kept, each)
  }
  for (const each of found) assert.deepInclude([items(many)[Number(each.id.slice(5))], later.get(each.id)], each)
}

const checkSync = (promises: ReadonlyArray<Kept>) =>
  Effect.gen(function* () {
    const store = yield* openStore()
    const run = Option.getOrUndefined(yield* store.getSync(syncId(1)))
    const promised = newest(promises)
    if (promised === undefined && run === undefined) return
    assert.isDefined(run)
    if (promised?.token !== undefined) assert.strictEqual(run!.token, promised.token)
    const found = yield* itemsOf(store, 1)
    if (promised?.ended === true) {
      assert.isTrue(isFinished(run!))
      assert.deepStrictEqual(
        found,
        promised.items!.toSorted((left, right) => (left.id < right.id ? -1 : 1))
      )
    } else {
      assertKept(found, promised?.items ?? [])
    }
    if (isFinished(run!)) {
      assert.strictEqual(run!.counts.Item, found.length)
      assert.strictEqual(Option.getOrUndefined(yield* store.latestFinishedSync())?.sync_id, syncId(1))
    } else {
      assert.isTrue(Option.isNone(yield* store.latestFinishedSync()))
    }
    yield* assertItems(store, syncId(1), found)
  })

/** Opens the store and, as a program does that goes on, resumes what had not ended: its indexes are complete then. */
const recover: Effect.Effect<unknown, unknown, Engine | Scope.Scope> = Effect.gen(function* () {
  const store = yield* openStore()
  const run = yield* store.getSync(syncId(1))
  if (Option.isSome(run) && !isFinished(run.value)) yield* store.resumeSync(syncId(1))
})

it.effect(
  "RecordStore keeps, in every crash, a fresh sync whole once it ended, and plainly unfinished before",
  () =>
    Effect.gen(function* () {
      const report = yield* CrashEnumerator.enumerate<Engine, Kept>({
        name: "record store fresh sync",
        layer: MemoryEngine.layerCrashing,
        scenario: fresh,
        recover,
        check: checkSync
      })
      assert.deepStrictEqual(report.incomparable, [])
      assert.isAbove(report.stepCount, 8)
    }),
  crashTimeoutMillis
)

it.effect(
  "RecordStore reads a sync rightly that a crash left behind, before anybody resumes it",
  () =>
    CrashEnumerator.enumerate<Engine, Kept>({
      name: "record store behind",
      layer: MemoryEngine.layerCrashing,
      scenario: fresh,
      recover: Effect.asVoid(openStore()),
      check: checkSync,
      secondCrash: false
    }),
  crashTimeoutMillis
)

it.effect("RecordStore keeps, in every crash, each call of a resumed sync that was acknowledged, whole", () =>
  Effect.gen(function* () {
    const report = yield* CrashEnumerator.enumerate<Engine, Kept>({
      name: "record store resumed sync",
      layer: MemoryEngine.layerCrashing,
      prepare: Effect.gen(function* () {
        const store = yield* openStore()
        yield* store.startSync({ type: "full", syncId: syncId(1) })
        yield* store.put(Item, items(100))
        yield* store.checkpointSync("")
      }),
      scenario: resumed,
      recover,
      check: (promises) =>
        Effect.gen(function* () {
          yield* Effect.scoped(checkSync(promises))
          const found = yield* itemsOf(yield* openStore(), 1)
          const promised = newest(promises)?.items ?? items(100)
          // A call is there or not: what was acknowledged, or that and the whole next call.
          const next = new Set(found.map((each) => `${each.id} ${each.group}`))
          const missing = promised.filter((each) => !next.has(`${each.id} ${each.group}`))
          assert.include([0, 20, 40], missing.length)
        })
    })
    assert.isAbove(report.stepCount, 4)
  })
)

it.effect("RecordStore.resumeSync keeps what was put into the sync before it", () =>
  CrashEnumerator.enumerate<Engine, "resumed">({
    name: "record store leaves a sync",
    layer: MemoryEngine.layerCrashing,
    prepare: Effect.flatMap(openStore(), (store) => store.startSync({ type: "full", syncId: syncId(1) })),
    scenario: (acknowledge) =>
      Effect.gen(function* () {
        const store = yield* openStore()
        yield* store.startSync({ type: "full", syncId: syncId(2) })
        yield* store.put(Item, items(50))
        yield* store.resumeSync(syncId(1))
        yield* acknowledge("resumed")
      }),
    recover: Effect.asVoid(openStore()),
    check: (acknowledged) =>
      Effect.gen(function* () {
        const store = yield* openStore()
        if (acknowledged.length > 0) yield* assertItems(store, syncId(2), items(50))
      })
  })
)

it.effect("RecordStore.flush keeps what was put", () =>
  CrashEnumerator.enumerate<Engine, "flushed">({
    name: "record store flush",
    layer: MemoryEngine.layerCrashing,
    scenario: (acknowledge) =>
      Effect.gen(function* () {
        const store = yield* openStore()
        yield* store.startSync({ type: "full", syncId: syncId(1) })
        yield* store.put(Item, items(50))
        yield* store.flush
        yield* acknowledge("flushed")
      }),
    recover: Effect.asVoid(openStore()),
    check: (acknowledged) =>
      Effect.gen(function* () {
        const store = yield* openStore()
        if (acknowledged.length > 0) yield* assertItems(store, syncId(1), items(50))
      })
  })
)

it.effect("RecordStore.cleanup leaves, in every crash, each sync whole or gone", () =>
  CrashEnumerator.enumerate<Engine, "cleaned">({
    name: "record store cleanup",
    layer: MemoryEngine.layerCrashing,
    prepare: Effect.gen(function* () {
      const store = yield* openStore()
      for (const number of [1, 2, 3]) {
        yield* store.startSync({ type: "full", syncId: syncId(number) })
        yield* store.put(Item, items(30))
        yield* store.endSync({ endedAt: number })
      }
    }),
    scenario: (acknowledge) =>
      Effect.gen(function* () {
        const store = yield* openStore()
        yield* store.cleanup({ keepFinishedPerType: 1 })
        yield* acknowledge("cleaned")
      }),
    recover: Effect.asVoid(openStore()),
    check: (acknowledged) =>
      Effect.gen(function* () {
        const store = yield* openStore()
        const runs = yield* store.listSyncs
        if (acknowledged.length > 0)
          assert.deepStrictEqual(
            runs.map(({ sync_id }) => sync_id),
            [syncId(3)]
          )
        for (const { sync_id } of runs) yield* assertItems(store, sync_id, items(30))
        const { keyspaces } = yield* store.database.stats
        assert.strictEqual(keyspaces.syncs?.keyCount, 2 * runs.length)
        assert.strictEqual(keyspaces.meta?.keyCount, 1 + runs.length)
      })
  })
)
