import * as path from "node:path"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer } from "effect"
import * as SqliteEngine from "../src/live/SqliteEngine.ts"
import { describeRecordModel } from "./RecordModelSuite.ts"
import { temporaryDirectory } from "./RuntimesSuite.ts"

describeRecordModel("SqliteEngine", (run) =>
  Effect.flatMap(temporaryDirectory, (directory) => run({ path: path.join(directory, "db") })).pipe(
    Effect.scoped,
    Effect.provide(Layer.provide(SqliteEngine.layer, LiveDisk.layer))
  )
)
