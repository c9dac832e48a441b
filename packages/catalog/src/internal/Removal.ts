/**
 * Removing artifacts and hot databases: the steps in order, each with what breaks without it.
 *
 * 1. `pruning` (`transient`), synced: else a frozen key loses its file. Put again by the sweep even where it is read, because
 *    what is read may be a commit whose sync failed.
 * 2. Unlink the files (destroy the database, which is durable on return).
 * 3. Sync the directories, also when nothing was there to unlink, because a killed process may have unlinked and not
 *    synced: else a file comes back whose key is gone.
 * 4. Remove directories that are empty now and sync those above: else an empty directory comes back that no key names.
 * 5. Delete the keys. Nothing rests on it: a deletion that is lost leaves a key without files for the next sweep, so it is
 *    buffered.
 */
import type { EngineWriteError } from "@icecore/engine"
import { Effect, Option, Stream } from "effect"
import type { SweepOptions, SweepReport } from "../Catalog.ts"
import type { CatalogWriteError } from "../CatalogError.ts"
import { type ArtifactKey, type HotKey, hotKey, prefixes, type StorageKey, toBytes } from "../format/CatalogKey.ts"
import type { ChunkId } from "../Geometry.ts"
import * as Layout from "../Layout.ts"
import * as ArtifactFiles from "./ArtifactFiles.ts"
import * as CatalogTable from "./CatalogTable.ts"
import type { Demoted } from "./Pending.ts"
import { commit, type Store } from "./Store.ts"

/** Demotes those of the keys that are there and not demoted yet, in one batch; all are claimed. Returns how many. */
export const demoteHeld: (store: Store, keys: ReadonlyArray<ArtifactKey>) => Effect.Effect<number, CatalogWriteError> =
  Effect.fnUntraced(function* (store, keys) {
    return yield* Effect.gen(function* () {
      const demoted: Array<Demoted> = []
      for (const key of keys) {
        const state = yield* CatalogTable.artifactState(store.table, key)
        if (Option.isSome(state) && state.value !== "pruning") demoted.push({ key, state: state.value })
      }
      if (demoted.length === 0) return 0
      const batch = commit(store, (batch) => {
        for (const { key } of demoted) CatalogTable.put(batch, key, "pruning")
      })
      yield* store.pending.demoting(demoted, batch)
      return demoted.length
    }).pipe(store.database.exclusive)
  })

/** See `Catalog.demote`. */
export const demote = (store: Store, keys: ReadonlyArray<ArtifactKey>): Effect.Effect<void, CatalogWriteError> =>
  Effect.asVoid(demoteHeld(store, keys)).pipe(store.claims.during(keys))

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
  for (const directory of new Set(keys.map((key) => Layout.directoryOf(layout, key))))
    yield* store.directories.removeEmpty(directory)
  yield* forget(store, keys)
})

const removeHot = Effect.fnUntraced(function* (store: Store, chunk: ChunkId) {
  const key = hotKey(chunk)
  store.pending.note([key])
  yield* commit(store, (batch) => CatalogTable.put(batch, key, "transient"))
  yield* store.hotEngine.destroy(Layout.hotPath(store.layout, chunk))
  yield* forget(store, [key])
  store.pending.forget([key])
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

/** Artifacts demoted or removed in one round of steps: bounds the memory of a sweep and the size of its batches. */
export const maxRound = 512

/** See `Catalog.sweep`. */
export const sweep: (store: Store, options?: SweepOptions) => Effect.Effect<SweepReport, CatalogWriteError> =
  Effect.fnUntraced(function* (store, options) {
    const { pending } = store
    const destroyableBefore = yield* store.destroyableBefore
    let artifactCount = 0
    let hotCount = 0
    let deferredCount = 0
    let isComplete = true

    const sweepArtifacts = Effect.fnUntraced(function* (found: ReadonlyArray<ArtifactKey>) {
      const due = found.filter((key) => pending.demotedAt(key) < destroyableBefore)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const free = yield* store.claims.holdFree(due)
          const doomed: Array<ArtifactKey> = []
          for (const key of free) {
            const state = yield* CatalogTable.artifactState(store.table, key)
            if (Option.isSome(state) && state.value !== "frozen") doomed.push(key)
          }
          const held = new Set(free)
          const deferred = found.filter((key) => !held.has(key))
          deferredCount += deferred.length
          if (!deferred.every(pending.isNoted)) isComplete = false
          pending.noteFound(doomed)
          if (doomed.length > 0) yield* removeArtifacts(store, doomed)
          pending.forget(free)
          artifactCount += doomed.length
        })
      )
    })

    const sweepHot = (key: HotKey) =>
      Effect.gen(function* () {
        const state = yield* CatalogTable.hotState(store.table, key.chunk)
        if (Option.isSome(state) && state.value === "transient") {
          yield* removeHot(store, key.chunk)
          hotCount += 1
        }
        pending.forget([key])
      }).pipe(
        store.claims.during([key]),
        Effect.catchTag("CatalogBusy", () =>
          Effect.sync(() => {
            deferredCount += 1
            if (!pending.isNoted(key)) isComplete = false
          })
        )
      )

    const sweepAll = <E>(keys: Stream.Stream<StorageKey, E>) =>
      keys.pipe(
        Stream.rechunk(maxRound),
        Stream.runForEachArray((round) =>
          Effect.andThen(
            sweepArtifacts(round.filter((key) => key._tag !== "Hot")),
            Effect.forEach(
              round.filter((key) => key._tag === "Hot"),
              sweepHot,
              { discard: true }
            )
          )
        )
      )

    const unsettled = (prefix: string) =>
      CatalogTable.scan(store.table, { prefix: toBytes(prefix) }).pipe(
        Stream.filter(({ state }) => state !== "frozen" && state !== "ready"),
        Stream.map(({ key }): StorageKey => key)
      )

    const known = options?.known === true ? pending.known() : undefined
    if (known === undefined) {
      const endWalk = pending.walk()
      for (const prefix of [prefixes.chunks, prefixes.indexes, prefixes.hot]) yield* sweepAll(unsettled(prefix))
      if (isComplete) endWalk()
    } else yield* sweepAll(Stream.fromIterable(known))
    return { artifactCount, hotCount, deferredCount }
  })
