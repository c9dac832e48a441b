/**
 * Making a hot database: the steps in order, each with what breaks without it. Removing one is in Removal.ts.
 *
 * 1. `transient`, synced: else a crash leaves a database that no key names. Put even where it is read, because what is read
 *    may be a commit whose sync failed.
 * 2. Destroy what an earlier attempt left: else its rows show up in the new database.
 * 3. Make the directory above and its parents durable: else the database vanishes with them.
 * 4. Create the database (durable on return) and commit the seed, synced: else a `ready` database lacks its seed.
 * 5. `ready`, synced: else an acknowledged entry goes into a database that the next start wipes.
 */
import type { Database } from "@icecore/engine"
import { Effect, Exit, Option, Scope } from "effect"
import type { OpenHot } from "../Catalog.ts"
import { type CatalogWriteError, HotDatabaseLost } from "../CatalogError.ts"
import { hotKey } from "../format/CatalogKey.ts"
import type { ChunkId } from "../Geometry.ts"
import * as Layout from "../Layout.ts"
import * as CatalogTable from "./CatalogTable.ts"
import { commit, type Store } from "./Store.ts"

const openReady = (store: Store, chunk: ChunkId, { keyspaces }: OpenHot) => {
  const path = Layout.hotPath(store.layout, chunk)
  const lost = (cause: HotDatabaseLost["cause"]) => Effect.fail(new HotDatabaseLost({ chunk, path, cause }))
  return store.hotEngine
    .open({ path, keyspaces, mode: "existing" })
    .pipe(Effect.catchTags({ EngineNotFound: lost, EngineCorrupt: lost }))
}

const create = Effect.fnUntraced(function* (store: Store, chunk: ChunkId, { keyspaces, seed }: OpenHot) {
  const path = Layout.hotPath(store.layout, chunk)
  const key = hotKey(chunk)
  store.pending.note([key])
  yield* commit(store, (batch) => CatalogTable.put(batch, key, "transient"))
  yield* store.hotEngine.destroy(path)
  yield* store.directories.ensure(store.layout.roots.hot, store.layout.roots.hot)
  const database = yield* store.hotEngine.open({ path, keyspaces, mode: "create" })
  if (seed !== undefined) yield* database.write(seed, { durability: "synced" })
  yield* commit(store, (batch) => CatalogTable.put(batch, key, "ready"))
  store.pending.forget([key])
  return database
})

/** See `Catalog.openHot`. When it fails, or is interrupted, the chunk is free again at once, whatever the scope lives on. */
export const openHot: (
  store: Store,
  chunk: ChunkId,
  options: OpenHot
) => Effect.Effect<Database, CatalogWriteError | HotDatabaseLost, Scope.Scope> = Effect.fnUntraced(
  function* (store, chunk, options) {
    const scope = yield* Scope.fork(yield* Effect.scope)
    return yield* Effect.gen(function* () {
      yield* store.claims.hold([hotKey(chunk)])
      const state = yield* CatalogTable.hotState(store.table, chunk)
      return Option.isSome(state) && state.value === "ready"
        ? yield* openReady(store, chunk, options)
        : yield* create(store, chunk, options)
    }).pipe(
      Scope.provide(scope),
      Effect.onExit((exit) => (Exit.isFailure(exit) ? Scope.close(scope, exit) : Effect.void))
    )
  }
)
