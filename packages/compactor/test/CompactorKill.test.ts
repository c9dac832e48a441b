import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { SurvivorChoice } from "@icecore/packfile/testing"
import { Effect, Stream } from "effect"
import {
  archiveOf,
  digestBeside,
  digestOf,
  type EngineName,
  engineOf,
  fill,
  grantsOf,
  idOf,
  openStore,
  services,
  temporaryDirectory
} from "./CompactorFixtures.ts"
import { killSources } from "./CompactorKillSources.ts"

/** Kills for each engine. */
const killCount = Number(process.env.ICECORE_COMPACT_KILLS ?? 12)

const seed = Number(process.env.ICECORE_COMPACT_SEED ?? Math.floor(Math.random() * 0x7fff_ffff))

const [A, B] = [idOf(1), idOf(2)]

const child = fileURLToPath(new URL("./CompactorKillChild.ts", import.meta.url))

/** What a child said: the source that A is of at last, and the one that it may be of. */
interface Said {
  acknowledged: string
  begun: string
}

/** Runs a child and kills it `delayMillis` after it has begun so many compactions. Returns how long that one took, if it ended. */
const killIn = (
  said: Said,
  args: ReadonlyArray<string>,
  moment: { readonly step: number; readonly delayMillis: number }
): Effect.Effect<number> =>
  Effect.callback((resume) => {
    const process_ = spawn(process.execPath, [child, ...args], { stdio: ["ignore", "pipe", "inherit"] })
    let steps = 0
    let begunAt = Number.NaN
    let took = Number.NaN
    // One that never comes so far is killed all the same.
    const patience = setTimeout(() => process_.kill("SIGKILL"), 20_000)
    const lines = createInterface({ input: process_.stdout! })
    lines.on("line", (line) => {
      const [word, source] = line.split(" ") as [string, string]
      if (word === "begin") said.begun = source
      else said.acknowledged = source
      if (word === "end" && steps > moment.step && Number.isNaN(took)) took = performance.now() - begunAt
      if (word !== "begin" || ++steps !== moment.step + 1) return
      begunAt = performance.now()
      setTimeout(() => process_.kill("SIGKILL"), moment.delayMillis)
    })
    lines.on("close", () => {
      clearTimeout(patience)
      resume(Effect.succeed(took))
    })
  })

/** Makes base and the archives; gives digests of A by the source that it is of, and of what is beside it. */
const prepare = Effect.fnUntraced(function* (engineName: EngineName, directory: string) {
  const digests: Record<string, string> = {}
  for (const [name, { grants, types }] of Object.entries(killSources)) {
    const engine = yield* engineOf("memory")
    const store = yield* openStore(engine, { path: `/${name}`, types })
    yield* fill(store, A, grants)
    const { reader } = yield* archiveOf(store, engine, `${directory}/${name}.icearch`)
    digests[name] = yield* digestOf(reader, A)
  }
  const base = yield* openStore(yield* engineOf(engineName), { path: `${directory}/base` })
  yield* fill(base, A, grantsOf(0, 2_000, 0))
  yield* fill(base, B, grantsOf(0, 2_000, 1))
  digests.none = yield* digestOf(base, A)
  return { digests, beside: yield* digestBeside(base.database, A) }
}, Effect.scoped)

/** The base after a kill: A is wholly of one source, and nothing else was touched or left. */
const requireBase = Effect.fnUntraced(function* (
  said: Said,
  engineName: EngineName,
  directory: string,
  { beside, digests }: Effect.Success<ReturnType<typeof prepare>>
) {
  const base = yield* openStore(yield* engineOf(engineName), { path: `${directory}/base`, mode: "existing" })
  assert.deepStrictEqual((yield* base.check()).findings, [])
  const digest = yield* digestOf(base, A)
  const found = Object.keys(digests).find((name) => digests[name] === digest)
  assert.include(
    [said.acknowledged, said.begun],
    found,
    "A is of the source that was acknowledged, or of the one begun"
  )
  assert.strictEqual(yield* digestBeside(base.database, A), beside)
  assert.strictEqual(yield* Stream.runCount(base.database.scan("meta")), 3, "the schema and two syncs")
  said.acknowledged = found!
  said.begun = found!
  return found!
}, Effect.scoped)

const survive = Effect.fnUntraced(function* (engineName: EngineName) {
  const next = SurvivorChoice.generator(seed)
  const random = (): number => next() / 0x1_0000_0000
  const directory = yield* temporaryDirectory
  const prepared = yield* prepare(engineName, directory)
  const said: Said = { acknowledged: "none", begun: "none" }
  const outcomes = { old: 0, new: 0 }
  let millis = 60
  for (let killed = 0; killed < killCount; killed++) {
    const first = said.acknowledged === "one" ? "two" : "one"
    const step = Math.floor(random() * 2)
    const took = yield* killIn(said, [engineName, directory, first], { step, delayMillis: random() * millis * 1.2 })
    // A compaction that was cut short takes longer than was thought.
    millis = Number.isNaN(took) ? millis * 1.3 : (millis + took) / 2
    const { acknowledged, begun } = said
    const found = yield* requireBase(said, engineName, directory, prepared)
    if (acknowledged !== begun) outcomes[found === begun ? "new" : "old"]++
  }
  return outcomes
})

describe("Compactor", () => {
  for (const engineName of ["sqlite", "lmdb"] as const) {
    it.live(
      `compact leaves base wholly old or wholly new through ${killCount} kills, on ${engineName}`,
      () =>
        Effect.gen(function* () {
          const outcomes = yield* survive(engineName)
          if (process.env.ICECORE_SHOW_FIGURES !== undefined) yield* Effect.log(engineName, outcomes)
          assert.isAtLeast(outcomes.old + outcomes.new, killCount / 4, "kills met compactions")
        }).pipe(
          Effect.onError(() => Effect.logError(`The kills came from ICECORE_COMPACT_SEED=${seed}`)),
          Effect.scoped,
          Effect.provide(services)
        ),
      900_000
    )
  }
})
