/**
 * Freezing the history before the beginning of the store, which a wider retention asks for. Only when all of it is frozen does the
 * history begin with it.
 *
 * 1. the source must prove that it is the log: it goes on at the position of the last entry, and gives the first chunk that is kept.
 *    So it is read up to the end of that chunk once before it is read to be filled in. Chunks that an earlier attempt froze and of
 *    which it gives other entries are demoted;
 * 2. what is missing is frozen. Where duplicate keys are errors, each key of the chunks, those of an earlier attempt too, is looked up
 *    in the chunks before its own that are to be filled in and in the history behind them all, which may have taken it since. The
 *    first key that is taken ends the widening, and status names both entries;
 * 3. the mark where history begins moves down, durably;
 * 4. the floor moves down.
 */
import { CatalogKey, Geometry } from "@icecore/catalog"
import type { Zstd } from "@icecore/codec"
import type { Disk } from "@icecore/packfile"
import { type Context, Effect, Exit, Option, Result, Stream } from "effect"
import * as EntriesPack from "../EntriesPack.ts"
import type { Entry } from "../Entry.ts"
import { SourceDiverged } from "../Ingestion.ts"
import * as FrozenChunk from "../internal/FrozenChunk.ts"
import * as LogState from "../internal/LogState.ts"
import { findOther } from "../kernel/EntryBytes.ts"
import * as Upkeep from "../lifecycle/Upkeep.ts"
import type { ReadView } from "../ReadView.ts"
import * as Resolve from "../Resolve.ts"
import type { Source, SourceBatch } from "../Source.ts"
import type { StorageError } from "../StorageError.ts"
import type { BackfillPass, BackfillReport, Pass } from "./BackfillPass.ts"
import { orLater, type Stopped, stopped, stoppedBy } from "./BackfillStop.ts"

export interface WideningOptions {
  readonly upkeep: Upkeep.Upkeep
  readonly view: Pick<ReadView, "rangeInside">
  readonly passes: BackfillPass
  readonly services: Context.Context<Disk | Zstd>
  /** Wakes the lifecycle. */
  readonly notify: Effect.Effect<void>
}

/** Fills in as `Backfill.fill` says. */
export const make = ({
  upkeep,
  view,
  passes,
  services,
  notify
}: WideningOptions): ((source: Source) => Effect.Effect<BackfillReport, StorageError | SourceDiverged>) => {
  const { catalog, state } = upkeep
  const { geometry } = state

  /** Holds a part of a batch against what is stored of it. Returns the first seq that differs. */
  const compare = <E, R>(
    batch: SourceBatch,
    stored: Stream.Stream<ReadonlyArray<Entry>, E, R>
  ): Effect.Effect<Option.Option<number>, E, R> =>
    stored.pipe(
      Stream.map((entries) => findOther(entries, batch)),
      Stream.filter((entry) => entry !== undefined),
      Stream.map(({ seq }) => seq),
      Stream.runHead
    )

  /** Whether a chunk that is frozen holds what the source gives. One that is damaged does not. */
  const isFrozenAs = (batch: SourceBatch, chunk: Geometry.ChunkId, from: number, to: number) =>
    FrozenChunk.openPack(catalog, chunk).pipe(
      Effect.flatMap((pack) => compare(batch, EntriesPack.range(pack, { from, to, order: "ascending" }))),
      Effect.map(Option.isNone),
      Effect.catch((error) => (isFault(error) ? Effect.fail(error) : Effect.succeed(false))),
      Effect.scoped,
      Effect.provideContext(services)
    )

  /**
   * Holds the source against the log before anything that it gives counts: it goes on at the position, and gives the first chunk that is
   * kept. Returns the frozen chunks before that one for which it gives other entries. Reads the source up to the end of that chunk.
   */
  const prove = Effect.fnUntraced(function* (
    pass: Pass
  ): Effect.fn.Return<ReadonlySet<Geometry.ChunkId>, Stopped | StorageError | SourceDiverged> {
    const { source, start } = pass
    const { floor, nextSeq, position } = state
    if (Option.isSome(position)) {
      const { seq, token } = position.value
      yield* Effect.mapError(Stream.runHead(source.entries({ from: seq + 1, resume: token })), stoppedBy)
    }
    const keptTo = Math.min(nextSeq - 1, Geometry.lastSeqOf(geometry, Geometry.chunkOf(geometry, floor)))
    const others = new Set<Geometry.ChunkId>()
    let comparedTo = floor - 1
    const take = Effect.fnUntraced(function* (batch: SourceBatch) {
      const end = batch.firstSeq + batch.entries.length
      let seq = Math.max(batch.firstSeq, start.from)
      while (seq < Math.min(end, Geometry.firstSeqOf(geometry, Geometry.ChunkId(pass.last + 1)))) {
        const chunk = Geometry.chunkOf(geometry, seq)
        const to = Math.min(end - 1, Geometry.lastSeqOf(geometry, chunk))
        if (pass.isDone(chunk) && !others.has(chunk) && !(yield* isFrozenAs(batch, chunk, seq, to))) others.add(chunk)
        seq = to + 1
      }
      const kept = { from: Math.max(batch.firstSeq, floor), to: Math.min(end - 1, keptTo) }
      if (kept.to < kept.from) return
      const other = yield* Effect.mapError(compare(batch, view.rangeInside(kept)), stoppedBy)
      if (Option.isSome(other)) return yield* new SourceDiverged({ source: source.name, seq: other.value })
      comparedTo = kept.to
    })
    yield* source.entries(start).pipe(
      Stream.mapError(stoppedBy),
      Stream.takeUntil((batch) => batch.firstSeq + batch.entries.length > Math.max(keptTo, floor - 1)),
      Stream.runForEach(take)
    )
    if (Option.isNone(position) && comparedTo < floor && floor <= keptTo)
      yield* Effect.fail(
        stopped(`source ${source.name} ends before entry ${floor}, so that nothing of it can be compared`)
      )
    return others
  })

  /** History goes on beginning where it does. */
  const leave = (wanted: number, detail: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      const begin = catalog.beginSeq()
      const first = Geometry.firstSeqOf(geometry, Geometry.chunkOf(geometry, begin))
      upkeep.floorProblem = Option.some(`entries ${wanted} to ${first - 1} were not filled in: ${detail}`)
      return Effect.logWarning(`History begins at ${begin}, and retention asks for ${wanted}: ${detail}`)
    })

  const fill = Effect.fn("Backfill.fill")(function* (
    source: Source
  ): Effect.fn.Return<BackfillReport, StorageError | SourceDiverged> {
    const begin = Geometry.chunkOf(geometry, catalog.beginSeq())
    const first = Upkeep.wantedFloorChunk(upkeep)
    if (first >= begin) return { chunkCount: 0, byteCount: 0 }
    const last = Geometry.ChunkId(begin - 1)
    const request: Resolve.ResolveRequest = {
      geometry,
      hasKeys: Option.isSome(upkeep.keys),
      floorChunk: first,
      lastComplete: last,
      from: first,
      to: last,
      indexes: false
    }
    const facts = yield* Effect.scoped(Effect.flatMap(catalog.snapshot, (snapshot) => Resolve.read(snapshot, request)))
    const missing = new Set<number>(Resolve.plan(request, facts).chunks.map(({ chunk }) => chunk))
    let filledTo: number = first - 1
    const pass: Pass = {
      source,
      start: { from: Geometry.firstSeqOf(geometry, first) },
      first,
      last,
      isDone: (chunk) => !missing.has(chunk),
      isBefore: true,
      onFrozen: (chunk) =>
        Effect.sync(() => {
          filledTo = chunk
        })
    }
    const from = Geometry.firstSeqOf(geometry, first)
    const proven = yield* Effect.result(prove(pass))
    if (Result.isFailure(proven)) {
      const error = proven.failure
      yield* leave(from, error._tag === "Stopped" ? error.detail : error.message)
      if (error._tag === "SourceDiverged") return yield* error
      if (error._tag !== "Stopped") yield* orLater("compare the source with what is kept", Exit.fail(error))
      return { chunkCount: 0, byteCount: 0 }
    }
    for (const chunk of proven.success) {
      yield* Effect.logWarning(`Chunk ${chunk} is not what source ${source.name} gives, and is made anew`)
      yield* catalog.demote([CatalogKey.chunkKey(chunk, "entries"), CatalogKey.chunkKey(chunk, "keys")])
      missing.add(chunk)
    }
    const report = yield* missing.size === 0 ? passes.overFrozen(pass) : passes.overSource(pass)
    yield* orLater("fill in what is before the beginning of history", report.failure)
    if (filledTo < last) {
      yield* leave(
        from,
        Option.getOrElse(report.stop, () => `source ${source.name} does not have them`)
      )
      return report
    }
    upkeep.floorProblem = Option.none()
    yield* catalog.setBeginSeq(Math.max(from, upkeep.retention.earliestSeq))
    upkeep.rollFrom = Geometry.WindowId(Math.min(upkeep.rollFrom, Geometry.windowOf(geometry, first)))
    LogState.moveFloor(state, Upkeep.floorSeq(upkeep))
    const to = Geometry.firstSeqOf(geometry, begin) - 1
    yield* Effect.logInfo(`Entries ${from} to ${to} were filled in from source ${source.name}`)
    yield* notify
    return report
  })

  return fill
}

/** What says nothing about the bytes of a file. */
const isFault = ({ _tag }: StorageError): boolean => _tag === "DiskFailed" || _tag === "DiskFull"
