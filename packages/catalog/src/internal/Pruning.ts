/**
 * Demoting what retention no longer keeps, a bounded number of artifacts at a time, each time in one synced batch.
 *
 * What other work holds is passed over and is there for the next time. After a crash between two batches what was demoted is finished
 * by the sweep, and the rest is demoted by the next call: see {@link import("../Retention.ts").doomed} for the order.
 *
 * Key runs of a finished window go, too: writing its terminal index demotes those it covers, but runs may lie before it, and be written after it. A window
 * is finished when its frozen index reaches from its first kept chunk to its last. All windows are looked at once, and after that
 * only those of which this process wrote runs.
 */
import { Effect, Option, Stream } from "effect"
import type { CatalogReadError, CatalogWriteError } from "../CatalogError.ts"
import * as CatalogSnapshot from "../CatalogSnapshot.ts"
import type { ArtifactKey } from "../format/CatalogKey.ts"
import * as Geometry from "../Geometry.ts"
import * as Retention from "../Retention.ts"
import * as CatalogTable from "./CatalogTable.ts"
import * as Removal from "./Removal.ts"
import type { Store } from "./Store.ts"

/** See `Catalog.prune`. */
export const prune: (store: Store, floorChunk: Geometry.ChunkId) => Effect.Effect<number, CatalogWriteError> =
  Effect.fnUntraced(function* (store, floorChunk) {
    const { geometry } = store.table
    const live = CatalogSnapshot.make(store.table)

    const demoteAll = (keys: Stream.Stream<ArtifactKey, CatalogReadError>) =>
      Effect.gen(function* () {
        let demotedCount = 0
        let busyCount = 0
        yield* keys.pipe(
          Stream.rechunk(Removal.maxRound),
          Stream.runForEachArray((round) =>
            Effect.scoped(
              Effect.gen(function* () {
                const free = yield* store.claims.holdFree(round)
                busyCount += round.length - free.length
                demotedCount += yield* Removal.demoteHeld(store, free)
              })
            )
          )
        )
        return { demotedCount, busyCount }
      })

    const isFinished = (window: Geometry.WindowId) =>
      Effect.map(CatalogTable.coverage(store.table, window), (coverage) =>
        Option.exists(
          coverage,
          ({ lo, hi }) =>
            hi === Geometry.lastChunkOf(geometry, window) &&
            lo <= Math.max(floorChunk, Geometry.firstChunkOf(geometry, window))
        )
      )

    const below = yield* demoteAll(
      Retention.doomed(live, floorChunk).pipe(
        Stream.flatMap((key) => (key._tag === "Hot" ? Stream.empty : Stream.succeed(key)))
      )
    )
    let count = below.demotedCount

    const { runs } = store
    if (!runs.isComplete) {
      yield* Stream.runForEach(live.coverages(), ({ window }) => Effect.sync(() => runs.windows.add(window)))
      runs.isComplete = true
    }
    for (const window of [...runs.windows]) {
      if (Geometry.lastChunkOf(geometry, window) < floorChunk) runs.windows.delete(window)
      if (!(yield* isFinished(window))) continue
      runs.windows.delete(window)
      const useless = yield* demoteAll(
        live
          .runs({ from: Geometry.firstChunkOf(geometry, window), to: Geometry.lastChunkOf(geometry, window) })
          .pipe(Stream.map(({ key }) => key))
      ).pipe(Effect.onError(() => Effect.sync(() => runs.windows.add(window))))
      if (useless.busyCount > 0) runs.windows.add(window)
      count += useless.demotedCount
    }
    return count
  })
