/**
 * `icecore diff`: what differs between two syncs, printed, or as a sync of its own.
 */
import { Compactor, type CompactorError, SyncDiff } from "@icecore/compactor"
import { type Archive, type RecordComparison, SyncChange } from "@icecore/engine"
import { Effect, Option } from "effect"
import { Command } from "effect/cli"
import type { CliCommand } from "../CliServices.ts"
import { jsonFlag } from "../CommonFlags.ts"
import * as Output from "../Output.ts"
import * as DiffReport from "../records/DiffReport.ts"
import * as RecordArguments from "../records/RecordArguments.ts"
import { dryRunFlag, limitsFlag, ndjsonFlag, typesFlag } from "../records/RecordFlags.ts"
import * as RecordProgress from "../records/RecordProgress.ts"
import * as RecordServices from "../records/RecordServices.ts"
import * as ResultStore from "../records/ResultStore.ts"
import * as SyncSources from "../records/SyncSources.ts"
import * as TransferReport from "../records/TransferReport.ts"
import * as WorkingStore from "../records/WorkingStore.ts"

interface DiffInput extends ResultStore.ResultInput {
  readonly base: string
  readonly applied: string
  readonly "sync-base": Option.Option<string>
  readonly "sync-applied": Option.Option<string>
  readonly type: ReadonlyArray<string>
  readonly ignore: ReadonlyArray<string>
  readonly list: boolean
  readonly "dry-run": boolean
  readonly "max-decoded-size": Archive.ArchiveLimits
  readonly json: boolean
  readonly ndjson: boolean
}

export const diffCommand: CliCommand<"diff"> = Command.make(
  "diff",
  {
    base: DiffReport.sideArgument("base", "What was"),
    applied: DiffReport.sideArgument("applied", "What is"),
    "sync-base": DiffReport.sideSyncFlag("base"),
    "sync-applied": DiffReport.sideSyncFlag("applied"),
    type: typesFlag,
    ignore: DiffReport.ignoreFlag,
    list: DiffReport.listFlag,
    ...ResultStore.flags,
    "dry-run": dryRunFlag,
    "max-decoded-size": limitsFlag,
    json: jsonFlag,
    ndjson: ndjsonFlag
  },
  Effect.fnUntraced(
    function* (input: DiffInput) {
      const place = yield* ResultStore.find(input)
      if (Option.isSome(place) && input.type.length > 0)
        return yield* new RecordArguments.RecordArgumentInvalid({
          argument: "--type",
          detail: "a diff that is kept has all types; it goes without --into and --output"
        })
      const names = [
        { path: input.base, sync: input["sync-base"], flag: "--sync-base=" },
        { path: input.applied, sync: input["sync-applied"], flag: "--sync-applied=" }
      ]
      const isKept = Option.isSome(place) && !input["dry-run"]
      const sources = yield* SyncSources.open(names, {
        limits: input["max-decoded-size"],
        into: isKept && Option.isSome(place.value.existing) ? input.into : Option.none()
      })
      if (isKept) return yield* keep(input, place.value, sources)
      const sides = yield* sources.choose(Option.none())
      const options = optionsOf(input, sides)
      if (Option.isSome(place)) yield* requirePlan(place.value, sides)
      yield* Option.isSome(place) ? printPlan(input, place.value, options) : DiffReport.print({ ...options, ...input })
    },
    Effect.scoped,
    Effect.provide(RecordServices.layer)
  )
).pipe(
  Command.withDescription("Compare two syncs record by record, or make a sync of what differs"),
  Command.withExamples([
    {
      command: "icecore diff monday.icearch tuesday.icearch --ignore=discovered_at",
      description: "Prints what differs; exits 1 when anything does"
    },
    {
      command: "icecore diff monday.icearch tuesday.icearch --output=changes.icearch",
      description: "Makes a partial sync: merged with monday it gives tuesday"
    }
  ])
)

const optionsOf = (
  { ignore: ignored, type: types }: DiffInput,
  [base, applied]: ReadonlyArray<SyncSources.SyncSource>
): Omit<DiffReport.DiffReportOptions, "each"> => ({
  left: { name: "base", path: base!.path, reader: base!.source.reader, run: base!.run },
  right: { name: "applied", path: applied!.path, reader: applied!.source.reader, run: applied!.run },
  types,
  ignored
})

/** How the differences themselves are printed. */
const eachOf = ({ json, list, ndjson }: DiffInput): DiffReport.DiffReportOptions["each"] =>
  ndjson ? "ndjson" : list && !json ? "lines" : "none"

/** Refuses sides that no difference can be made of. */
const requirePlan = (
  { path }: ResultStore.ResultPlace,
  sides: ReadonlyArray<SyncSources.SyncSource>
): Effect.Effect<void, CompactorError> => {
  const [base, applied] = sides.map(({ run, source }) => ({ source, syncId: run.sync_id }))
  return Effect.asVoid(Compactor.make().planDiff({ base: base!, applied: applied!, into: { path } }))
}

/** What would be in the sync: it is compared for that, as it is when it is made. */
const printPlan = Effect.fnUntraced(function* (
  input: DiffInput,
  { path }: ResultStore.ResultPlace,
  options: Omit<DiffReport.DiffReportOptions, "each">
) {
  const types = yield* DiffReport.compare({ ...options, each: eachOf(input) })
  const { left, right } = options
  if (input.json)
    return yield* Output.writeJson({
      dryRun: true,
      base: DiffReport.sideOf(left),
      applied: DiffReport.sideOf(right),
      types,
      into: path
    })
  const line = `Would make a sync of type ${SyncDiff.defaultDiffType} in ${path}: ${describe(types)}\n`
  if (input.ndjson) return yield* Output.writeError(line)
  yield* Output.write(DiffReport.table(options, types))
  yield* Output.write(line)
})

/** Makes the sync. What differs is listed before, when it is asked for, which reads both sides once more. */
const keep = Effect.fnUntraced(function* (
  input: DiffInput,
  place: ResultStore.ResultPlace,
  sources: SyncSources.SyncSources
) {
  const changes = { path: "a diff", types: [SyncChange.SyncChange] }
  const types = yield* ResultStore.typesWith(place, [...sources.types, changes])
  yield* DiffReport.checkIgnored(types, input.ignore)
  // What is refused must not leave a store that was made for it.
  if (Option.isNone(place.existing)) yield* requirePlan(place, yield* sources.choose(Option.none()))
  const target = yield* ResultStore.open(place, types, 2)
  const sides = yield* sources.choose(Option.some(target.source))
  const options = optionsOf(input, sides)
  const each = eachOf(input)
  if (each !== "none") yield* DiffReport.compare({ ...options, each })
  let records = 0
  const [base, applied] = sides.map(({ run, source }) => ({ source, syncId: run.sync_id }))
  const work = Compactor.make().diff({
    base: base!,
    applied: applied!,
    into: target.store,
    ignoredFields: input.ignore,
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
  yield* print(input, place, options, report, saved)
})

const print = Effect.fnUntraced(function* (
  { json, ndjson }: DiffInput,
  { path }: ResultStore.ResultPlace,
  { left, right }: Pick<DiffReport.DiffReportOptions, "left" | "right">,
  { run, types }: SyncDiff.DiffReport,
  saved: Option.Option<WorkingStore.Saved>
) {
  if (json)
    return yield* Output.writeJson({
      base: DiffReport.sideOf(left),
      applied: DiffReport.sideOf(right),
      types,
      into: path,
      run: TransferReport.runOf(run),
      output: Option.getOrNull(saved)
    })
  const line = `Made sync ${run.sync_id} of ${path} (${TransferReport.describeRun(run)}): ${describe(types)}\n`
  if (ndjson) return yield* Output.writeError(line)
  yield* Output.write(DiffReport.table({ left, right }, types))
  yield* Output.write(line)
  if (Option.isSome(saved)) yield* Output.writeLine(WorkingStore.describe(saved.value))
})

const describe = (types: ReadonlyArray<RecordComparison.TypeSummary>): string => {
  const changes = DiffReport.countOf(types)
  const removed = types.reduce((sum, { removedCount }) => sum + removedCount, 0)
  return `${Output.formatCount(changes - removed)} records, ${Output.formatCount(changes)} changes`
}
