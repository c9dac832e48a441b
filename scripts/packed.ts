// Installs the packed @icecore/codec, packfile and engine into an empty folder, as a stranger would, and runs the README
// examples of packfile and engine there: types with tsc, then under Bun, Node and Deno.
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { pack } from "./lib/Pack.ts"
import { examplesOf, outputFault } from "./lib/ReadmeExamples.ts"
import { readPackage, root } from "./lib/Workspace.ts"

const installed = ["codec", "packfile", "engine"]
const shown = ["packfile", "engine"]
const bin = join(root, "node_modules", ".bin")

const folder = mkdtempSync(join(tmpdir(), "icecore-packed-"))
process.on("exit", () => rmSync(folder, { recursive: true, force: true }))

const rootManifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
const { effect, lmdb, types } = {
  effect: rootManifest.devDependencies.effect as string,
  lmdb: JSON.parse(readFileSync(join(root, "packages/engine/package.json"), "utf8")).devDependencies.lmdb as string,
  types: rootManifest.devDependencies["@types/node"] as string
}

run(
  ["turbo", "run", "build", ...installed.map((name) => `--filter=@icecore/${name}`), "--output-logs=errors-only"],
  root
)
const tarballs = installed.map((name) => [`@icecore/${name}`, `file:${pack(join(root, "packages", name), folder)}`])
writeFileSync(
  join(folder, "package.json"),
  JSON.stringify({
    name: "stranger",
    private: true,
    type: "module",
    // The packages are not on the registry yet: their dependencies on each other are met by the tarballs beside them.
    dependencies: { ...Object.fromEntries(tarballs), effect, lmdb, "@types/node": types }
  })
)
// With the Node that npm belongs to, not the pinned one of the workspace: it knows the certificates of this machine.
const ownPath = (process.env.PATH ?? "").split(delimiter).filter((each) => !/node_modules[\\/]\.bin[\\/]?$/.test(each))
run(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"], folder, { PATH: ownPath.join(delimiter) })

const programs = shown.flatMap((name) => {
  const { readme = "" } = readPackage(join(root, "packages", name))
  const examples = examplesOf(readme)
  if (examples.length === 0) fail(`packages/${name}/README.md has no example`)
  return examples.map((example) => {
    const file = `${name}-${example.number}.ts`
    writeFileSync(join(folder, file), example.code)
    return { name: `${name} README line ${example.line}`, file, example }
  })
})

writeFileSync(
  join(folder, "tsconfig.json"),
  JSON.stringify({
    compilerOptions: {
      target: "ES2024",
      // The declarations of effect name types of the DOM.
      lib: ["ES2024", "ESNext.Disposable", "DOM"],
      module: "NodeNext",
      types: ["node"],
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      skipLibCheck: false
    },
    include: ["*.ts"]
  })
)
run([join(bin, "tsc"), "-p", "tsconfig.json"], folder)
console.log("types of all examples: ok")

const runtimes: ReadonlyArray<readonly [string, (file: string) => ReadonlyArray<string>]> = [
  ["Bun", (file) => [join(bin, "bun"), file]],
  ["Node 24", (file) => [join(bin, "node"), "--disable-warning=ExperimentalWarning", file]],
  ["Deno", (file) => [join(bin, "deno"), "run", "--allow-all", "--node-modules-dir=manual", "--no-lock", file]]
]
for (const [runtime, command] of runtimes) {
  for (const { name, file, example } of programs) {
    const cwd = join(folder, `run-${runtime.replace(" ", "-")}-${file}`)
    mkdirSync(cwd)
    const fault = outputFault(example, run(command(join(folder, file)), cwd))
    if (fault !== undefined) fail(`${name} under ${runtime} ${fault}`)
    console.log(`${name} under ${runtime}: ok`)
  }
}

function run(command: ReadonlyArray<string>, cwd: string, env: Readonly<Record<string, string>> = {}): string {
  const done = spawnSync(command[0]!, command.slice(1), {
    cwd,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
    timeout: 300_000,
    stdio: ["ignore", "pipe", "pipe"]
  })
  if (done.status !== 0)
    fail(`${command.join(" ")}: exit status ${done.status ?? done.signal}\n${done.stdout ?? ""}${done.stderr ?? ""}`)
  return done.stdout
}

function fail(message: string): never {
  console.error(message)
  process.exit(1)
}
