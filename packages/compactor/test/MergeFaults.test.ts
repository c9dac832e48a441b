import { assert, describe, it } from "@effect/vitest"
import {
  Engine,
  EngineCorrupt,
  EngineFull,
  type Reader,
  type RecordStore,
  SyncChange,
  type SyncRun
} from "@icecore/engine"
import * as MemoryEngine from "@icecore/engine/memory"
import { LiveDisk } from "@icecore/packfile/live"
import { CrashEnumerator } from "@icecore/packfile/testing"
import { Deferred, Effect, Exit, Fiber, Option, type Scope } from "effect"
import { type CompactBaseFailed, Merge, Source } from "../src/index.ts"
import { digestOf, engineNames, engineOf, idOf, openStore, temporaryDirectory } from "./CompactorFixtures.ts"
import {
  account,
  allTypes,
  assertSound,
  contentsOf,
  fillSource,
  fullOf,
  makeChoices,
  mergedNaively,
  openMemory,
  randomSource,
  type SourceRows,
  storesOf
} from "./MergeFixtures.ts"

const test = (name: string, run: Effect.Effect<void, unknown, Engine | Scope.Scope>): void =>
  it.effect(name, () => run.pipe(Effect.scoped, Effect.provide(MemoryEngine.layer)), 60_000)

const many = (origin: string) => Array.from({ length: 3_000 }, (_, at) => account(`${at}`, at % 3, origin))

/** The same source, whose moments cannot read this keyspace behind so many pages. */
const failingAfter = (source: Source.Source, pageCount: number): Source.Source => {
  let left = pageCount
  const error = new EngineCorrupt({ path: source.source.path, keyspace: "records", detail: "value checksum is wrong" })
  const failing = (reader: Reader): Reader => ({
    ...reader,
    page: (keyspace, options) =>
      keyspace === "records" && left-- <= 0 ? Effect.fail(error) : reader.page(keyspace, options)
  })
  return { ...source, source: { ...source.source, snapshot: Effect.map(source.source.snapshot, failing) } }
}

describe("Merge", () => {
  test(
    "merge that fails half way takes its sync away, says which source it was, and can be made again",
    Effect.gen(function* () {
      const sources = yield* storesOf([fullOf(...many("old")), fullOf(...many("new"))])
      const into = yield* openMemory("/into")
      yield* fillSource(into, fullOf(account("before", 1)), { number: 1 })
      let written = 0
      const onProgress = () => Effect.sync(() => void written++)
      const broken = [{ source: failingAfter(sources[0]!.source, 5) }, sources[1]!]
      const error = yield* Effect.flip(Merge.merge({ sources: broken, into, onProgress }))
      assert.isAbove(written, 0)
      assert.strictEqual(error._tag, "CompactSourceFailed")
      assert.match(error.message, /^Cannot merge from \/source0: .*value checksum is wrong/)
      assert.isTrue(Option.isNone(yield* into.currentSync))
      assert.deepStrictEqual(
        (yield* into.listSyncs).map(({ sync_id }) => sync_id),
        [idOf(1)]
      )
      yield* assertSound(into)
      const { run } = yield* Merge.merge({ sources, into })
      assert.deepStrictEqual(run.counts, { Account: 3_000 })
      yield* assertSound(into)
    })
  )

  test(
    "merge that cannot write says so, also where its sync cannot be removed, which then is plainly unfinished",
    Effect.gen(function* () {
      const sources = yield* storesOf([fullOf(...many("old"))])
      const store = yield* openMemory("/into")
      const full = new EngineFull({ path: "/into", detail: "ENOSPC" })
      const failing = Effect.fail(full)
      let putCount = 0
      const put: typeof store.put = (type, records) => (putCount++ === 0 ? store.put(type, records) : failing)
      const error = yield* Effect.flip(Merge.merge({ sources, into: { ...store, put } }))
      assert.strictEqual(error._tag, "CompactBaseFailed")
      assert.strictEqual((error as CompactBaseFailed).cause, full)
      assert.strictEqual(error.message, `Cannot merge into /into: ${full.message}`)
      assert.deepStrictEqual(yield* store.listSyncs, [])
      const stuck = { ...store, put: () => failing, removeSync: () => failing }
      assert.strictEqual(((yield* Effect.flip(Merge.merge({ sources, into: stuck }))) as CompactBaseFailed).cause, full)
      assert.deepStrictEqual(
        (yield* store.listSyncs).map(({ ended_at }) => ended_at),
        [undefined]
      )
    })
  )

  test(
    "merge that is interrupted takes its sync away",
    Effect.gen(function* () {
      const sources = yield* storesOf([fullOf(...many("old")), fullOf(...many("new"))])
      const into = yield* openMemory("/into")
      const reached = yield* Deferred.make<void>()
      const onProgress = () => Effect.andThen(Deferred.succeed(reached, undefined), Effect.never)
      const fiber = yield* Effect.forkChild(Merge.merge({ sources, into, onProgress }))
      yield* Deferred.await(reached)
      assert.strictEqual((yield* into.listSyncs).length, 1)
      yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isFailure(yield* Fiber.await(fiber)))
      assert.deepStrictEqual(yield* into.listSyncs, [])
      assert.isTrue(Option.isNone(yield* into.currentSync))
      yield* assertSound(into)
    })
  )

  it.effect(
    "merge leaves, in every crash, a whole finished sync or one that is plainly unfinished, and the others as they were",
    () =>
      Effect.gen(function* () {
        const choices = makeChoices(3)
        const rows = Array.from({ length: 3 }, (_, place) => randomSource(choices, place, false))
        const expected = mergedNaively(rows)
        const report = yield* CrashEnumerator.enumerate<Engine, "merged">({
          name: "merge of syncs of one store",
          layer: MemoryEngine.layerCrashing,
          prepare: Effect.gen(function* () {
            const store = yield* openMemory("/store")
            for (const [place, each] of rows.entries()) yield* fillSource(store, each, { number: place + 1 })
          }),
          scenario: (acknowledge) =>
            Effect.gen(function* () {
              const into = yield* openMemory("/store")
              const source = yield* Source.ofStore(into)
              const sources = rows.map((_, place) => ({ source, syncId: idOf(place + 1) }))
              yield* Merge.merge({ sources, into, fanIn: 2 })
              yield* acknowledge("merged")
            }),
          recover: Effect.asVoid(openMemory("/store")),
          check: (acknowledged) =>
            Effect.gen(function* () {
              const store = yield* openMemory("/store")
              const merged = (yield* store.listSyncs).filter(({ source_sync_ids }) => source_sync_ids !== undefined)
              const finished = merged.filter(({ ended_at }) => ended_at !== undefined)
              assert.isAtMost(merged.length, 1)
              if (acknowledged.length > 0) assert.strictEqual(finished.length, 1)
              for (const { sync_id } of finished) assertSame(yield* contentsOf(store, sync_id), expected)
              for (const [place, each] of rows.entries()) {
                const kept = yield* contentsOf(store, idOf(place + 1))
                assert.strictEqual(
                  [...kept.values()].filter(({ record }) => record !== undefined).length,
                  keyCountOf(each)
                )
              }
              yield* store.cleanup({ keepFinishedPerType: 10, keepUnfinishedMillis: 0 })
              yield* assertSound(store)
            })
        })
        assert.isAbove(report.stepCount, 4)
      }),
    600_000
  )

  it.live(
    "merge gives the same sync in every engine, by every index, however many sources are read at once",
    () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const choices = makeChoices(11)
        const rows = Array.from({ length: 9 }, (_, place) => randomSource(choices, place, place % 3 === 1))
        const digests = new Set<string>()
        for (const name of engineNames) {
          const engine = yield* engineOf(name)
          const sources: Array<{ readonly source: Source.Source }> = []
          for (const [place, each] of rows.entries()) {
            const store = yield* openStore(engine, { path: `${directory}/${name}${place}`, types: allTypes })
            yield* fillSource(store, each, { number: place + 1 })
            sources.push({ source: yield* Effect.provideService(Source.ofStore(store), Engine, engine) })
          }
          const into = yield* openStore(engine, { path: `${directory}/${name}-into`, types: allTypes })
          for (const fanIn of [2, 4, 64, 64]) {
            const { run } = yield* Merge.merge({ sources, into, fanIn })
            digests.add(yield* recordsDigestOf(into, run.sync_id))
          }
          yield* assertSound(into)
        }
        assert.strictEqual(digests.size, 1)
      }).pipe(Effect.scoped, Effect.provide(LiveDisk.layer)),
    60_000
  )
})

const assertSame = (actual: ReadonlyMap<string, unknown>, expected: ReadonlyMap<string, unknown>): void =>
  assert.deepStrictEqual([...actual.keys()].toSorted(), [...expected.keys()].toSorted())

const keyCountOf = ({ records }: SourceRows): number =>
  new Set(
    records.map(
      ({ record, type }) => `${type.name} ${Buffer.from(SyncChange.recordKeyOf(type, record)).toString("hex")}`
    )
  ).size

/** All of a sync by every index, without its run. */
const recordsDigestOf = (store: RecordStore.RecordStore, sync: SyncRun.SyncId) =>
  digestOf({ ...store, getSync: () => Effect.succeed(Option.none()) }, sync, allTypes)
