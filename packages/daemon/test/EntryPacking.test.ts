import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Entry } from "../src/Entry.ts"
import * as EntryPacking from "../src/internal/work/EntryPacking.ts"
import type { EntryBatch } from "../src/internal/work/Protocol.ts"

/** All entries, through batches, as they come out on the other side. */
const packed = (batchSizeBytes: number, entries: ReadonlyArray<Entry>): ReadonlyArray<EntryBatch> => {
  const packer = EntryPacking.make(batchSizeBytes)
  const batches: Array<EntryBatch> = []
  const flush = () => {
    const batch = EntryPacking.take(packer)
    if (batch !== undefined) batches.push(structuredClone(batch, { transfer: [batch.bytes, batch.ends] }))
  }
  for (const entry of entries)
    if (!EntryPacking.add(packer, entry)) {
      flush()
      assert.isTrue(EntryPacking.add(packer, entry))
    }
  flush()
  return batches
}

describe("EntryPacking", () => {
  it("unpack gives the entries that were added, whatever their sizes and seqs, and add keeps theirs as they were", () => {
    const entry = fc.record({ skip: fc.constantFrom(1, 1, 1, 2, 9), bytes: fc.uint8Array({ maxLength: 40 }) })
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 60 }), fc.integer({ min: 1, max: 100 }), (given, batchSizeBytes) => {
        let seq = 0
        const entries = given.map(({ skip, bytes }): Entry => {
          seq += skip
          return { seq, bytes }
        })
        const expected = entries.map((each) => ({ seq: each.seq, bytes: Uint8Array.from(each.bytes) }))
        const batches = packed(batchSizeBytes, entries)
        assert.deepStrictEqual(batches.flatMap(EntryPacking.unpack), expected)
        assert.deepStrictEqual(entries, expected)
      })
    )
  })

  it("add begins a batch anew behind a hole, and when the bytes are full", () => {
    const of = (seq: number, sizeBytes: number): Entry => ({ seq, bytes: new Uint8Array(sizeBytes) })
    const counts = (entries: ReadonlyArray<Entry>) => packed(10, entries).map(({ entryCount }) => entryCount)
    assert.deepStrictEqual(counts([of(1, 5), of(2, 5), of(3, 0)]), [3])
    assert.deepStrictEqual(counts([of(1, 5), of(2, 6), of(3, 0)]), [1, 2])
    assert.deepStrictEqual(counts([of(1, 50), of(2, 1)]), [1, 1])
    assert.deepStrictEqual(counts([of(1, 1), of(3, 1), of(2, 1)]), [1, 1, 1])
    assert.deepStrictEqual(counts([]), [])
  })
})
