/** The real command in real processes, for tests. */

import { spawn } from "node:child_process"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { assert } from "@effect/vitest"
import { Deferred, Effect, type Scope } from "effect"
import { inject } from "vitest"
import type { EngineName } from "../../support/LiveStore.ts"

const source = fileURLToPath(new URL("../../../src/main.ts", import.meta.url))

/** Root of the repository. */
export const repository: string = Path.resolve(fileURLToPath(new URL("../../../../..", import.meta.url)))

/** How a process ended. `status` is null when a signal ended it. */
export interface Ended {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: Buffer
  readonly stderr: string
}

/** A process that may still run. It is killed with the scope. */
export interface Running {
  readonly pid: number
  readonly ended: Effect.Effect<Ended>
  readonly kill: (signal: NodeJS.Signals) => Effect.Effect<void>
  readonly hasEnded: () => boolean
  /** Stops reading its standard output, as `head` does. */
  readonly closeOutput: Effect.Effect<void>
  /** What it has written so far. */
  readonly stdout: () => string
  readonly stderr: () => string
}

export interface CommandOptions {
  readonly cwd?: string
  readonly input?: Uint8Array | string
  /** Runs the modules of the source and not what {@link import("./CommandBundle.ts")} made of them. Default false. */
  readonly isSource?: boolean
}

/** Starts `icecore` with these arguments. */
export const start = (
  args: ReadonlyArray<string>,
  options: CommandOptions = {}
): Effect.Effect<Running, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const entry = options.isSource === true ? source : inject("command")
      const child = spawn(process.execPath, [entry, ...args], {
        cwd: options.cwd ?? repository,
        env: { ...process.env, NO_COLOR: "1" },
        stdio: ["pipe", "pipe", "pipe"]
      })
      const out: Array<Buffer> = []
      const err: Array<Buffer> = []
      const done = Deferred.makeUnsafe<Ended>()
      let hasEnded = false
      child.stdout.on("data", (chunk: Buffer) => out.push(chunk))
      child.stderr.on("data", (chunk: Buffer) => err.push(chunk))
      // A process that does not read its input closes the pipe.
      child.stdin.on("error", () => undefined)
      child.stdin.end(options.input ?? "")
      const stdout = (): Buffer => Buffer.concat(out)
      const stderr = (): string => Buffer.concat(err).toString()
      child.on("close", (status, signal) => {
        hasEnded = true
        Deferred.doneUnsafe(done, Effect.succeed({ status, signal, stdout: stdout(), stderr: stderr() }))
      })
      return {
        pid: child.pid!,
        ended: Deferred.await(done),
        kill: (signal: NodeJS.Signals) => Effect.sync(() => void child.kill(signal)),
        hasEnded: () => hasEnded,
        closeOutput: Effect.sync(() => void child.stdout.destroy()),
        stdout: () => stdout().toString(),
        stderr
      }
    }),
    (running) => (running.hasEnded() ? Effect.void : Effect.andThen(running.kill("SIGKILL"), running.ended))
  )

/** Runs `icecore` to its end, which must come within 50 seconds. */
export const run = (args: ReadonlyArray<string>, options: CommandOptions = {}): Effect.Effect<Ended> =>
  Effect.scoped(Effect.flatMap(start(args, options), ({ ended }) => Effect.orDie(Effect.timeout(ended, "50 seconds"))))

/** Runs `icecore` to its end and asserts its exit status. */
export const expect = (
  status: number,
  args: ReadonlyArray<string>,
  options: CommandOptions = {}
): Effect.Effect<Ended> =>
  Effect.tap(run(args, options), (ended) =>
    Effect.sync(() =>
      assert.strictEqual(
        ended.status,
        status,
        `icecore ${args.join(" ")}: ${ended.stderr}${ended.stdout.toString().slice(0, 2_000)}`
      )
    )
  )

/** Asserts that a command failed with exactly one line on standard error, and returns the line. */
export const failureLine = ({ stderr }: Ended): string => {
  const lines = stderr.trimEnd().split("\n")
  assert.lengthOf(lines, 1, stderr)
  assert.match(lines[0]!, /^icecore: [A-Z]/)
  return lines[0]!
}

/** Polls until `probe` gives something, for at most `seconds`, `everyMillis` (20); dies with what `describe` says then. */
export const eventually = <A>(
  what: string,
  probe: () => A | undefined | Promise<A | undefined>,
  options: { readonly seconds?: number; readonly everyMillis?: number; readonly describe?: () => string } = {}
): Effect.Effect<A> =>
  Effect.promise(async () => {
    const end = performance.now() + (options.seconds ?? 20) * 1_000
    for (;;) {
      const found = await probe()
      if (found !== undefined) return found
      if (performance.now() > end) throw new Error(`Waited in vain until ${what}. ${options.describe?.() ?? ""}`)
      await new Promise((resolve) => setTimeout(resolve, options.everyMillis ?? 20))
    }
  })

/** A running daemon and its address. */
export interface Daemon extends Running {
  readonly url: string
  /** The flag by which a reading command asks this daemon. */
  readonly address: string
}

/** Starts `icecore run` on a port that the system chooses, and waits until it serves. */
export const startDaemon = (
  args: ReadonlyArray<string>,
  options: CommandOptions = {}
): Effect.Effect<Daemon, never, Scope.Scope> =>
  Effect.gen(function* () {
    const running = yield* start(["run", "--serve.address=127.0.0.1:0", ...args], options)
    const url = yield* eventually(
      "the daemon serves",
      () => {
        if (running.hasEnded()) throw new Error(`The daemon ended: ${running.stderr()}`)
        return /Serving .* at (http:\/\/127\.0\.0\.1:\d+)/.exec(running.stderr())?.[1]
      },
      { describe: running.stderr }
    )
    return { ...running, url, address: `--serve.address=${url.slice("http://".length)}` }
  })

/** The parts of `/v1/status` that tests look at. */
export interface Status {
  readonly served: { readonly floor: number; readonly latest: number } | null
  readonly nextSeq: number
  readonly chunks: { readonly frozen: number; readonly freezing: number; readonly hot: number }
  readonly ingestion: { readonly state: string; readonly problem: string | null }
  readonly freezing: { readonly state: string; readonly problem: string | null }
}

export const statusOf = async (url: string): Promise<Status> =>
  (await (await fetch(`${url}/v1/status`)).json()) as Status

/** Waits until the status of a daemon satisfies `isMet`. */
export const awaitStatus = (
  daemon: Daemon,
  what: string,
  isMet: (status: Status) => boolean,
  seconds = 20
): Effect.Effect<Status> => {
  let last = ""
  return eventually(
    what,
    async () => {
      const status = await statusOf(daemon.url)
      last = JSON.stringify(status)
      return isMet(status) ? status : undefined
    },
    { seconds, describe: () => `${last}\n${daemon.stderr()}` }
  )
}

/** Flags of a store in `dataDir` on one engine, or on two. */
export const storeFlags = (
  dataDir: string,
  engine: EngineName,
  { hot = engine, catalog = engine }: { readonly hot?: EngineName; readonly catalog?: EngineName } = {}
): ReadonlyArray<string> => [`--storage.data_dir=${dataDir}`, `--engine.hot=${hot}`, `--engine.catalog=${catalog}`]
