/**
 * From a configuration to running parts: the one place where ports meet their live layers.
 */
import { Catalog, HotEngine, Layout } from "@icecore/catalog"
import { type Zstd, ZstdLive } from "@icecore/codec"
import type { Engine } from "@icecore/engine"
import type { Disk } from "@icecore/packfile"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer, Logger, Option, Record, References, type Stdio } from "effect"
import type { Config } from "../config/Config.ts"
import type { Domain } from "../Domain.ts"
import * as NdjsonDomain from "../domain/NdjsonDomain.ts"
import type { History } from "../History.ts"
import { type ServeOptions, defaults as serveDefaults } from "../http/ServeOptions.ts"
import * as WorkerPool from "../live/WorkerPool.ts"
import { endOf, type Source } from "../Source.ts"
import * as Store from "../Store.ts"
import * as DemoSource from "../source/DemoSource.ts"
import * as NdjsonSource from "../source/NdjsonSource.ts"

/** Loaded when it is named, so that nobody needs the library of an engine that is not used. */
export const engineLayer = (name: Config["engine"]["hot"]): Layer.Layer<Engine, never, Disk> =>
  Layer.unwrap(
    Effect.promise(async () =>
      name === "sqlite" ? (await import("@icecore/engine/sqlite")).layer : (await import("@icecore/engine/lmdb")).layer
    )
  )

/** What the store is pinned to says what the configuration leaves out, so that reading a store needs no settings. */
const domainLayer = (config: Config): Layer.Layer<Domain, never, Engine> =>
  Layer.unwrap(
    Effect.map(pinnedDomain(config), (pinned) =>
      NdjsonDomain.layerWith({
        keys: Option.getOrElse(config.domain.keys, () => pinned.keys),
        keyFormat: Option.getOrElse(config.domain.keyFormat, () => pinned.keyFormat),
        duplicates: Option.getOrElse(config.domain.duplicates, () => pinned.duplicates)
      })
    )
  )

/** What the store of the configuration is pinned to; none where there is no store. */
export const pinsOf = (
  config: Config
): Effect.Effect<
  Effect.Success<ReturnType<typeof Catalog.readPins>>,
  Layout.LayoutInvalid | Effect.Error<ReturnType<typeof Catalog.readPins>>,
  Engine
> => Effect.flatMap(Layout.make(storeOptions(config, "readOnly")), Catalog.readPins)

/** A store whose pins cannot be read says why when it is opened. */
const pinnedDomain = (config: Config): Effect.Effect<Required<NdjsonDomain.NdjsonOptions>, never, Engine> =>
  pinsOf(config).pipe(
    Effect.map(Option.flatMap(({ domain }) => NdjsonDomain.parseOptions(domain.options ?? ""))),
    Effect.orElseSucceed(() => Option.none()),
    Effect.map(Option.getOrElse(() => NdjsonDomain.defaults))
  )

/** The log's own options of an open store. */
export const storeOptions = (config: Config, mode: "readWrite" | "readOnly"): Store.StoreOptions => {
  const { dataDir, catalogDir, hotDir, entriesDir, eventsDir, keysDir } = config.storage
  return {
    dataDir,
    roots: Record.getSomes({ catalog: catalogDir, hot: hotDir, entries: entriesDir, events: eventsDir, keys: keysDir }),
    geometry: Record.getSomes(config.geometry),
    entriesPerCommit: config.ingest.batch,
    maxUnfrozenChunks: config.ingest.maxUnfrozen,
    retention: { chunks: config.retention.chunks, ...Record.getSomes({ earliest: config.retention.earliest }) },
    graceMillis: config.retention.grace,
    backfill: config.backfill,
    views: { maxCount: config.serve.maxViews, maxAgeMillis: config.serve.maxViewAge },
    keyCacheBytes: config.keys.cache,
    mode
  }
}

/** Threads for the work of freezing: all processors but one, at most 2, when the configuration names no number. */
const workerCount = ({ workers }: Config): number => {
  const processorCount = (globalThis as { readonly navigator?: { readonly hardwareConcurrency?: number } }).navigator
    ?.hardwareConcurrency
  return Option.getOrElse(workers.count, () => Math.max(1, Math.min(2, (processorCount ?? 2) - 1)))
}

/** Engines, zstd and the domain that the configuration names: what a store is opened, audited and repaired with. */
export const portsLayer = (config: Config): Layer.Layer<Engine | HotEngine.HotEngine | Zstd | Domain | Disk> => {
  const hotEngine = HotEngine.layer.pipe(Layer.provide(engineLayer(config.engine.hot)))
  return Layer.mergeAll(hotEngine, ZstdLive.layer, domainLayer(config)).pipe(
    Layer.provideMerge(engineLayer(config.engine.catalog)),
    Layer.provideMerge(LiveDisk.layer)
  )
}

/** The store that the configuration describes, with what it is opened with. */
export const storeLayer = (
  config: Config,
  mode: "readWrite" | "readOnly",
  overrides: Pick<Store.StoreOptions, "graceMillis"> = {}
): Layer.Layer<
  Store.Store | History | Engine | HotEngine.HotEngine | Zstd | Domain | Disk,
  Store.StoreOpenError,
  Stdio.Stdio
> => {
  const work = WorkerPool.layer({ workers: mode === "readOnly" ? 0 : workerCount(config) })
  const store = Layer.unwrap(
    Effect.map(Effect.context<Disk | Stdio.Stdio>(), (context) =>
      Store.layer({
        ...storeOptions(config, mode),
        ...overrides,
        sourceEnd: (firstSeq) =>
          makeSource(config, { firstSeq, follow: false }).pipe(
            Effect.flatMap((source) => endOf(source, firstSeq)),
            Effect.provideContext(context)
          )
      })
    )
  )
  return store.pipe(Layer.provide(work), Layer.provideMerge(portsLayer(config)))
}

/** The source that the configuration names; bounded when `follow` is false. */
export const makeSource = (
  config: Config,
  options: {
    /** First seq of the store. */
    readonly firstSeq: number
    readonly follow: boolean
    readonly ratePerSecond?: number
    readonly count?: number
  }
): Effect.Effect<Source, never, Disk | Stdio.Stdio> => {
  const { firstSeq } = options
  return config.source.kind === "demo"
    ? Effect.succeed(
        DemoSource.make({
          firstSeq,
          ...(options.ratePerSecond === undefined ? {} : { ratePerSecond: options.ratePerSecond }),
          ...(options.count === undefined ? {} : { count: options.count })
        })
      )
    : NdjsonSource.make({
        path: config.source.path,
        firstSeq,
        follow: options.follow,
        lineLimitBytes: config.source.maxLine,
        onGap: config.source.onGap
      })
}

/** The bounds of the HTTP service that the configuration sets. */
export const serveOptions = ({ serve }: Config): ServeOptions => ({
  ...serveDefaults,
  host: serve.address.host,
  port: serve.address.port,
  token: serve.token,
  insecure: serve.insecure,
  maxConnections: serve.maxConnections,
  maxRequests: serve.maxRequests,
  maxPages: serve.maxPages,
  maxBodyBytes: serve.maxBody,
  maxHeaderBytes: serve.maxHeaders,
  maxResponseBytes: serve.maxResponse,
  maxRows: serve.maxRows,
  deadlineMillis: serve.deadline
})

const levels = { debug: "Debug", info: "Info", warn: "Warn", error: "Error" } as const

/** Logs on standard error, so that standard output stays with the answers. */
export const loggerLayer = ({ logging }: Config): Layer.Layer<never> =>
  Layer.mergeAll(
    Logger.layer([logging.format === "json" ? Logger.consoleJson : Logger.consolePretty()]),
    Layer.succeed(Logger.LogToStderr, true),
    Layer.succeed(References.MinimumLogLevel, levels[logging.level])
  )
