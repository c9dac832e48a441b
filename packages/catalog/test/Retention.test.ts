import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Geometry from "../src/Geometry.ts"
import * as Retention from "../src/Retention.ts"

const geometry: Geometry.Geometry = { firstSeq: 2, entriesPerChunk: 10, chunksPerWindow: 4 }

const cases: ReadonlyArray<readonly [string, Retention.Retention, number, readonly [number, number]]> = [
  ["keeps all from the first seq", { chunks: 0, earliestSeq: 2 }, 7, [0, 2]],
  ["keeps all from the earliest seq, whose chunk it keeps whole", { chunks: 0, earliestSeq: 37 }, 7, [3, 37]],
  ["keeps the last chunks", { chunks: 3, earliestSeq: 2 }, 7, [5, 52]],
  ["keeps all when there are fewer chunks than are kept", { chunks: 30, earliestSeq: 2 }, 7, [0, 2]],
  ["keeps all when no chunk is complete", { chunks: 1, earliestSeq: 2 }, -1, [0, 2]],
  ["keeps from the earliest seq when the last chunks begin earlier", { chunks: 5, earliestSeq: 65 }, 7, [6, 65]],
  ["keeps an earliest seq that lies past the end", { chunks: 2, earliestSeq: 500 }, 7, [49, 500]]
]

describe("Retention", () => {
  for (const [what, retention, lastComplete, expected] of cases)
    it(`Retention.floorChunkOf and Retention.floorSeqOf: ${what}`, () => {
      const last = Geometry.ChunkId(lastComplete)
      assert.deepStrictEqual(
        [Retention.floorChunkOf(geometry, retention, last), Retention.floorSeqOf(geometry, retention, last)].map(
          Number
        ),
        [...expected]
      )
    })

  it("Retention.floorChunkOf never falls while the log grows, and its chunk holds the floor seq", () => {
    fc.assert(
      fc.property(
        fc.nat(50),
        fc.nat(600),
        fc.integer({ min: -1, max: 100 }),
        fc.nat(50),
        (chunks, above, last, more) => {
          const retention = { chunks, earliestSeq: geometry.firstSeq + above }
          const floor = Retention.floorChunkOf(geometry, retention, Geometry.ChunkId(last))
          assert.isAtLeast(Retention.floorChunkOf(geometry, retention, Geometry.ChunkId(last + more)), floor)
          const seq = Retention.floorSeqOf(geometry, retention, Geometry.ChunkId(last))
          assert.strictEqual(Geometry.chunkOf(geometry, seq), floor)
          assert.isAtLeast(seq, retention.earliestSeq)
          if (chunks > 0) assert.isAtLeast(floor, last - chunks + 1)
        }
      )
    )
  })
})
