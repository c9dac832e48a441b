/**
 * Discarding: hot databases that cold files fully serve, or whose chunk lies below the floor, go.
 *
 * One that cannot be discarded stops no other. A database closes when its last reader has left it. That is waited for apart, and holds up nothing.
 */
import { Geometry } from "@icecore/catalog"
import { Effect, Metric, Option, type Scope } from "effect"
import type { StorageError } from "../StorageError.ts"
import * as Metrics from "./Metrics.ts"
import { each, nothing, type Stage, type StageOutcome } from "./Stage.ts"
import type * as Upkeep from "./Upkeep.ts"

export const make = (
  upkeep: Upkeep.Upkeep,
  options: {
    /** Hot databases of frozen chunks that nobody opened. */
    readonly closed: ReadonlyArray<Geometry.ChunkId>
    /** Told when a database has closed. */
    readonly notify: Effect.Effect<void>
  }
): Effect.Effect<Stage, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    const closed = new Set(options.closed)
    let closingCount = 0

    const retire = (chunk: Geometry.ChunkId): Effect.Effect<void> =>
      Effect.suspend(() => {
        closingCount++
        upkeep.frozenHot.delete(chunk)
        // Taken out of the set at once; only the closing is waited for apart.
        const leaving = upkeep.hotSet.retire(chunk)
        return leaving.pipe(
          Effect.andThen(
            Effect.sync(() => {
              closingCount--
              closed.add(chunk)
            })
          ),
          Effect.andThen(options.notify),
          Effect.forkIn(scope, { startImmediately: true }),
          Effect.asVoid
        )
      })

    const run = Effect.gen(function* (): Effect.fn.Return<StageOutcome, StorageError> {
      const { state, hotSet, frozenHot, catalog } = upkeep
      // A start takes a chunk for lost that is nowhere behind the mark, which rises later than the floor when retention was narrowed.
      const floorChunk = Geometry.chunkOf(state.geometry, Math.min(state.floor, catalog.beginSeq()))
      for (const chunk of hotSet.chunks())
        if (chunk < state.liveChunk && (frozenHot.has(chunk) || chunk < floorChunk)) yield* retire(chunk)
      const discarded: Array<number> = []
      const ascending = [...closed].sort((left, right) => left - right)
      yield* each(
        ascending,
        Effect.fnUntraced(function* (chunk) {
          yield* catalog.discardHot(chunk)
          closed.delete(chunk)
          discarded.push(chunk)
          yield* Metric.update(Metrics.discardedHot, 1)
        })
      )
      if (discarded.length === 0) return nothing
      return {
        done: Option.some(`discarded hot ${discarded.length === 1 ? "chunk" : "chunks"} ${discarded.join(", ")}`)
      }
    })

    return { name: "discard", isAwaited: false, isBusy: () => closingCount > 0, run: () => run }
  })
