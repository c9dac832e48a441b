/**
 * How much memory the record store needs, in a process of its own; and what ten million grants take, for those who ask.
 */
import { extname } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, Schema } from "effect"
import { maxGrantCount } from "../fixtures/AccessData.ts"
import * as Program from "../peers/Program.ts"
import { type Row, requireWork } from "../Row.ts"

/** Beside this module, as source or built. */
const worker = fileURLToPath(new URL(`../worker/RecordMemory${extname(import.meta.url)}`, import.meta.url))

const Printed = Schema.fromJsonString(
  Schema.Struct({ count: Schema.Finite, seconds: Schema.Finite, peakBytes: Schema.Finite })
)

/** What each mode of the worker does, and the modes that must have run before. */
const modes = {
  put: { work: "put grants with all indexes and end the sync", before: [] },
  list: { work: "read all grants in pages of 10,000", before: ["put"] },
  save: { work: "save the store as a pack archive", before: ["put"] },
  open: { work: "open a pack archive and read all grants in pages of 10,000", before: ["put", "save"] }
} as const

type Mode = keyof typeof modes

const engines = ["sqlite", "lmdb"] as const

const memoryRow = (mode: Mode, engine: (typeof engines)[number], size: "million" | "ten-million"): Row => {
  const isLarge = size === "ten-million"
  const name = `engine/records/${isLarge ? "ten-million" : "memory"}/${mode}/${engine}`
  return {
    name,
    work: `${modes[mode].work}: ${isLarge ? "ten million" : "a million"} of them, in a process of its own`,
    reference: "",
    unit: "grants",
    targets: isLarge ? [] : [{ kind: "memory", atMostBytes: 300_000_000 }],
    isOnDemand: isLarge,
    setup: Effect.fnUntraced(function* ({ isQuick, directory }) {
      const count = isQuick ? 50_000 : isLarge ? maxGrantCount : 1_000_000
      let last = { count: 0, seconds: 0, peakBytes: 0 }
      const run = Effect.fnUntraced(function* (asked: Mode) {
        const text = yield* Program.output(process.execPath, [worker, asked, engine, directory, `${count}`])
        last = yield* Schema.decodeEffect(Printed)(text)
        yield* requireWork(name, "grants", { expected: count, actual: last.count })
      })
      for (const before of modes[mode].before) yield* run(before)
      return {
        unitsPerRound: count,
        isRunOnce: true,
        subject: {
          run: run(mode),
          seconds: Effect.sync(() => last.seconds),
          peakBytes: Effect.sync(() => last.peakBytes)
        }
      }
    })
  }
}

export const recordMemoryRows: ReadonlyArray<Row> = (["million", "ten-million"] as const).flatMap((size) =>
  engines.flatMap((engine) => (Object.keys(modes) as ReadonlyArray<Mode>).map((mode) => memoryRow(mode, engine, size)))
)
