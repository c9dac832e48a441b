/**
 * Reads a store beside the process that compacts it. `<sqlite|lmdb> <store> <seconds> <grants by version as JSON>`. Prints its latencies as
 * JSON; ends with a status above 0 when a read failed or a snapshot was a mixture.
 */
import * as fs from "node:fs"
import { Engine, StoreDirectory } from "@icecore/engine"
import { Effect, Layer, References } from "effect"
import { type EngineName, engineOf, idOf, services } from "./CompactorFixtures.ts"
import { readAll } from "./CompactorReading.ts"

const [engineName, path, seconds, counts] = process.argv.slice(2) as [EngineName, string, string, string]

const program = Effect.gen(function* () {
  const engine = yield* engineOf(engineName)
  const { source } = yield* Effect.provideService(StoreDirectory.open(path), Engine, engine)
  return yield* readAll({ source, sync: idOf(1), counts: JSON.parse(counts), readerCount: 8, seconds: Number(seconds) })
})

const latencies = await Effect.runPromise(
  program.pipe(
    Effect.scoped,
    // Standard output is for the parent.
    Effect.provide(Layer.mergeAll(services, Layer.succeed(References.MinimumLogLevel, "None")))
  )
)
fs.writeSync(1, `${JSON.stringify(latencies)}\n`)
