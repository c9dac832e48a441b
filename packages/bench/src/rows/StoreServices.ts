/**
 * What a store is built on, as the daemon builds it.
 */
import { availableParallelism } from "node:os"
import { HotEngine } from "@icecore/catalog"
import { ZstdLive } from "@icecore/codec"
import { NdjsonDomain, type Store, WorkerPool } from "@icecore/daemon"
import type { Engine } from "@icecore/engine"
import { LiveDisk } from "@icecore/packfile/live"
import { Layer } from "effect"

/** Threads that the daemon freezes with when nothing is configured. */
const workers = Math.max(1, Math.min(2, availableParallelism() - 1))

/** One engine for hot databases and catalog, and worker threads. */
export const storeServices = (
  engine: Layer.Layer<Engine>,
  domain: NdjsonDomain.NdjsonOptions = {}
): Layer.Layer<Store.StoreServices> =>
  Layer.merge(WorkerPool.layer({ workers }), HotEngine.layer).pipe(
    Layer.provideMerge(Layer.mergeAll(LiveDisk.layer, ZstdLive.layer, NdjsonDomain.layerWith(domain))),
    Layer.provideMerge(engine)
  )
