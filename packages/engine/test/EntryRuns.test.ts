import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Database } from "../src/Engine.ts"
import { entryRunKey, entryRunPrefix, syncOfEntryRun } from "../src/format/EntryRun.ts"
import { metaKeyspace, syncBytes } from "../src/format/RecordLayout.ts"
import { collectChunks, type EntryRuns, readRuns } from "../src/internal/records/writing/EntryRuns.ts"
import { makeBlocks } from "../src/internal/records/writing/MergeDesk.ts"
import { sort } from "../src/kernel/ByteSort.ts"
import * as RowArena from "../src/kernel/RowArena.ts"
import * as RecordReader from "../src/RecordReader.ts"
import { openMemory, openPlanted, syncId } from "./PlantedStore.ts"

const sync = syncBytes(syncId(7))

interface Entry {
  readonly key: string
  readonly isDelete: boolean
}

const noValue = new Uint8Array()

const arenaOf = (entries: ReadonlyArray<Entry>): RowArena.RowArena => {
  const arena = RowArena.make(64 * 1024 * 1024)
  for (const { isDelete, key } of entries) {
    const bytes = new TextEncoder().encode(key)
    RowArena.append(arena, isDelete, bytes, bytes.length, noValue)
  }
  return arena
}

/** Writes each list as one run, oldest first, and reads all of them in arenas of some bytes. */
const readBack = (database: Database, lists: ReadonlyArray<ReadonlyArray<Entry>>, limitBytes: number) =>
  Effect.gen(function* () {
    const runs: EntryRuns = { sync, chunkCounts: [] }
    for (const list of lists) {
      const blocks = makeBlocks()
      const arena = arenaOf(list)
      const sorted = sort(arena)
      runs.chunkCounts.push(0)
      collectChunks(runs, blocks, arena, sorted, 0, sorted.count)
      yield* database.write((batch) => {
        for (const { key, value } of blocks.changes) batch.put(metaKeyspace, key, value!)
      })
    }
    const reading = yield* readRuns(database, "/runs", runs)
    const read: Array<Entry> = []
    const arena = RowArena.make(64 * 1024 * 1024)
    let fillCount = 0
    for (;;) {
      RowArena.clear(arena)
      const { count, order, shared } = yield* reading.fill(arena, limitBytes)
      if (count === 0) return { read, fillCount, runs }
      fillCount++
      for (let place = 0; place < count; place++) {
        const key = RowArena.keyOf(arena, order[place]!)
        const before = place === 0 ? noValue : RowArena.keyOf(arena, order[place - 1]!)
        let common = 0
        while (common < before.length && before[common] === key[common]) common++
        assert.strictEqual(shared[place], common)
        read.push({ key: new TextDecoder().decode(key), isDelete: RowArena.isDelete(arena, order[place]!) })
      }
    }
  })

const entry = (number: number, isDelete = false): Entry => {
  const noise = ((number * 2_654_435_761) % 2 ** 32).toString(16).repeat(4)
  return { key: `entry ${String(number).padStart(6, "0")} ${noise}`, isDelete }
}

it.effect(
  "EntryRuns gives the rows of all runs in order, of equal keys the newest, however little is read at once",
  () =>
    Effect.scoped(
      Effect.gen(function* () {
        const database = yield* openMemory
        const lists = [0, 1, 2, 3, 4].map((run) =>
          Array.from({ length: 9_000 }, (_, index) =>
            entry((index * 7_919 * (run + 1)) % 20_011, (index + run) % 3 === 0)
          )
        )
        const expected = new Map<string, Entry>()
        for (const list of lists) for (const each of list) expected.set(each.key, each)
        const sorted = [...expected.values()].sort((left, right) => (left.key < right.key ? -1 : 1))
        for (const limitBytes of [1, 10_000, 100_000_000]) {
          const { fillCount, read, runs } = yield* readBack(database, lists, limitBytes)
          assert.deepStrictEqual(read, sorted)
          assert.isTrue(runs.chunkCounts.every((count) => count > 1))
          assert.strictEqual(fillCount === 1, limitBytes === 100_000_000)
          if (limitBytes === 1) assert.strictEqual(fillCount, sorted.length)
        }
      })
    )
)

it.effect("EntryRuns says so when a chunk is gone, cut off or no rows", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const database = yield* openMemory
      const list = Array.from({ length: 2_000 }, (_, index) => entry(index))
      const { runs } = yield* readBack(database, [list], 1_000_000)
      const damage = [undefined, Uint8Array.of(0), Uint8Array.of(9, 9), Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80)]
      for (const value of damage) {
        yield* database.write((batch) => {
          if (value === undefined) batch.delete(metaKeyspace, entryRunKey(sync, 0, 0))
          else batch.put(metaKeyspace, entryRunKey(sync, 0, 0), value)
        })
        const failure = yield* Effect.flip(readRuns(database, "/runs", runs))
        assert.deepInclude(failure, { _tag: "StoreCorrupt", part: "bookkeeping" })
      }
    })
  )
)

it("EntryRun tells the rows of runs from other rows", () => {
  assert.deepStrictEqual(syncOfEntryRun(entryRunKey(sync, 3, 4)), sync)
  assert.strictEqual(syncOfEntryRun(entryRunPrefix(sync)), undefined)
  assert.strictEqual(syncOfEntryRun(new Uint8Array(32)), undefined)
})

it.effect(
  "RecordCheck takes no runs of entries for damage, of which a crash leaves some, but rows that are like them",
  () =>
    Effect.scoped(
      Effect.gen(function* () {
        const database = yield* openPlanted([{ id: syncId(7) }, { id: syncId(8), endedAt: 5 }])
        const reader = yield* RecordReader.make({ reader: database.snapshot, path: "/runs" })
        const plant = (key: Uint8Array) =>
          database.write((batch) => batch.put(metaKeyspace, key, Uint8Array.of(0, 2, 1)))
        for (const number of [7, 8, 9]) yield* plant(entryRunKey(syncBytes(syncId(number)), 0, 0))
        assert.deepStrictEqual((yield* reader.check()).findings, [])
        yield* plant(entryRunKey(syncBytes(syncId(7)), 0, 0).slice(0, -1))
        assert.deepStrictEqual(
          (yield* reader.check()).findings.map(({ kind }) => kind),
          ["bookkeepingDamaged"]
        )
      })
    )
)
