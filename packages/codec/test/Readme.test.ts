import { readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"

it("README example of codec runs and prints what it compressed", async () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8")
  const example = /```ts\n([\s\S]*?)```/.exec(readme)![1]!
  const run = Bun.spawnSync([process.execPath, "-e", example], { cwd: new URL("..", import.meta.url).pathname })
  assert.strictEqual(run.stdout.toString(), "to be, or not to be, to be\n", run.stderr.toString())
})
