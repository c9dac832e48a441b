import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import type { Database } from "../src/Engine.ts"
import { headerOf, syncBookKey, syncByTypeKey, syncBytes, syncRunKey } from "../src/format/RecordLayout.ts"
import { encodeSchema, encodeSyncBook } from "../src/format/StoreSchema.ts"
import { compareBytes } from "../src/internal/Bounds.ts"
import type { CheckOptions, CheckReport, FindingKind } from "../src/RecordCheck.ts"
import * as RecordReader from "../src/RecordReader.ts"
import { SyncRun } from "../src/SyncRun.ts"
import {
  blocksOf,
  entryKey,
  Item,
  item,
  items,
  type LogicalRows,
  openMemory,
  Pair,
  plantBlocks,
  plantRows,
  recordKey,
  rowsOf,
  schema,
  syncId
} from "./PlantedStore.ts"

const first = syncId(1)
const second = syncId(2)
const open = syncId(3)
const behind = syncId(4)
const records = items(40)
const pairs = [
  { left: "a", right: 1, text: "" },
  { left: "b", right: 1, text: "" }
]

/** Two finished syncs, one that is open, and one whose indexes a crash left behind. */
const wholeRows = (): LogicalRows => {
  const rows = rowsOf([
    { id: first, endedAt: 8, items: records },
    { id: second, endedAt: 9, type: "partial", items: items(10), pairs },
    { id: open, items: items(5) },
    { id: behind, indexes: "behind", items: items(8) }
  ])
  const left = headerOf(129, syncBytes(behind))
  rows.indexes = rows.indexes.filter(({ key }) => compareBytes(key.subarray(0, left.length), left) !== 0)
  return rows
}

const check = (database: Database, options?: CheckOptions) =>
  Effect.flatMap(RecordReader.make({ reader: database.snapshot, path: "/store", types: [Item, Pair] }), (reader) =>
    reader.check(options)
  )

const summary = ({ findings }: CheckReport) =>
  findings.map(({ index, kind, type }) => [kind, type, index].filter((part) => part !== undefined).join(" "))

type Change = (rows: LogicalRows) => void

/** What is found after a change of the logical rows. */
const checkChanged = (change: Change): Effect.Effect<CheckReport, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const rows = wholeRows()
    change(rows)
    const database = yield* openMemory
    yield* plantRows(database, rows)
    return yield* check(database)
  })

const noValue = new Uint8Array()

const without = (rows: LogicalRows["records"], key: Uint8Array): LogicalRows["records"] => {
  const left = rows.filter((row) => compareBytes(row.key, key) !== 0)
  assert.strictEqual(left.length, rows.length - 1)
  return left
}

const replaced = (rows: LogicalRows["records"], key: Uint8Array, value: Uint8Array): LogicalRows["records"] => [
  ...without(rows, key),
  { key, value }
]

/** Each change of a sound store, and what it makes the check find. */
const damages: ReadonlyArray<readonly [string, Change, ReadonlyArray<string>]> = [
  ["nothing changed", () => {}, []],
  [
    "an entry is missing",
    (rows) => (rows.indexes = without(rows.indexes, entryKey(first, "by_group", item(7)))),
    ["entryMissing Item by_group"]
  ],
  [
    "a record is gone that has entries",
    (rows) => (rows.records = without(rows.records, recordKey(first, item(6)))),
    [
      "countWrong Item",
      "countWrong Item",
      "entryOrphan Item by_group",
      "entryOrphan Item by_flag",
      "entryOrphan Item by_note"
    ]
  ],
  [
    "an entry is of another value than its record has",
    (rows) => rows.indexes.push({ key: entryKey(first, "by_group", item(7, { group: "other" })), value: noValue }),
    ["entryStale Item by_group"]
  ],
  [
    "an entry is there that its condition rules out",
    (rows) => rows.indexes.push({ key: entryKey(first, "by_flag", item(7)), value: noValue }),
    ["entryStale Item by_flag"]
  ],
  [
    "an entry moved",
    (rows) => {
      rows.indexes = without(rows.indexes, entryKey(first, "by_group", item(7)))
      rows.indexes.push({ key: entryKey(first, "by_group", item(7, { number: 1 })), value: noValue })
    },
    ["entryMissing Item by_group", "entryStale Item by_group"]
  ],
  [
    "two entries changed their records",
    (rows) => {
      for (const [record, other] of [
        [item(7), item(9)],
        [item(9), item(7)]
      ] as const) {
        rows.indexes = without(rows.indexes, entryKey(first, "by_group", record))
        rows.indexes.push({ key: entryKey(first, "by_group", { ...record, id: other.id }), value: noValue })
      }
    },
    ["entryMissing Item by_group", "entryMissing Item by_group", "entryStale Item by_group", "entryStale Item by_group"]
  ],
  [
    "an entry has too few parts",
    (rows) => rows.indexes.push({ key: Uint8Array.of(...headerOf(129, syncBytes(first)), 0x61), value: noValue }),
    ["entryOrphan Item by_group"]
  ],
  [
    "a value does not decode",
    (rows) => (rows.records = replaced(rows.records, recordKey(second, pairs[0]!), Uint8Array.of(1, 2, 3))),
    ["recordUndecodable Pair"]
  ],
  [
    "a record is under the key of another",
    (rows) =>
      (rows.records = replaced(
        rows.records,
        recordKey(second, pairs[0]!),
        Pair.codec.encodeUnsafe({ ...pairs[0]!, right: 2 })
      )),
    ["recordMisplaced Pair"]
  ],
  [
    "a record is there that nobody counted",
    (rows) =>
      rows.records.push({
        key: recordKey(second, { left: "c", right: 1, text: "" }),
        value: Pair.codec.encodeUnsafe({ left: "c", right: 1, text: "" })
      }),
    ["countWrong Pair", "countWrong Pair"]
  ],
  [
    "a record is there whose entry would be too long for a key",
    (rows) => {
      const { note: _, ...long } = item(1, { group: "g".repeat(3_000) })
      rows.records = replaced(rows.records, recordKey(first, long), Item.codec.encodeUnsafe(long))
    },
    ["entryStale Item by_group"]
  ],
  [
    "the count of an open sync is wrong",
    (rows) =>
      (rows.meta = replaced(
        rows.meta,
        syncBookKey(syncBytes(open)),
        encodeSyncBook({ indexes: "complete", counts: { Item: 4 } })
      )),
    ["countWrong Item"]
  ],
  [
    "rows are of a type that the store does not have",
    (rows) => rows.records.push({ key: Uint8Array.of(...headerOf(9, syncBytes(first)), 1), value: noValue }),
    ["tagUnknown"]
  ],
  [
    "entries are of an index that the store does not have",
    (rows) => rows.indexes.push({ key: Uint8Array.of(...headerOf(200, syncBytes(first)), 1), value: noValue }),
    ["tagUnknown"]
  ],
  [
    "rows are of another key layout",
    (rows) => rows.records.push({ key: Uint8Array.of(2, ...headerOf(2, syncBytes(first))), value: noValue }),
    ["tagUnknown"]
  ],
  [
    "rows are of a sync that is not there",
    (rows) => {
      rows.records.push({ key: recordKey(syncId(9), item(1)), value: Item.codec.encodeUnsafe(item(1)) })
      rows.indexes.push({ key: entryKey(syncId(9), "by_group", item(1)), value: noValue })
    },
    ["syncUnknown", "syncUnknown"]
  ],
  [
    "a run is gone",
    (rows) => (rows.syncs = without(rows.syncs, syncRunKey(syncBytes(open)))),
    ["runDamaged", "bookkeepingDamaged", "syncUnknown", "syncUnknown", "syncUnknown", "syncUnknown"]
  ],
  [
    "a run does not decode",
    (rows) => (rows.syncs = replaced(rows.syncs, syncRunKey(syncBytes(first)), Uint8Array.of(1))),
    ["runDamaged"]
  ],
  [
    "a run is under the key of another",
    (rows) => {
      const value = SyncRun.codec.encodeUnsafe({ sync_id: first, type: "full", started_at: 1, token: "", counts: {} })
      rows.syncs = replaced(rows.syncs, syncRunKey(syncBytes(open)), value)
    },
    ["runDamaged"]
  ],
  [
    "a run is missing in the index by type",
    (rows) => (rows.syncs = without(rows.syncs, syncByTypeKey("full", syncBytes(first)))),
    ["runDamaged"]
  ],
  [
    "a run is in the index under another type",
    (rows) => {
      rows.syncs = without(rows.syncs, syncByTypeKey("full", syncBytes(first)))
      rows.syncs.push({ key: syncByTypeKey("partial", syncBytes(first)), value: noValue })
    },
    ["runDamaged"]
  ],
  [
    "a run is in the index twice",
    (rows) => rows.syncs.push({ key: syncByTypeKey("zzz", syncBytes(first)), value: noValue }),
    ["runDamaged"]
  ],
  [
    "the index by type has a run that is not there",
    (rows) => rows.syncs.push({ key: syncByTypeKey("full", syncBytes(syncId(9))), value: noValue }),
    ["runDamaged"]
  ],
  [
    "a row among the runs is neither",
    (rows) => rows.syncs.push({ key: Uint8Array.of(1, 7, 7), value: noValue }),
    ["tagUnknown"]
  ],
  [
    "the bookkeeping of a sync is gone",
    (rows) => (rows.meta = without(rows.meta, syncBookKey(syncBytes(first)))),
    ["bookkeepingDamaged"]
  ],
  [
    "the bookkeeping of a sync does not decode",
    (rows) => (rows.meta = replaced(rows.meta, syncBookKey(syncBytes(first)), Uint8Array.of(9, 9))),
    ["bookkeepingDamaged", "bookkeepingDamaged"]
  ],
  [
    "the bookkeeping of a finished sync says that its indexes are behind",
    (rows) =>
      (rows.meta = replaced(
        rows.meta,
        syncBookKey(syncBytes(first)),
        encodeSyncBook({ indexes: "behind", counts: {} })
      )),
    ["bookkeepingDamaged"]
  ],
  [
    "there is bookkeeping of a sync that is not there",
    (rows) =>
      rows.meta.push({
        key: syncBookKey(syncBytes(syncId(9))),
        value: encodeSyncBook({ indexes: "complete", counts: {} })
      }),
    ["bookkeepingDamaged"]
  ],
  [
    "a row is there that no store keeps",
    (rows) => rows.meta.push({ key: Uint8Array.of(0x78), value: noValue }),
    ["bookkeepingDamaged"]
  ]
]

describe("RecordCheck", () => {
  for (const [name, change, expected] of damages) {
    it.effect(`check where ${name} finds ${expected.length === 0 ? "nothing" : expected[0]}`, () =>
      Effect.gen(function* () {
        const report = yield* checkChanged(change)
        assert.deepStrictEqual(summary(report).toSorted(), expected.toSorted(), JSON.stringify(report.findings))
        assert.strictEqual(report.findingCount, expected.length)
        for (const finding of report.findings) assert.isNotEmpty(finding.detail)
      })
    )
  }

  it.effect("check counts what it walked, and says where a finding is", () =>
    Effect.gen(function* () {
      const key = entryKey(first, "by_group", item(7))
      const report = yield* checkChanged((rows) => (rows.indexes = without(rows.indexes, key)))
      const { findings, ...counts } = report
      assert.deepStrictEqual(counts, {
        findingCount: 1,
        syncCount: 4,
        recordCount: 65,
        entryCount: 40 + 14 + 20 - 1 + 10 + 4 + 5 + 5 + 2 + 3
      })
      assert.deepStrictEqual(findings, [
        {
          kind: "entryMissing",
          keyspace: "indexes",
          sync: first,
          type: "Item",
          index: "by_group",
          key,
          detail: "a record asks for it"
        }
      ])
    })
  )

  it.effect("check finds a block that is none, and what else there is to find", () =>
    Effect.gen(function* () {
      const rows = wholeRows()
      // The lost block is that of items 6, 7 and 8; item 20 lacks an entry.
      rows.indexes = without(rows.indexes, entryKey(first, "by_note", item(20)))
      const records = blocksOf(rows.records).map((row) =>
        compareBytes(row.key, recordKey(first, item(6))) === 0 ? { ...row, value: row.value.slice(0, -1) } : row
      )
      const database = yield* openMemory
      yield* plantBlocks(database, { ...rows, records, indexes: blocksOf(rows.indexes) })
      const report = yield* check(database)
      assert.deepStrictEqual(summary(report), ["blockDamaged Item", "entryMissing Item by_note"])
      assert.deepStrictEqual(report.findings[0]!.key, recordKey(first, item(6)))
    })
  )

  it.effect("check finds blocks that overlap", () =>
    Effect.gen(function* () {
      const rows = wholeRows()
      const pairKey = recordKey(second, pairs[0]!)
      const others = blocksOf(rows.records.filter(({ key }) => compareBytes(key, pairKey) !== 0))
      // A block of the first pair and one far behind it, and a block between the two.
      const far = { left: "z", right: 1, text: "" }
      const wide = blocksOf([
        { key: pairKey, value: Pair.codec.encodeUnsafe(pairs[0]!) },
        { key: recordKey(second, far), value: Pair.codec.encodeUnsafe(far) }
      ])
      const database = yield* openMemory
      yield* plantBlocks(database, { ...rows, records: [...others, ...wide], indexes: blocksOf(rows.indexes) })
      assert.deepStrictEqual(summary(yield* check(database)), ["blockDamaged Pair"])
    })
  )

  it.effect("check finds a key that is too short for any row, and looks at those behind it", () =>
    Effect.gen(function* () {
      const rows = wholeRows()
      const database = yield* openMemory
      yield* plantRows(database, rows)
      yield* database.write((batch) => {
        batch.put("records", Uint8Array.of(1), noValue)
        batch.put("records", Uint8Array.of(...headerOf(9, new Uint8Array(20).fill(0xff)), 1), noValue)
        batch.put("records", new Uint8Array(30).fill(0xff), noValue)
      })
      assert.deepStrictEqual(summary(yield* check(database)), ["blockDamaged", "tagUnknown", "tagUnknown"])
    })
  )

  it.effect("check takes no notice of indexes that are being made or removed", () =>
    Effect.gen(function* () {
      const rows = wholeRows()
      const [itemType, pairType] = schema.types
      const indexes = itemType!.indexes.map((index) => ({ ...index, ready: index.name !== "by_note" }))
      const value = encodeSchema({
        ...schema,
        types: [{ ...itemType!, indexes }, pairType!],
        nextIndexTag: 134,
        removing: [133]
      })
      rows.meta[0] = { key: rows.meta[0]!.key, value }
      rows.indexes = without(rows.indexes, entryKey(first, "by_note", item(20)))
      rows.indexes.push({ key: Uint8Array.of(...headerOf(133, syncBytes(first)), 1), value: noValue })
      const database = yield* openMemory
      yield* plantRows(database, rows)
      assert.deepStrictEqual(summary(yield* check(database)), [])
    })
  )

  it.effect("check keeps as many findings as it is asked to, counts all, and tells how far it is", () =>
    Effect.gen(function* () {
      const rows = wholeRows()
      rows.indexes = []
      const database = yield* openMemory
      yield* plantRows(database, rows)
      const progress: Array<number> = []
      const report = yield* check(database, {
        findingLimit: 3,
        onProgress: ({ recordCount }) => progress.push(recordCount)
      })
      assert.strictEqual(report.findings.length, 3)
      assert.strictEqual(report.findingCount, 40 + 14 + 20 + 10 + 4 + 5 + 5 + 2 + 3)
      assert.strictEqual(progress.at(-1), 65)
      assert.strictEqual((yield* check(database, { findingLimit: 0 })).findings.length, 0)
    })
  )
})

/** Every kind of finding is planted somewhere above. */
const kinds: { readonly [K in FindingKind]: true } = {
  entryMissing: true,
  entryOrphan: true,
  entryStale: true,
  recordUndecodable: true,
  recordMisplaced: true,
  blockDamaged: true,
  countWrong: true,
  tagUnknown: true,
  syncUnknown: true,
  runDamaged: true,
  bookkeepingDamaged: true
}

it("RecordCheck has a planted damage for every kind of finding", () => {
  const planted = new Set(damages.flatMap(([, , expected]) => expected.map((text) => text.split(" ")[0])))
  assert.deepStrictEqual([...planted, "blockDamaged"].toSorted(), Object.keys(kinds).toSorted())
})
