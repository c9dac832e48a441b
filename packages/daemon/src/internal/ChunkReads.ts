/** Reading entries of one chunk by the route that a view gives it. */
import { type CatalogReadError, Geometry } from "@icecore/catalog"
import { Effect, Option, type Scope, Stream } from "effect"
import * as EntriesPack from "../EntriesPack.ts"
import type { Entry, RangeOrder } from "../Entry.ts"
import { EntryAbsent, type ViewExpired } from "../History.ts"
import * as HotChunk from "../HotChunk.ts"
import type { StorageError } from "../StorageError.ts"
import * as LogState from "./LogState.ts"
import type { PackCache } from "./PackCache.ts"
import type { Route, View } from "./Views.ts"

/** Consecutive entries, both inclusive. */
export interface Bounds {
  readonly from: number
  readonly to: number
}

/** What a request wants of one chunk. */
export interface ChunkPart extends Bounds {
  readonly order: RangeOrder
}

/** What reading an entry that a view serves can fail with. */
export type ChunkReadError = StorageError | CatalogReadError | EntryAbsent

export interface ChunkReads {
  /** The bytes of an entry that the view serves. */
  readonly get: (view: View, seq: number) => Effect.Effect<Uint8Array, ChunkReadError>
  /** The same by a route that is known already. */
  readonly getBy: (view: View, route: Route, seq: number) => Effect.Effect<Uint8Array, ChunkReadError>
  /** Entries of one chunk that the view serves. Fails when the view has become too old. */
  readonly range: (
    view: View,
    chunk: Geometry.ChunkId,
    part: ChunkPart
  ) => Stream.Stream<ReadonlyArray<Entry>, ChunkReadError | ViewExpired>
}

export const make = (options: {
  readonly geometry: Geometry.Geometry
  readonly packs: PackCache<StorageError>
}): ChunkReads => {
  const { geometry, packs } = options

  const absent = (view: View, seq: number, detail: string): EntryAbsent =>
    new EntryAbsent({ seq, chunk: Geometry.chunkOf(geometry, seq), served: LogState.served(view), detail })

  const nowhere = (view: View, seq: number): EntryAbsent => absent(view, seq, "the chunk is neither frozen nor hot")

  const getBy = (view: View, route: Route, seq: number): Effect.Effect<Uint8Array, ChunkReadError> => {
    switch (route._tag) {
      case "Cold":
        return packs.use(Geometry.chunkOf(geometry, seq), (pack) => EntriesPack.get(pack, seq))
      case "Hot":
        return Effect.flatMap(
          route.handle.use((hot) => HotChunk.get(hot, seq)),
          Option.match({
            onNone: () => Effect.fail(absent(view, seq, "its hot database does not have it")),
            onSome: Effect.succeed
          })
        )
      case "Unavailable":
        return Effect.fail(nowhere(view, seq))
    }
  }

  const get = (view: View, seq: number): Effect.Effect<Uint8Array, ChunkReadError> =>
    Effect.flatMap(view.route(Geometry.chunkOf(geometry, seq)), (route) => getBy(view, route, seq))

  const open = Effect.fnUntraced(function* (
    view: View,
    chunk: Geometry.ChunkId,
    part: ChunkPart
  ): Effect.fn.Return<Stream.Stream<ReadonlyArray<Entry>, ChunkReadError>, ChunkReadError | ViewExpired, Scope.Scope> {
    yield* view.check
    const route = yield* view.route(chunk)
    switch (route._tag) {
      case "Cold":
        return EntriesPack.range(yield* packs.hold(chunk), part)
      case "Hot":
        return HotChunk.range(yield* route.handle.hold, part)
      case "Unavailable":
        return yield* nowhere(view, part.from)
    }
  })

  return {
    get,
    getBy,
    range: (view, chunk, part) => Stream.tap(Stream.unwrap(open(view, chunk, part)), () => view.check)
  }
}

/** The chunks of a range in the order asked for, each with its share. Lazy: a range may span any number of chunks. */
export function* partsOf(
  geometry: Geometry.Geometry,
  bounds: Bounds,
  order: RangeOrder
): Generator<{ readonly chunk: Geometry.ChunkId; readonly part: ChunkPart }> {
  const first = Geometry.chunkOf(geometry, bounds.from)
  const last = Geometry.chunkOf(geometry, bounds.to)
  for (let index = 0; index <= last - first; index++) {
    const chunk = Geometry.ChunkId(order === "ascending" ? first + index : last - index)
    const from = Math.max(bounds.from, Geometry.firstSeqOf(geometry, chunk))
    const to = Math.min(bounds.to, Geometry.lastSeqOf(geometry, chunk))
    yield { chunk, part: { from, to, order } }
  }
}
