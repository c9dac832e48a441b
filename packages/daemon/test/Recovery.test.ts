import { assert, describe, it } from "@effect/vitest"
import { Geometry } from "@icecore/catalog"
import { Option, Result } from "effect"
import * as FastCheck from "fast-check"
import * as ChunkSpans from "../src/internal/ChunkSpans.ts"
import { plan } from "../src/Recovery.ts"

const chunk = Geometry.ChunkId

const planOf = (frozen: ReadonlyArray<number>, hot: ReadonlyArray<number>, floorChunk = 0) => {
  const spans: Array<ChunkSpans.ChunkSpan> = []
  for (const id of frozen) ChunkSpans.add(spans, id)
  return plan({ floorChunk: chunk(floorChunk), frozen: spans, hot: hot.map((id) => chunk(id)) })
}

describe("Recovery.plan", () => {
  it("begins a fresh store at the floor's chunk, with nothing to open", () => {
    assert.deepStrictEqual(
      planOf([], []),
      Result.succeed({
        liveChunk: chunk(0),
        isLiveHot: false,
        unfrozen: [],
        discardable: [],
        positionChunk: Option.none()
      })
    )
    assert.strictEqual(Result.getOrThrow(planOf([], [], 7)).liveChunk, 7)
  })

  it("takes the newest hot chunk for the live one, and freezes and discards what lies below", () => {
    assert.deepStrictEqual(
      planOf([0, 1], [1, 2, 3]),
      Result.succeed({
        liveChunk: chunk(3),
        isLiveHot: true,
        unfrozen: [chunk(2)],
        discardable: [chunk(1)],
        positionChunk: Option.some(chunk(3))
      })
    )
  })

  it("opens the chunk behind the last frozen one when that is the newest", () => {
    const found = Result.getOrThrow(planOf([0, 1, 2], [2]))
    assert.strictEqual(found.liveChunk, 3)
    assert.isFalse(found.isLiveHot)
    assert.deepStrictEqual(found.discardable, [chunk(2)])
    assert.deepStrictEqual(found.positionChunk, Option.some(chunk(2)))
  })

  it("fails with the first chunk that is neither frozen nor hot", () => {
    assert.deepStrictEqual(planOf([0, 2], [3]), Result.fail(chunk(1)))
    assert.deepStrictEqual(planOf([1], [2]), Result.fail(chunk(0)))
    assert.deepStrictEqual(planOf([0], [3]), Result.fail(chunk(1)))
    assert.deepStrictEqual(planOf([], [0, 2]), Result.fail(chunk(1)))
  })

  it("covers every chunk from the floor to the live one, whatever is found, or names one that is missing", () => {
    const ids = FastCheck.uniqueArray(FastCheck.nat({ max: 12 })).map((found) => found.sort((a, b) => a - b))
    FastCheck.assert(
      FastCheck.property(ids, ids, (frozen, hot) => {
        const found = planOf(frozen, hot)
        const isThere = (id: number) => frozen.includes(id) || hot.includes(id)
        if (Result.isFailure(found)) {
          assert.isFalse(isThere(found.failure))
          assert.isTrue(Math.max(...frozen, ...hot) > found.failure)
          return
        }
        const { liveChunk, isLiveHot, unfrozen, discardable } = found.success
        for (let id = 0; id < liveChunk; id++) assert.isTrue(isThere(id), `chunk ${id}`)
        assert.strictEqual(isLiveHot, hot.includes(liveChunk))
        assert.isFalse(frozen.includes(liveChunk))
        assert.deepStrictEqual(
          [...discardable, ...unfrozen, ...(isLiveHot ? [liveChunk] : [])].sort((a, b) => a - b),
          hot
        )
        assert.isTrue(discardable.every((id) => frozen.includes(id)))
      })
    )
  })
})
