// Runs the tests of every package through turbo and ends with one line: `N passed, N failed`, and `, N skipped` when any
// were. Arguments go to turbo: npm test -- --filter=@icecore/codec
//
// The counts come from `.results/vitest.json` of each package that turbo says it will run. Old results are removed first,
// so what is there afterwards is of this run, or was restored by turbo for exactly these inputs. A package that crashed, did
// not build, or left no results counts as one failure.
import { spawnSync } from "node:child_process"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { closingLine, readResults, sum } from "./lib/TestResults.ts"
import { root } from "./lib/Workspace.ts"

const env = { ...process.env, TURBO_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1" }
const tasks = ["run", "test", "test:workspace", ...process.argv.slice(2)]

const plan = spawnSync("turbo", [...tasks, "--dry=json"], { cwd: root, encoding: "utf8", env, maxBuffer: 1 << 28 })
if (plan.status !== 0) {
  console.error(plan.stdout + plan.stderr)
  process.exit(1)
}
const planned: ReadonlyArray<{ readonly name: string; readonly directory: string }> = JSON.parse(
  plan.stdout.slice(plan.stdout.indexOf("{"))
)
  .tasks.filter(
    (each: { task: string; command: string }) =>
      /^test(:workspace)?$/.test(each.task) && each.command !== "<NONEXISTENT>"
  )
  .map((each: { package: string; task: string; directory: string }) => ({
    name: each.task === "test" ? each.package : "workspace",
    directory: join(root, each.task === "test" ? each.directory : "scripts")
  }))
for (const { directory } of planned) rmSync(join(directory, ".results"), { recursive: true, force: true })

// Those that take longest begin first: turbo takes packages as their builds end, and the daemon's, which come last, would run alone.
const longest = planned.filter(({ name }) => name === "@icecore/daemon" || name === "@icecore/engine")
const others = planned.filter((each) => !longest.includes(each))
const filterOf = ({ name }: { readonly name: string }) => `--filter=${name === "workspace" ? "//" : name}`
const isWhole = process.argv.length === 2 && longest.length > 0 && others.length > 0
const turns = isWhole ? [longest, others].map((each) => [...tasks, ...each.map(filterOf)]) : [tasks]

// Two at a time: the tests of one package use threads of their own, and many of them kill and time real processes.
const runs = turns.map((turn) =>
  spawnSync("turbo", [...turn, "--concurrency=2", "--continue=always", "--output-logs=errors-only"], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    env
  })
)
const unsound = runs.find(({ status }) => status !== 0)

const results = planned.map(({ name, directory }) => readResults(name, directory))
for (const { failures } of results) for (const failure of failures) console.error(`FAIL ${failure}`)
const counts = sum(results)
const isUnexplained = unsound !== undefined && counts.failed === 0
if (isUnexplained) console.error(`FAIL turbo: exit status ${unsound.status ?? unsound.signal}, see its output above`)
const total = isUnexplained ? { ...counts, failed: 1 } : counts

console.log("")
for (const { name, passed, failed, skipped } of results)
  console.log(`${name}: ${closingLine({ passed, failed, skipped })}`)
console.log(closingLine(total))
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1)
