import { assert, describe, it } from "@effect/vitest"
import type { Engine } from "@icecore/engine"
import { Effect } from "effect"
import { Compactor, type Source } from "../src/index.ts"
import {
  archiveOf,
  digestBeside,
  digestOf,
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
import { sourceOf } from "./CompactorWorld.ts"

/** Grants of each sync of base; source has a quarter as many. */
const grantCount = Number(process.env.ICECORE_COMPACT_GRANTS ?? 2_000)

const [A, B] = [idOf(1), idOf(2)]

const sourceNames = ["sqlite", "lmdb", "archive"] as const

/** A quarter of the grants: a third of them as in base, a third changed, a third new. */
const openSource = Effect.fnUntraced(function* (name: (typeof sourceNames)[number], directory: string) {
  const third = Math.floor(grantCount / 12)
  const engine: Engine = yield* engineOf(name === "archive" ? "memory" : name)
  const store = yield* openStore(engine, { path: `${directory}/source` })
  yield* fill(store, A, [
    ...grantsOf(0, third, 1),
    ...grantsOf(third, third, 2),
    ...grantsOf(grantCount, Math.floor(grantCount / 4) - 2 * third, 2)
  ])
  return name === "archive"
    ? yield* archiveOf(store, engine, `${directory}/source.icearch`)
    : yield* sourceOf(engine, store)
})

const check = Effect.fnUntraced(function* (baseName: EngineName, sourceName: (typeof sourceNames)[number]) {
  const directory = yield* temporaryDirectory
  const source: Source.Source = yield* openSource(sourceName, directory)
  const base = yield* openStore(yield* engineOf(baseName), { path: `${directory}/base` })
  yield* fill(base, A, grantsOf(0, grantCount, 1))
  yield* fill(base, B, grantsOf(7, grantCount, 1))
  const beside = yield* digestBeside(base.database, A)
  const { compact } = Compactor.make()
  const begun = performance.now()
  const report = yield* compact({ base, source, syncId: A })
  const millis = performance.now() - begun
  assert.strictEqual(yield* digestOf(base, A), yield* digestOf(source.reader, A), "A is source's by every index")
  assert.strictEqual(yield* digestBeside(base.database, A), beside, "B is byte for byte what it was")
  assert.deepStrictEqual((yield* base.check()).findings, [])
  assert.deepStrictEqual(report.run.counts, { Grant: Math.floor(grantCount / 4), Resource: 3 })
  if (process.env.ICECORE_SHOW_FIGURES !== undefined)
    yield* Effect.log(`${sourceName} into ${baseName}: ${report.bytes} bytes in ${millis.toFixed(0)} ms`)
})

describe("Compactor", () => {
  for (const baseName of engineNames) {
    for (const sourceName of sourceNames) {
      it.live(
        `compact makes A source's and leaves B as it was, ${sourceName} into ${baseName}`,
        () => check(baseName, sourceName).pipe(Effect.scoped, Effect.provide(services)),
        600_000
      )
    }
  }
})
