/**
 * Whether the walks would notice: the store with one barrier left out, or one expression wrong, must not get through the walks
 * that the store gets through in Walk.test.ts.
 */
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Semaphore } from "effect"
import type { Caught } from "./MutantMain.ts"
import { portMutants } from "./PortMutants.ts"
import { mutantVariable, sourceMutants } from "./SourceMutants.ts"

const pathOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

const mutants = [...portMutants, ...sourceMutants]

/** Processes at once. */
const room = Semaphore.makeUnsafe(2)

/** Runs a mutant in a process of its own, because it is loaded otherwise. */
const hunt = (name: string): Effect.Effect<Caught | null> =>
  Effect.callback<Caught | null>((resume) => {
    const args = ["--preload", pathOf("MutateSource.ts"), pathOf("MutantMain.ts")]
    const child = spawn(process.execPath, args, {
      env: { ...process.env, [mutantVariable]: name },
      stdio: ["ignore", "pipe", "pipe"]
    })
    const out: Array<Buffer> = []
    const err: Array<Buffer> = []
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk))
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk))
    child.on("close", (status) => {
      resume(
        status === 0
          ? Effect.succeed(JSON.parse(Buffer.concat(out).toString().trim().split("\n").at(-1)!))
          : Effect.die(new Error(`status ${status}: ${Buffer.concat(err)}`))
      )
    })
    return Effect.sync(() => child.kill())
  })

describe.concurrent("the walks", () => {
  for (const { name } of mutants)
    it.live(
      `catch a store with ${name}`,
      () =>
        Effect.gen(function* () {
          const caught = yield* room.withPermit(hunt(name))
          assert.isNotNull(caught, `no walk catches a store with ${name}`)
          yield* Effect.sync(() => console.log(`${name} | ${caught.replay} | ${caught.problem.split("\n")[0]}`))
        }),
      600_000
    )
})

describe("docs/reliability.md", () => {
  it("lists every mutant", () => {
    const text = readFileSync(pathOf("../../../../docs/reliability.md"), "utf8")
    const missing = mutants.filter(({ name }) => !text.includes(`| ${name} `)).map(({ name }) => name)
    assert.deepStrictEqual(missing, [])
    assert.isAtLeast(new Set(mutants.map(({ name }) => name)).size, mutants.length)
  })
})
