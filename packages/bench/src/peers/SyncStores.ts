/**
 * Syncs of grants where the compactor finds them: record stores on either engine, and archives.
 */
import { rmSync } from "node:fs"
import type { Source } from "@icecore/compactor"
import { Archive, type Engine, RecordStore, StoreDirectory, type SyncRun } from "@icecore/engine"
import { Grant, types } from "@icecore/engine/access"
import { Effect, Layer, type Scope } from "effect"
import type { GrantItem } from "../fixtures/AccessData.ts"
import { enginePeers } from "./EnginePeers.ts"
import { archiveServices } from "./RecordStores.ts"

/** `pack` is an archive, which is only read. */
export type StoreKind = "sqlite" | "lmdb" | "pack"

export interface StorePlace {
  readonly kind: StoreKind
  /** A directory, or the file of an archive. */
  readonly path: string
}

/** The engine of a kind that is one. */
export const engineOf = (kind: StoreKind): Layer.Layer<Engine> => enginePeers.find(({ name }) => name === kind)!.engine

/** Memory of a store: less beside many sources, which take theirs. */
const memoryOf = (sourceCount: number): Pick<RecordStore.RecordStoreOptions, "arenaBytes" | "cacheSizeBytes"> =>
  sourceCount < 16 ? {} : { arenaBytes: 2 * 1024 * 1024, cacheSizeBytes: 2 * 1024 * 1024 }

/** The store of a place, made if it is not there, open for the scope, with the memory that `icecore merge` gives it beside so many sources. */
export const openBase: (
  place: StorePlace,
  sourceCount?: number
) => Effect.Effect<RecordStore.RecordStore, RecordStore.RecordOpenError, Scope.Scope> = Effect.fnUntraced(function* (
  { kind, path }: StorePlace,
  sourceCount = 1
) {
  const options = { path, types, ...memoryOf(sourceCount) }
  return yield* Effect.provideContext(RecordStore.open(options), yield* Layer.build(engineOf(kind)))
})

/** What each of so many open sources keeps of its pages or rows: as `icecore merge` has it. */
const cacheOf = (kind: StoreKind, sourceCount: number): { readonly cacheSizeBytes: number } => {
  const kibibyte = 1024
  const [total, least] = kind === "pack" ? [8_192 * kibibyte, 128 * kibibyte] : [4_096 * kibibyte, 64 * kibibyte]
  return { cacheSizeBytes: Math.max(least, Math.floor(total / sourceCount)) }
}

/** What lies at places, open for reading in the scope. */
export const openSources: (
  places: ReadonlyArray<StorePlace>
) => Effect.Effect<ReadonlyArray<Source.Source>, unknown, Scope.Scope> = Effect.fnUntraced(function* (places) {
  const sources: Array<Source.Source> = []
  for (const { kind, path } of places) {
    const cache = cacheOf(kind, places.length)
    sources.push(
      kind === "pack"
        ? yield* Effect.provideContext(Archive.open(path, cache), yield* Layer.build(archiveServices))
        : yield* Effect.provideContext(StoreDirectory.open(path, cache), yield* Layer.build(engineOf(kind)))
    )
  }
  return sources
})

export interface SyncOptions {
  /** Default: a new one. */
  readonly syncId?: SyncRun.SyncId
}

/** Makes a store, or an archive, with one finished sync of the grants. */
export const makeSync = (
  place: StorePlace,
  pages: Iterable<ReadonlyArray<GrantItem>>,
  options: SyncOptions = {}
): Effect.Effect<SyncRun.SyncRun, unknown> =>
  place.kind === "pack" ? makeArchive(place.path, pages, options) : makeStore(place, pages, options, () => Effect.void)

const makeStore = Effect.fnUntraced(function* (
  place: StorePlace,
  pages: Iterable<ReadonlyArray<GrantItem>>,
  options: SyncOptions,
  use: (store: RecordStore.RecordStore) => Effect.Effect<unknown, unknown>
) {
  const store = yield* openBase(place)
  yield* store.startSync({ type: "full", ...options })
  const iterator = pages[Symbol.iterator]()
  let page = iterator.next()
  yield* Effect.whileLoop({
    while: () => page.done !== true,
    body: () => store.put(Grant, page.value as ReadonlyArray<GrantItem>),
    step: () => {
      page = iterator.next()
    }
  })
  const run = yield* store.endSync()
  yield* use(store)
  return run
}, Effect.scoped)

const makeArchive = Effect.fnUntraced(function* (
  path: string,
  pages: Iterable<ReadonlyArray<GrantItem>>,
  options: SyncOptions
) {
  const directory = `${path}.store`
  const run = yield* makeStore({ kind: "sqlite", path: directory }, pages, options, (store) =>
    Effect.flatMap(Archive.sourceOf(store), (source) => Archive.save({ source, path })).pipe(
      Effect.provide(Layer.merge(archiveServices, engineOf("sqlite")))
    )
  )
  yield* Effect.sync(() => rmSync(directory, { recursive: true }))
  return run
})
