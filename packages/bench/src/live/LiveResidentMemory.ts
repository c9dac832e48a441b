/**
 * The resident set as the kernel counts it.
 *
 * Linux keeps the peak per process and forgets it when `5` is written to `clear_refs` (proc(5)). Elsewhere the peak is of
 * the whole life of the process: a memory row is then only right when it runs alone, with `--row`.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { Effect, Layer } from "effect"
import { ResidentMemory } from "../ResidentMemory.ts"

export const layer: Layer.Layer<ResidentMemory> = Layer.sync(ResidentMemory, () => {
  const isLinux = process.platform === "linux"
  return ResidentMemory.of({
    reset: Effect.sync(() => {
      if (typeof Bun !== "undefined") Bun.gc(true)
      if (isLinux) writeFileSync("/proc/self/clear_refs", "5")
      return process.memoryUsage.rss()
    }),
    peakBytes: Effect.sync(() => (isLinux ? linuxPeakBytes() : process.resourceUsage().maxRSS * 1024))
  })
})

const linuxPeakBytes = (): number => {
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]
  return kibibytes === undefined ? process.resourceUsage().maxRSS * 1024 : Number(kibibytes) * 1024
}
