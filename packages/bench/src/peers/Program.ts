/**
 * Programs of the system as references.
 */
import { spawn } from "node:child_process"
import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"
import { Data, Effect } from "effect"
import { RowSkipped } from "../Row.ts"

/** A program could not be started, or did not end well. */
export class ProgramFailed extends Data.Error<{ readonly program: string; readonly detail: string }> {
  readonly _tag = "ProgramFailed"
  override readonly name = "ProgramFailed"
  override get message(): string {
    return `Cannot run ${this.program}: ${this.detail}`
  }
}

/** Skips the row when one of the programs is not on the path. */
export const required = (row: string, programs: ReadonlyArray<string>): Effect.Effect<void, RowSkipped> =>
  Effect.suspend(() => {
    const missing = programs.filter((program) => !isInstalled(program))
    return missing.length === 0
      ? Effect.void
      : Effect.fail(new RowSkipped({ row, detail: `${missing.join(" and ")} is not installed` }))
  })

const isInstalled = (program: string): boolean =>
  (process.env.PATH ?? "").split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })

const tickMillis = 20

export interface OutputOptions {
  /** Called every 20 ms with the process's id while it runs. */
  readonly onTick?: (pid: number) => void
}

/** Runs a program to its end and returns what it wrote to standard output. Interrupted, it is killed. */
export const output = (
  program: string,
  args: ReadonlyArray<string>,
  { onTick }: OutputOptions = {}
): Effect.Effect<string, ProgramFailed> =>
  Effect.callback((resume) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] })
    const timer = onTick === undefined ? undefined : setInterval(() => onTick(child.pid!), tickMillis)
    let written = ""
    let complaint = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      written += text
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint = (complaint + text).slice(-2_000)
    })
    child.on("error", (cause) => {
      clearInterval(timer)
      resume(Effect.fail(new ProgramFailed({ program, detail: cause.message })))
    })
    child.on("close", (status, signal) => {
      clearInterval(timer)
      resume(
        status === 0
          ? Effect.succeed(written)
          : Effect.fail(
              new ProgramFailed({ program, detail: `it ended with ${signal ?? status}: ${complaint.trim()}` })
            )
      )
    })
    return Effect.sync(() => {
      clearInterval(timer)
      child.kill()
    })
  })
