import { assert, describe, it } from "@effect/vitest"
import { Ksuid } from "@icecore/codec"
import { Effect, Option, Schema, Stream } from "effect"
import type { Engine } from "../src/Engine.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import * as RecordComparison from "../src/RecordComparison.ts"
import * as RecordExport from "../src/RecordExport.ts"
import * as RecordImport from "../src/RecordImport.ts"
import type { RecordReader } from "../src/RecordReader.ts"
import * as RecordStore from "../src/RecordStore.ts"
import * as RecordType from "../src/RecordType.ts"
import type { SyncRun } from "../src/SyncRun.ts"

const Account = RecordType.make({
  name: "Account",
  fields: Schema.Struct({
    id: Schema.String,
    owner: Schema.String,
    photo: Schema.optionalKey(Schema.Uint8Array),
    size: Schema.BigInt
  }),
  primaryKey: ["id"],
  indexes: { by_owner: { paths: ["owner"] } }
})

const Role = RecordType.make({
  name: "Role",
  fields: Schema.Struct({ id: Schema.Int, scopes: Schema.Array(Schema.String) }),
  primaryKey: ["id"]
})

const types = [Account, Role]

const account = (index: number) => ({
  id: `account ${index}`,
  owner: `owner ${index % 5}`,
  size: BigInt(index) - 3n,
  ...(index % 2 === 0 ? { photo: Uint8Array.of(0, 1, index % 256) } : {})
})

const openStore = (path: string) => RecordStore.open({ path, types })

/** A store with a finished sync, and one that goes on from it and has not ended. */
const filled = Effect.gen(function* () {
  const store = yield* openStore("/from")
  const first = yield* store.startSync({ type: "full" })
  yield* store.put(
    Account,
    Array.from({ length: 2_345 }, (_, index) => account(index))
  )
  yield* store.put(Role, [
    { id: -1, scopes: [] },
    { id: 7, scopes: ["a", "名"] }
  ])
  yield* store.checkpointSync('{"page":3}')
  yield* store.endSync()
  const second = yield* store.startSync({ type: "partial", parent: first.sync_id })
  yield* store.put(Account, [account(1)])
  yield* store.checkpointSync("half")
  return { store, first: first.sync_id, second: second.sync_id }
})

const linesOf = (reader: RecordReader, options: RecordExport.ExportOptions) =>
  Stream.runCollect(RecordExport.chunks(reader, options)).pipe(
    Effect.map((chunks) => Buffer.concat(chunks.map(({ bytes }) => bytes)).toString())
  )

const importText = (store: RecordStore.RecordStore, text: string, options: RecordImport.LinesOptions = {}) =>
  Effect.scoped(
    Effect.gen(function* () {
      const lines = text.split("\n").map((line) => new TextEncoder().encode(line))
      const input = yield* RecordImport.openLines("the text", Stream.rechunk(Stream.fromIterable(lines), 7))
      return yield* RecordImport.fromLines(store, input, options)
    })
  )

const assertSame = Effect.fnUntraced(function* (left: RecordReader, right: RecordReader) {
  const runs = yield* left.listSyncs
  assert.deepStrictEqual(yield* right.listSyncs, runs)
  for (const { sync_id: sync } of runs) {
    const steps = yield* Stream.runCollect(
      RecordComparison.compare({ left: { reader: left, sync }, right: { reader: right, sync } })
    )
    assert.isAbove(
      steps.reduce((sum, { leftCount }) => sum + leftCount, 0),
      0
    )
    assert.deepStrictEqual(
      steps.flatMap(({ differences }) => differences),
      []
    )
  }
  assert.deepStrictEqual((yield* right.check()).findings, [])
})

/** The reader with one run alone. */
const onlyFirst = (reader: RecordReader, sync: string): Effect.Effect<RecordReader> =>
  Effect.succeed({
    ...reader,
    listSyncs: Effect.map(reader.listSyncs, (runs) => runs.filter((run) => run.sync_id === sync))
  })

const inMemory = <A, E>(effect: Effect.Effect<A, E, Engine | import("effect").Scope.Scope>) =>
  effect.pipe(Effect.scoped, Effect.provide(MemoryEngine.layer))

describe("RecordExport and RecordImport", () => {
  it.effect("chunks are lines that fromLines makes the same store of, runs without an end and all", () =>
    inMemory(
      Effect.gen(function* () {
        const { first, second, store } = yield* filled
        const text = yield* linesOf(store, { syncs: [first, second] })
        const target = yield* openStore("/to")
        assert.deepStrictEqual(yield* importText(target, text), { runCount: 2, recordCount: 2_348 })
        yield* assertSame(store, target)
        assert.strictEqual(yield* linesOf(target, { syncs: [first, second] }), text, "the same bytes")
        assert.deepStrictEqual(
          Option.map(yield* target.latestFinishedSync(), (run) => run.sync_id),
          Option.some(first)
        )
      })
    )
  )
  it.effect("chunks are of bounded size, however many records come at once", () =>
    Effect.gen(function* () {
      const run: SyncRun = { sync_id: yield* Ksuid.make, type: "full", started_at: 1, token: "", counts: {} }
      const records = Array.from({ length: 10_000 }, (_, index) => account(index))
      const reader: Pick<RecordReader, "types" | "stats" | "stream"> = {
        types: [Account],
        stats: () => Effect.succeed({ run, counts: { Account: records.length } }),
        stream: () => Stream.fromArray(records as never)
      }
      const chunks = yield* Stream.runCollect(RecordExport.chunks(reader as RecordReader, { syncs: [run.sync_id] }))
      assert.isTrue(chunks.every(({ bytes }) => bytes.length < 257 * 1024))
      assert.strictEqual(
        chunks.reduce((sum, { recordCount }) => sum + recordCount, 0),
        records.length
      )
    })
  )

  it.effect("fromReader copies runs as they are", () =>
    inMemory(
      Effect.gen(function* () {
        const { first, second, store } = yield* filled
        const target = yield* openStore("/to")
        let progress = 0
        const counts = yield* RecordImport.fromReader(target, store, {
          syncs: [first, second],
          onProgress: ({ recordCount }) => {
            progress = recordCount
          }
        })
        assert.deepStrictEqual([counts, progress], [{ runCount: 2, recordCount: 2_348 }, 2_348])
        yield* assertSame(store, target)
      })
    )
  )

  it.effect(
    "fromReader takes a store whose types have every field of the reader's, and refuses one that lacks any",
    () =>
      inMemory(
        Effect.gen(function* () {
          const { first, store } = yield* filled
          const fields = { id: Schema.String, owner: Schema.String, photo: Schema.optionalKey(Schema.Uint8Array) }
          const appended = { note: Schema.optionalKey(Schema.String) }
          const Longer = RecordType.make({
            name: "Account",
            fields: Schema.Struct({ ...fields, size: Schema.BigInt, ...appended }),
            primaryKey: ["id"]
          })
          const target = yield* RecordStore.open({ path: "/longer", types: [Longer, Role] })
          yield* RecordImport.fromReader(target, store, { syncs: [first] })
          yield* assertSame(yield* onlyFirst(store, first), target)
          const refused = yield* Effect.flip(
            RecordImport.fromReader(yield* openStore("/shorter"), target, { syncs: [first] })
          )
          assert.strictEqual(refused._tag, "RecordMisuse")
        })
      )
  )

  it.effect("chunks with some types alone count those, so that what they hold is imported whole", () =>
    inMemory(
      Effect.gen(function* () {
        const { first, store } = yield* filled
        const text = yield* linesOf(store, { syncs: [first], types: [Role] })
        assert.lengthOf(text.trimEnd().split("\n"), 1 + 1 + 2)
        const target = yield* openStore("/to")
        assert.deepStrictEqual(yield* importText(target, text), { runCount: 1, recordCount: 2 })
        assert.deepStrictEqual((yield* target.stats({ sync: first })).counts, { Account: 0, Role: 2 })
      })
    )
  )

  it.effect(
    "fromLines leaves a run without an end when lines are missing, and ends it when they come with resume",
    () =>
      inMemory(
        Effect.gen(function* () {
          const { first, store } = yield* filled
          const text = yield* linesOf(store, { syncs: [first] })
          const cut = text.trimEnd().split("\n").slice(0, -700).join("\n")
          const target = yield* openStore("/to")
          const error = yield* Effect.flip(importText(target, cut))
          assert(error._tag === "ImportIncomplete")
          assert.deepInclude({ ...error }, { source: "the text", sync: first, expected: 2_345, type: "Account" })
          assert.deepStrictEqual(yield* target.latestFinishedSync(), Option.none())

          const again = yield* Effect.flip(importText(target, text))
          assert.strictEqual(again._tag, "SyncExists")
          yield* importText(target, text, { resume: true })
          yield* assertSame(yield* onlyFirst(store, first), target)
          assert.deepStrictEqual(yield* importText(target, text, { resume: true }), { runCount: 0, recordCount: 0 })
          const other = text.replace(/"ended_at":\d+/, '"ended_at":1')
          assert.strictEqual((yield* Effect.flip(importText(target, other, { resume: true })))._tag, "SyncEnded")
          const ofOtherType = text.replace('"type":"full"', '"type":"partial"')
          const mistyped = yield* Effect.flip(importText(target, ofOtherType, { resume: true }))
          assert.strictEqual(mistyped._tag, "SyncTypeMismatch")
        })
      )
  )

  it.effect("fromLines goes on with resume in the run where it stopped, though the runs before it have ended", () =>
    inMemory(
      Effect.gen(function* () {
        const { first, second, store } = yield* filled
        const text = yield* linesOf(store, { syncs: [first, second] })
        const cut = text.trimEnd().split("\n").slice(0, -1).join("\n")
        const target = yield* openStore("/to")
        assert.strictEqual((yield* Effect.flip(importText(target, cut)))._tag, "ImportIncomplete")
        assert.deepStrictEqual(yield* importText(target, text, { resume: true }), { runCount: 1, recordCount: 1 })
        yield* assertSame(store, target)
        const counts = yield* RecordImport.fromReader(target, store, { syncs: [first], resume: true })
        assert.deepStrictEqual(counts, { runCount: 0, recordCount: 0 })
      })
    )
  )

  it.effect("fromLines takes records that come without a run for one of their own, and ends it", () =>
    inMemory(
      Effect.gen(function* () {
        const store = yield* openStore("/to")
        const text = [
          '{"type":"Role","record":{"id":1,"scopes":[]}}',
          "",
          '{"type":"Role","record":{"id":2,"scopes":[]}}'
        ]
        yield* importText(store, text.join("\n"), { syncType: "manual" })
        const run = Option.getOrThrow(yield* store.latestFinishedSync("manual"))
        assert.deepStrictEqual(run.counts.Role, 2)
        assert.isAtLeast(run.ended_at!, run.started_at)
      })
    )
  )

  it.effect("fromLines names the line that it cannot take", () =>
    inMemory(
      Effect.gen(function* () {
        const { first, second, store } = yield* filled
        const [account, role, counted] = (yield* linesOf(store, { syncs: [first] })).split("\n")
        const run = JSON.stringify({ sync_run: { ...JSON.parse(counted!).sync_run, counts: {} } })
        const other = (yield* linesOf(store, { syncs: [second] })).split("\n")[2]!
        const record = (sync: string | undefined, id: unknown, type = "Role") =>
          JSON.stringify({ type, sync, record: { id, scopes: [] } })
        const long = JSON.stringify({
          type: "Account",
          sync: first,
          record: { id: "x".repeat(4_000), owner: "", size: "0" }
        })
        const cases: ReadonlyArray<readonly [ReadonlyArray<string>, number, RegExp]> = [
          [["{"], 1, /it is no JSON/],
          [[role!, "", role!], 3, /it declares type Role a second time/],
          [[run, role!], 2, /it declares a type, expected all types before the first run/],
          [[record(first, 1)], 1, /has no sync_run line before it/],
          [[run, record(second, 1)], 2, new RegExp(`its sync is ${second}, expected ${first}`)],
          [[run, other, record(first, 1)], 3, new RegExp(`its sync is ${first}, expected ${second}`)],
          [[run, record(first, 1), record(first, "1")], 3, /Role\.id is .*, expected/],
          [[run, record(first, 1, "Rule")], 2, /its type is "Rule", expected Account, Role/],
          [[account!, run, record(first, 1), "", long], 5, /too long/]
        ]
        for (const [index, [lines, line, detail]] of cases.entries()) {
          const target = yield* openStore(`/to${index}`)
          const error = yield* Effect.flip(importText(target, lines.join("\n")))
          assert(error._tag === "ImportLineInvalid", String(error))
          assert.strictEqual(error.line, line, error.message)
          assert.match(error.message, detail)
          assert.match(error.message, /^Cannot import the text, line \d+: /)
          const runs = yield* target.listSyncs
          assert.isTrue(runs.length === 0 || runs.some((each) => each.ended_at === undefined), "it is left unfinished")
        }
      })
    )
  )

  it.effect("openLines says of an input without lines that it is empty", () =>
    Effect.gen(function* () {
      const open = (text: string) => RecordImport.openLines("x", Stream.make(new TextEncoder().encode(text)))
      assert.isTrue((yield* open(" ")).isEmpty)
      assert.isFalse((yield* open('{"type":"Role","record":{}}')).isEmpty)
    }).pipe(Effect.scoped)
  )
})
