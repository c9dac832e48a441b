import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { temporaryDirectory } from "./RuntimesSuite.ts"

const bun = fileURLToPath(new URL("../../../node_modules/.bin/bun", import.meta.url))
const program = fileURLToPath(new URL("./programs/ArchiveMemory.ts", import.meta.url))

/** Larger than the limits: memory that grew with the store would be over them. */
const megabytes = 250
const limitMegabytes = 150

/** A listing leaves the garbage of its pages besides. */
const listLimitMegabytes = 220

describe("Archive in memory", () => {
  it.live(
    `Archive.save and open stay under ${limitMegabytes} MB, a listing under ${listLimitMegabytes} MB, with a store of ${megabytes} MB`,
    () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const run = (encoding: string, step: string): ReadonlyArray<string> => {
          const parameters = [program, directory, String(megabytes), encoding, step]
          const result = spawnSync(bun, parameters, { encoding: "utf8", timeout: 200_000 })
          assert.strictEqual(result.status, 0, result.stdout + result.stderr)
          return result.stdout.trim().split("\n")
        }
        run("pack", "fill")
        for (const encoding of ["pack", "tar+zstd"]) {
          const [saved] = run(encoding, "save")
          const [opened, listed] = run(encoding, "open")
          console.log(encoding, saved, opened, listed)
          for (const [line, limit] of [
            [saved!, limitMegabytes],
            [opened!, limitMegabytes],
            [listed!, listLimitMegabytes]
          ] as const) {
            assert.isBelow(Number(/ (\d+) MB /.exec(line)![1]), limit, line)
          }
        }
      }).pipe(Effect.scoped),
    600_000
  )
})
