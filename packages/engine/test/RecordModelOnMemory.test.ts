import { CrashRecorder } from "@icecore/packfile/testing"
import { Effect } from "effect"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import { crashIn } from "./RecordCrashes.ts"
import { describeRecordModel } from "./RecordModelSuite.ts"

describeRecordModel("MemoryEngine", (run) =>
  Effect.suspend(() => {
    const recorder = CrashRecorder.make()
    return Effect.provide(run({ path: "/model", crash: crashIn(recorder) }), MemoryEngine.layerCrashing(recorder))
  })
)
