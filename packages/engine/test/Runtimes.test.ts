import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { engineConformance } from "../src/testing/index.ts"
import { temporaryDirectory } from "./RuntimesSuite.ts"

const program = fileURLToPath(new URL("./RuntimesMain.ts", import.meta.url))
const commands = fileURLToPath(new URL("../../../node_modules/.bin/", import.meta.url))
const built = fs.existsSync(fileURLToPath(new URL("../dist/testing/index.js", import.meta.url)))

interface CaseLine {
  readonly name: string
  readonly passed: boolean
  readonly failure?: string
}

const run = (command: string, parameters: ReadonlyArray<string>): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const child = spawn(path.join(commands, command), parameters, { stdio: ["ignore", "pipe", "inherit"] })
    let output = ""
    child.stdout.on("data", (chunk) => {
      output += chunk
    })
    child.once("close", () => resume(Effect.succeed(output)))
  })

const runtimes = [
  // Node runs the built package: without the condition "bun" the packages' exports lead there.
  { name: "Node", command: "node", flags: [], ready: built },
  { name: "Deno", command: "deno", flags: ["run", "--allow-all", "--quiet"], ready: true }
]

describe("Runtimes", () => {
  for (const { command, flags, name, ready } of runtimes) {
    for (const adapter of ["sqlite", "lmdb"]) {
      it.live.skipIf(!ready)(`engineConformance passes on ${name} with ${adapter}`, () =>
        Effect.gen(function* () {
          const directory = path.join(yield* temporaryDirectory, "suite")
          const output = yield* run(command, [...flags, program, adapter, directory])
          const lines = output
            .split("\n")
            .filter((line) => line.startsWith("{"))
            .map((line): CaseLine => JSON.parse(line))
          assert.deepStrictEqual(
            lines.filter((line) => !line.passed),
            []
          )
          assert.deepStrictEqual(
            lines.map((line) => line.name),
            engineConformance({ directory }).map((each) => each.name)
          )
        }).pipe(Effect.scoped)
      )
    }
  }
})
