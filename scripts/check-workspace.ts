// Checks what neither the compiler nor the linter can see: dependency arrows, adapters, manifests that agree.
import { spawnSync } from "node:child_process"
import { readPackages, root } from "./lib/Workspace.ts"
import { versionViolations, violations } from "./lib/WorkspaceRules.ts"

const packages = readPackages()
const found = [...packages.flatMap(violations), ...versionViolations(packages)]

// `biome migrate` succeeds either way and only its words tell whether the configuration uses anything deprecated.
const migrate = spawnSync("biome", ["migrate"], { cwd: root, encoding: "utf8" })
if (migrate.status !== 0 || /needs migration/.test(migrate.stdout + migrate.stderr))
  found.push("biome.json: has deprecated settings, run: biome migrate --write")

for (const violation of found) console.error(violation)
console.log(`${packages.length} packages checked, ${found.length} violations`)
process.exit(found.length === 0 ? 0 : 1)
