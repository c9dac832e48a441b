import * as MemoryEngine from "@icecore/engine/memory"
import { LiveDisk } from "@icecore/packfile/live"
import { Layer } from "effect"
import * as HotEngine from "../src/HotEngine.ts"
import { catalogSuite } from "./suite/CatalogSuite.ts"

catalogSuite("MemoryEngine", HotEngine.layer.pipe(Layer.provideMerge(MemoryEngine.layer), Layer.merge(LiveDisk.layer)))
