/** Reading the catalog as of one moment. Nothing is held in memory: each call reads what it returns, and streams page. */
import type { Range } from "@icecore/engine"
import { Effect, Option, Result, Stream } from "effect"
import type { CatalogReadError } from "./CatalogError.ts"
import type {
  ArtifactKey,
  ArtifactKind,
  ArtifactState,
  ChunkKey,
  HotState,
  IndexKey,
  StorageKey
} from "./format/CatalogKey.ts"
import * as CatalogKey from "./format/CatalogKey.ts"
import { type ChunkId, maxChunkId, type WindowId } from "./Geometry.ts"
import * as CatalogTable from "./internal/CatalogTable.ts"

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

/** Which windows to list. */
export interface WindowRange {
  /** First window, inclusive. Default: the first there is. */
  readonly from?: WindowId
  /** Last window, inclusive. Default: the last there is. */
  readonly to?: WindowId
  /** Descending order. Default false. */
  readonly reverse?: boolean
}

/** A repeatable read, valid in the scope it was taken in. A key or value that does not decode fails with `CatalogCorrupt`. */
export interface CatalogSnapshot {
  /** The state of any key; none when the catalog does not have it. */
  readonly state: (key: StorageKey) => Effect.Effect<Option.Option<ArtifactState | HotState>, CatalogReadError>
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
  /** Frozen key runs, by chunk. Cost: all keys of the chunks in the range. */
  readonly runs: (
    range?: Pick<ArtifactRange, "from" | "to" | "reverse">
  ) => Stream.Stream<Artifact<ChunkKey>, CatalogReadError>
  /** Key indexes of every state, by window, first chunk and last chunk. */
  readonly indexes: Stream.Stream<Artifact<IndexKey>, CatalogReadError>
  /** The frozen coverages, one of a window, by window; two of one window are `CatalogCorrupt`. */
  readonly coverages: (range?: WindowRange) => Stream.Stream<Coverage, CatalogReadError>
  /** Hot chunks, ascending. */
  readonly hotChunks: Stream.Stream<HotChunk, CatalogReadError>
}

/** Reads a table that is one moment of the catalog. */
export const make = (table: CatalogTable.Table): CatalogSnapshot => {
  const artifacts = (range: ArtifactRange = {}): Stream.Stream<Artifact<ChunkKey>, CatalogReadError> =>
    CatalogTable.scan(table, {
      ...bounds(CatalogKey.prefixes.chunks, CatalogKey.prefixes.chunk, range),
      reverse: range.reverse ?? false
    }).pipe(
      Stream.filterMap((entry) =>
        entry._tag === "Artifact" &&
        entry.key._tag === "Chunk" &&
        (range.kind === undefined || entry.key.kind === range.kind) &&
        (range.state === undefined || entry.state === range.state)
          ? Result.succeed({ key: entry.key, state: entry.state })
          : Result.failVoid
      )
    )

  const frozenAt = (kind: ArtifactKind, reverse: boolean): Effect.Effect<Option.Option<ChunkId>, CatalogReadError> =>
    artifacts({ kind, state: "frozen", reverse }).pipe(
      Stream.runHead,
      Effect.map(Option.map((artifact) => artifact.key.chunk))
    )

  return {
    state: (key) =>
      Effect.map(
        CatalogTable.get(table, key),
        Option.map((entry) => entry.state)
      ),
    artifactState: (chunk, kind) => CatalogTable.artifactState(table, CatalogKey.chunkKey(chunk, kind)),
    hotState: (chunk) => CatalogTable.hotState(table, chunk),
    coverage: (window) => CatalogTable.coverage(table, window),
    firstFrozen: (kind) => frozenAt(kind, false),
    lastFrozen: (kind) => frozenAt(kind, true),
    artifacts,
    runs: (range) => artifacts({ ...range, kind: "keys", state: "frozen" }),
    coverages: (range = {}) =>
      CatalogTable.coverages(table, {
        ...bounds(CatalogKey.prefixes.indexes, CatalogKey.prefixes.window, range),
        reverse: range.reverse ?? false
      }),
    indexes: CatalogTable.indexes(table, { prefix: CatalogKey.toBytes(CatalogKey.prefixes.indexes) }),
    hotChunks: CatalogTable.scan(table, { prefix: CatalogKey.toBytes(CatalogKey.prefixes.hot) }).pipe(
      Stream.filterMap((entry) =>
        entry._tag === "Hot" ? Result.succeed({ chunk: entry.key.chunk, state: entry.state }) : Result.failVoid
      )
    )
  }
}

/** Key bounds of numbers `from` to `to` of a family. `;` follows `:` in ASCII, so it ends the keys of a number and of the family. */
const bounds = <Id extends number>(
  family: string,
  prefixOf: (id: Id) => string,
  { from, to }: { readonly from?: Id; readonly to?: Id }
): Range => {
  const start = family
  const end = `${family.slice(0, -1)};`
  const low = from === undefined || from < 0 ? start : from > maxChunkId ? end : prefixOf(from)
  const high = to === undefined || to > maxChunkId ? end : to < 0 ? start : `${prefixOf(to).slice(0, -1)};`
  return { gte: CatalogKey.toBytes(low), lt: CatalogKey.toBytes(high) }
}
