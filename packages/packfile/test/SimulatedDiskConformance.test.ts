import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { CrashRecorder, DiskConformance, SimulatedDisk } from "../src/testing/index.ts"

describe("SimulatedDisk conformance", () => {
  for (const { name, run } of DiskConformance.diskConformance("")) {
    it.effect(name, () => run.pipe(Effect.provide(SimulatedDisk.layer(CrashRecorder.make()))))
  }
})
