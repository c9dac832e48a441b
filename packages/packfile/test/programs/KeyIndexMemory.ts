/** Builds a key index over uniform keys in a process of its own. `<directory> <runCount> <keysPerRun>`; prints what came of it as JSON. */
import { readFileSync, writeFileSync } from "node:fs"
import { Effect } from "effect"
import { KeyIndex, KeyRun } from "../../src/index.ts"
import { LiveDisk } from "../../src/live/index.ts"
import { randomNumbers } from "../Fixtures.ts"
import { orderOf, randomKey } from "../Keys.ts"

const [directory, runCountText, keysPerRunText] = process.argv.slice(2)
const runCount = Number(runCountText)
const keysPerRun = Number(keysPerRunText)

const peakBytes = (): number => Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))![1]) * 1024

const program = Effect.gen(function* () {
  const next = randomNumbers(1)
  const runs: Array<KeyIndex.BuildOptions["runs"][number]> = []
  for (let run = 0; run < runCount; run++) {
    const builder = KeyRun.builder()
    for (let row = 0; row < keysPerRun; row++) builder.add(randomKey(next), run * keysPerRun + row)
    const path = `${directory}/${run}.bin`
    runs.push({ path, expected: yield* KeyRun.write(path, builder.finish()) })
  }
  const order = orderOf(runs, { path: `${directory}/keys.idx`, coverageLastSeq: runCount * keysPerRun - 1 })
  // Modules and compiled code are no part of what a build takes.
  yield* KeyIndex.build({ ...order, path: `${directory}/first.idx`, runs: runs.slice(0, 1) })
  Bun.gc(true)
  writeFileSync("/proc/self/clear_refs", "5")
  const baselineBytes = process.memoryUsage.rss()
  const { keyCount, sizeBytes } = yield* KeyIndex.build(order)
  console.log(JSON.stringify({ keyCount, sizeBytes, grownBytes: peakBytes() - baselineBytes }))
})

await Effect.runPromise(Effect.provide(program, LiveDisk.layer))
