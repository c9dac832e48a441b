/**
 * `icecore run`: the daemon. Opens the store, follows the source, freezes behind it and answers over HTTP, until a signal.
 */
import { type Cause, Duration, Effect, Layer, Option, Schedule } from "effect"
import { Command } from "effect/cli"
import { HttpServer } from "effect/http"
import type { Config } from "../../config/Config.ts"
import { History } from "../../History.ts"
import * as HttpService from "../../http/HttpService.ts"
import * as GarbageCollection from "../../live/GarbageCollection.ts"
import * as NodeHttp from "../../live/NodeHttp.ts"
import { withoutLast } from "../../Source.ts"
import { Store } from "../../Store.ts"
import type { CliCommand } from "../CliServices.ts"
import { loggerLayer, makeSource, serveOptions, storeLayer } from "../Composition.ts"
import { configFlags, loadConfig } from "../ConfigFlags.ts"
import * as Output from "../Output.ts"
import { StopStatus } from "../StopStatus.ts"
import * as StoreId from "../StoreId.ts"

/** How often the log says how far things are. */
const reportInterval = "2 seconds"

export const runCommand: CliCommand<"run"> = Command.make(
  "run",
  configFlags,
  Effect.fnUntraced(function* (input) {
    const { config, file } = yield* loadConfig(input)
    const options = serveOptions(config)
    const service = Layer.unwrap(
      Effect.gen(function* () {
        yield* Store
        return HttpService.layer({ ...options, storeId: yield* StoreId.of(config.storage.dataDir) })
      })
    )
    const services = service.pipe(
      Layer.provideMerge(NodeHttp.layer(options)),
      Layer.provideMerge(storeLayer(config, "readWrite")),
      Layer.provideMerge(Layer.merge(loggerLayer(config), GarbageCollection.layer))
    )
    yield* daemon(
      config,
      Option.getOrElse(file, () => "defaults")
    ).pipe(Effect.scoped, Effect.provide(services))
  })
).pipe(
  Command.withDescription("Run the daemon: follow the source, freeze chunks, answer over HTTP"),
  Command.withExamples([
    { command: "icecore run", description: "Run with icecore.toml of this directory, or the defaults" },
    { command: "icecore run --source.path=app.log --engine.hot=lmdb", description: "Follow a file, on LMDB" }
  ])
)

const daemon = Effect.fnUntraced(function* (config: Config, origin: string) {
  const store = yield* Store
  const history = yield* History
  const server = yield* HttpServer.HttpServer
  const url = HttpServer.formatAddress(server.address)
  const stopStatus = yield* StopStatus
  stopStatus.current = 0
  yield* Effect.logInfo(`Serving ${config.storage.dataDir} at ${url} (settings from ${origin})`)
  yield* announce(url, store.catalog.pins.geometry.firstSeq)
  const source = yield* makeSource(config, {
    firstSeq: store.catalog.pins.geometry.firstSeq,
    follow: config.source.follow,
    ratePerSecond: config.source.demoRate
  })
  yield* Effect.andThen(catchUp(config, store), store.ingest(source)).pipe(
    Effect.flatMap((report) =>
      Effect.logInfo(`The source ended: ${Output.formatCount(report.entryCount)} entries ingested; serving goes on`)
    ),
    Effect.catchCause((cause: Cause.Cause<{ readonly message: string }>) =>
      Effect.logError("Ingestion stopped and needs you; serving goes on", cause)
    ),
    Effect.forkScoped
  )
  yield* report(history).pipe(Effect.repeat(Schedule.spaced(reportInterval)), Effect.forkScoped)
  yield* Effect.never
})

/**
 * Before a log is followed: freezes what it has now in whole chunks, in passes until one finds none. What is wrong with the
 * source is left to those who follow it to say.
 */
const catchUp = Effect.fnUntraced(
  function* (config: Config, store: Store) {
    const { kind, path, follow } = config.source
    if (kind !== "ndjson" || path === "-" || !follow) return
    const { firstSeq } = store.catalog.pins.geometry
    const source = withoutLast(yield* makeSource(config, { firstSeq, follow: false }))
    for (;;) {
      const { chunkCount } = yield* store.backfill(source)
      if (chunkCount === 0) return
      yield* Effect.logInfo(`Froze ${chunkCount} chunks of ${path} before following it`)
    }
  },
  Effect.catch((error) =>
    isSourceError(error) ? Effect.logDebug(`Nothing was frozen before following: ${error.message}`) : Effect.fail(error)
  )
)

const isSourceError = ({ _tag }: { readonly _tag: string }): boolean =>
  _tag.startsWith("Source") || _tag === "LineTooLong" || _tag === "PositionInvalid"

/** Lines to copy: they work as they stand. */
const announce = (url: string, firstSeq: number): Effect.Effect<void> =>
  Effect.logInfo(
    [
      "Try:",
      `  curl ${url}/v1/status`,
      `  curl ${url}/v1/entries/${firstSeq}`,
      `  curl '${url}/v1/entries?order=descending&limit=5'`
    ].join("\n")
  )

/** One line on how far things are, when they have moved, with an old entry read back to show that it is there. */
const report = (history: typeof History.Service): Effect.Effect<void> => {
  let lastSeq = -1
  return Effect.gen(function* () {
    const status = yield* history.status
    if (Option.isNone(status.served) || status.served.value.latest === lastSeq) return
    const { floor, latest } = status.served.value
    lastSeq = latest
    const seq = floor + Math.floor((latest - floor) / 2)
    const [duration, bytes] = yield* Effect.timed(history.get(seq))
    const { frozen, freezing, hot } = status.chunks
    yield* Effect.logInfo(
      `entries ${floor} to ${latest}; chunks ${frozen} frozen, ${freezing} freezing, ${hot} hot; ` +
        `entry ${seq} read back: ${bytes.length} bytes in ${Duration.toMillis(duration).toFixed(1)} ms`
    )
  }).pipe(Effect.catch((error) => Effect.logError(error.message)))
}
