import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fc from "fast-check"
import * as G from "../src/Geometry.ts"
import { ChunkId, type Geometry } from "../src/Geometry.ts"

const geometries: fc.Arbitrary<Geometry> = fc.record({
  firstSeq: fc.integer({ min: 0, max: 1_000_000 }),
  entriesPerChunk: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 0xffff_ffff })),
  chunksPerWindow: fc.integer({ min: 1, max: 2_000 })
})
const offsets = fc.oneof(
  fc.integer({ min: 0, max: 50 }),
  fc.maxSafeNat().map((value) => Math.floor(value / 4))
)

describe("Geometry", () => {
  it("Geometry.chunkOf is the chunk whose first and last seq enclose the seq", () => {
    fc.assert(
      fc.property(geometries, offsets, (geometry, offset) => {
        const seq = geometry.firstSeq + offset
        const chunk = G.chunkOf(geometry, seq)
        assert.isTrue(G.firstSeqOf(geometry, chunk) <= seq && seq <= G.lastSeqOf(geometry, chunk))
      })
    )
  })

  it("Geometry.firstSeqOf continues where Geometry.lastSeqOf of the chunk before ends", () => {
    fc.assert(
      fc.property(geometries, fc.nat(1_000_000), (geometry, number) => {
        assert.strictEqual(G.firstSeqOf(geometry, ChunkId(number + 1)), G.lastSeqOf(geometry, ChunkId(number)) + 1)
      })
    )
  })

  it("Geometry.lastCompleteChunkAt is the largest chunk whose last seq is reached", () => {
    fc.assert(
      fc.property(geometries, offsets, (geometry, offset) => {
        const seq = geometry.firstSeq + offset
        const chunk = G.lastCompleteChunkAt(geometry, seq)
        if (chunk !== G.beforeFirstChunk) assert.isTrue(G.lastSeqOf(geometry, chunk) <= seq)
        assert.isTrue(G.lastSeqOf(geometry, ChunkId(chunk + 1)) > seq)
      })
    )
  })

  it("Geometry.chunkOf and Geometry.lastCompleteChunkAt are before the first chunk below the first seq", () => {
    const geometry: Geometry = { firstSeq: 2, entriesPerChunk: 10, chunksPerWindow: 3 }
    assert.strictEqual(G.chunkOf(geometry, 1), G.beforeFirstChunk)
    assert.strictEqual(G.lastCompleteChunkAt(geometry, 1), G.beforeFirstChunk)
    assert.strictEqual(G.lastCompleteChunkAt(geometry, 10), G.beforeFirstChunk)
    assert.strictEqual(G.lastCompleteChunkAt(geometry, 11), ChunkId(0))
    assert.strictEqual(G.lastCompleteChunkAt(geometry, 20), ChunkId(0))
    assert.strictEqual(G.lastCompleteChunkAt(geometry, 21), ChunkId(1))
  })

  it("Geometry.windowOf is the window whose first and last chunk enclose the chunk", () => {
    fc.assert(
      fc.property(geometries, fc.nat(G.maxChunkId), (geometry, number) => {
        const window = G.windowOf(geometry, ChunkId(number))
        assert.isTrue(G.firstChunkOf(geometry, window) <= number && number <= G.lastChunkOf(geometry, window))
      })
    )
  })

  it("Geometry.maxSeqOf is in the last chunk that has a name, and its successor is not", () => {
    fc.assert(
      fc.property(geometries, (geometry) => {
        const max = G.maxSeqOf(geometry)
        assert.isTrue(Number.isSafeInteger(max) && G.chunkOf(geometry, max) <= G.maxChunkId)
        assert.isTrue(max === Number.MAX_SAFE_INTEGER || G.chunkOf(geometry, max + 1) > G.maxChunkId)
      })
    )
  })

  for (const [field, actual] of [
    ["entriesPerChunk", 0],
    ["entriesPerChunk", 2 ** 32],
    ["chunksPerWindow", 0],
    ["chunksPerWindow", 100_000_001],
    ["firstSeq", -1],
    ["firstSeq", 0.5]
  ] as const)
    it.effect(`Geometry.make refuses ${field} = ${actual}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(G.make({ [field]: actual }))
        assert.deepStrictEqual([error._tag, error.field, error.actual], ["GeometryInvalid", field, actual])
      })
    )

  it.effect("Geometry.make fills in the defaults", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* G.make({ firstSeq: 2 }), { ...G.defaults, firstSeq: 2 })
    })
  )

  it("Geometry.keyedFault refuses windows of more than 2^32 entries, and what Geometry.fault refuses", () => {
    const keyed = (entriesPerChunk: number, chunksPerWindow: number) =>
      G.keyedFault({ firstSeq: 0, entriesPerChunk, chunksPerWindow })
    assert.isUndefined(G.keyedFault(G.defaults))
    assert.isUndefined(keyed(0x1_0000, 0x1_0000))
    assert.isUndefined(keyed(0xffff_ffff, 1))
    for (const chunksPerWindow of [0x1_0001, 100_000_000]) {
      const found = keyed(0x1_0000, chunksPerWindow)
      assert.deepStrictEqual([found?.field, found?.actual], ["chunksPerWindow", chunksPerWindow])
      assert.include(found?.message, "expected 1 to 65536")
    }
    assert.strictEqual(keyed(0xffff_ffff, 2)?.field, "chunksPerWindow")
    assert.strictEqual(keyed(0, 1)?.field, "entriesPerChunk")
  })
})
