/**
 * That memory does not grow with the pack: one is written and scanned by a process of its own, whose peak is the figure.
 */
import { extname } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, Schema } from "effect"
import * as Program from "../peers/Program.ts"
import { type Row, requireWork } from "../Row.ts"

/** 10 GB. Quick: enough for what grows to show. */
const sizeBytesOf = (isQuick: boolean): number => (isQuick ? 400_000_000 : 10_000_000_000)

const targets: Row["targets"] = [{ kind: "memory", atMostBytes: 200_000_000 }]

/** Beside this module, as source or built. */
const worker = fileURLToPath(new URL(`../worker/PackMemory${extname(import.meta.url)}`, import.meta.url))

const Printed = Schema.fromJsonString(Schema.Struct({ contentBytes: Schema.Finite, peakBytes: Schema.Finite }))

const memoryRow = (mode: "write" | "scan", work: string): Row => {
  const name = `packfile/memory/${mode}`
  return {
    name,
    work,
    reference: "",
    unit: "bytes",
    targets,
    setup: Effect.fnUntraced(function* ({ isQuick, directory }) {
      const sizeBytes = sizeBytesOf(isQuick)
      let peakBytes = 0
      const run = Effect.fnUntraced(function* (asked: "write" | "scan") {
        const text = yield* Program.output(process.execPath, [worker, asked, `${directory}/large.pack`, `${sizeBytes}`])
        const printed = yield* Schema.decodeEffect(Printed)(text)
        peakBytes = printed.peakBytes
        yield* requireWork(name, "content bytes", { expected: sizeBytes, actual: printed.contentBytes })
      })
      if (mode === "scan") yield* run("write")
      return {
        unitsPerRound: sizeBytes,
        isRunOnce: true,
        subject: { run: run(mode), peakBytes: Effect.sync(() => peakBytes) }
      }
    })
  }
}

export const packMemoryRows: ReadonlyArray<Row> = [
  memoryRow("write", "write a pack of 10 GB, zstd, with content hash, in a process of its own"),
  memoryRow("scan", "read all items of a pack of 10 GB in order, in a process of its own")
]
