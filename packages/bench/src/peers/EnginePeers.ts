/**
 * The engines, each beside the library it stands on.
 */
import type { Engine } from "@icecore/engine"
import { layer as lmdbLayer } from "@icecore/engine/lmdb"
import { layer as sqliteLayer } from "@icecore/engine/sqlite"
import { LiveDisk } from "@icecore/packfile/live"
import { Layer } from "effect"
import type { BareLibrary } from "./Bare.ts"
import { bareLmdb } from "./BareLmdb.ts"
import { bareSqlite } from "./BareSqlite.ts"

export interface EnginePeer {
  /** `sqlite` or `lmdb`, as rows are named. */
  readonly name: string
  readonly engine: Layer.Layer<Engine>
  readonly bare: BareLibrary
}

export const enginePeers: ReadonlyArray<EnginePeer> = [
  { name: "sqlite", engine: Layer.provide(sqliteLayer, LiveDisk.layer), bare: bareSqlite },
  { name: "lmdb", engine: Layer.provide(lmdbLayer, LiveDisk.layer), bare: bareLmdb }
]
