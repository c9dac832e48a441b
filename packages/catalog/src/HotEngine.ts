/**
 * The engine of the hot databases. It may be another than the catalog's, so it has a tag of its own.
 *
 * ```ts
 * const engines = Layer.merge(SqliteEngine.layer, HotEngine.layer.pipe(Layer.provide(LmdbEngine.layer)))
 * ```
 */
import { Engine } from "@icecore/engine"
import { Context, Effect, Layer } from "effect"

export interface HotEngine {
  readonly engine: Engine
}

export const HotEngine: Context.Service<HotEngine, HotEngine> = Context.Service("@icecore/catalog/HotEngine")

/** Hot databases in the engine that is provided: the catalog's own, or another by `Layer.provide`. */
export const layer: Layer.Layer<HotEngine, never, Engine> = Layer.effect(
  HotEngine,
  Effect.map(Engine, (engine) => ({ engine }))
)
