/**
 * Removing artifacts and hot databases: the steps in order, each with what breaks without it.
 *
 * 1. `pruning` (`transient`), synced: else a frozen key loses its file. Put again by the sweep even where it is read, because
 *    what is read may be a commit whose sync failed.
 * 2. Unlink the files (destroy the database, which is durable on return).
 * 3. Sync the directories, also when nothing was there to unlink, because a killed process may have unlinked and not
 *    synced: else a file comes back whose key is gone.
 * 4. Delete the keys. Nothing rests on it: a deletion that is lost leaves a key without files for the next sweep, so it is
 *    buffered.
 */
import type { EngineWriteError } from "@icecore/engine"
import { Clock, Effect, Option, Stream } from "effect"
import type { SweepOptions, SweepReport } from "../Catalog.ts"
import type { CatalogWriteError } from "../CatalogError.ts"
import { type ArtifactKey, encodeKey, hotKey, prefixes, type StorageKey, toBytes } from "../format/CatalogKey.ts"
import type { ChunkId } from "../Geometry.ts"
import * as Layout from "../Layout.ts"
import * as ArtifactFiles from "./ArtifactFiles.ts"
import * as CatalogTable from "./CatalogTable.ts"
import { commit, type Store } from "./Store.ts"

/** See `Catalog.demote`. */
export const demote: (store: Store, keys: ReadonlyArray<ArtifactKey>) => Effect.Effect<void, CatalogWriteError> =
  Effect.fnUntraced(function* (store, keys) {
    yield* Effect.gen(function* () {
      const demoted: Array<ArtifactKey> = []
      for (const key of keys) {
        const state = yield* CatalogTable.artifactState(store.table, key)
        if (Option.isSome(state) && state.value !== "pruning") demoted.push(key)
      }
      if (demoted.length === 0) return
      const now = yield* Clock.currentTimeMillis
      yield* commit(store, (batch) => {
        for (const key of demoted) CatalogTable.put(batch, key, "pruning")
      })
      for (const key of demoted) store.demotedAt.set(encodeKey(key), now)
    }).pipe(store.database.exclusive, store.claims.during(keys))
  })

const forget = (store: Store, keys: ReadonlyArray<StorageKey>): Effect.Effect<void, EngineWriteError> =>
  store.database.write(
    (batch) => {
      for (const key of keys) CatalogTable.remove(batch, key)
    },
    { durability: "buffered" }
  )

/** Removes artifacts whose files nobody may reach any more. */
const removeArtifacts = Effect.fnUntraced(function* (store: Store, keys: ReadonlyArray<ArtifactKey>) {
  const { disk, layout } = store
  yield* commit(store, (batch) => {
    for (const key of keys) CatalogTable.put(batch, key, "pruning")
  })
  for (const key of keys) yield* ArtifactFiles.unlink(disk, layout, key)
  yield* ArtifactFiles.syncDirectories(disk, layout, keys)
  yield* forget(store, keys)
  for (const key of keys) store.demotedAt.delete(encodeKey(key))
})

const removeHot = Effect.fnUntraced(function* (store: Store, chunk: ChunkId) {
  yield* commit(store, (batch) => CatalogTable.put(batch, hotKey(chunk), "transient"))
  yield* store.hotEngine.destroy(Layout.hotPath(store.layout, chunk))
  yield* forget(store, [hotKey(chunk)])
})

/** See `Catalog.discardHot`. */
export const discardHot: (store: Store, chunk: ChunkId) => Effect.Effect<void, CatalogWriteError> = Effect.fnUntraced(
  function* (store, chunk) {
    yield* Effect.gen(function* () {
      const state = yield* CatalogTable.hotState(store.table, chunk)
      if (Option.isSome(state)) yield* removeHot(store, chunk)
    }).pipe(store.claims.during([hotKey(chunk)]))
  }
)

/** Artifacts removed in one round of steps: bounds the memory of a sweep and the size of its batches. */
const maxRound = 512

/** See `Catalog.sweep`. */
export const sweep: (store: Store, options?: SweepOptions) => Effect.Effect<SweepReport, CatalogWriteError> =
  Effect.fnUntraced(function* (store, options) {
    const graceMillis = options?.graceMillis ?? 0
    const now = yield* Clock.currentTimeMillis
    let artifactCount = 0
    let hotCount = 0
    let deferredCount = 0

    const isDue = (key: ArtifactKey): boolean => {
      const demotedAt = store.demotedAt.get(encodeKey(key))
      return demotedAt === undefined || now - demotedAt >= graceMillis
    }

    const sweepArtifacts = Effect.fnUntraced(function* (found: ReadonlyArray<ArtifactKey>) {
      const due = found.filter(isDue)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const free = yield* store.claims.holdFree(due)
          deferredCount += found.length - free.length
          const doomed: Array<ArtifactKey> = []
          for (const key of free) {
            const state = yield* CatalogTable.artifactState(store.table, key)
            if (Option.isSome(state) && state.value !== "frozen") doomed.push(key)
          }
          if (doomed.length === 0) return
          yield* removeArtifacts(store, doomed)
          artifactCount += doomed.length
        })
      )
    })

    const sweepHot = (chunk: ChunkId) =>
      Effect.gen(function* () {
        const state = yield* CatalogTable.hotState(store.table, chunk)
        if (Option.isNone(state) || state.value !== "transient") return
        yield* removeHot(store, chunk)
        hotCount += 1
      }).pipe(
        store.claims.during([hotKey(chunk)]),
        Effect.catchTag("CatalogBusy", () =>
          Effect.sync(() => {
            deferredCount += 1
          })
        )
      )

    const unsettled = (prefix: string) =>
      CatalogTable.scan(store.table, { prefix: toBytes(prefix) }).pipe(
        Stream.filter(({ state }) => state !== "frozen" && state !== "ready"),
        Stream.map(({ key }): StorageKey => key)
      )
    for (const prefix of [prefixes.chunks, prefixes.indexes])
      yield* unsettled(prefix).pipe(
        Stream.rechunk(maxRound),
        Stream.runForEachArray((keys) => sweepArtifacts(keys.filter((key) => key._tag !== "Hot")))
      )
    yield* unsettled(prefixes.hot).pipe(
      Stream.runForEach((key) => (key._tag === "Hot" ? sweepHot(key.chunk) : Effect.void))
    )
    return { artifactCount, hotCount, deferredCount }
  })
