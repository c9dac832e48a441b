/** Runs the suite of archives on the runtime that runs this file, in the directory that it is given. */
import * as fs from "node:fs"
import { ZstdLive, ZstdStreamLive } from "@icecore/codec"
import { LiveDisk } from "@icecore/packfile/live"
import { Cause, Effect, Exit, Layer } from "effect"
import { cases } from "./ArchiveSuite.ts"

const directory = process.argv[2]!

const runAll = Effect.gen(function* () {
  let passed = 0
  for (const [name, run] of Object.entries(cases)) {
    const own = fs.mkdtempSync(`${directory}/case-`)
    const exit = yield* Effect.exit(Effect.scoped(run(own)))
    if (Exit.isSuccess(exit)) passed++
    else console.log(`${name}: ${Cause.pretty(exit.cause)}`)
  }
  console.log(`${passed} passed`)
})

await Effect.runPromise(Effect.provide(runAll, Layer.mergeAll(LiveDisk.layer, ZstdLive.layer, ZstdStreamLive.layer)))
