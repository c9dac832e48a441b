/**
 * Where a worker thread of the pool begins: its own disk and zstd, and the domain that the calling thread names.
 *
 * zstd is synchronous here: the thread has nothing else to do meanwhile.
 */
import { ZstdLive } from "@icecore/codec"
import { LiveDisk } from "@icecore/packfile/live"
import { Layer } from "effect"
import type { FromWorker, ToWorker } from "../internal/work/Protocol.ts"
import * as SynchronousZstd from "../internal/work/SynchronousZstd.ts"
import * as WorkerSide from "../internal/work/WorkerSide.ts"
import * as GarbageCollection from "../live/GarbageCollection.ts"
import * as WorkerParent from "../live/WorkerParent.ts"

const parent = WorkerParent.open<ToWorker, FromWorker>()

if (parent !== undefined)
  WorkerSide.serve(parent, {
    services: Layer.merge(LiveDisk.layer, Layer.provide(SynchronousZstd.layer, ZstdLive.layer)),
    collectGarbage: GarbageCollection.collect
  })
