/**
 * Read views: one state of the store, from the beginning of a request to its end.
 *
 * A view takes the end of the log first, then every hot chunk, then a snapshot of the catalog, then the floor. In this order nothing
 * falls between: a hot chunk leaves the set only after it is frozen, so a chunk that was no longer hot is frozen in a snapshot
 * taken later; and the floor rises before anything is demoted, so what a snapshot no longer has lies below a floor taken later.
 *
 * {@link routeOf} alone says where a chunk is read. Hot databases of a view are not closed under it, and frozen files that it can reach
 * are not destroyed: whoever destroys asks {@link Views.oldestOpenedMillis}.
 *
 * PERF: views of one state share handles and snapshot (a {@link Base}), until a change advances the epoch or the state is
 * {@link shareMillis} old, because a snapshot costs as much as a warm read of an entry.
 */
import { type Catalog, type CatalogReadError, type CatalogSnapshot, Geometry, SteadyClock } from "@icecore/catalog"
import { Effect, Exit, Option, Scope } from "effect"
import { ViewExpired, ViewsExhausted } from "../History.ts"
import type { StorageError } from "../StorageError.ts"
import type { HotHandle, HotHandles, HotSet } from "./HotSet.ts"
import type * as LogState from "./LogState.ts"
import type { PackCache } from "./PackCache.ts"
import type { ViewEpoch } from "./ViewEpoch.ts"

/** How long new views share a state that did not change. */
const shareMillis = 10_000

/** Chunks whose route is remembered with a state. */
const maxRoutes = 4_096

/** Where a chunk is read. */
export type Route =
  | { readonly _tag: "Cold" }
  | { readonly _tag: "Hot"; readonly handle: HotHandle<StorageError> }
  | { readonly _tag: "Unavailable" }

const cold: Route = { _tag: "Cold" }
const unavailable: Route = { _tag: "Unavailable" }

/** The one place that decides it: frozen in the snapshot, else hot, else nowhere. */
export const routeOf = (known: {
  readonly isFrozen: boolean
  readonly hot: HotHandle<StorageError> | undefined
}): Route => {
  if (known.isFrozen) return cold
  return known.hot === undefined ? unavailable : { _tag: "Hot", handle: known.hot }
}

/** One state of the store, shared by the views that were opened on it. */
export interface Base {
  readonly openedMillis: number
  readonly hot: ReadonlyMap<Geometry.ChunkId, HotHandle<StorageError>>
  readonly snapshot: CatalogSnapshot
}

export interface View {
  readonly base: Base
  /** Lowest seq that the view reads, inclusive. */
  readonly floor: number
  /** One behind the highest seq that the view reads. */
  readonly nextSeq: number
  /** Where a chunk is read: always the same of one view. */
  readonly route: (chunk: Geometry.ChunkId) => Effect.Effect<Route, CatalogReadError>
  /** Fails once the view is too old. For reads that take long, asked before each step. */
  readonly check: Effect.Effect<void, ViewExpired>
}

export interface ViewsOptions {
  readonly state: LogState.LogState
  readonly hotSet: HotSet<StorageError>
  readonly catalog: Catalog.Catalog
  readonly epoch: ViewEpoch
  readonly packs: Pick<PackCache<StorageError>, "drop">
  /** Views open at once. Default 256. */
  readonly maxCount?: number
  /** Milliseconds for which a view may be read. Default 300,000. */
  readonly maxAgeMillis?: number
}

export interface Views {
  /** Runs a read on a view. */
  readonly use: <A, E, R>(
    read: (view: View) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | ViewsExhausted | CatalogReadError, R>
  /** The same for the store's own work, which counts against no limit. */
  readonly useInside: <A, E, R>(
    read: (view: View) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | CatalogReadError, R>
  /** A view for the scope. */
  readonly open: Effect.Effect<View, ViewsExhausted | CatalogReadError, Scope.Scope>
  /** The same for the store's own work, which counts against no limit. */
  readonly openInside: Effect.Effect<View, CatalogReadError, Scope.Scope>
  /** Views that are open, those of the store's own work aside. */
  readonly count: () => number
  /**
   * Milliseconds of `SteadyClock`: whatever was demoted before is reached by no view that is open and not expired, nor by one that is opened
   * later. None while no view is open.
   */
  readonly oldestOpenedMillis: Effect.Effect<Option.Option<number>>
}

interface OwnedBase extends Base {
  readonly handles: HotHandles<StorageError>
  readonly scope: Scope.Closeable
  readonly routes: Map<Geometry.ChunkId, Route>
  viewCount: number
  /** When the youngest of its views was opened. */
  joinedMillis: number
}

/** Views of a store. What they share is given back with the scope. */
export const make = (options: ViewsOptions): Effect.Effect<Views, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { state, hotSet, catalog, epoch, packs } = options
    const maxCount = options.maxCount ?? 256
    const maxAgeMillis = options.maxAgeMillis ?? 300_000
    const bases = new Set<OwnedBase>()
    let current: OwnedBase | undefined
    let epochNumber = 0
    let count = 0
    let { floor } = state

    /** Packs that no view reads any more are not kept open: their space is to be free once they are removed. */
    const dropPruned: Effect.Effect<void> = Effect.suspend(() => {
      if (state.floor === floor) return Effect.void
      floor = state.floor
      const floorChunk = Geometry.chunkOf(state.geometry, floor)
      return packs.drop((chunk) => chunk < floorChunk)
    })

    const close = (base: OwnedBase): Effect.Effect<void> =>
      Effect.suspend(() => {
        bases.delete(base)
        base.handles.releaseUnsafe()
        return Scope.close(base.scope, Exit.void)
      })

    const retire: Effect.Effect<void> = Effect.suspend(() => {
      const base = current
      current = undefined
      return base !== undefined && base.viewCount === 0 ? close(base) : Effect.void
    })

    const advance: Effect.Effect<void> = Effect.uninterruptible(
      Effect.suspend(() => {
        epochNumber++
        return Effect.andThen(retire, dropPruned)
      })
    )

    const take = Effect.fnUntraced(function* (openedMillis: number): Effect.fn.Return<OwnedBase, CatalogReadError> {
      const handles = hotSet.takeUnsafe()
      const scope = Scope.makeUnsafe()
      const exit = yield* Effect.exit(Scope.provide(catalog.snapshot, scope))
      if (Exit.isFailure(exit)) {
        handles.releaseUnsafe()
        yield* Scope.close(scope, exit)
      }
      const snapshot = yield* exit
      const base = {
        openedMillis,
        handles,
        hot: handles.byChunk,
        snapshot,
        scope,
        viewCount: 0,
        joinedMillis: openedMillis
      }
      return { ...base, routes: new Map() }
    })

    /** A view on a state that is still the present one when it has been taken. */
    const takePresent = Effect.fnUntraced(function* (nowMillis: number): Effect.fn.Return<View, CatalogReadError> {
      for (;;) {
        const number = epochNumber
        const { nextSeq } = state
        const base = yield* take(nowMillis)
        yield* retire
        if (number === epochNumber) {
          bases.add(base)
          current = base
          return join(base, nextSeq, nowMillis)
        }
        base.handles.releaseUnsafe()
        yield* Scope.close(base.scope, Exit.void)
      }
    })

    const viewOf = (base: OwnedBase, nextSeq: number, openedMillis: number): View => ({
      base,
      floor: state.floor,
      nextSeq,
      route: (chunk) => {
        const known = base.routes.get(chunk)
        return known === undefined ? findRoute(base, chunk) : Effect.succeed(known)
      },
      check: Effect.flatMap(SteadyClock.currentMillis, (nowMillis) => {
        const ageMillis = nowMillis - openedMillis
        return ageMillis > maxAgeMillis
          ? Effect.fail(new ViewExpired({ ageMillis, limitMillis: maxAgeMillis }))
          : Effect.void
      })
    })

    const join = (base: OwnedBase, nextSeq: number, nowMillis: number): View => {
      base.viewCount++
      base.joinedMillis = nowMillis
      return viewOf(base, nextSeq, nowMillis)
    }

    const enter: Effect.Effect<View, CatalogReadError> = Effect.clockWith((clock) => {
      const nowMillis = SteadyClock.currentMillisUnsafe(clock)
      const { nextSeq } = state
      return current !== undefined && nowMillis - current.openedMillis < shareMillis
        ? Effect.succeed(join(current, nextSeq, nowMillis))
        : takePresent(nowMillis)
    })

    const leave = (view: View): Effect.Effect<void> =>
      Effect.suspend(() => {
        const base = view.base as OwnedBase
        return --base.viewCount === 0 && base !== current ? close(base) : Effect.void
      })

    const enterCounted = Effect.suspend((): Effect.Effect<View, ViewsExhausted | CatalogReadError> => {
      if (count >= maxCount) return Effect.fail(new ViewsExhausted({ limit: maxCount }))
      count++
      return Effect.onError(enter, () =>
        Effect.sync(() => {
          count--
        })
      )
    })

    const leaveCounted = (view: View): Effect.Effect<void> => {
      count--
      return leave(view)
    }

    const oldestOpenedMillis = Effect.flatMap(SteadyClock.currentMillis, (nowMillis) =>
      Effect.map(advance, () => {
        const open = [...bases].filter((base) => nowMillis - base.joinedMillis <= maxAgeMillis)
        return open.length === 0 ? Option.none() : Option.some(Math.min(...open.map((base) => base.openedMillis)))
      })
    )

    epoch.connect({ advance, oldestOpenedMillis })
    yield* Effect.addFinalizer(() => advance)

    return {
      use: (read) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(enterCounted, (view) => Effect.onExit(restore(read(view)), () => leaveCounted(view)))
        ),
      useInside: (read) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(enter, (view) => Effect.onExit(restore(read(view)), () => leave(view)))
        ),
      open: Effect.uninterruptible(Effect.tap(enterCounted, (view) => Effect.addFinalizer(() => leaveCounted(view)))),
      openInside: Effect.uninterruptible(Effect.tap(enter, (view) => Effect.addFinalizer(() => leave(view)))),
      count: () => count,
      oldestOpenedMillis
    }
  })

const findRoute = (base: OwnedBase, chunk: Geometry.ChunkId): Effect.Effect<Route, CatalogReadError> =>
  Effect.map(base.snapshot.artifactState(chunk, "entries"), (artifact) => {
    const route = routeOf({ isFrozen: Option.contains(artifact, "frozen"), hot: base.hot.get(chunk) })
    if (base.routes.size >= maxRoutes) base.routes.clear()
    base.routes.set(chunk, route)
    return route
  })
