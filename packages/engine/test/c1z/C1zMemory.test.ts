import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { temporaryDirectory } from "../RuntimesSuite.ts"

const bun = fileURLToPath(new URL("../../../../node_modules/.bin/bun", import.meta.url))
const program = fileURLToPath(new URL("../programs/C1zMemory.ts", import.meta.url))

const grantCount = 150_000
const limitMegabytes = 300

describe("C1z in memory", () => {
  it.live.skipIf(process.platform !== "linux")(
    `open stays under ${limitMegabytes} MB with ${grantCount} grants, whatever garbage the rows leave`,
    () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const run = (step: string): string => {
          const parameters = [program, directory, String(grantCount), step]
          const result = spawnSync(bun, parameters, { encoding: "utf8", timeout: 200_000 })
          assert.strictEqual(result.status, 0, result.stdout + result.stderr)
          return result.stdout.trim()
        }
        run("make")
        const peak = Number(run("open"))
        console.log(`${peak} MB`)
        assert.isBelow(peak, limitMegabytes)
      }).pipe(Effect.scoped),
    400_000
  )
})
