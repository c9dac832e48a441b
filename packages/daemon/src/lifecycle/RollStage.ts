/**
 * Rolling: the key index of each window comes to cover every frozen chunk of it that is kept.
 *
 * A window's index is built anew each time it grows, so growth waits until the runs it does not cover, which look-ups search one by one, are
 * a share of those it does; until the window is finished; or until nothing was frozen for a while. A window whose index cannot be built
 * stops no other.
 */
import { type CatalogReadError, Geometry } from "@icecore/catalog"
import type { Zstd } from "@icecore/codec"
import type { Disk } from "@icecore/packfile"
import { Clock, Effect, Option } from "effect"
import { execute } from "../Execute.ts"
import * as Resolve from "../Resolve.ts"
import type { StorageError } from "../StorageError.ts"
import { each, nothing, type Stage, type StageOutcome } from "./Stage.ts"
import * as Upkeep from "./Upkeep.ts"

/** What decides whether the index of a window is built now. All but the last are chunks. */
export interface RollPressure {
  /** What the index must cover. */
  readonly wanted: { readonly lo: number; readonly hi: number }
  /** What it covers; undefined: there is none. */
  readonly coverage: { readonly lo: number; readonly hi: number } | undefined
  /** Last chunk of the window. */
  readonly lastChunk: number
  readonly isBackfilling: boolean
}

/** Whether the index is due, however busy the store is. */
export const isDue = ({ wanted, coverage, lastChunk, isBackfilling }: RollPressure): boolean => {
  if (wanted.hi === lastChunk || (coverage !== undefined && wanted.lo < coverage.lo)) return true
  const uncovered = wanted.hi - (coverage?.hi ?? wanted.lo - 1)
  const covered = coverage === undefined ? 0 : coverage.hi - wanted.lo + 1
  return isBackfilling
    ? uncovered >= Math.max(8, Math.floor(covered / 4))
    : uncovered >= Math.max(1, Math.floor(covered / 32))
}

export const make = (
  upkeep: Upkeep.Upkeep,
  options: {
    /** Milliseconds without a frozen chunk after which every index is built. */
    readonly idleMillis: number
    readonly provide: <A>(effect: Effect.Effect<A, StorageError, Disk | Zstd>) => Effect.Effect<A, StorageError>
  }
): Stage => {
  // The last frozen chunk when this stage last looked, and since when it is that.
  let seen = { frozenTo: upkeep.frozenTo, sinceMillis: Number.NEGATIVE_INFINITY }

  /**
   * IMPORTANT: not what retention asks for by now. An index takes the place of one that may cover chunks below it, whose runs may be gone: they
   * must not be served any more.
   */
  const servedFrom = (): Geometry.ChunkId => Geometry.chunkOf(upkeep.state.geometry, upkeep.state.floor)

  const requestOf = (window: Geometry.WindowId): Resolve.ResolveRequest => ({
    geometry: upkeep.state.geometry,
    hasKeys: true,
    floorChunk: servedFrom(),
    lastComplete: upkeep.frozenTo,
    from: Geometry.firstChunkOf(upkeep.state.geometry, window),
    to: Geometry.lastChunkOf(upkeep.state.geometry, window),
    indexes: true
  })

  const build = Effect.fnUntraced(function* (window: Geometry.WindowId) {
    const { catalog, concurrency, retry } = upkeep
    const request = requestOf(window)
    const facts = yield* Effect.scoped(Effect.flatMap(catalog.snapshot, (snapshot) => Resolve.read(snapshot, request)))
    const plan = Resolve.plan(request, facts)
    yield* execute({
      plan,
      concurrency,
      retry,
      buildChunk: (each) => Upkeep.buildChunk(upkeep, each),
      buildIndex: (each) => Upkeep.buildIndex(upkeep, each)
    })
    return Option.map(Option.fromUndefinedOr(plan.indexes[0]), ({ lo, hi }) => `indexed chunks ${lo} to ${hi}`)
  })

  const coverageOf = (window: Geometry.WindowId): Effect.Effect<Resolve.IndexBuild | undefined, CatalogReadError> =>
    Effect.scoped(
      Effect.flatMap(upkeep.catalog.snapshot, (snapshot) =>
        Effect.map(snapshot.coverage(window), Option.getOrUndefined)
      )
    )

  const run = Effect.fnUntraced(function* (
    isForced: boolean
  ): Effect.fn.Return<StageOutcome, StorageError, Disk | Zstd> {
    const { geometry } = upkeep.state
    yield* Upkeep.raiseFloor(upkeep)
    const nowMillis = yield* Clock.currentTimeMillis
    if (seen.frozenTo !== upkeep.frozenTo) seen = { frozenTo: upkeep.frozenTo, sinceMillis: nowMillis }
    const leftMillis = seen.sinceMillis + options.idleMillis - nowMillis
    const done: Array<string> = []
    let isPutOff = false
    const lastWindow = Geometry.windowOf(geometry, upkeep.frozenTo)
    upkeep.rollFrom = Geometry.WindowId(Math.max(upkeep.rollFrom, Geometry.windowOf(geometry, servedFrom())))
    const roll = Effect.fnUntraced(function* (number: number): Effect.fn.Return<void, StorageError, Disk | Zstd> {
      const window = Geometry.WindowId(number)
      const wanted = Resolve.wantedCoverage(requestOf(window), window)
      if (Option.isNone(wanted)) return
      const coverage = yield* coverageOf(window)
      const lastChunk = Geometry.lastChunkOf(geometry, window)
      if (coverage === undefined || !Resolve.covers(coverage, wanted.value)) {
        const pressure = { wanted: wanted.value, coverage, lastChunk, isBackfilling: upkeep.isBackfilling }
        const isIdle = leftMillis <= 0 && !upkeep.isBackfilling
        if (!isForced && !isIdle && !isDue(pressure)) {
          isPutOff = !upkeep.isBackfilling
          return
        }
        done.push(...Option.toArray(yield* build(window)))
      }
      if (wanted.value.hi === lastChunk && upkeep.rollFrom === window) upkeep.rollFrom = Geometry.WindowId(number + 1)
    })
    yield* each(numbersFrom(upkeep.rollFrom, lastWindow), roll)
    return {
      done: done.length === 0 ? Option.none() : Option.some(done.join(", ")),
      ...(isPutOff ? { againMillis: Math.max(1, leftMillis) } : {})
    }
  })

  return {
    name: "roll",
    isAwaited: false,
    isBusy: () => false,
    run: (isForced) => (Option.isNone(upkeep.keys) ? Effect.succeed(nothing) : options.provide(run(isForced)))
  }
}

/** Both inclusive. Lazy: a log may have any number of windows. */
function* numbersFrom(first: number, last: number): Generator<number> {
  for (let number = first; number <= last; number++) yield number
}
