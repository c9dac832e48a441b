/** Reading the catalog as of one moment. Nothing is held in memory: each call reads what it returns, and streams page. */
import type { Effect, Option, Stream } from "effect"
import type { CatalogReadError } from "./CatalogError.ts"
import type { ArtifactKey, ArtifactKind, ArtifactState, ChunkKey, HotState, IndexKey } from "./format/CatalogKey.ts"
import type { ChunkId, WindowId } from "./Geometry.ts"

/** Which artifacts to list. */
export interface ArtifactRange {
  /** First chunk, inclusive. Default: the first there is. */
  readonly from?: ChunkId
  /** Last chunk, inclusive. Default: the last there is. */
  readonly to?: ChunkId
  /** Descending order. Default false. */
  readonly reverse?: boolean
  /** Only this kind. Default: all. */
  readonly kind?: ArtifactKind
  /** Only this state. Default: all. */
  readonly state?: ArtifactState
}

/** A key with its state. */
export interface Artifact<Key extends ArtifactKey = ArtifactKey> {
  readonly key: Key
  readonly state: ArtifactState
}

export interface HotChunk {
  readonly chunk: ChunkId
  readonly state: HotState
}

/** The chunks that a frozen key index covers, both inclusive. */
export interface Coverage {
  readonly window: WindowId
  readonly lo: ChunkId
  readonly hi: ChunkId
}

/** A repeatable read, valid in the scope it was taken in. A key or value that does not decode fails with `CatalogCorrupt`. */
export interface CatalogSnapshot {
  readonly artifactState: (
    chunk: ChunkId,
    kind: ArtifactKind
  ) => Effect.Effect<Option.Option<ArtifactState>, CatalogReadError>
  readonly hotState: (chunk: ChunkId) => Effect.Effect<Option.Option<HotState>, CatalogReadError>
  /** The one frozen coverage of a window; more than one is `CatalogCorrupt`. */
  readonly coverage: (window: WindowId) => Effect.Effect<Option.Option<Coverage>, CatalogReadError>
  /** The first chunk that has the kind frozen. Cost: the keys before it. */
  readonly firstFrozen: (kind: ArtifactKind) => Effect.Effect<Option.Option<ChunkId>, CatalogReadError>
  /** The last chunk that has the kind frozen. Cost: the keys after it. */
  readonly lastFrozen: (kind: ArtifactKind) => Effect.Effect<Option.Option<ChunkId>, CatalogReadError>
  /** Artifacts of chunks, by chunk and then kind. */
  readonly artifacts: (range?: ArtifactRange) => Stream.Stream<Artifact<ChunkKey>, CatalogReadError>
  /** Key indexes of every state, by window, first chunk and last chunk. */
  readonly indexes: Stream.Stream<Artifact<IndexKey>, CatalogReadError>
  /** Hot chunks, ascending. */
  readonly hotChunks: Stream.Stream<HotChunk, CatalogReadError>
}
