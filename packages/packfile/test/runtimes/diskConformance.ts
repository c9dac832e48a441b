/** Runs the disk conformance suite on the live layer in a directory, under whatever runtime this is. */
import { Effect, Exit } from "effect"
import { LiveDisk } from "../../src/live/index.ts"
import { DiskConformance } from "../../src/testing/index.ts"

const [root] = process.argv.slice(2)
if (root === undefined) throw new Error("usage: diskConformance.ts <directory>")

let failed = 0
const cases = DiskConformance.diskConformance(root)
for (const { name, run } of cases) {
  const exit = await Effect.runPromiseExit(Effect.scoped(Effect.provide(run, LiveDisk.layer)))
  if (Exit.isFailure(exit)) {
    failed++
    console.log(`failed: ${name}: ${String(exit.cause)}`)
  }
}
console.log(`${cases.length - failed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
