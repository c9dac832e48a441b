/**
 * Builds a key index in a process of its own, and prints how far the largest resident set was above what it was before.
 *
 * `<directory> <runCount> <keysPerRun>`. The runs are made here too, and their garbage collected, before the memory is measured; a small
 * build comes before, so that modules and compiled code belong to the baseline.
 */
import { type Disk, KeyIndex } from "@icecore/packfile"
import { LiveDisk } from "@icecore/packfile/live"
import { Console, Effect, Layer } from "effect"
import { writeRuns } from "../fixtures/KeyRuns.ts"
import * as LiveResidentMemory from "../live/LiveResidentMemory.ts"
import { ResidentMemory } from "../ResidentMemory.ts"

const program: Effect.Effect<void, unknown, Disk | ResidentMemory> = Effect.gen(function* () {
  const [directory, runCount, keysPerRun] = process.argv.slice(2)
  const options = yield* writeRuns(directory!, { runCount: Number(runCount), keysPerRun: Number(keysPerRun) })
  yield* KeyIndex.build({ ...options, path: `${directory}/first.idx`, runs: options.runs.slice(0, 1) })
  const memory = yield* ResidentMemory
  const baselineBytes = yield* memory.reset
  const { keyCount, sizeBytes } = yield* KeyIndex.build(options)
  const peakBytes = (yield* memory.peakBytes) - baselineBytes
  yield* Console.log(JSON.stringify({ keyCount, sizeBytes, peakBytes }))
})

// Not through `NodeRuntime`, whose modules would take memory of their own.
Effect.runPromise(Effect.provide(program, Layer.merge(LiveDisk.layer, LiveResidentMemory.layer)))
