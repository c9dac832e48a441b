/**
 * `icecore merge`: makes one sync of many, in which the newest of each record wins.
 */
import { Compactor, Merge, type Throttle } from "@icecore/compactor"
import type { Archive, RecordType } from "@icecore/engine"
import { Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import type { CliCommand } from "../CliServices.ts"
import { jsonFlag } from "../CommonFlags.ts"
import * as Output from "../Output.ts"
import * as RecordArguments from "../records/RecordArguments.ts"
import { dryRunFlag, limitsFlag, rateFlag } from "../records/RecordFlags.ts"
import * as RecordProgress from "../records/RecordProgress.ts"
import * as RecordServices from "../records/RecordServices.ts"
import * as ResultStore from "../records/ResultStore.ts"
import * as SyncOutlines from "../records/SyncOutlines.ts"
import * as SyncSources from "../records/SyncSources.ts"
import * as TransferReport from "../records/TransferReport.ts"
import * as WorkingStore from "../records/WorkingStore.ts"
import * as Table from "../Table.ts"

const syncTypeFlag = Flag.String("sync-type").pipe(
  Flag.withDescription("What kind of sync the result is (default full; partial_merge where all sources are partial)"),
  Flag.optional
)

interface MergeInput extends ResultStore.ResultInput {
  readonly source: ReadonlyArray<string>
  readonly "sync-type": Option.Option<string>
  readonly rate: Throttle.ThrottleOptions
  readonly "dry-run": boolean
  readonly "max-decoded-size": Archive.ArchiveLimits
  readonly json: boolean
}

export const mergeCommand: CliCommand<"merge"> = Command.make(
  "merge",
  {
    source: Argument.String("source").pipe(
      Argument.withDescription(
        "Archives of any kind and directories of record stores, oldest first; PATH#ID is a sync that is named (default: the one that ended last)"
      ),
      Argument.variadic({ min: 1 })
    ),
    ...ResultStore.flags,
    "sync-type": syncTypeFlag,
    rate: rateFlag,
    "dry-run": dryRunFlag,
    "max-decoded-size": limitsFlag,
    json: jsonFlag
  },
  Effect.fnUntraced(
    function* (input: MergeInput) {
      const place = yield* Effect.flatMap(ResultStore.find(input), requirePlace)
      const names = yield* Effect.forEach(input.source, SyncSources.parse)
      // What is refused must not leave a store that was made for it.
      const isPlanned = input["dry-run"] || Option.isNone(place.existing)
      const sources = yield* SyncSources.open(names, {
        limits: input["max-decoded-size"],
        into: isPlanned ? Option.none() : input.into
      })
      const types = yield* ResultStore.typesWith(place, sources.types)
      if (isPlanned) {
        const plan = yield* planOf(input, place, sources, types)
        if (input["dry-run"]) return yield* printPlan(input, place, plan)
      }
      const target = yield* ResultStore.open(place, types, names.length)
      const chosen = yield* sources.choose(Option.some(target.source))
      let records = 0
      const work = Compactor.make(input.rate).merge({
        sources: chosen.map(({ run, source }) => ({ source, syncId: run.sync_id })),
        into: target.store,
        ...typeOf(input),
        onProgress: ({ rowCount }) =>
          Effect.sync(() => {
            records = rowCount
          })
      })
      const { report, saved } = yield* ResultStore.finish(
        place,
        target,
        RecordProgress.during(work, () => records)
      )
      yield* print(input, place, report, saved)
    },
    Effect.scoped,
    Effect.provide(RecordServices.layer)
  )
).pipe(
  Command.withDescription("Make one sync of many: of each record the newest"),
  Command.withExamples([
    { command: "icecore merge full.icearch monday.icearch tuesday.icearch --into store", description: "Oldest first" },
    { command: "icecore merge old.c1z#… new.c1z --output=both.icearch", description: "A certain sync of the first" }
  ])
)

const requirePlace = (
  place: Option.Option<ResultStore.ResultPlace>
): Effect.Effect<ResultStore.ResultPlace, RecordArguments.RecordArgumentInvalid> =>
  Effect.mapError(
    Effect.fromOption(place),
    () =>
      new RecordArguments.RecordArgumentInvalid({
        argument: "icecore merge",
        detail: "the result needs a place: --into=DIRECTORY or --output=FILE"
      })
  )

const typeOf = (input: MergeInput): { readonly type?: string } =>
  Option.match(input["sync-type"], { onNone: () => ({}), onSome: (type) => ({ type }) })

const planOf = Effect.fnUntraced(function* (
  input: MergeInput,
  { path }: ResultStore.ResultPlace,
  sources: SyncSources.SyncSources,
  types: ReadonlyArray<RecordType.Any>
) {
  const chosen = yield* sources.choose(Option.none())
  const outlines = yield* Effect.forEach(chosen, ({ run, source }) => SyncOutlines.read(source, run.sync_id))
  return yield* Effect.fromResult(Merge.plan({ sources: outlines, into: { path, types }, ...typeOf(input) }))
})

const printPlan = Effect.fnUntraced(function* (
  { json }: MergeInput,
  { path }: ResultStore.ResultPlace,
  plan: Merge.MergePlan
) {
  const { bytes, changeCount, groups, inputs, recordCount, type, types } = plan
  if (json)
    return yield* Output.writeJson({
      dryRun: true,
      into: path,
      plan: {
        ...plan,
        inputs: inputs.map((each) => ({ ...each, run: TransferReport.runOf(each.run) })),
        types: types.map((each) => ({ ...each, type: each.type.name }))
      }
    })
  yield* Output.write(
    Table.render(
      [
        { name: "source" },
        { name: "sync" },
        { name: "run" },
        { name: "records", align: "right" },
        { name: "changes", align: "right" }
      ],
      inputs.map((each) => [
        each.path,
        each.run.sync_id,
        TransferReport.describeRun(each.run),
        Output.formatCount(each.recordCount),
        Output.formatCount(each.changeCount)
      ])
    )
  )
  yield* Output.writeLine(
    `Would merge ${Output.formatCount(recordCount)} records and ${Output.formatCount(changeCount)} changes ` +
      `(about ${Output.formatBytes(Math.round(bytes))}) into a sync of type ${type} in ${path}` +
      (groups.length === 1 ? "" : `, in ${groups.length} groups`)
  )
})

const print = Effect.fnUntraced(function* (
  { json, source }: MergeInput,
  { path }: ResultStore.ResultPlace,
  { run, types }: Merge.MergeReport,
  saved: Option.Option<WorkingStore.Saved>
) {
  if (json)
    return yield* Output.writeJson({
      sources: source,
      into: path,
      run: TransferReport.runOf(run),
      types,
      output: Option.getOrNull(saved)
    })
  yield* Output.write(
    Table.render(
      [
        { name: "type" },
        ...["read", "superseded", "removed", "written"].map((name): Table.Column => ({ name, align: "right" }))
      ],
      types.map(({ readCount, removedCount, supersededCount, type, writtenCount }) => [
        type,
        ...[readCount, supersededCount, removedCount, writtenCount].map(Output.formatCount)
      ])
    )
  )
  yield* Output.writeLine(
    `Merged ${source.length === 1 ? "1 source" : `${source.length} sources`} into sync ${run.sync_id} of ${path} (${TransferReport.describeRun(run)})`
  )
  if (Option.isSome(saved)) yield* Output.writeLine(WorkingStore.describe(saved.value))
})
