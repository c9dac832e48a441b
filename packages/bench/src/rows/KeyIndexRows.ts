/**
 * Key indexes: building one from sorted runs, by time and by memory, and looking keys up in it.
 */
import { rmSync } from "node:fs"
import { extname } from "node:path"
import { fileURLToPath } from "node:url"
import { KeyIndex } from "@icecore/packfile"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer, Schema } from "effect"
import { randomIndexes } from "../fixtures/KeyedRows.ts"
import { keyOf, writeRuns } from "../fixtures/KeyRuns.ts"
import * as Program from "../peers/Program.ts"
import { type Row, requireWork } from "../Row.ts"

const keyCountOf = (isQuick: boolean): number => (isQuick ? 500_000 : 10_000_000)

/** Most bytes that a key may take in the file. */
const maxBytesPerKey = 4.5

const requireSize = (
  row: string,
  expected: number,
  { keyCount, sizeBytes }: { readonly keyCount: number; readonly sizeBytes: number }
) =>
  Effect.andThen(
    requireWork(row, "key count", { expected, actual: keyCount }),
    requireWork(row, "bytes over the limit", {
      expected: 0,
      actual: Math.max(0, sizeBytes - expected * maxBytesPerKey)
    })
  )

const buildRow = (runCount: number): Row => {
  const name = `packfile/key-index/build/${runCount}`
  return {
    name,
    work: `build and sync a key index of 10 million keys in ${runCount} runs, at most ${maxBytesPerKey} bytes a key`,
    reference: "",
    unit: "keys",
    targets: [{ kind: "rate", atLeast: 5_000_000 }],
    setup: Effect.fnUntraced(function* ({ isQuick, directory }) {
      const disk = yield* Layer.build(LiveDisk.layer)
      const keyCount = keyCountOf(isQuick)
      const options = yield* Effect.provideContext(
        writeRuns(directory, { runCount, keysPerRun: keyCount / runCount }),
        disk
      )
      return {
        unitsPerRound: keyCount,
        subject: {
          prepare: Effect.sync(() => rmSync(options.path, { force: true })),
          run: Effect.flatMap(Effect.provideContext(KeyIndex.build(options), disk), (built) =>
            requireSize(name, keyCount, built)
          )
        }
      }
    })
  }
}

/** Beside this module, as source or built. */
const worker = fileURLToPath(new URL(`../worker/KeyIndexMemory${extname(import.meta.url)}`, import.meta.url))

const Printed = Schema.fromJsonString(
  Schema.Struct({ keyCount: Schema.Finite, sizeBytes: Schema.Finite, peakBytes: Schema.Finite })
)

const memoryRow = (runCount: number): Row => {
  const name = `packfile/key-index/memory/${runCount}`
  return {
    name,
    work: `build a key index of 10 million keys in ${runCount} runs, in a process of its own: memory above its baseline`,
    reference: "",
    unit: "keys",
    targets: [{ kind: "memory", atMostBytes: 64 * 1024 * 1024 }],
    setup: Effect.fnUntraced(function* ({ isQuick, directory }) {
      const keyCount = keyCountOf(isQuick)
      let peakBytes = 0
      const run = Effect.gen(function* () {
        const sizes = [`${runCount}`, `${keyCount / runCount}`]
        const text = yield* Program.output(process.execPath, [worker, directory, ...sizes])
        const printed = yield* Schema.decodeEffect(Printed)(text)
        peakBytes = printed.peakBytes
        yield* requireSize(name, keyCount, printed)
      })
      return {
        unitsPerRound: keyCount,
        isRunOnce: true,
        subject: { run, peakBytes: Effect.sync(() => peakBytes) }
      }
    })
  }
}

const lookupName = "packfile/key-index/lookup"

const lookupRow: Row = {
  name: lookupName,
  work: "look keys of a million up in an index in memory, in random order, from their 32 bytes",
  reference: "Map.get of the same million, from their hex strings",
  unit: "lookups",
  targets: [{ kind: "time", atMost: 4 }],
  setup: Effect.fnUntraced(function* ({ isQuick, directory }) {
    const disk = yield* Layer.build(LiveDisk.layer)
    const keyCount = isQuick ? 50_000 : 1_000_000
    const sought = randomIndexes(isQuick ? 50_000 : 500_000, keyCount)
    const options = yield* Effect.provideContext(
      writeRuns(directory, { runCount: 10, keysPerRun: keyCount / 10 }),
      disk
    )
    const index = yield* Effect.provideContext(
      Effect.andThen(KeyIndex.build(options), KeyIndex.open(options.path, { residentLimitBytes: Infinity })),
      disk
    )
    const lookup = index.lookupResident!
    const seqs = new Map<string, number>()
    for (let entry = 0; entry < keyCount; entry++) seqs.set(hexOf(keyOf(entry)), entry)
    const keys = Array.from(sought, keyOf)
    const texts = keys.map(hexOf)
    const expected = sought.reduce((sum, entry) => sum + entry, 0)
    const requireSum = (actual: number) => requireWork(lookupName, "sum of the seqs", { expected, actual })
    return {
      unitsPerRound: sought.length,
      subject: {
        run: Effect.suspend(() => {
          let sum = 0
          for (const key of keys) sum += lookup(key)
          return requireSum(sum)
        })
      },
      reference: {
        run: Effect.suspend(() => {
          let sum = 0
          for (const text of texts) sum += seqs.get(text)!
          return requireSum(sum)
        })
      }
    }
  })
}

const hexOf = (key: Uint8Array): string => Buffer.from(key).toString("hex")

export const keyIndexRows: ReadonlyArray<Row> = [
  buildRow(10),
  buildRow(1000),
  memoryRow(10),
  memoryRow(1000),
  lookupRow
]
