/**
 * `icecore ingest`: takes everything a bounded source has, freezes every complete chunk, and exits.
 */
import { Effect, Layer, Option } from "effect"
import { Argument, Command } from "effect/cli"
import type { Config } from "../../config/Config.ts"
import * as GarbageCollection from "../../live/GarbageCollection.ts"
import { Store } from "../../Store.ts"
import type { CliCommand } from "../CliServices.ts"
import { jsonFlag } from "../CommonFlags.ts"
import { loggerLayer, makeSource, storeLayer } from "../Composition.ts"
import { configFlags, loadConfig } from "../ConfigFlags.ts"
import * as Output from "../Output.ts"
import * as Progress from "../Progress.ts"

/** Entries of the demonstration log that are taken, as it has no end of its own. */
const demoEntryCount = 100_000

export const ingestCommand: CliCommand<"ingest"> = Command.make(
  "ingest",
  {
    ...configFlags,
    path: Argument.String("path").pipe(
      Argument.withDescription('File, directory or "-" for standard input, instead of source.path'),
      Argument.optional
    ),
    json: jsonFlag
  },
  Effect.fnUntraced(function* (input) {
    const loaded = yield* loadConfig(input)
    const config = Option.match(input.path, {
      onNone: () => loaded.config,
      onSome: (path): Config => ({ ...loaded.config, source: { ...loaded.config.source, kind: "ndjson", path } })
    })
    // It answers nobody, so nothing that was demoted is left for the next start.
    const services = Layer.provideMerge(
      storeLayer(config, "readWrite", { graceMillis: 0 }),
      Layer.merge(loggerLayer(config), GarbageCollection.layer)
    )
    yield* ingest(config, input.json).pipe(Effect.provide(services))
  })
).pipe(
  Command.withDescription(
    "Ingest all that a file, a directory or standard input has, freeze complete chunks, then exit"
  ),
  Command.withExamples([
    { command: "icecore ingest app.ndjson", description: "Ingest a file; again later: what was appended" },
    { command: "zcat old/*.gz | icecore ingest -", description: "Ingest standard input" }
  ])
)

const ingest = Effect.fnUntraced(function* (config: Config, json: boolean) {
  const store = yield* Store
  const { firstSeq } = store.catalog.pins.geometry
  const source = yield* makeSource(config, { firstSeq, follow: false, count: demoEntryCount })
  const before = yield* store.history.status
  let done = 0
  let doneBefore = Number.POSITIVE_INFINITY
  const sample = Effect.gen(function* () {
    const status = yield* store.history.status
    const progress = yield* source.progress
    // A chunk that must be made again is read again.
    done = Math.max(done, progress.done)
    doneBefore = Math.min(doneBefore, progress.skipped ?? 0)
    return {
      entries: status.nextSeq - before.nextSeq,
      frozenChunks: status.chunks.frozen - before.chunks.frozen,
      done,
      doneBefore,
      total: progress.total,
      problem: Option.firstSomeOf([status.ingestion.problem, status.freezing.problem, status.retention.problem])
    }
  })
  const report = yield* Progress.during(store.ingest(source), sample)
  const { chunks, served } = yield* store.history.status
  if (json) {
    return yield* Output.writeJson({ ...report, chunks, served: Option.getOrNull(served) })
  }
  const range = Option.match(served, {
    onNone: () => "the store is empty",
    onSome: ({ floor, latest }) => `entries ${floor} to ${latest} are served`
  })
  yield* Output.writeLine(
    `Ingested ${Output.formatCount(report.entryCount)} entries (${Output.formatBytes(report.byteCount)}) ` +
      `in ${(report.durationMillis / 1_000).toFixed(1)} s; ${range}; ${chunks.frozen} chunks frozen, ${chunks.hot} hot, ` +
      `${report.builtChunkCount} built`
  )
})
