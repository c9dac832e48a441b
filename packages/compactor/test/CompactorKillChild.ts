/**
 * Compacts a base from two sources in turn until it is killed, and says before and after each compaction which.
 *
 * `<sqlite|lmdb> <directory> <first source>`. Lines: `begin SOURCE`, `end SOURCE`.
 */
import * as fs from "node:fs"
import { Archive } from "@icecore/engine"
import { Effect, Layer, References } from "effect"
import { Compactor } from "../src/index.ts"
import { type EngineName, engineOf, idOf, openStore, services } from "./CompactorFixtures.ts"
import { killSources } from "./CompactorKillSources.ts"

const [engineName, directory, first] = process.argv.slice(2) as [EngineName, string, string]

/** In the pipe when it returns, whatever becomes of this process. */
const say = (...words: ReadonlyArray<string>): void => {
  fs.writeSync(1, `${words.join(" ")}\n`)
}

const program = Effect.gen(function* () {
  const { compact } = Compactor.make()
  const base = yield* openStore(yield* engineOf(engineName), { path: `${directory}/base` })
  for (let at = Object.keys(killSources).indexOf(first); ; at++) {
    const name = Object.keys(killSources)[at % Object.keys(killSources).length]!
    const source = yield* Archive.open(`${directory}/${name}.icearch`)
    say("begin", name)
    yield* compact({ base, source, syncId: idOf(1) })
    say("end", name)
  }
})

await Effect.runPromise(
  program.pipe(
    Effect.scoped,
    // Standard output is for the parent.
    Effect.provide(Layer.mergeAll(services, Layer.succeed(References.MinimumLogLevel, "None")))
  )
)
