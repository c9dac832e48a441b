import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import * as RecordSizer from "../src/kernel/RecordSizer.ts"

const largestRecord = (sizes: ReadonlyArray<number>, itemsPerRecord: number): number => {
  let largest = 0
  for (let start = 0; start < sizes.length; start += itemsPerRecord) {
    const total = sizes.slice(start, start + itemsPerRecord).reduce((sum, size) => sum + size, 0)
    largest = Math.max(largest, total)
  }
  return largest
}

const sizerOf = (sizes: ReadonlyArray<number>): RecordSizer.RecordSizer => {
  const sizer = RecordSizer.make()
  for (const size of sizes) RecordSizer.add(sizer, size)
  return sizer
}

describe("RecordSizer", () => {
  it("itemsPerRecord is 128 where that fits, and for no items", () => {
    assert.strictEqual(RecordSizer.itemsPerRecord(sizerOf([]), 10), 128)
    assert.strictEqual(RecordSizer.itemsPerRecord(sizerOf(new Array(1_000).fill(10)), 1_280), 128)
    assert.strictEqual(RecordSizer.itemsPerRecord(sizerOf(new Array(1_000).fill(10)), 1_279), 64)
  })

  it("itemsPerRecord is 1 when a single item is over the bound", () => {
    assert.strictEqual(RecordSizer.itemsPerRecord(sizerOf([5, 100, 5]), 50), 1)
  })

  it("itemsPerRecord is the largest power of two whose records all fit", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(FastCheck.nat({ max: 1_000 }), { maxLength: 600 }),
        FastCheck.nat({ max: 100_000 }),
        (sizes, bound) => {
          const fitting = [128, 64, 32, 16, 8, 4, 2].find((count) => largestRecord(sizes, count) <= bound) ?? 1
          assert.strictEqual(RecordSizer.itemsPerRecord(sizerOf(sizes), bound), fitting)
        }
      )
    )
  })
})
