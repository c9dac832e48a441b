/**
 * Preloaded into the process of a mutant (`bun --preload`): rewrites one expression of one module of this workspace when it is
 * loaded. `ICECORE_MUTANT` names the mutant. An expression that is not there exactly once, or a module that is never loaded, ends the
 * process with an error: a mutant that changes nothing proves nothing.
 */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { plugin } from "bun"
import { mutantVariable, sourceMutants } from "./SourceMutants.ts"

const packages = fileURLToPath(new URL("../../..", import.meta.url))
const name = process.env[mutantVariable]
const mutant = sourceMutants.find((candidate) => candidate.name === name)

if (mutant !== undefined) {
  const path = `${packages}${mutant.file}`
  let isLoaded = false
  plugin({
    name: "mutate source",
    setup: (build) => {
      build.onLoad({ filter: new RegExp(`${path.replaceAll(/[.\\/]/g, "\\$&")}$`) }, () => {
        isLoaded = true
        const text = readFileSync(path, "utf8")
        const count = text.split(mutant.find).length - 1
        if (count !== 1) {
          console.error(`mutant "${mutant.name}": ${mutant.file} has its expression ${count} times, expected once`)
          process.exit(3)
        }
        return { contents: text.replace(mutant.find, () => mutant.replace), loader: "ts" }
      })
    }
  })
  process.on("exit", () => {
    if (isLoaded) return
    console.error(`mutant "${mutant.name}": ${mutant.file} was never loaded`)
    process.exitCode = 3
  })
}
