/** Every kind of damage that a check of a record store is to find, planted in one that is sound. */
import { assert } from "@effect/vitest"
import { headerOf, syncBookKey, syncByTypeKey, syncBytes, syncRunKey } from "../src/format/RecordLayout.ts"
import { encodeSyncBook } from "../src/format/StoreSchema.ts"
import { compareBytes } from "../src/internal/Bounds.ts"
import type { SyncId } from "../src/SyncRun.ts"
import { SyncRun } from "../src/SyncRun.ts"
import { entryKey, Item, item, items, type LogicalRows, Pair, recordKey, rowsOf, syncId } from "./PlantedStore.ts"

export const first: SyncId = syncId(1)
export const second: SyncId = syncId(2)
const open = syncId(3)
export const behind: SyncId = syncId(4)
/** The records of the first sync. */
export const records: ReadonlyArray<Item> = items(40)
export const pairs: ReadonlyArray<Pair> = [
  { left: "a", right: 1, text: "" },
  { left: "b", right: 1, text: "" }
]

/** Two finished syncs, one that is open, and one whose indexes a crash left behind. */
export const wholeRows = (): LogicalRows => {
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

/** Does damage. */
export type Change = (rows: LogicalRows) => void

export const noValue: Uint8Array = new Uint8Array()

/** The rows but one, which is there. */
export const without = (rows: LogicalRows["records"], key: Uint8Array): LogicalRows["records"] => {
  const left = rows.filter((row) => compareBytes(row.key, key) !== 0)
  assert.strictEqual(left.length, rows.length - 1)
  return left
}

const replaced = (rows: LogicalRows["records"], key: Uint8Array, value: Uint8Array): LogicalRows["records"] => [
  ...without(rows, key),
  { key, value }
]

/** Each change of a sound store, and what it makes the check find. */
export const damages: ReadonlyArray<readonly [string, Change, ReadonlyArray<string>]> = [
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
