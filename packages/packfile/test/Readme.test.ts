import { readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { temporaryDirectory } from "./Fixtures.ts"

it.effect("README example of packfile runs and prints the item that it reads", () =>
  Effect.gen(function* () {
    const directory = yield* temporaryDirectory
    const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8")
    const example = /```ts\n([\s\S]*?)```/.exec(readme)![1]!.replace("`example-", `\`${directory}/example-`)
    const run = Bun.spawnSync([process.execPath, "-e", example], { cwd: new URL("..", import.meta.url).pathname })
    assert.strictEqual(run.stdout.toString(), "entry 421\n", run.stderr.toString())
  })
)
