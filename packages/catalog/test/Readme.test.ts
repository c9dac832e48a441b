import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { temporaryDirectory } from "./Harness.ts"

interface Example {
  readonly program: (dataDir: string) => Effect.Effect<Option.Option<number>, Error>
}

/** The README's example, as a module that imports the package by its name. */
const example = Effect.promise((): Promise<Example> => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8")
  const code = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? ""
  const results = new URL("../.results/", import.meta.url)
  mkdirSync(results, { recursive: true })
  const file = new URL("ReadmeExample.ts", results)
  writeFileSync(file, code)
  return import(file.pathname)
})

describe("README", () => {
  it.live("README's example freezes the entries of chunk 0", () =>
    Effect.gen(function* () {
      const { program } = yield* example
      const dataDir = yield* temporaryDirectory
      assert.deepStrictEqual(Option.map(yield* program(dataDir), Number), Option.some(0))
    })
  )
})
