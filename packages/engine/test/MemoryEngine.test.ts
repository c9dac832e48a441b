import { it } from "@effect/vitest"
import { Effect } from "effect"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import { engineConformance } from "../src/testing/index.ts"

const medium = MemoryEngine.makeMedium()
const cases = engineConformance({
  directory: "/conformance",
  faults: { failNext: (fault) => Effect.sync(() => medium.inject(fault)) }
})

for (const { name, run } of cases) {
  it.effect(`MemoryEngine: ${name}`, () => Effect.provide(run, MemoryEngine.layerMedium(medium)))
}
