/**
 * The `icecore` command in a process of its own.
 */
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { extname } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, type Scope } from "effect"
import { ProgramFailed } from "./Program.ts"

/** Beside the package's index, as source or built. */
const main = (): string => {
  const index = import.meta.resolve("@icecore/daemon")
  return fileURLToPath(new URL(`./main${extname(index)}`, index))
}

export interface Daemon {
  readonly url: string
  /** The largest resident set so far, in bytes; NaN where the system does not tell (other than Linux). */
  readonly peakBytes: Effect.Effect<number>
}

/** Starts `icecore run` on a port that the system chooses, and waits until it serves. It is killed with the scope. */
export const run = (flags: ReadonlyArray<string>): Effect.Effect<Daemon, ProgramFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, [main(), "run", "--serve.address=127.0.0.1:0", ...flags], {
          env: { ...process.env, NO_COLOR: "1" },
          stdio: ["ignore", "ignore", "pipe"]
        })
      ),
      (child) =>
        Effect.callback<void>((resume) => {
          if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
          child.on("close", () => resume(Effect.void))
          child.kill("SIGKILL")
        })
    )
    const url = yield* Effect.callback<string, ProgramFailed>((resume) => {
      let written = ""
      const failed = (detail: string) => resume(Effect.fail(new ProgramFailed({ program: "icecore run", detail })))
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        written = (written + text).slice(-10_000)
        const found = /Serving .* at (http:\/\/127\.0\.0\.1:\d+)/.exec(written)?.[1]
        if (found !== undefined) resume(Effect.succeed(found))
      })
      child.on("error", ({ message }) => failed(message))
      child.on("close", () => failed(written.trim()))
    })
    return { url, peakBytes: Effect.sync(() => peakBytesOf(child.pid!)) }
  })

const peakBytesOf = (pid: number): number => {
  if (process.platform !== "linux") return Number.NaN
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
  return kibibytes === undefined ? Number.NaN : Number(kibibytes) * 1024
}
