import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { temporaryDirectory } from "./CompactorFixtures.ts"

const bun = fileURLToPath(new URL("../../../node_modules/.bin/bun", import.meta.url))
const program = fileURLToPath(new URL("./programs/MergeMemory.ts", import.meta.url))

const sourceCount = 64
const recordCount = 20_000
const limitMegabytes = 200

describe("Merge in memory", () => {
  for (const engine of ["sqlite", "lmdb"]) {
    it.live.skipIf(process.platform !== "linux")(
      `merge of ${sourceCount} stores of ${recordCount} records on ${engine} stays under ${limitMegabytes} MB and has the winners of the model (needs Linux)`,
      () =>
        Effect.gen(function* () {
          const directory = yield* temporaryDirectory
          const run = (step: string): ReadonlyArray<string> => {
            const parameters = [program, step, engine, directory, String(sourceCount), String(recordCount)]
            const result = spawnSync(bun, parameters, { encoding: "utf8", timeout: 290_000 })
            assert.strictEqual(result.status, 0, result.stdout + result.stderr)
            return result.stdout.trim().split("\n")
          }
          run("fill")
          const lines = run("merge")
          const [measured] = lines.filter((line) => line.startsWith("merged with "))
          console.log(engine, measured)
          assert.isBelow(Number(/^merged with (\d+) MB/.exec(measured!)![1]), limitMegabytes, measured)
          assert.strictEqual(lines.at(-1), "as the model")
          const [counts] = lines.filter((line) => line.startsWith("[{"))
          assert.include(counts, `"readCount":${sourceCount * recordCount},"writtenCount":${2 * recordCount},`)
        }).pipe(Effect.scoped),
      600_000
    )
  }
})
