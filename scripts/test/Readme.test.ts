import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { type Example, examplesOf, outputFault } from "../lib/ReadmeExamples.ts"
import { readPackages, root } from "../lib/Workspace.ts"

interface Program {
  readonly name: string
  readonly example: Example
  /** Inside the package, so that it resolves what the package resolves, and the package itself by name. */
  readonly directory: string
  readonly path: string
}

const programsOf = (name: string, readme: string, directory: string): ReadonlyArray<Program> =>
  examplesOf(readme).map((example) => ({
    name: `${name} line ${example.line}`,
    example,
    directory: join(directory, ".examples"),
    path: join(directory, ".examples", `Example${example.number}.ts`)
  }))

const programs = [
  ...readPackages().flatMap(({ name, readme = "", directory }) =>
    programsOf(`packages/${name}/README.md`, readme, directory)
  ),
  // The root README shows the packages to somebody who installed them all: bench is the one that sees them all.
  ...programsOf("README.md", readFileSync(join(root, "README.md"), "utf8"), join(root, "packages/bench")).map(
    (each) => ({
      ...each,
      path: each.path.replace("Example", "RootExample")
    })
  )
]
const directories = [...new Set(programs.map(({ directory }) => directory))]
const removeAll = (): void => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
}

describe("README examples", () => {
  const scratch = mkdtempSync(join(tmpdir(), "icecore-readme-"))

  beforeAll(() => {
    removeAll()
    for (const directory of directories) {
      mkdirSync(directory)
      writeFileSync(
        join(directory, "tsconfig.json"),
        JSON.stringify({
          extends: "../../../tsconfig.base.json",
          compilerOptions: { declaration: false, isolatedDeclarations: false },
          include: ["*.ts"]
        })
      )
    }
    for (const { path, example } of programs) writeFileSync(path, example.code)
  })

  afterAll(() => {
    removeAll()
    rmSync(scratch, { recursive: true })
  })

  it("every published package shows at least one", () => {
    const without = readPackages().filter(
      ({ manifest, readme = "" }) => manifest.private !== true && examplesOf(readme).length === 0
    )
    assert.deepStrictEqual(
      without.map(({ name }) => name),
      []
    )
  })

  for (const directory of directories) {
    it(`have no type errors in ${directory.slice(root.length)}`, () => {
      const run = spawnSync("tsc", ["-p", "tsconfig.json"], { cwd: directory, encoding: "utf8" })
      assert.strictEqual(run.status, 0, run.stdout)
    })
  }

  for (const { name, path, example } of programs) {
    it(`run and print what they say: ${name}`, () => {
      const cwd = mkdtempSync(join(scratch, "run-"))
      const run = spawnSync("bun", [path], { cwd, encoding: "utf8", timeout: 60_000 })
      assert.strictEqual(run.status, 0, run.stdout + run.stderr)
      assert.isUndefined(outputFault(example, run.stdout))
    })
  }

  it("outputFault compares all expected lines, in order", () => {
    const [example] = examplesOf(
      "# x\n\n```ts\nconsole.log(1) // => 1\nconsole.log(2) // => 2\n```\n\n```ts ignore\nno\n```\n"
    )
    assert.strictEqual(example!.line, 4)
    assert.isUndefined(outputFault(example!, "1\n2\n"))
    assert.isString(outputFault(example!, "2\n1\n"))
    assert.isString(outputFault(example!, "1\n"))
    assert.isString(outputFault(example!, ""))
  })
})
