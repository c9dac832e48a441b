/**
 * What the commands on records run on: the disk, zstd, the engines and the foreign formats, each loaded when it is first needed.
 */
import { type Zstd, ZstdLive, type ZstdStream, ZstdStreamLive } from "@icecore/codec"
import { ArchiveEngines, Engine, type EngineDetection } from "@icecore/engine"
import type { Disk } from "@icecore/packfile"
import { LiveDisk } from "@icecore/packfile/live"
import { Context, Effect, Layer, Logger, References, Scope } from "effect"
import * as GarbageCollection from "../../live/GarbageCollection.ts"
import { engineLayer } from "../Composition.ts"

/** An engine whose library is loaded when a database is opened with it. */
export const lazyEngineLayer = (name: EngineDetection.EngineOnDisk): Layer.Layer<Engine, never, Disk> =>
  Layer.effect(
    Engine,
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const disk = yield* Effect.context<Disk>()
      const engine = yield* Layer.build(engineLayer(name)).pipe(
        Effect.map((context) => Context.get(context, Engine)),
        Effect.provideContext(disk),
        Scope.provide(scope),
        Effect.cached
      )
      return {
        name,
        open: (options) => Effect.flatMap(engine, ({ open }) => open(options)),
        destroy: (path) => Effect.flatMap(engine, ({ destroy }) => destroy(path))
      }
    })
  )

const c1zLayer = Layer.unwrap(Effect.promise(async () => (await import("@icecore/engine/c1z")).layer))

const engines = ArchiveEngines.layer({ sqlite: lazyEngineLayer("sqlite"), lmdb: lazyEngineLayer("lmdb") })

export type RecordServices = Disk | Zstd | ZstdStream

/** Everything that archives and record stores are read and written with. */
export const layer: Layer.Layer<RecordServices, Layer.Error<typeof ZstdStreamLive.layer>> = Layer.mergeAll(
  engines,
  c1zLayer,
  GarbageCollection.layer,
  // Standard output stays with the answers, which tell what was done.
  Layer.succeed(Logger.LogToStderr, true),
  Layer.succeed(References.MinimumLogLevel, "Warn")
).pipe(Layer.provideMerge(Layer.mergeAll(LiveDisk.layer, ZstdLive.layer, ZstdStreamLive.layer)))
