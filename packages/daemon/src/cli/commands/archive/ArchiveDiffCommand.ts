/**
 * `icecore archive diff`: what differs between two syncs, of one archive or store or of two. `icecore diff` says the same, and makes a
 * sync of it.
 */
import { Effect } from "effect"
import { Command } from "effect/cli"
import type { CliCommand } from "../../CliServices.ts"
import { jsonFlag } from "../../CommonFlags.ts"
import * as DiffReport from "../../records/DiffReport.ts"
import * as RecordArguments from "../../records/RecordArguments.ts"
import { limitsFlag, ndjsonFlag, typesFlag } from "../../records/RecordFlags.ts"
import * as RecordServices from "../../records/RecordServices.ts"
import * as RecordSource from "../../records/RecordSource.ts"

export const archiveDiffCommand: CliCommand<"diff"> = Command.make(
  "diff",
  {
    a: DiffReport.sideArgument("a", "What was"),
    b: DiffReport.sideArgument("b", "What is"),
    "sync-a": DiffReport.sideSyncFlag("a"),
    "sync-b": DiffReport.sideSyncFlag("b"),
    type: typesFlag,
    ignore: DiffReport.ignoreFlag,
    list: DiffReport.listFlag,
    "max-decoded-size": limitsFlag,
    json: jsonFlag,
    ndjson: ndjsonFlag
  },
  Effect.fnUntraced(
    function* (input) {
      const { ignore: ignored, json, list, ndjson, type: types } = input
      const a = yield* RecordSource.open(input.a, input["max-decoded-size"])
      const b = yield* RecordSource.open(input.b, input["max-decoded-size"])
      const runOfA = yield* RecordArguments.chooseSync(a.reader, input["sync-a"], "--sync-a=")
      const runOfB = yield* RecordArguments.chooseSync(b.reader, input["sync-b"], "--sync-b=")
      yield* DiffReport.print({
        left: { name: "a", path: input.a, reader: a.reader, run: runOfA },
        right: { name: "b", path: input.b, reader: b.reader, run: runOfB },
        types,
        ignored,
        list,
        json,
        ndjson
      })
    },
    Effect.scoped,
    Effect.provide(RecordServices.layer)
  )
).pipe(
  Command.withDescription("Compare two syncs record by record; exits 1 when they differ"),
  Command.withExamples([
    {
      command: "icecore archive diff monday.icearch tuesday.icearch --ignore=discovered_at",
      description: "Two archives"
    },
    { command: "icecore archive diff store store --sync-a=… --sync-b=… --list", description: "Two syncs of one store" }
  ])
)
