import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Compactor } from "../src/index.ts"
import {
  archiveOf,
  type EngineName,
  engineNames,
  engineOf,
  fill,
  grantsOf,
  idOf,
  openStore,
  services,
  temporaryDirectory
} from "./CompactorFixtures.ts"
import { type Latencies, readAll } from "./CompactorReading.ts"
import { sourceOf } from "./CompactorWorld.ts"

/** Of the readers beside compactions, for each engine. */
const seconds = Number(process.env.ICECORE_COMPACT_READ_SECONDS ?? 3)

const grantCount = Number(process.env.ICECORE_COMPACT_READ_GRANTS ?? 10_000)

const counts = { 1: grantCount, 2: Math.floor(grantCount / 2) }

const A = idOf(1)

const child = fileURLToPath(new URL("./CompactorReadChild.ts", import.meta.url))

/** A base with A, two archives with its versions, and a loop that compacts from them in turn. */
const world = Effect.fnUntraced(function* (engineName: EngineName) {
  const directory = yield* temporaryDirectory
  const memory = yield* engineOf("memory")
  const sources = yield* Effect.forEach([1, 2] as const, (version) =>
    Effect.gen(function* () {
      const store = yield* openStore(memory, { path: `/version ${version}` })
      yield* fill(store, A, grantsOf(0, counts[version], version))
      return yield* archiveOf(store, memory, `${directory}/${version}.icearch`)
    })
  )
  const engine = yield* engineOf(engineName)
  const base = yield* openStore(engine, { path: `${directory}/base` })
  yield* fill(base, A, grantsOf(0, counts[1], 1))
  const { source } = yield* sourceOf(engine, base)
  const { compact, watch } = Compactor.make()
  let compactionCount = 0
  const loop = Effect.forever(
    Effect.suspend(() => Effect.asVoid(compact({ base, source: sources[(compactionCount + 1) % 2]! }))).pipe(
      Effect.tap(() =>
        Effect.sync(() => {
          compactionCount++
        })
      )
    )
  )
  return { directory, base, source, watch, loop, compactionCount: () => compactionCount }
})

/** What the effect gives while compactions go on. */
const beside = Effect.fnUntraced(function* <A, E, E2>(loop: Effect.Effect<never, E2>, effect: Effect.Effect<A, E>) {
  const looping = yield* Effect.forkChild(loop)
  const result = yield* Effect.raceFirst(effect, Fiber.join(looping))
  yield* Fiber.interrupt(looping)
  return result
})

/** What eight readers in a process of their own measured. */
const readElsewhere = (engineName: EngineName, path: string, readSeconds: number): Effect.Effect<Latencies> =>
  Effect.callback((resume) => {
    const args = [child, engineName, path, `${readSeconds}`, JSON.stringify(counts)]
    const reading = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] })
    let text = ""
    reading.stdout!.on("data", (chunk) => {
      text += chunk
    })
    reading.on("close", (status) =>
      resume(
        status === 0 ? Effect.sync(() => JSON.parse(text)) : Effect.die(new Error(`the readers ended with ${status}`))
      )
    )
    return Effect.sync(() => reading.kill("SIGKILL"))
  })

const show = (what: string, figures: object) =>
  process.env.ICECORE_SHOW_FIGURES === undefined ? Effect.void : Effect.log(what, JSON.stringify(figures))

describe("Compactor", () => {
  for (const engineName of engineNames) {
    it.live(
      `compact shows eight readers one version or the other for ${seconds} s, on ${engineName}`,
      () =>
        Effect.gen(function* () {
          const { base, compactionCount, loop, source, watch } = yield* world(engineName)
          const read = (readSeconds: number) =>
            readAll({ source, sync: A, counts, readerCount: 8, seconds: readSeconds, watch })
          const idle = yield* read(seconds / 3)
          const busy = yield* beside(loop, read(seconds))
          assert.isAbove(compactionCount(), 2)
          assert.isAbove(busy.count, 20)
          assert.deepStrictEqual((yield* base.check()).findings, [])
          yield* show(engineName, { idle, busy, compactionCount: compactionCount() })
        }).pipe(Effect.scoped, Effect.provide(services)),
      300_000
    )
  }

  for (const engineName of ["sqlite", "lmdb"] as const) {
    it.live(
      `compact shows eight readers in another process one version or the other for ${seconds} s, on ${engineName}`,
      () =>
        Effect.gen(function* () {
          const { base, compactionCount, directory, loop } = yield* world(engineName)
          const read = (readSeconds: number) => readElsewhere(engineName, `${directory}/base`, readSeconds)
          const idle = yield* read(seconds / 3)
          const busy = yield* beside(loop, read(seconds))
          assert.isAbove(compactionCount(), 2)
          assert.isAbove(busy.count, 20)
          assert.deepStrictEqual((yield* base.check()).findings, [])
          yield* show(`${engineName}, another process`, { idle, busy, compactionCount: compactionCount() })
        }).pipe(Effect.scoped, Effect.provide(services)),
      300_000
    )
  }
})
