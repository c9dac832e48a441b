import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8")
const examples = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]!)

const printed = [
  '14 bytes, key of 19: {"id":"ada","joined":"1970-01-01T00:00:00.000Z","roles":["owner"]}\n',
  "to be, or not to be, to be\n"
]

describe("README of codec", () => {
  it("README has the examples that are run here", () => assert.strictEqual(examples.length, printed.length))

  for (const [index, output] of printed.entries()) {
    it(`README example ${index + 1} runs and prints what it says`, () => {
      const run = Bun.spawnSync([process.execPath, "-e", examples[index]!], {
        cwd: new URL("..", import.meta.url).pathname
      })
      assert.strictEqual(run.stdout.toString(), output, run.stderr.toString())
    })
  }
})
