/**
 * The engines whose databases an archive may hold, by name: what `tar` archives are opened with.
 *
 * ```ts
 * import * as SqliteEngine from "@icecore/engine/sqlite"
 *
 * const layer = ArchiveEngines.layer({ sqlite: SqliteEngine.layer })
 * ```
 */
import { Context, Effect, Layer } from "effect"
import { Engine } from "./Engine.ts"

/** The engines, by the names that they have themselves. Empty where nothing is provided. */
export const ArchiveEngines: Context.Reference<ReadonlyMap<string, Engine>> = Context.Reference<
  ReadonlyMap<string, Engine>
>("@icecore/engine/ArchiveEngines", { defaultValue: () => new Map() })

/** Provides engines, each from its layer. An archive names its engine as {@link Engine.name} does. */
export const layer = <E, R>(engines: Readonly<Record<string, Layer.Layer<Engine, E, R>>>): Layer.Layer<never, E, R> =>
  Layer.effect(
    ArchiveEngines,
    Effect.gen(function* () {
      const made = new Map<string, Engine>()
      for (const [name, engine] of Object.entries(engines)) {
        made.set(name, Context.get(yield* Layer.build(engine), Engine))
      }
      return made
    })
  )
