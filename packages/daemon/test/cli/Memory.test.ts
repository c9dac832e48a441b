import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { directory, engineNames } from "../support/LiveStore.ts"
import { eventually, start, storeFlags } from "./support/Command.ts"

const limitKibibytes = 300 * 1024
const lineCount = 1_000_000
const linesPerPart = 10_000

/** Lines of 200 bytes, as many as an ingest needs a few seconds for. */
const writeLog = (path: string): void => {
  const file = Fs.openSync(path, "w")
  for (let first = 0; first < lineCount; first += linesPerPart) {
    let part = ""
    for (let seq = first; seq < first + linesPerPart; seq++) {
      const head = `{"seq":${seq},"noise":"${Math.imul(seq + 1, 0x9e37_79b1) >>> 0}","text":"`
      part += `${head.padEnd(198, "x")}"}\n`
    }
    Fs.writeSync(file, part)
  }
  Fs.closeSync(file)
}

/** Most of the process that was ever resident at once, as Linux counts it; undefined once it has ended. */
const peakKibibytes = (pid: number): number | undefined => {
  try {
    const match = /VmHWM:\s+(\d+) kB/.exec(Fs.readFileSync(`/proc/${pid}/status`, "utf8"))
    return match === null ? undefined : Number(match[1])
  } catch {
    return undefined
  }
}

describe("icecore ingest", () => {
  for (const engine of engineNames) {
    it.live.skipIf(process.platform !== "linux")(
      `stays under 300 MiB resident on ${engine}, however long the log is (needs Linux)`,
      () =>
        Effect.gen(function* () {
          const root = yield* directory
          const log = Path.join(root, "log.ndjson")
          writeLog(log)
          const flags = storeFlags(Path.join(root, "data"), engine)
          const ingest = yield* start(["ingest", log, "--ingest.batch=1000", ...flags], { isSource: true })
          let peak = 0
          yield* eventually(
            "the ingest ends",
            () => {
              peak = peakKibibytes(ingest.pid) ?? peak
              return ingest.hasEnded() ? true : undefined
            },
            { seconds: 100 }
          )
          assert.strictEqual((yield* ingest.ended).status, 0)
          assert.isAbove(peak, 0)
          assert.isBelow(peak, limitKibibytes)
        }).pipe(Effect.scoped),
      300_000
    )
  }
})
