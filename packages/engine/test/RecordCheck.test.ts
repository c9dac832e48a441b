import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import type { Database } from "../src/Engine.ts"
import { headerOf, syncBytes } from "../src/format/RecordLayout.ts"
import { encodeSchema } from "../src/format/StoreSchema.ts"
import { compareBytes } from "../src/internal/Bounds.ts"
import type { CheckOptions, CheckReport, FindingKind } from "../src/RecordCheck.ts"
import * as RecordReader from "../src/RecordReader.ts"
import {
  blocksOf,
  entryKey,
  Item,
  item,
  openMemory,
  Pair,
  plantBlocks,
  plantRows,
  recordKey,
  schema
} from "./PlantedStore.ts"
import { type Change, damages, first, noValue, pairs, second, wholeRows, without } from "./RecordDamages.ts"

const check = (database: Database, options?: CheckOptions) =>
  Effect.flatMap(RecordReader.make({ reader: database.snapshot, path: "/store", types: [Item, Pair] }), (reader) =>
    reader.check(options)
  )

const summary = ({ findings }: CheckReport) =>
  findings.map(({ index, kind, type }) => [kind, type, index].filter((part) => part !== undefined).join(" "))

/** What is found after a change of the logical rows. */
const checkChanged = (change: Change): Effect.Effect<CheckReport, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const rows = wholeRows()
    change(rows)
    const database = yield* openMemory
    yield* plantRows(database, rows)
    return yield* check(database)
  })

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
