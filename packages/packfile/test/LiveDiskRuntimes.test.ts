import { spawn, spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { afterAll, assert, describe, it } from "@effect/vitest"

const root = mkdtempSync(join(tmpdir(), "icecore-runtimes-"))
const holderIds = new Set<number>()
afterAll(() => {
  for (const id of holderIds) process.kill(id, "SIGKILL")
  rmSync(root, { recursive: true })
})

const binary = (name: string): string => fileURLToPath(new URL(`../../../node_modules/.bin/${name}`, import.meta.url))
const script = (name: string): string => fileURLToPath(new URL(`runtimes/${name}.ts`, import.meta.url))

const runtimes: Readonly<Record<string, ReadonlyArray<string>>> = {
  Bun: [binary("bun")],
  Node: [binary("node"), "--expose-gc"],
  Deno: [binary("deno"), "run", "--allow-all", "--quiet", "--v8-flags=--expose-gc"]
}

const commandOf = (runtime: string, name: string, args: ReadonlyArray<string>): [string, Array<string>] => {
  const [command, ...flags] = runtimes[runtime]!
  return [command!, [...flags, script(name), ...args]]
}

interface Holder {
  /** `locked`, or what stood in the way. */
  readonly said: string
  readonly nextLine: () => Promise<string>
  readonly kill: () => Promise<void>
}

const startHolder = async (runtime: string, path: string, ...rest: ReadonlyArray<string>): Promise<Holder> => {
  const child = spawn(...commandOf(runtime, "holdLock", [path, ...rest]), { stdio: ["ignore", "pipe", "inherit"] })
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()))
  const iterator = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const nextLine = async (): Promise<string> => (await iterator.next()).value as string
  const [said, id] = (await nextLine()).split(" ")
  if (id !== undefined) holderIds.add(Number(id))
  const kill = (): Promise<void> => {
    holderIds.delete(Number(id))
    process.kill(Number(id), "SIGKILL")
    return exited
  }
  return { said: said!, nextLine, kill }
}

/** What a second process is told, and how long it took in milliseconds, its start included. */
const tryLock = (runtime: string, path: string): { readonly said: string; readonly millis: number } => {
  const started = performance.now()
  const result = spawnSync(...commandOf(runtime, "holdLock", [path]), { encoding: "utf8", timeout: 20_000 })
  return { said: result.stdout.trim(), millis: performance.now() - started }
}

for (const runtime of Object.keys(runtimes)) {
  const isThere = existsSync(runtimes[runtime]![0]!)
  describe.skipIf(!isThere)(`LiveDisk on ${runtime}`, () => {
    it("passes the conformance suite", () => {
      const directory = mkdtempSync(join(root, "suite-"))
      const result = spawnSync(...commandOf(runtime, "diskConformance", [directory]), { encoding: "utf8" })
      assert.match(result.stdout.trim(), /\d+ passed, 0 failed$/, result.stdout + result.stderr)
    })

    it("holds a lock that every runtime respects, through garbage collection, until it is killed", async () => {
      const path = join(root, `lock of ${runtime} #%41'"`)
      const holder = await startHolder(runtime, path, "collect")
      assert.strictEqual(holder.said, "locked")
      assert.strictEqual(await holder.nextLine(), "collected")
      for (const other of Object.keys(runtimes)) {
        if (!existsSync(runtimes[other]![0]!)) continue
        const { said, millis } = tryLock(other, path)
        assert.strictEqual(said, "DiskLocked", `${other} against ${runtime}`)
        // The start of its process is in it, which a busy machine stretches; a lock that waited would wait for ever.
        assert.isBelow(millis, 20_000)
      }
      await holder.kill()
      const next = await startHolder(runtime, path)
      assert.strictEqual(next.said, "locked")
      await next.kill()
    })
  })
}
