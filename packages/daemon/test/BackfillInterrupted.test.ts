import { assert, describe, it } from "@effect/vitest"
import type { Engine } from "@icecore/engine"
import * as MemoryEngine from "@icecore/engine/memory"
import { Deferred, Effect, Exit, Fiber, Option } from "effect"
import * as NdjsonDomain from "../src/domain/NdjsonDomain.ts"
import * as DemoSource from "../src/source/DemoSource.ts"
import { type Machine, makeMachine, services, withStore } from "./support/StoreHarness.ts"

const geometry = { firstSeq: 0, entriesPerChunk: 4, chunksPerWindow: 3 } as const
const domain = NdjsonDomain.layerWith({ keys: ["/hash"] })

const turns = (count: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let turn = 0; turn < count; turn++) yield* Effect.yieldNow
  })

/** An engine whose writes take a while after they are durable, and that tells of one write to the catalog when it is. */
const slowEngine = (engine: Engine, told: number, tell: () => void): Engine => {
  let writeCount = 0
  return {
    ...engine,
    open: (options) =>
      Effect.map(engine.open(options), (database) => ({
        ...database,
        write: (build, write) =>
          Effect.flatMap(database.write(build, write), () => {
            if (options.path.includes("catalog") && ++writeCount === told) tell()
            return turns(20)
          })
      }))
  }
}

describe("Backfill that is interrupted", () => {
  for (let told = 1; told <= 10; told++)
    it.effect(`gives back what is appended after it, whichever write to the catalog was the last: ${told}`, () => {
      const base = makeMachine({ domain })
      const reached = Deferred.makeUnsafe<void>()
      const engine = slowEngine(MemoryEngine.make(base.medium), told, () => Deferred.doneUnsafe(reached, Exit.void))
      const machine: Machine = { ...base, services: services(base.disk.disk, engine, domain) }
      return withStore(
        machine,
        ({ ingest, history }) =>
          Effect.gen(function* () {
            const fiber = yield* Effect.forkChild(ingest(DemoSource.make({ count: 12 })))
            yield* Effect.raceFirst(Deferred.await(reached), Fiber.await(fiber))
            yield* Fiber.interrupt(fiber)
            const next = Option.match(yield* history.served, { onNone: () => 0, onSome: ({ latest }) => latest + 1 })
            const entry = DemoSource.entryAt(1_000)
            assert.strictEqual((yield* history.append([entry])).firstSeq, next)
            assert.deepStrictEqual(yield* history.get(next), entry)
          }),
        { geometry, graceMillis: 0 }
      )
    })
})
