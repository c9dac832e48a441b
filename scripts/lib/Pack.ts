/**
 * Packs a package into the tarball that npm would get.
 */
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"

/** Packs the package in `directory`, whose `dist` must be built, into `destination`; returns the tarball's path. */
export const pack = (directory: string, destination: string): string => {
  if (!existsSync(join(directory, "dist"))) throw new Error(`Cannot pack ${directory}: it has no dist, build it first`)
  const run = spawnSync("bun", ["pm", "pack", "--ignore-scripts", "--quiet", "--destination", destination], {
    cwd: directory,
    encoding: "utf8"
  })
  if (run.status !== 0) throw new Error(`Cannot pack ${directory}: ${run.stderr.trim()}`)
  return run.stdout.trim().split("\n").at(-1)!
}
