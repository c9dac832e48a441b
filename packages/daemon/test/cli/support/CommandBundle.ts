/**
 * The command in a few files, made once for a run of the tests: a process that loads the 800 modules of the sources takes 0.45 seconds
 * of a processor to start, one that loads these 0.12, and the tests start hundreds.
 *
 * A module that asks where it is gets the path it would have beside the others, so that worker threads find the module that they run
 * and the domain that they make.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import type { TestProject } from "vitest/node"

declare module "vitest" {
  export interface ProvidedContext {
    /** Path of the module that is the command. */
    readonly command: string
  }
}

const sources = fileURLToPath(new URL("../../../src", import.meta.url))
const results = fileURLToPath(new URL("../../../.results", import.meta.url))

/** What is loaded by its own path. */
const entries = ["main.ts", "worker/Main.ts", "domain/NdjsonDomain.ts"]

const scriptOf = (name: string): string => name.replace(/\.ts$/, ".js")

/** For vitest: `globalSetup`. Runs at once do not meet: each has a directory of its own, which goes with it. */
export default async (project: TestProject): Promise<() => void> => {
  Fs.mkdirSync(results, { recursive: true })
  const directory = Fs.mkdtempSync(Path.join(results, "command-"))
  const { success } = await Bun.build({
    throw: false,
    entrypoints: entries.map((name) => Path.join(sources, name)),
    root: sources,
    outdir: directory,
    naming: { entry: "[dir]/[name].[ext]", chunk: "[name]-[hash].[ext]" },
    target: "bun",
    conditions: ["bun"],
    splitting: true,
    external: ["lmdb", "@stellar/stellar-sdk"],
    plugins: [
      {
        name: "paths of modules",
        setup: (build) => {
          build.onLoad(
            { filter: new RegExp(`^${sources.replaceAll(/[.\\/]/g, "\\$&")}.*\\.ts$`) },
            async ({ path }) => {
              const url = pathToFileURL(Path.join(directory, scriptOf(Path.relative(sources, path)))).href
              const text = await Bun.file(path).text()
              return { contents: text.replaceAll("import.meta.url", () => JSON.stringify(url)), loader: "ts" }
            }
          )
        }
      }
    ]
  })
  // What cannot be put together says why when it is loaded, to the tests that start it.
  const [from, name] = success ? [directory, scriptOf(entries[0]!)] : [sources, entries[0]!]
  project.provide("command", Path.join(from, name))
  return () => Fs.rmSync(directory, { recursive: true })
}
