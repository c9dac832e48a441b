import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as KeyedLog from "../support/KeyedLog.ts"
import { directory, type EngineName, engineNames } from "../support/LiveStore.ts"
import { expect, startDaemon, storeFlags } from "./support/Command.ts"

const entriesPerChunk = 10
const chunkCounts = [100, 1_000] as const
const startsEach = 3

/** Far from what is aimed at, 1 s and 150 MB (`daemon/cold-start` of the benchmarks), because tests run beside other work. */
const limits = { millis: 10_000, bytes: 220_000_000, grownMillis: 3_000, grownBytes: 30_000_000 }

interface Start {
  /** From the start of the process to its answers by seq and by key. */
  readonly millis: number
  readonly residentBytes: number
}

const residentBytesOf = (pid: number): number => {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(Fs.readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
  return Number(kibibytes) * 1_024
}

const startOnce = (flags: ReadonlyArray<string>, seq: number): Effect.Effect<Start> =>
  Effect.gen(function* () {
    const startedAt = performance.now()
    const daemon = yield* startDaemon(flags, { isSource: true })
    return yield* Effect.promise(async () => {
      for (const path of [`entries/${seq}`, `keys/${KeyedLog.keyTextAt(seq)}`])
        assert.strictEqual(await (await fetch(`${daemon.url}/v1/${path}`)).text(), KeyedLog.lineAt(seq), path)
      return { millis: performance.now() - startedAt, residentBytes: residentBytesOf(daemon.pid) }
    })
  }).pipe(Effect.scoped)

/** The quickest and the smallest of several starts: what other work on the machine adds is not the store's. */
const startsOf = (flags: ReadonlyArray<string>, seq: number): Effect.Effect<Start> =>
  Effect.map(Effect.replicateEffect(startOnce(flags, seq), startsEach), (starts) => ({
    millis: Math.min(...starts.map(({ millis }) => millis)),
    residentBytes: Math.min(...starts.map(({ residentBytes }) => residentBytes))
  }))

const coldStarts = Effect.fnUntraced(function* (engine: EngineName) {
  const root = yield* directory
  const log = Path.join(root, "log.ndjson")
  const flags = [
    ...storeFlags(Path.join(root, "data"), engine),
    `--source.path=${log}`,
    `--domain.keys=["${KeyedLog.keyPointer}"]`,
    `--geometry.entries_per_chunk=${entriesPerChunk}`,
    "--geometry.chunks_per_window=100"
  ]
  const starts: Array<Start> = []
  let lineCount = 0
  for (const chunkCount of chunkCounts) {
    const end = chunkCount * entriesPerChunk
    Fs.appendFileSync(log, KeyedLog.textOf(lineCount, end))
    lineCount = end
    yield* expect(0, ["ingest", log, ...flags])
    starts.push(yield* startsOf(flags, Math.floor(end / 3)))
  }
  return starts as [Start, Start]
})

describe("icecore run", () => {
  for (const engine of engineNames)
    it.live.skipIf(process.platform !== "linux")(
      `answers by seq and by key soon after its start, in memory that does not grow with history, over 1,000 chunks on ${engine} (needs Linux)`,
      () =>
        Effect.gen(function* () {
          const [short, long] = yield* coldStarts(engine)
          if (process.env.ICECORE_SHOW_FIGURES !== undefined)
            yield* Effect.logWarning(
              `${engine}: 100 chunks ${JSON.stringify(short)}, 1,000 chunks ${JSON.stringify(long)}`
            )
          assert.isBelow(long.millis, limits.millis)
          assert.isBelow(long.residentBytes, limits.bytes)
          assert.isBelow(long.millis - short.millis, limits.grownMillis)
          assert.isBelow(long.residentBytes - short.residentBytes, limits.grownBytes)
        }).pipe(Effect.scoped),
      300_000
    )
})
