/**
 * `icecore inspect`: what a file of ours says of itself, and how its records are spread.
 */
import { ZstdLive } from "@icecore/codec"
import type { PackReader } from "@icecore/packfile"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer, Option, Stream } from "effect"
import { Argument, Command } from "effect/cli"
import { Hex } from "effect/encoding"
import type { CliCommand } from "../CliServices.ts"
import { jsonFlag } from "../CommonFlags.ts"
import * as KeyFileReport from "../KeyFileReport.ts"
import * as Output from "../Output.ts"
import * as PackFile from "../PackFile.ts"

export const inspectCommand: CliCommand<"inspect"> = Command.make(
  "inspect",
  {
    file: Argument.String("file").pipe(Argument.withDescription("A packfile, a key run (.bin) or a key index (.idx)")),
    json: jsonFlag
  },
  Effect.fnUntraced(function* ({ file, json }) {
    const inspected = Effect.gen(function* () {
      switch (PackFile.kindOf(file)) {
        case "key run": {
          const report = yield* KeyFileReport.ofRun(file)
          return { report, text: KeyFileReport.renderRun(report) }
        }
        case "key index": {
          const report = yield* KeyFileReport.ofIndex(file)
          return { report, text: KeyFileReport.renderIndex(report) }
        }
        case "packfile": {
          const report = yield* inspect(file)
          return { report, text: render(report) }
        }
      }
    })
    const { report, text } = yield* inspected.pipe(
      Effect.scoped,
      Effect.provide(Layer.merge(ZstdLive.layer, LiveDisk.layer))
    )
    yield* json ? Output.writeJson(report) : Output.write(text)
  })
).pipe(
  Command.withDescription(
    "Print what a packfile, a key run or a key index says of itself, and how its contents are spread"
  ),
  Command.withExamples([
    { command: "icecore inspect data/entries/00000/00000000.pack", description: "Records, ratio and their sizes" },
    { command: "icecore inspect data/keys/index/00000000/00000000-00000999.idx", description: "Coverage, bytes a key" }
  ])
)

/** Records whose stored size is below `belowBytes`, and not below half of it. */
interface SizeClass {
  readonly belowBytes: number
  readonly recordCount: number
}

interface PackReport {
  readonly path: string
  readonly kind: "packfile"
  readonly sizeBytes: number
  readonly version: number
  readonly format: number
  readonly encoding: "zstd" | "none"
  readonly itemCount: number
  readonly recordCount: number
  readonly itemsPerRecord: number
  readonly indexSizeBytes: number
  readonly appDataSizeBytes: number
  readonly contentHash: string | null
  /** Bytes of all items. */
  readonly contentBytes: number
  /** Content to file. */
  readonly ratio: number
  readonly recordSizeBytes: { readonly minimum: number; readonly median: number; readonly maximum: number }
  readonly recordSizes: ReadonlyArray<SizeClass>
}

const inspect = Effect.fnUntraced(function* (path: string) {
  const { reader, encoding } = yield* PackFile.open(path)
  const { trailer } = reader
  let contentBytes = 0
  yield* Stream.runForEachArray(reader.range(0, reader.itemCount), (items) =>
    Effect.sync(() => {
      for (const item of items) contentBytes += item.length
    })
  )
  const sizes = recordSizesOf(reader)
  const report: PackReport = {
    path,
    kind: "packfile",
    sizeBytes: reader.sizeBytes,
    version: trailer.version,
    format: trailer.format,
    encoding,
    itemCount: reader.itemCount,
    recordCount: reader.recordCount,
    itemsPerRecord: trailer.itemsPerRecord,
    indexSizeBytes: trailer.indexSizeBytes,
    appDataSizeBytes: trailer.appDataSizeBytes,
    contentHash: Option.getOrNull(Option.map(reader.contentHash, Hex.encode)),
    contentBytes,
    ratio: contentBytes / reader.sizeBytes,
    recordSizeBytes: {
      minimum: sizes[0] ?? 0,
      median: sizes[sizes.length >> 1] ?? 0,
      maximum: sizes[sizes.length - 1] ?? 0
    },
    recordSizes: histogram(sizes)
  }
  return report
})

const recordSizesOf = (reader: PackReader.PackReader): Uint32Array => {
  const sizes = new Uint32Array(reader.recordCount)
  for (let index = 0; index < sizes.length; index++) {
    sizes[index] = Option.match(reader.record(index), { onNone: () => 0, onSome: ({ sizeBytes }) => sizeBytes })
  }
  return sizes.sort()
}

/** One class a power of two, without the empty ones. */
const histogram = (sizes: Uint32Array): ReadonlyArray<SizeClass> => {
  const counts = new Map<number, number>()
  for (const size of sizes) {
    const belowBytes = 2 ** (32 - Math.clz32(size))
    counts.set(belowBytes, (counts.get(belowBytes) ?? 0) + 1)
  }
  return [...counts].map(([belowBytes, recordCount]) => ({ belowBytes, recordCount }))
}

const barWidth = 40

const render = (report: PackReport): string => {
  const { recordSizeBytes } = report
  const most = Math.max(...report.recordSizes.map(({ recordCount }) => recordCount))
  const head = Output.pairs([
    ["file", report.path],
    ["kind", `${report.kind}, version ${report.version}, format ${report.format}`],
    ["size", `${Output.formatBytes(report.sizeBytes)} (${report.sizeBytes} bytes)`],
    ["items", `${report.itemCount} in ${report.recordCount} records of up to ${report.itemsPerRecord}`],
    ["encoding", report.encoding],
    ["content", `${Output.formatBytes(report.contentBytes)}, ${report.ratio.toFixed(2)} times the file`],
    ["index", Output.formatBytes(report.indexSizeBytes)],
    ["app data", Output.formatBytes(report.appDataSizeBytes)],
    ["content hash", report.contentHash ?? "none"],
    ["record sizes", `${recordSizeBytes.minimum} to ${recordSizeBytes.maximum} bytes, median ${recordSizeBytes.median}`]
  ])
  const bars = report.recordSizes.map(({ belowBytes, recordCount }) => {
    const bar = "#".repeat(Math.max(1, Math.round((recordCount / most) * barWidth)))
    return `  < ${Output.formatBytes(belowBytes).padStart(10)}  ${String(recordCount).padStart(8)}  ${bar}\n`
  })
  return `${head}\n${bars.join("")}`
}
