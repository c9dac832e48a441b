/** The model test of the record store as each engine runs it: one file an engine, so that they run beside each other. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, References } from "effect"
import type { Engine } from "../src/Engine.ts"
import { type RecordStoreModelOptions, type RecordStoreModelReport, recordStoreModel } from "../src/testing/index.ts"

/** `ICECORE_RECORD_SEED` replays the seeds that failures named, `ICECORE_RECORD_OPERATIONS` up to where they did. */
const seeds = process.env.ICECORE_RECORD_SEED?.split(",").map(Number) ?? [1]
const operations = Number(process.env.ICECORE_RECORD_OPERATIONS ?? 10_000)

/** Some 25 seconds of a processor; other work on the machine stretches it. */
const timeoutMillis = 900_000

/** Every kind of operation that must have been done, often enough. */
const requireAll = (report: RecordStoreModelReport, kinds: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (operations >= 10_000) for (const kind of kinds) assert.isAbove(report[kind] ?? 0, 0, kind)
    return process.env.ICECORE_SHOW_FIGURES === undefined ? Effect.void : Effect.logWarning(report)
  })

const everyKind = [
  ...["put", "put many", "putIfNewer", "delete", "deleteMany", "startSync", "resumeSync", "checkpointSync", "endSync"],
  ...["flush", "cleanup", "cleanup, dry", "get", "list", "token", "currentSync", "runs", "check", "compare", "reopen"]
]

/** Changes in which some crash must have come. */
const crashKinds = ["put", "putIfNewer", "delete", "deleteMany", "startSync", "resumeSync", "checkpointSync", "endSync"]

/** `make` says where the store lies and how it crashes, for one run of its own, and provides its engine. */
export const describeRecordModel = (
  engineName: string,
  make: (
    run: (options: Pick<RecordStoreModelOptions, "crash" | "path">) => Effect.Effect<void, unknown, Engine>
  ) => Effect.Effect<void, unknown>
): void => {
  describe("recordStoreModel", () => {
    for (const seed of seeds)
      it.live(
        `agrees with a store on ${engineName} over ${operations} operations of seed ${seed}`,
        () =>
          make((options) =>
            Effect.flatMap(recordStoreModel({ ...options, seed, operations }), (report) =>
              requireAll(report, [
                ...everyKind,
                ...(options.crash === undefined ? [] : crashKinds.map((kind) => `crash in ${kind}`))
              ])
            )
          ).pipe(Effect.provideService(References.MinimumLogLevel, "Error")),
        timeoutMillis
      )
  })
}
