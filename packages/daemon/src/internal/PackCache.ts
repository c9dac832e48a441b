/** The packs of frozen chunks that are kept open: those in use, and the ones used last. */
import type { Catalog, Geometry } from "@icecore/catalog"
import type { Zstd } from "@icecore/codec"
import type { Disk } from "@icecore/packfile"
import { type Context, Effect, type Scope } from "effect"
import type * as EntriesPack from "../EntriesPack.ts"
import type { StorageError } from "../StorageError.ts"
import * as FrozenChunk from "./FrozenChunk.ts"
import * as OpenFiles from "./OpenFiles.ts"

/** By chunk. Whether a chunk is frozen is for the caller's view to know. */
export interface PackCache<E> extends OpenFiles.OpenFiles<Geometry.ChunkId, EntriesPack.EntriesPack, E> {}

export interface PackCacheOptions {
  readonly catalog: Catalog.Catalog
  /** Nothing but these: with a scope among them, packs would stay open as long as it. */
  readonly services: Context.Context<Disk | Zstd>
  /** Packs kept open while nobody uses them. */
  readonly idleCount: number
}

/** An empty cache. What is open closes with the scope. */
export const make = ({
  catalog,
  services,
  idleCount
}: PackCacheOptions): Effect.Effect<PackCache<StorageError>, never, Scope.Scope> => {
  return OpenFiles.make({
    idleCount,
    open: (chunk: Geometry.ChunkId): Effect.Effect<EntriesPack.EntriesPack, StorageError, Scope.Scope> =>
      Effect.provideContext(FrozenChunk.openPack(catalog, chunk), services)
  })
}
