import { assert, describe, it } from "@effect/vitest"
import { Geometry } from "@icecore/catalog"
import * as FastCheck from "fast-check"
import * as ChunkSpans from "../src/internal/ChunkSpans.ts"
import { type ChunkKind, type Facts, plan, type ResolveRequest } from "../src/Resolve.ts"

const chunk = Geometry.ChunkId

/** A state of the catalog in plain sets. */
interface Model {
  readonly chunksPerWindow: number
  readonly hasKeys: boolean
  readonly floor: number
  readonly last: number
  readonly from: number
  readonly to: number
  readonly indexes: boolean
  readonly entries: ReadonlySet<number>
  readonly keys: ReadonlySet<number>
  readonly coverages: ReadonlyMap<number, { readonly lo: number; readonly hi: number }>
}

const spansOf = (ids: ReadonlySet<number>) => {
  const spans: Array<ChunkSpans.ChunkSpan> = []
  for (const id of [...ids].sort((left, right) => left - right)) ChunkSpans.add(spans, id)
  return spans
}

const planOf = (model: Model) => {
  const request: ResolveRequest = {
    geometry: { firstSeq: 0, entriesPerChunk: 1, chunksPerWindow: model.chunksPerWindow },
    hasKeys: model.hasKeys,
    floorChunk: chunk(model.floor),
    lastComplete: chunk(model.last),
    from: chunk(model.from),
    to: chunk(model.to),
    indexes: model.indexes
  }
  const facts: Facts = { entries: spansOf(model.entries), keys: spansOf(model.keys), coverages: model.coverages }
  return plan(request, facts)
}

/** What is missing, chunk by chunk and window by window, with no thought for cost. */
const naive = (model: Model) => {
  const wantedKinds = new Map<number, Set<ChunkKind>>()
  const want = (id: number, kind: ChunkKind) =>
    wantedKinds.set(id, (wantedKinds.get(id) ?? new Set<ChunkKind>()).add(kind))
  const indexes: Array<{ window: number; lo: number; hi: number }> = []
  const surplus: Array<number> = []
  const windowOf = (id: number) => Math.floor(id / model.chunksPerWindow)
  const asked: Array<number> = []
  for (let id = 0; id <= 40; id++)
    if (id >= model.from && id <= model.to && id >= model.floor && id <= model.last) asked.push(id)
  for (const id of asked) {
    if (!model.entries.has(id)) want(id, "entries")
    const coverage = model.coverages.get(windowOf(id))
    const isCovered = coverage !== undefined && coverage.lo <= id && id <= coverage.hi
    if (model.hasKeys && !model.keys.has(id) && !isCovered) want(id, "keys")
  }
  if (model.hasKeys && model.indexes)
    for (const window of new Set(asked.map(windowOf))) {
      const kept: Array<number> = []
      for (let id = model.floor; id <= model.last; id++) if (windowOf(id) === window) kept.push(id)
      const lo = kept[0]!
      const hi = kept.at(-1)!
      const coverage = model.coverages.get(window)
      if (coverage !== undefined && coverage.lo <= lo && hi <= coverage.hi) {
        if (windowOf(coverage.hi + 1) !== window)
          surplus.push(...asked.filter((id) => windowOf(id) === window && model.keys.has(id)))
        continue
      }
      indexes.push({ window, lo, hi })
      for (const id of kept) {
        if (!model.entries.has(id)) want(id, "entries")
        if (!model.keys.has(id)) want(id, "keys")
      }
    }
  const chunks = [...wantedKinds]
    .sort(([left], [right]) => left - right)
    .map(([id, kinds]) => ({ chunk: id, kinds: [...kinds].sort() }))
  return { chunks, indexes, surplusRuns: surplus }
}

const ids = FastCheck.uniqueArray(FastCheck.nat({ max: 30 })).map((found) => new Set(found))

const models: FastCheck.Arbitrary<Model> = FastCheck.record({
  chunksPerWindow: FastCheck.integer({ min: 1, max: 12 }),
  hasKeys: FastCheck.boolean(),
  floor: FastCheck.nat({ max: 30 }),
  last: FastCheck.integer({ min: -1, max: 30 }),
  from: FastCheck.integer({ min: -1, max: 30 }),
  to: FastCheck.integer({ min: -1, max: 30 }),
  indexes: FastCheck.boolean(),
  entries: ids,
  keys: ids,
  shares: FastCheck.array(FastCheck.option(FastCheck.tuple(FastCheck.nat(), FastCheck.nat())), { maxLength: 31 })
}).map(({ shares, ...model }) => {
  const coverages = new Map<number, { readonly lo: number; readonly hi: number }>()
  for (const [window, share] of shares.entries()) {
    if (share === null) continue
    const first = window * model.chunksPerWindow
    const [left, right] = share.map((value) => first + (value % model.chunksPerWindow)) as [number, number]
    coverages.set(window, { lo: Math.min(left, right), hi: Math.max(left, right) })
  }
  return { ...model, coverages }
})

describe("Resolve.plan", () => {
  it("names exactly what a naive walk finds missing, whatever is there", () => {
    FastCheck.assert(
      FastCheck.property(models, (model) => {
        const found = planOf(model)
        const expected = naive(model)
        assert.deepStrictEqual(
          found.chunks.map(({ chunk, kinds }) => ({ chunk: Number(chunk), kinds: [...kinds].sort() })),
          expected.chunks
        )
        assert.deepStrictEqual(
          found.indexes.map(({ window, lo, hi }) => ({ window: Number(window), lo: Number(lo), hi: Number(hi) })),
          expected.indexes
        )
        assert.deepStrictEqual(found.surplusRuns.map(Number), expected.surplusRuns)
      }),
      { numRuns: 2_000 }
    )
  })

  it("rebuilds the runs of a finished window whose coverage must grow downwards", () => {
    const model: Model = {
      chunksPerWindow: 4,
      hasKeys: true,
      floor: 1,
      last: 5,
      from: 1,
      to: 5,
      indexes: true,
      entries: new Set([2, 3, 4, 5]),
      keys: new Set([4, 5]),
      coverages: new Map([
        [0, { lo: 2, hi: 3 }],
        [1, { lo: 4, hi: 5 }]
      ])
    }
    assert.deepStrictEqual(planOf(model), {
      chunks: [
        { chunk: chunk(1), kinds: ["entries", "keys"] },
        { chunk: chunk(2), kinds: ["keys"] },
        { chunk: chunk(3), kinds: ["keys"] }
      ],
      indexes: [{ window: Geometry.WindowId(0), lo: chunk(1), hi: chunk(3) }],
      surplusRuns: []
    })
  })
})
