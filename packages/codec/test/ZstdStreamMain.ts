/** Runs the suite of `ZstdStream` on the runtime that runs this file. */
import { ZstdLive, ZstdStreamLive } from "@icecore/codec"
import { Cause, Effect, Exit, Layer } from "effect"
import { cases } from "./ZstdStreamSuite.ts"

const runAll = Effect.gen(function* () {
  let passed = 0
  for (const [name, run] of Object.entries(cases)) {
    const exit = yield* Effect.exit(run)
    if (Exit.isSuccess(exit)) passed++
    else console.log(`${name}: ${Cause.pretty(exit.cause)}`)
  }
  console.log(`${passed} passed`)
})

await Effect.runPromise(Effect.provide(runAll, Layer.merge(ZstdLive.layer, ZstdStreamLive.layer)))
