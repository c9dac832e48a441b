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
 * The mark of step 1 is put even where it is there already: what is read may be a commit whose sync failed. From step 3 on the
 * directories are held, so that no sweep takes an empty one away. A key whose files readers may still reach is refused before step 1.
 */
import { Effect, Option, Result, Stream } from "effect"
import type { WriteChunk, WriteIndex } from "../Catalog.ts"
import {
  type ArtifactMissing,
  CatalogBusy,
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
import type { Demoted } from "./Pending.ts"
import { commit, type Store } from "./Store.ts"

/** The protocol for `keys`, of which `leftovers` may have files; `superseded` says in step 6 what to demote. */
const freeze = Effect.fnUntraced(function* <A, E, R, E2>(
  store: Store,
  keys: ReadonlyArray<ArtifactKey>,
  leftovers: ReadonlyArray<ArtifactKey>,
  produce: Effect.Effect<A, E, R>,
  superseded: Effect.Effect<ReadonlyArray<Demoted>, E2>
) {
  const { disk, layout, pending } = store
  pending.note(keys)
  yield* commit(store, (batch) => {
    for (const key of keys) CatalogTable.put(batch, key, "freezing")
  })
  for (const key of leftovers) yield* ArtifactFiles.unlink(disk, layout, key)
  const places = keys.map((key) => ({
    directory: Layout.directoryOf(layout, key),
    root: layout.roots[Layout.treeOf(key)]
  }))
  return yield* Effect.gen(function* () {
    const value = yield* produce
    for (const key of keys) yield* ArtifactFiles.requireAll(disk, layout, key)
    yield* ArtifactFiles.syncDirectories(disk, layout, keys)
    yield* store.database.exclusive(
      Effect.gen(function* () {
        const demoted = yield* superseded
        const flip = commit(store, (batch) => {
          for (const key of keys) CatalogTable.put(batch, key, "frozen")
          for (const { key } of demoted) CatalogTable.put(batch, key, "pruning")
        })
        yield* pending.demoting(demoted, flip)
      })
    )
    pending.forget(keys)
    return value
  }).pipe(store.directories.holding(places))
})

/** Fails when readers may reach what lies under one of the keys, all of which are `pruning`. */
const refuseReached = Effect.fnUntraced(function* (store: Store, keys: ReadonlyArray<ArtifactKey>) {
  if (keys.length === 0) return
  const destroyableBefore = yield* store.destroyableBefore
  const reached = keys.find((key) => store.pending.demotedAt(key) >= destroyableBefore)
  if (reached !== undefined) return yield* new CatalogBusy({ key: encodeKey(reached), reason: "readers" })
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
    const demoted: Array<ChunkKey> = []
    for (const key of keys) {
      const state = yield* CatalogTable.artifactState(store.table, key)
      if (Option.isSome(state) && state.value === "frozen") continue
      wanted.push(key)
      if (Option.isSome(state)) leftovers.push(key)
      if (Option.isSome(state) && state.value === "pruning") demoted.push(key)
    }
    if (wanted.length === 0) return Option.none<A>()
    yield* refuseReached(store, demoted)
    const artifacts = wanted.map((key) => ({ key, files: Layout.filesOf(store.layout, key) }))
    const rememberRun = Effect.sync(() => {
      if (kinds.includes("keys")) store.runs.windows.add(Geometry.windowOf(store.table.geometry, chunk))
    })
    const produced = Effect.suspend(() => produce(artifacts))
    const frozen = freeze(store, wanted, leftovers, produced, Effect.succeed([]))
    return Option.some(yield* Effect.ensuring(frozen, rememberRun))
  }).pipe(store.claims.during(keys))
})

const runsOf = (
  store: Store,
  { from, to }: { readonly from: Geometry.ChunkId; readonly to: Geometry.ChunkId }
): Stream.Stream<ChunkKey, CatalogReadError> =>
  CatalogTable.scan(store.table, {
    gte: toBytes(prefixes.chunk(from)),
    lte: toBytes(encodeKey(chunkKey(to, "keys")))
  }).pipe(
    Stream.filterMap((entry) =>
      entry._tag === "Artifact" && entry.key._tag === "Chunk" && entry.key.kind === "keys" && entry.state === "frozen"
        ? Result.succeed(entry.key)
        : Result.failVoid
    )
  )

/**
 * Index keys of the window in any state but `pruning`, and the key runs of the coverage when it is terminal. Runs before it stay: a wider
 * index may be about to need them, and else `prune` takes them.
 */
const supersededBy = (store: Store, wanted: IndexKey): Effect.Effect<ReadonlyArray<Demoted>, CatalogReadError> =>
  Effect.gen(function* () {
    const { table } = store
    const { geometry } = table
    const superseded: Array<Demoted> = yield* CatalogTable.indexes(table, {
      prefix: toBytes(prefixes.window(wanted.window))
    }).pipe(
      Stream.filter(({ key, state }) => state !== "pruning" && (key.lo !== wanted.lo || key.hi !== wanted.hi)),
      Stream.runCollect
    )
    if (wanted.hi !== Geometry.lastChunkOf(geometry, wanted.window)) return superseded
    const runs = yield* Stream.runCollect(runsOf(store, { from: wanted.lo, to: wanted.hi }))
    return [...superseded, ...runs.map((key): Demoted => ({ key, state: "frozen" }))]
  })

/**
 * A coverage that ends before the frozen one leaves the chunks after it to their key runs: fails when one of them has none.
 * Chunks before a coverage are the caller's to leave: they may be below the floor.
 */
const requireRunsAfter = Effect.fnUntraced(function* (
  store: Store,
  { window, lo, hi }: IndexKey,
  frozen: Option.Option<IndexKey>
) {
  if (Option.isNone(frozen) || frozen.value.hi <= hi) return
  const from = Geometry.ChunkId(hi + 1)
  const to = frozen.value.hi
  const runs = yield* Stream.runCount(runsOf(store, { from, to }))
  if (runs < to - hi)
    return yield* new CoverageInvalid({
      window,
      lo,
      hi,
      expected: `chunks to ${to}, as the frozen key index has them, or frozen key runs of chunks ${from} to ${to}`
    })
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
      yield* requireRunsAfter(store, key, frozen)
      const state = yield* CatalogTable.artifactState(store.table, key)
      yield* refuseReached(store, Option.contains(state, "pruning") ? [key] : [])
      const [file] = Layout.filesOf(store.layout, key)
      return Option.some(
        yield* freeze(
          store,
          [key],
          Option.isSome(state) ? [key] : [],
          Effect.suspend(() => produce(file!)),
          Effect.andThen(requireRunsAfter(store, key, frozen), supersededBy(store, key))
        )
      )
    }).pipe(store.claims.during([key]))
  }
)
