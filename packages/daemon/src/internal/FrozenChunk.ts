/** The files of a chunk that is frozen. */
import { type Catalog, CatalogKey, Geometry, Layout } from "@icecore/catalog"
import type { Zstd } from "@icecore/codec"
import type { Disk } from "@icecore/packfile"
import type { Effect, Scope } from "effect"
import * as EntriesPack from "../EntriesPack.ts"
import type { StorageError } from "../StorageError.ts"

/** Opens the pack of its entries for the scope. */
export const openPack = (
  { layout, pins: { geometry } }: Catalog.Catalog,
  chunk: Geometry.ChunkId
): Effect.Effect<EntriesPack.EntriesPack, StorageError, Disk | Zstd | Scope.Scope> =>
  EntriesPack.open({
    path: Layout.entriesPath(layout, chunk),
    chunk,
    firstSeq: Geometry.firstSeqOf(geometry, chunk),
    entryCount: geometry.entriesPerChunk
  })

/** Path of the run of its keys. */
export const runPath = ({ layout }: Catalog.Catalog, chunk: Geometry.ChunkId): string =>
  Layout.filesOf(layout, CatalogKey.chunkKey(chunk, "keys"))[0]!
