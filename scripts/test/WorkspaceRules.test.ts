import { assert, describe, it } from "@effect/vitest"
import { scanImports } from "../lib/Imports.ts"
import { mayImport, readPackages, type WorkspacePackage } from "../lib/Workspace.ts"
import { versionViolations, violations } from "../lib/WorkspaceRules.ts"

const exported = (file: string) => ({
  bun: `./src/${file}.ts`,
  types: `./dist/${file}.d.ts`,
  default: `./dist/${file}.js`
})

const good: WorkspacePackage = {
  name: "engine",
  directory: "/nowhere/engine",
  manifest: {
    name: "@icecore/engine",
    version: "1.2.3",
    exports: { ".": exported("index") },
    scripts: { test: "vitest", "publish:check": "check" },
    dependencies: { "@icecore/codec": "1.2.3" },
    peerDependencies: { effect: "^4.1.0", lmdb: "^3.5.0" }
  },
  deno: {
    name: "@icecore/engine",
    version: "1.2.3",
    exports: { ".": "./src/index.ts" },
    imports: { effect: "npm:effect@^4.1.0", lmdb: "npm:lmdb@^3.5.0" }
  },
  jsr: undefined,
  readme: "# engine",
  files: ["LICENSE", "README.md", "deno.json", "package.json", "tsconfig.json", "src", "test"],
  sources: [
    { path: "src/index.ts", text: 'export * from "./Engine.ts"' },
    { path: "src/live/LmdbEngine.ts", text: 'import { open } from "lmdb"\nimport { Effect } from "effect"' }
  ]
}

const withSource = (path: string, text: string): WorkspacePackage => ({
  ...good,
  sources: [...good.sources, { path, text }]
})

const planted: ReadonlyArray<readonly [string, WorkspacePackage, RegExp]> = [
  [
    "an import from the right",
    withSource("src/A.ts", 'import { x } from "@icecore/daemon"'),
    /A\.ts:1: .*to the right/
  ],
  ["a type import from the right", withSource("src/A.ts", 'import type { X } from "@icecore/catalog"'), /to the right/],
  ["a re-export from the right", withSource("src/A.ts", 'export * from "@icecore/catalog/testing"'), /to the right/],
  ["a dynamic import from the right", withSource("src/A.ts", 'const a = import("@icecore/catalog")'), /to the right/],
  [
    "an import over several lines",
    withSource("src/A.ts", 'import {\n  x,\n  y\n} from "@icecore/daemon"'),
    /A\.ts:4: /
  ],
  [
    "a dependency to the right",
    { ...good, manifest: { ...good.manifest, dependencies: { "@icecore/daemon": "1.2.3" } } },
    /to its right/
  ],
  ["an undeclared package", withSource("src/A.ts", 'import x from "left-pad"'), /package\.json does not declare/],
  [
    "a package that deno.json does not map",
    { ...good, deno: { ...good.deno!, imports: { effect: "npm:effect" } } },
    /deno\.json does not map/
  ],
  ["its own name", withSource("src/A.ts", 'import { x } from "@icecore/engine"'), /its own package/],
  ["a file outside of src", withSource("src/A.ts", 'import { x } from "../test/x.ts"'), /outside of src/],
  ["a relative import without .ts", withSource("src/A.ts", 'import { x } from "./x.js"'), /end in \.ts/],
  ["a library outside of its adapter", withSource("src/A.ts", 'import { open } from "lmdb"'), /only an adapter/],
  [
    "node:fs outside of an adapter",
    withSource("src/A.ts", 'import { open } from "node:fs/promises"'),
    /only an adapter/
  ],
  [
    "bun:sqlite outside of an adapter",
    withSource("src/A.ts", 'const s = () => import("bun:sqlite")'),
    /only an adapter/
  ],
  [
    "Effect in format/",
    withSource("src/format/A.ts", 'import { Data, Effect } from "effect"'),
    /imports Effect from effect/
  ],
  [
    "Effect in kernel/",
    withSource("src/deep/kernel/A.ts", 'import * as Effect from "effect/Effect"'),
    /run without Effect/
  ],
  ["exports that differ", { ...good, deno: { ...good.deno!, exports: { ".": "./src/Engine.ts" } } }, /export \. is/],
  [
    "an export that deno.json lacks",
    { ...good, deno: { ...good.deno!, exports: {} } },
    /export \. is .* undefined in deno\.json/
  ],
  ["an export of a missing file", { ...good, sources: [] }, /which does not exist/],
  [
    "conditions out of order",
    {
      ...good,
      manifest: {
        ...good.manifest,
        exports: { ".": { types: "./dist/index.d.ts", bun: "./src/index.ts", default: "./dist/index.js" } }
      }
    },
    /expected bun,types,default/
  ],
  [
    "@std without a jsr.json",
    { ...good, deno: { ...good.deno!, imports: { ...good.deno!.imports, "@std/fs": "npm:fs-extra" } } },
    /no jsr\.json/
  ],
  ["no README", { ...good, files: good.files.filter((file) => file !== "README.md") }, /has no README\.md/],
  ["no LICENSE", { ...good, files: good.files.filter((file) => file !== "LICENSE") }, /has no LICENSE/],
  ["an unknown package", { ...good, name: "extra" }, /no place among/]
]

describe("WorkspaceRules", () => {
  it("violations is empty for a package that keeps the rules", () => {
    assert.deepStrictEqual(violations(good), [])
  })

  for (const [what, target, expected] of planted) {
    it(`violations names ${what}`, () => {
      const found = violations(target)
      assert.isTrue(
        found.some((each) => expected.test(each)),
        found.join("\n")
      )
    })
  }

  it("violations allows data modules of Effect in format/", () => {
    assert.deepStrictEqual(
      violations(withSource("src/format/A.ts", 'import { Data, Result, type Effect } from "effect"')),
      []
    )
  })

  it("violations does not read imports in comments and strings", () => {
    const text =
      '/**\n * import { x } from "@icecore/daemon"\n */\n// import "lmdb"\nconst a = "http://x" // import("lmdb")'
    assert.deepStrictEqual(violations(withSource("src/A.ts", text)), [])
  })

  it("versionViolations names versions that differ", () => {
    const other = { ...good, name: "codec", manifest: { ...good.manifest, version: "1.2.4" } }
    assert.deepStrictEqual(versionViolations([good]), [])
    assert.isAbove(versionViolations([good, other]).length, 0)
    assert.isAbove(versionViolations([{ ...good, deno: { ...good.deno!, version: "9.9.9" } }]).length, 0)
    const loose = { ...good, manifest: { ...good.manifest, dependencies: { "@icecore/codec": "^1.2.3" } } }
    assert.isAbove(versionViolations([loose]).length, 0)
  })

  it("mayImport gives every package a place and has no cycle", () => {
    assert.deepStrictEqual(
      [...Object.keys(mayImport)].sort(),
      readPackages().map(({ name }) => name)
    )
    const names = Object.keys(mayImport)
    for (const [name, left] of Object.entries(mayImport))
      for (const each of left) assert.isBelow(names.indexOf(each), names.indexOf(name))
  })

  it("scanImports reads types, several lines, side effects and dynamic imports", () => {
    const text =
      'import type { A } from "a"\nimport {\n  type B,\n  c as d\n} from "b"\nimport "side"\nexport type { E } from "e"\ntype T = typeof import("t")\n'
    assert.deepStrictEqual(
      scanImports(text).map(({ specifier, isTypeOnly, names }) => [specifier, isTypeOnly, names.join()]),
      [
        ["a", true, "A"],
        ["b", false, "c"],
        ["side", false, "*"],
        ["e", true, "E"],
        ["t", true, "*"]
      ]
    )
  })
})
