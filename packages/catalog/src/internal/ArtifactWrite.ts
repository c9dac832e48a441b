/**
 * Making artifacts: the steps of the one-write protocol, in order, each with what breaks without it.
 *
 * 1. `freezing` for all keys, one synced batch: else a crash leaves files that no key names.
 * 2. Unlink what an earlier attempt left. No sync: whatever of it comes back lies under a `freezing` key, and the names are
 *    taken again before step 6.
 * 3. Directories, each parent synced: else a frozen file vanishes with its directory.
 * 4. The caller writes the files and syncs their bytes: else a frozen file is empty or torn.
 * 5. Sync the directory: else a frozen file has no name.
 * 6. `frozen` for all keys, and `pruning` for what they supersede, one synced batch: else what was acknowledged is not
 *    frozen; and in two batches a window has two frozen key indexes, or none, in between.
 *
 * The mark of step 1 is put even where it is there already: what is read may be a commit whose sync failed.
 */
import { Clock, Effect, Option, Stream } from "effect"
import type { WriteChunk, WriteIndex } from "../Catalog.ts"
import {
  type ArtifactMissing,
  type CatalogReadError,
  type CatalogWriteError,
  CoverageInvalid
} from "../CatalogError.ts"
import {
  type ArtifactKey,
  artifactKinds,
  type ChunkKey,
  chunkKey,
  encodeKey,
  type IndexKey,
  indexKey,
  prefixes,
  toBytes
} from "../format/CatalogKey.ts"
import * as Geometry from "../Geometry.ts"
import * as Layout from "../Layout.ts"
import * as ArtifactFiles from "./ArtifactFiles.ts"
import * as CatalogTable from "./CatalogTable.ts"
import { commit, type Store } from "./Store.ts"

/** The protocol for `keys`, of which `leftovers` may have files; `superseded` says in step 6 what to demote. */
const freeze = Effect.fnUntraced(function* <A, E, R>(
  store: Store,
  keys: ReadonlyArray<ArtifactKey>,
  leftovers: ReadonlyArray<ArtifactKey>,
  produce: Effect.Effect<A, E, R>,
  superseded: Effect.Effect<ReadonlyArray<ArtifactKey>, CatalogReadError>
) {
  const { disk, layout } = store
  yield* commit(store, (batch) => {
    for (const key of keys) CatalogTable.put(batch, key, "freezing")
  })
  for (const key of keys) store.demotedAt.delete(encodeKey(key))
  for (const key of leftovers) yield* ArtifactFiles.unlink(disk, layout, key)
  for (const key of keys)
    yield* store.directories.ensure(Layout.directoryOf(layout, key), layout.roots[Layout.treeOf(key)])
  const value = yield* produce
  for (const key of keys) yield* ArtifactFiles.requireAll(disk, layout, key)
  yield* ArtifactFiles.syncDirectories(disk, layout, keys)
  const now = yield* Clock.currentTimeMillis
  yield* store.database.exclusive(
    Effect.gen(function* () {
      const demoted = yield* superseded
      yield* commit(store, (batch) => {
        for (const key of keys) CatalogTable.put(batch, key, "frozen")
        for (const key of demoted) CatalogTable.put(batch, key, "pruning")
      })
      for (const key of demoted) store.demotedAt.set(encodeKey(key), now)
    })
  )
  return value
})

/** See `Catalog.writeChunk`. */
export const writeChunk: <A, E, R>(
  store: Store,
  options: WriteChunk<A, E, R>
) => Effect.Effect<Option.Option<A>, E | CatalogWriteError | ArtifactMissing, R> = Effect.fnUntraced(function* <
  A,
  E,
  R
>(store: Store, { chunk, kinds, produce }: WriteChunk<A, E, R>) {
  const keys = artifactKinds.filter((kind) => kinds.includes(kind)).map((kind) => chunkKey(chunk, kind))
  return yield* Effect.gen(function* () {
    const wanted: Array<ChunkKey> = []
    const leftovers: Array<ChunkKey> = []
    for (const key of keys) {
      const state = yield* CatalogTable.artifactState(store.table, key)
      if (Option.isSome(state) && state.value === "frozen") continue
      wanted.push(key)
      if (Option.isSome(state)) leftovers.push(key)
    }
    if (wanted.length === 0) return Option.none<A>()
    const artifacts = wanted.map((key) => ({ key, files: Layout.filesOf(store.layout, key) }))
    return Option.some(
      yield* freeze(
        store,
        wanted,
        leftovers,
        Effect.suspend(() => produce(artifacts)),
        Effect.succeed([])
      )
    )
  }).pipe(store.claims.during(keys))
})

/** Index keys of the window in any state but `pruning`, and the window's key runs when the coverage is terminal. */
const supersededBy = (store: Store, wanted: IndexKey): Effect.Effect<ReadonlyArray<ArtifactKey>, CatalogReadError> =>
  Effect.gen(function* () {
    const { table } = store
    const { geometry } = table
    const superseded: Array<ArtifactKey> = yield* CatalogTable.indexes(table, prefixes.window(wanted.window)).pipe(
      Stream.filter(({ key, state }) => state !== "pruning" && (key.lo !== wanted.lo || key.hi !== wanted.hi)),
      Stream.map(({ key }) => key),
      Stream.runCollect
    )
    if (wanted.hi !== Geometry.lastChunkOf(geometry, wanted.window)) return superseded
    const from = Geometry.firstChunkOf(geometry, wanted.window)
    yield* CatalogTable.scan(table, {
      gte: toBytes(prefixes.chunk(from)),
      lte: toBytes(encodeKey(chunkKey(wanted.hi, "keys")))
    }).pipe(
      Stream.runForEach((entry) =>
        Effect.sync(() => {
          if (
            entry._tag === "Artifact" &&
            entry.key._tag === "Chunk" &&
            entry.key.kind === "keys" &&
            entry.state === "frozen"
          )
            superseded.push(entry.key)
        })
      )
    )
    return superseded
  })

/** See `Catalog.writeIndex`. */
export const writeIndex: <A, E, R>(
  store: Store,
  options: WriteIndex<A, E, R>
) => Effect.Effect<Option.Option<A>, E | CatalogWriteError | ArtifactMissing | CoverageInvalid, R> = Effect.fnUntraced(
  function* <A, E, R>(store: Store, { window, lo, hi, produce }: WriteIndex<A, E, R>) {
    const { geometry } = store.table
    const first = Geometry.firstChunkOf(geometry, window)
    const last = Math.min(Geometry.lastChunkOf(geometry, window), Geometry.maxChunkId)
    if (lo > hi || lo < first || hi > last)
      return yield* new CoverageInvalid({ window, lo, hi, expected: `chunks ${first} to ${last}, in order` })
    const key = indexKey(window, lo, hi)
    return yield* Effect.gen(function* () {
      const frozen = yield* CatalogTable.coverage(store.table, window)
      if (Option.isSome(frozen) && frozen.value.lo <= lo && frozen.value.hi >= hi) return Option.none<A>()
      const [file] = Layout.filesOf(store.layout, key)
      const leftovers = Option.isSome(yield* CatalogTable.artifactState(store.table, key)) ? [key] : []
      return Option.some(
        yield* freeze(
          store,
          [key],
          leftovers,
          Effect.suspend(() => produce(file!)),
          supersededBy(store, key)
        )
      )
    }).pipe(store.claims.during([key]))
  }
)
