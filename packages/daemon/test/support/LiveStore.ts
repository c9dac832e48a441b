/** A store in real files for tests, on either engine. */

import { HotEngine } from "@icecore/catalog"
import { ZstdLive } from "@icecore/codec"
import type { Engine } from "@icecore/engine"
import * as LmdbEngine from "@icecore/engine/lmdb"
import * as SqliteEngine from "@icecore/engine/sqlite"
import type { Disk } from "@icecore/packfile"
import { LiveDisk } from "@icecore/packfile/live"
import { Layer } from "effect"
import * as ArtifactWork from "../../src/ArtifactWork.ts"
import type { Domain } from "../../src/Domain.ts"
import * as NdjsonDomain from "../../src/domain/NdjsonDomain.ts"
import * as WorkerPool from "../../src/live/WorkerPool.ts"
import type * as Store from "../../src/Store.ts"

export { directory } from "./LiveDirectory.ts"

export type EngineName = "sqlite" | "lmdb"

export const engineNames: ReadonlyArray<EngineName> = ["sqlite", "lmdb"]

const engineLayers: Record<EngineName, Layer.Layer<Engine, unknown, Disk>> = {
  sqlite: SqliteEngine.layer,
  lmdb: LmdbEngine.layer
}

/** What a store needs, over real files, with so many worker threads. */
export const services = (
  name: EngineName,
  domain: Layer.Layer<Domain> = NdjsonDomain.layer,
  workers = 0
): Layer.Layer<Store.StoreServices> =>
  (workers === 0 ? ArtifactWork.layerInline : WorkerPool.layer({ workers })).pipe(
    Layer.merge(HotEngine.layer),
    Layer.provideMerge(engineLayers[name]),
    Layer.provideMerge(LiveDisk.layer),
    Layer.provideMerge(ZstdLive.layer),
    Layer.provideMerge(domain),
    Layer.orDie
  )
