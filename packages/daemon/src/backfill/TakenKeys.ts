/**
 * Whether the keys of a chunk are taken, asked before it becomes `frozen` without ever having been in a hot database.
 *
 * A key that another entry has is refused where duplicates are errors. Where they are kept, it is another key with the same prefix that
 * is refused: no look-up tells the two apart.
 */
import { CatalogKey, Geometry } from "@icecore/catalog"
import type { Zstd } from "@icecore/codec"
import { type Disk, KeyRun } from "@icecore/packfile"
import { type Context, Effect, Option, Result, Scope, Stream } from "effect"
import { Hex } from "effect/encoding"
import { expectedRun } from "../BuildKeyIndex.ts"
import type { DomainKeys } from "../Domain.ts"
import * as EntriesPack from "../EntriesPack.ts"
import * as FrozenChunk from "../internal/FrozenChunk.ts"
import * as Upkeep from "../lifecycle/Upkeep.ts"
import type { ReadView } from "../ReadView.ts"
import { type ChunkError, stopped, stoppedBy } from "./BackfillStop.ts"

/** The chunks among which a chunk is frozen. */
export interface FrozenAmong {
  readonly first: Geometry.ChunkId
  /** Whether they lie before the beginning of history, so that their keys are not among those that are kept. */
  readonly isBefore: boolean
}

/** Both fail at a key that is taken by an entry before the chunk, or by two of its own; before the beginning of history also by one behind. */
export interface TakenKeys {
  /** Of a chunk whose run was just written. */
  readonly refuseWritten: (among: FrozenAmong, chunk: Geometry.ChunkId) => Effect.Effect<void, ChunkError>
  /** Of a chunk that is frozen, whose run an index may have replaced. */
  readonly refuseFrozen: (among: FrozenAmong, chunk: Geometry.ChunkId) => Effect.Effect<void, ChunkError>
}

export interface TakenKeysOptions {
  readonly upkeep: Upkeep.Upkeep
  readonly view: Pick<ReadView, "occupied" | "occupant">
  readonly services: Context.Context<Disk | Zstd>
}

/** Without keys in the domain nothing is taken. */
export const make = (options: TakenKeysOptions): TakenKeys =>
  Option.match(options.upkeep.keys, {
    onNone: () => ({ refuseWritten: () => Effect.void, refuseFrozen: () => Effect.void }),
    onSome: (keys) => makeOf(keys, options)
  })

const makeOf = (
  { duplicates, of: keysOf }: DomainKeys,
  { upkeep, view: { occupied, occupant }, services }: TakenKeysOptions
): TakenKeys => {
  const { catalog, state } = upkeep
  const { geometry } = state

  const refuseTaken = Effect.fnUntraced(function* (
    { first, isBefore }: FrozenAmong,
    chunk: Geometry.ChunkId,
    { rows }: KeyRun.KeyRun
  ): Effect.fn.Return<void, ChunkError, Disk | Zstd | Scope.Scope> {
    const below = isBefore ? { from: first, to: Geometry.ChunkId(chunk - 1) } : undefined
    const windowFirst = Geometry.firstChunkOf(geometry, Geometry.windowOf(geometry, chunk))
    const seqOf = ({ offset }: KeyRun.RunRow): number => Geometry.firstSeqOf(geometry, windowFirst) + offset
    const ownPack = yield* Effect.cached(Scope.provide(FrozenChunk.openPack(catalog, chunk), yield* Effect.scope))

    const entryAt = Effect.fnUntraced(function* (seq: number) {
      const number = Geometry.chunkOf(geometry, seq)
      if (number === chunk) return yield* EntriesPack.get(yield* ownPack, seq)
      const kept = yield* Effect.mapError(occupant(seq), stoppedBy)
      return Option.isSome(kept)
        ? kept.value
        : yield* EntriesPack.get(yield* FrozenChunk.openPack(catalog, number), seq)
    }, Effect.scoped)

    /** The keys of an entry that begin so, as text. */
    const keysLike = (seq: number, prefix: Uint8Array) =>
      Effect.map(entryAt(seq), (entry) =>
        Result.getOrElse(keysOf(entry), () => [])
          .filter((key) => beginsWith(key, prefix))
          .map(Hex.encode)
      )

    const meet = Effect.fnUntraced(function* (row: KeyRun.RunRow, other: number) {
      const one = seqOf(row)
      const [lower, upper] = [Math.min(one, other), Math.max(one, other)]
      if (duplicates === "error") return yield* Effect.fail(stopped(`entries ${lower} and ${upper} have one key`))
      const keys = new Set([...(yield* keysLike(lower, row.prefix)), ...(yield* keysLike(upper, row.prefix))])
      if (keys.size > 1) yield* Effect.fail(stopped(`entries ${lower} and ${upper} have keys that begin alike`))
    })

    let previous: KeyRun.RunRow | undefined
    yield* Stream.runForEachArray(
      rows,
      Effect.fnUntraced(function* (page) {
        const distinct: Array<KeyRun.RunRow> = []
        for (const row of page) {
          if (previous === undefined || !beginsWith(row.prefix, previous.prefix)) distinct.push(row)
          else if (previous.offset !== row.offset) yield* meet(row, seqOf(previous))
          previous = row
        }
        const keys = distinct.map(({ prefix }) => prefix)
        const seqs = yield* Effect.mapError(occupied(keys, below), stoppedBy)
        for (const [at, seq] of seqs.entries()) if (seq >= 0) yield* meet(distinct[at]!, seq)
      })
    )
  })

  return {
    refuseWritten: (among, chunk) =>
      KeyRun.open(FrozenChunk.runPath(catalog, chunk)).pipe(
        Effect.flatMap((run) => refuseTaken(among, chunk, run)),
        Effect.scoped,
        Effect.provideContext(services)
      ),
    refuseFrozen: (among, chunk) =>
      Effect.gen(function* () {
        yield* Upkeep.buildChunk(upkeep, { chunk, kinds: ["keys"] })
        const run = yield* KeyRun.open(FrozenChunk.runPath(catalog, chunk), yield* expectedRun(catalog, chunk))
        yield* run.verify()
        yield* refuseTaken(among, chunk, run)
      }).pipe(
        Effect.catchTag("KeyRunCorrupt", ({ message }) =>
          Effect.andThen(
            Effect.ignore(catalog.demote([CatalogKey.chunkKey(chunk, "keys")])),
            Effect.fail(stopped(`${message}; it will be derived anew from the frozen entries`))
          )
        ),
        Effect.scoped,
        Effect.provideContext(services)
      )
  }
}

const beginsWith = (key: Uint8Array, prefix: Uint8Array): boolean => {
  for (let index = 0; index < prefix.length; index++) if (key[index] !== prefix[index]) return false
  return true
}
