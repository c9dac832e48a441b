import { spawn } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { directory } from "./support/LiveDirectory.ts"

const program = fileURLToPath(new URL("./support/PoolProgram.ts", import.meta.url))
const commands = fileURLToPath(new URL("../../../node_modules/.bin/", import.meta.url))

// The condition leads to the sources, which need not be built.
const runtimes = [
  { name: "Bun", command: "bun", flags: [] },
  { name: "Node", command: "node", flags: ["--conditions=bun", "--disable-warning=ExperimentalWarning"] },
  { name: "Deno", command: "deno", flags: ["run", "--allow-all", "--quiet", "--no-lock", "--conditions=bun"] }
]

interface Ended {
  readonly status: number | null
  readonly output: string
}

const run = (command: string, parameters: ReadonlyArray<string>): Effect.Effect<Ended> =>
  Effect.callback((resume) => {
    const child = spawn(join(commands, command), parameters, { stdio: ["ignore", "pipe", "inherit"] })
    let output = ""
    child.stdout.on("data", (chunk) => {
      output += chunk
    })
    child.once("close", (status) => resume(Effect.succeed({ status, output })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

describe("WorkerPool", () => {
  for (const { command, flags, name } of runtimes) {
    it.live(`layer works on ${name}, and lets its process end`, () =>
      Effect.gen(function* () {
        const { output, status } = yield* run(command, [...flags, program, yield* directory])
        assert.deepStrictEqual(JSON.parse(output), {
          same: [true, true],
          lost: "Cannot finish work in worker 1: it exited with status 3",
          names: ["a.bin", "a.pack", "b.bin", "b.pack", "inline.bin", "inline.pack"]
        })
        assert.strictEqual(status, 0)
      }).pipe(Effect.scoped)
    )
  }
})
