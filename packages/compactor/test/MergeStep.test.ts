import { assert, describe, it } from "@effect/vitest"
import { SyncChange } from "@icecore/engine"
import { batchBytesOf, batchSizeOf } from "../src/internal/merge/BatchSize.ts"
import * as MergeStep from "../src/internal/merge/MergeStep.ts"
import * as KeyMerge from "../src/kernel/KeyMerge.ts"
import { Account, account } from "./MergeFixtures.ts"

/** A merge of this many accounts of one source, and the same of an older one. */
const mergeOf = (count: number, recordBytes: number): MergeStep.TypeMerge => {
  const merge = MergeStep.make({ type: Account, recordBytes, resultSource: 2, keepsChanges: false })
  const rows = Array.from({ length: count }, (_, at) => account(String(at).padStart(9, "0"), 1))
  for (const source of [0, 1]) KeyMerge.supply(merge.keys, MergeStep.recordLane(Account, source), rows)
  return merge
}

describe("MergeStep", () => {
  it("proceed ends a step with so many records, or so many bytes of them", () => {
    const many = mergeOf(5_000, 100)
    assert.isTrue(MergeStep.proceed(many))
    assert.strictEqual(many.step.puts.length, 1_000)
    assert.strictEqual(many.step.rowCount, 2_000)
    assert.strictEqual(many.step.supersededCount, 1_000)
    const large = mergeOf(5_000, 1024 * 1024)
    assert.isTrue(MergeStep.proceed(large))
    assert.strictEqual(large.step.puts.length, 4)
  })

  it("proceed ends a step with so many rows that were looked at, though nothing is to be written", () => {
    const merge = MergeStep.make({ type: Account, recordBytes: 1, resultSource: 1, keepsChanges: false })
    const rows = Array.from({ length: 30_000 }, (_, at) => account(String(at).padStart(9, "0"), 1))
    for (const source of [0, 1]) KeyMerge.supply(merge.keys, MergeStep.recordLane(Account, source), rows)
    assert.isTrue(MergeStep.proceed(merge))
    assert.strictEqual(merge.step.rowCount, 20_000)
    assert.deepStrictEqual(merge.step.puts, [])
  })

  it("proceed stops at a lane that has run out, before any key that it may still have", () => {
    const merge = MergeStep.make({ type: Account, recordBytes: 1, resultSource: 2, keepsChanges: false })
    const lane = MergeStep.recordLane(Account, 0)
    KeyMerge.supply(merge.keys, lane, [account("a", 1)])
    KeyMerge.supply(merge.keys, MergeStep.recordLane(Account, 1), [account("b", 1), account("d", 1)])
    assert.isTrue(MergeStep.proceed(merge))
    assert.deepStrictEqual(merge.dry, [lane])
    assert.strictEqual(merge.step.puts.length, 1)
    merge.dry.length = 0
    KeyMerge.supply(merge.keys, lane, [account("c", 1)])
    MergeStep.proceed(merge)
    assert.deepStrictEqual(
      merge.step.puts.map((record) => (record as { readonly id: string }).id),
      ["a", "b", "c"]
    )
  })

  it("proceed removes what the result has and a removal takes away, and the changes that it is not to keep", () => {
    for (const keepsChanges of [true, false]) {
      const merge = MergeStep.make({ type: Account, recordBytes: 1, resultSource: 1, keepsChanges })
      const removal = SyncChange.removalOf(Account, { id: "a" }, 5)
      const stored = account("a", 4)
      const added = SyncChange.make({ type: Account, record: { id: "a" }, kind: "added", discoveredAt: 4 })
      KeyMerge.supply(merge.keys, MergeStep.changeLane(0), [removal])
      KeyMerge.supply(merge.keys, MergeStep.recordLane(Account, 1), [stored])
      KeyMerge.supply(merge.keys, MergeStep.changeLane(1), [added])
      MergeStep.proceed(merge)
      assert.deepStrictEqual(merge.step.removals, [stored])
      assert.deepStrictEqual(merge.step.changePuts, keepsChanges ? [removal] : [])
      assert.deepStrictEqual(merge.step.changeRemovals, keepsChanges ? [] : [added])
      assert.strictEqual(merge.step.writtenChange, -1)
      assert.strictEqual(merge.step.removedCount, 1)
    }
  })
})

describe("batchSizeOf", () => {
  it("batchSizeOf shares what may be ahead among all lanes, by count and by bytes, and leaves each a record", () => {
    assert.strictEqual(batchSizeOf({ laneCount: 1, recordBytes: 100 }), 1_000)
    assert.strictEqual(batchSizeOf({ laneCount: 64, recordBytes: 100 }), 62)
    assert.strictEqual(batchSizeOf({ laneCount: 2_000, recordBytes: 100 }), 16)
    assert.strictEqual(batchSizeOf({ laneCount: 64, recordBytes: 64 * 1024 }), 4)
    assert.strictEqual(batchSizeOf({ laneCount: 64, recordBytes: 16 * 1024 * 1024 }), 1)
    assert.strictEqual(batchSizeOf({ laneCount: 64, recordBytes: 0 }), 62)
  })

  it("batchBytesOf shares the same bytes, of which a stream takes no more than 8 MiB", () => {
    assert.strictEqual(batchBytesOf(1), 8 * 1024 * 1024)
    assert.strictEqual(batchBytesOf(64), 256 * 1024)
    assert.strictEqual(batchBytesOf(3_000), 5_593)
  })
})
