/** A store in real files for tests, on either engine. */

import { HotEngine } from "@icecore/catalog"
import { ZstdLive } from "@icecore/codec"
import type { Engine } from "@icecore/engine"
import * as LmdbEngine from "@icecore/engine/lmdb"
import * as SqliteEngine from "@icecore/engine/sqlite"
import type { Disk } from "@icecore/packfile"
import { LiveDisk } from "@icecore/packfile/live"
import { Layer } from "effect"
import * as NdjsonDomain from "../../src/domain/NdjsonDomain.ts"
import type * as Store from "../../src/Store.ts"

export { directory } from "./LiveDirectory.ts"

export type EngineName = "sqlite" | "lmdb"

export const engineNames: ReadonlyArray<EngineName> = ["sqlite", "lmdb"]

const engineLayers: Record<EngineName, Layer.Layer<Engine, unknown, Disk>> = {
  sqlite: SqliteEngine.layer,
  lmdb: LmdbEngine.layer
}

/** What a store needs, over real files. */
export const services = (name: EngineName): Layer.Layer<Store.StoreServices> =>
  HotEngine.layer.pipe(
    Layer.provideMerge(engineLayers[name]),
    Layer.provideMerge(LiveDisk.layer),
    Layer.merge(ZstdLive.layer),
    Layer.merge(NdjsonDomain.layer),
    Layer.orDie
  )
