import { readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { temporaryDirectory } from "./Fixtures.ts"

it.effect("README examples of packfile run and print the item that is read and the seq that is found", () =>
  Effect.gen(function* () {
    const directory = yield* temporaryDirectory
    const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8")
    const printed = Array.from(readme.matchAll(/```ts\n([\s\S]*?)```/g), ([, example]) => {
      const inDirectory = example!.replace(/`(example-|keys-)/, `\`${directory}/$1`)
      const run = Bun.spawnSync([process.execPath, "-e", inDirectory], { cwd: new URL("..", import.meta.url).pathname })
      return run.stdout.toString() || run.stderr.toString()
    })
    assert.deepStrictEqual(printed, ["entry 421\n", "6000\n"])
  })
)
