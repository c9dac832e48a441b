/** Runs the conformance suite on the runtime that runs this file, and prints one line of JSON a case. */

import * as LmdbEngine from "@icecore/engine/lmdb"
import * as SqliteEngine from "@icecore/engine/sqlite"
import { engineConformance } from "@icecore/engine/testing"
import { LiveDisk } from "@icecore/packfile/live"
import { Cause, Effect, Exit, Layer } from "effect"

const [adapter, directory] = process.argv.slice(2) as [string, string]
const layer = (adapter === "lmdb" ? LmdbEngine.layer : SqliteEngine.layer).pipe(Layer.provide(LiveDisk.layer))

const runAll = Effect.gen(function* () {
  for (const { name, run } of engineConformance({ directory })) {
    const exit = yield* Effect.exit(Effect.scoped(run))
    const failure = Exit.isSuccess(exit) ? {} : { failure: Cause.pretty(exit.cause) }
    console.log(JSON.stringify({ name, passed: Exit.isSuccess(exit), ...failure }))
  }
})

await Effect.runPromise(Effect.provide(runAll, layer))
