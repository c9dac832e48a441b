/** Freezing: every complete chunk below the live one that is kept gets its files, oldest first, several at once. */

import { Geometry } from "@icecore/catalog"
import type { Zstd } from "@icecore/codec"
import type { Disk } from "@icecore/packfile"
import { Effect, Option } from "effect"
import { execute } from "../Execute.ts"
import * as Resolve from "../Resolve.ts"
import type { StorageError } from "../StorageError.ts"
import { nothing, type Stage, type StageOutcome } from "./Stage.ts"
import * as Upkeep from "./Upkeep.ts"

export const make = (
  upkeep: Upkeep.Upkeep,
  provide: <A>(effect: Effect.Effect<A, StorageError, Disk | Zstd>) => Effect.Effect<A, StorageError>
): Stage => {
  const run = Effect.gen(function* (): Effect.fn.Return<StageOutcome, StorageError, Disk | Zstd> {
    yield* Upkeep.updateRoom(upkeep)
    const { catalog, state, concurrency, retry } = upkeep
    const floorChunk = Upkeep.floorChunk(upkeep)
    const lastComplete = Geometry.ChunkId(state.liveChunk - 1)
    const from = Geometry.ChunkId(Math.max(upkeep.frozenTo + 1, floorChunk))
    if (from > lastComplete) return nothing
    const request: Resolve.ResolveRequest = {
      geometry: state.geometry,
      hasKeys: Option.isSome(upkeep.keys),
      floorChunk,
      lastComplete,
      from,
      to: lastComplete,
      indexes: false
    }
    const facts = yield* Effect.scoped(Effect.flatMap(catalog.snapshot, (snapshot) => Resolve.read(snapshot, request)))
    const plan = Resolve.plan(request, facts)
    let done = 0
    const buildChunk = (build: Resolve.ChunkBuild) =>
      Effect.tap(Upkeep.buildChunk(upkeep, build), () =>
        Effect.sync(() => {
          done++
        })
      )
    yield* execute({ plan, concurrency, retry, buildChunk, buildIndex: () => Effect.void })
    upkeep.frozenTo = Geometry.ChunkId(Math.max(upkeep.frozenTo, lastComplete))
    if (done === 0) return nothing
    const first = plan.chunks[0]!.chunk
    const last = plan.chunks.at(-1)!.chunk
    return { done: Option.some(first === last ? `froze chunk ${first}` : `froze chunks ${first} to ${last}`) }
  })
  return { name: "freeze", isAwaited: true, isBusy: () => false, run: () => provide(run) }
}
