import * as path from "node:path"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer } from "effect"
import * as LmdbEngine from "../src/live/LmdbEngine.ts"
import { describeRecordModel } from "./RecordModelSuite.ts"
import { temporaryDirectory } from "./RuntimesSuite.ts"

describeRecordModel("LmdbEngine", (run) =>
  Effect.flatMap(temporaryDirectory, (directory) => run({ path: path.join(directory, "db") })).pipe(
    Effect.scoped,
    Effect.provide(Layer.provide(LmdbEngine.layer, LiveDisk.layer))
  )
)
