import { assert, describe, it } from "@effect/vitest"
import type { Engine } from "@icecore/engine"
import * as MemoryEngine from "@icecore/engine/memory"
import { Effect, Fiber } from "effect"
import * as NdjsonDomain from "../src/domain/NdjsonDomain.ts"
import * as DemoSource from "../src/source/DemoSource.ts"
import { type Machine, makeMachine, services, withStore } from "./support/StoreHarness.ts"

const geometry = { firstSeq: 0, entriesPerChunk: 4, chunksPerWindow: 3 } as const
const domain = NdjsonDomain.layerWith({ keys: ["/hash"] })

/** An engine whose hot databases take long to open. */
const slowEngine = (engine: Engine): Engine => ({
  ...engine,
  open: (options) =>
    Effect.gen(function* () {
      const database = yield* engine.open(options)
      if (options.path.includes("hot")) for (let turn = 0; turn < 2_000; turn++) yield* Effect.yieldNow
      return database
    })
})

describe("Backfill beside others who settle the store", () => {
  it.effect("leaves no hot database of a frozen chunk", () => {
    const base = makeMachine({ domain })
    const engine = slowEngine(MemoryEngine.make(base.medium))
    const machine: Machine = { ...base, services: services(base.disk.disk, engine, domain) }
    return withStore(
      machine,
      ({ ingest, history, settled }) =>
        Effect.gen(function* () {
          const settling = yield* Effect.forkChild(Effect.forever(Effect.andThen(settled, Effect.yieldNow)))
          yield* ingest(DemoSource.make({ count: 200 }))
          yield* Fiber.interrupt(settling)
          yield* settled
          assert.deepStrictEqual((yield* history.status).chunks, { frozen: 50, freezing: 0, hot: 1 })
        }),
      { geometry, graceMillis: 0 }
    )
  })
})
