import * as LmdbEngine from "@icecore/engine/lmdb"
import { LiveDisk } from "@icecore/packfile/live"
import { Layer } from "effect"
import * as HotEngine from "../src/HotEngine.ts"
import { catalogSuite } from "./suite/CatalogSuite.ts"

catalogSuite(
  "LmdbEngine",
  HotEngine.layer.pipe(Layer.provideMerge(LmdbEngine.layer), Layer.provideMerge(LiveDisk.layer))
)
