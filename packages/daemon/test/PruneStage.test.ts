import { assert, describe, it } from "@effect/vitest"
import { Geometry } from "@icecore/catalog"
import { Effect } from "effect"
import * as LogState from "../src/internal/LogState.ts"
import * as PruneStage from "../src/lifecycle/PruneStage.ts"
import type * as Upkeep from "../src/lifecycle/Upkeep.ts"

const geometry = { firstSeq: 0, entriesPerChunk: 4, chunksPerWindow: 3 } as const
const chunk = (id: number): Geometry.ChunkId => Geometry.ChunkId(id)

/** Eight complete chunks of which two are kept; the database of chunk 2 is still there. */
const stage = Effect.gen(function* () {
  const state = yield* LogState.make({
    geometry,
    floor: 0,
    liveChunk: chunk(8),
    nextSeq: 32,
    position: undefined as never
  })
  let beginSeq = 0
  const knownRuns = new Map(Array.from({ length: 8 }, (_, id) => [chunk(id), {} as never]))
  const upkeep = {
    state,
    knownRuns,
    retention: { chunks: 2, earliestSeq: 0 },
    hotSet: { chunks: () => [chunk(2), chunk(8)] },
    catalog: {
      beginSeq: () => beginSeq,
      setBeginSeq: (seq: number) =>
        Effect.sync(() => {
          beginSeq = seq
        }),
      prune: () => Effect.succeed(0)
    }
  } as unknown as Upkeep.Upkeep
  return { run: PruneStage.make(upkeep).run(false), knownRuns }
})

describe("PruneStage", () => {
  it.effect(
    "asks for another run at once when it has raised the floor over a hot database, and not again while that stays",
    () =>
      Effect.gen(function* () {
        const { run } = yield* stage
        assert.strictEqual((yield* run).againMillis, 0)
        assert.isUndefined((yield* run).againMillis)
      })
  )

  it.effect("forgets the runs of chunks that are pruned, so that a long history takes no more memory", () =>
    Effect.gen(function* () {
      const { run, knownRuns } = yield* stage
      yield* run
      assert.deepStrictEqual([...knownRuns.keys()], [6, 7])
    })
  )
})
