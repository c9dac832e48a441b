import * as SqliteEngine from "@icecore/engine/sqlite"
import { LiveDisk } from "@icecore/packfile/live"
import { Layer } from "effect"
import * as HotEngine from "../src/HotEngine.ts"
import { catalogSuite } from "./suite/CatalogSuite.ts"

catalogSuite(
  "SqliteEngine",
  HotEngine.layer.pipe(Layer.provideMerge(SqliteEngine.layer), Layer.provideMerge(LiveDisk.layer))
)
