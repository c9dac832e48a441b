/**
 * `icecore compact`: makes a sync of one store or archive exactly what another has of it.
 */
import { Compactor, CompactRefused, type Throttle } from "@icecore/compactor"
import { type Archive, type EngineDetection, type RecordType, SyncRun, SyncTransfer, TypeUnion } from "@icecore/engine"
import { Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import type { CliCommand } from "../CliServices.ts"
import { jsonFlag } from "../CommonFlags.ts"
import * as Output from "../Output.ts"
import * as RecordArguments from "../records/RecordArguments.ts"
import { dryRunFlag, limitsFlag, rateFlag } from "../records/RecordFlags.ts"
import * as RecordProgress from "../records/RecordProgress.ts"
import * as RecordServices from "../records/RecordServices.ts"
import * as RecordSource from "../records/RecordSource.ts"
import * as StoreTarget from "../records/StoreTarget.ts"
import * as SyncOutlines from "../records/SyncOutlines.ts"
import * as TransferReport from "../records/TransferReport.ts"
import * as WorkingStore from "../records/WorkingStore.ts"

const sideArgument = (name: "base" | "source") =>
  Argument.String(name).pipe(
    Argument.withDescription(
      `${name === "base" ? "What is changed" : "Where the sync is taken from"}: an archive, or the directory of a record store`
    )
  )

const syncFlag = Flag.String("sync").pipe(
  Flag.withDescription("The sync of SOURCE (default: the one that ended last)"),
  Flag.withMetavar("ID"),
  Flag.optional
)

const unfinishedFlag = Flag.Boolean("unfinished").pipe(
  Flag.withDescription("Take a sync that has not ended as it is, instead of refusing it; with --sync"),
  Flag.withDefault(false)
)

interface CompactInput {
  readonly base: string
  readonly source: string
  readonly sync: Option.Option<string>
  readonly unfinished: boolean
  readonly output: Option.Option<string>
  readonly encoding: Option.Option<Archive.ArchiveEncoding>
  readonly overwrite: boolean
  readonly rate: Throttle.ThrottleOptions
  readonly "dry-run": boolean
  readonly "max-decoded-size": Archive.ArchiveLimits
  readonly json: boolean
}

export const compactCommand: CliCommand<"compact"> = Command.make(
  "compact",
  {
    base: sideArgument("base"),
    source: sideArgument("source"),
    sync: syncFlag,
    unfinished: unfinishedFlag,
    output: WorkingStore.outputFlag,
    encoding: WorkingStore.encodingFlag,
    overwrite: WorkingStore.overwriteFlag,
    rate: rateFlag,
    "dry-run": dryRunFlag,
    "max-decoded-size": limitsFlag,
    json: jsonFlag
  },
  Effect.fnUntraced(
    function* (input: CompactInput) {
      if (yield* StoreTarget.isSame(input.base, input.source))
        return yield* new CompactRefused({
          operation: "compact",
          base: input.base,
          detail: "the source is the same, expected another"
        })
      if (Option.isSome(input.output)) yield* WorkingStore.checkOutput(input.output.value, input.overwrite)
      const source = yield* RecordSource.open(input.source, input["max-decoded-size"])
      const run = yield* RecordArguments.chooseSync(source.reader, input.sync)
      yield* requireEnd(input, run)
      const incoming = yield* typesWithRecords(source, run)
      const base = yield* lookAt(input, run.sync_id)
      const types = yield* Effect.fromResult(TypeUnion.make([{ path: input.base, types: base.types }, incoming]))
      if (Option.isSome(base.outline)) return yield* printPlan(input, source, run, base.outline.value, types)
      const output = outputOf(input, base, yield* StoreTarget.realPath(input.base))
      const path = Option.isNone(output) ? input.base : yield* WorkingStore.directoryBeside(output.value.path)
      if (Option.isSome(output)) yield* WorkingStore.copy(input.base, path, base.engineName, input["max-decoded-size"])
      const target = yield* StoreTarget.open({ path, engineName: base.engineName, types })
      const report = yield* compact(input, target, source, run)
      const saved = yield* Effect.transposeOption(Option.map(output, (options) => WorkingStore.save(target, options)))
      const savedAs = Option.getOrElse(input.output, () => input.base)
      yield* print(
        input,
        report,
        Option.map(saved, (archive) => ({ ...archive, path: savedAs }))
      )
    },
    Effect.scoped,
    Effect.provide(RecordServices.layer)
  )
).pipe(
  Command.withDescription("Make a sync of a store or an archive exactly what another has of it, at once or not at all"),
  Command.withExamples([
    { command: "icecore compact store monday.icearch", description: "The sync that ended last, into a store" },
    { command: "icecore compact store other --sync=… --dry-run", description: "What would be done" },
    {
      command: "icecore compact old.c1z new.c1z --output=both.icearch",
      description: "Into a copy, which becomes an archive"
    }
  ])
)

/** A sync without an end replaces none by mistake: naming it is not enough. */
const requireEnd = (
  input: CompactInput,
  run: SyncRun.SyncRun
): Effect.Effect<void, RecordArguments.RecordArgumentInvalid> =>
  SyncRun.isFinished(run) || input.unfinished
    ? Effect.void
    : Effect.fail(
        new RecordArguments.RecordArgumentInvalid({
          argument: `--sync=${run.sync_id}`,
          detail: `the sync of ${input.source} has not ended; --unfinished takes it as it is`
        })
      )

/** Only these does the base get that it does not have yet. */
const typesWithRecords = Effect.fnUntraced(function* (
  { path, reader }: RecordSource.RecordSource,
  run: SyncRun.SyncRun
) {
  const { counts } = yield* reader.stats({ sync: run.sync_id })
  return { path, types: reader.types.filter(({ name }) => (counts[name] ?? 0) > 0) }
})

/** What base is, before it is opened for writing. */
interface Base {
  readonly engineName: EngineDetection.EngineOnDisk
  readonly types: ReadonlyArray<RecordType.Any>
  /** Of an archive. */
  readonly encoding: Option.Option<Archive.ArchiveEncoding>
  /** What it has of the sync, where that is all that is asked for. */
  readonly outline: Option.Option<SyncTransfer.SyncOutline>
}

/** Looks at base and closes it again, so that it can be opened for writing. One that could not be changed is refused. */
const lookAt = Effect.fnUntraced(function* (input: CompactInput, sync: SyncRun.SyncId) {
  const base = yield* RecordSource.open(input.base, input["max-decoded-size"])
  const info = Option.getOrUndefined(base.info)
  const isOurs = info === undefined || info.format === "icearch"
  if (!isOurs && Option.isNone(input.output))
    return yield* new WorkingStore.ArchiveReadOnly({ path: input.base, format: info.format })
  if (base.kind === "store" && Option.isNone(input.output) && Option.isSome(input.encoding))
    return yield* new RecordArguments.RecordArgumentInvalid({
      argument: `--encoding=${input.encoding.value}`,
      detail: `${input.base} is a store and stays one; it goes with --output and with archives`
    })
  return {
    engineName: WorkingStore.engineOf(base),
    types: base.reader.types,
    encoding: isOurs ? Option.fromUndefinedOr(info?.manifest.encoding) : Option.none(),
    outline: input["dry-run"] ? Option.some(yield* SyncOutlines.read(base, sync)) : Option.none()
  } satisfies Base
}, Effect.scoped)

/** The archive that the result becomes; none where a store is changed in its place. */
const outputOf = (
  input: CompactInput,
  { encoding }: Base,
  realBase: string
): Option.Option<WorkingStore.SaveOptions> => {
  const isInPlace = Option.isNone(input.output)
  if (isInPlace && Option.isNone(encoding)) return Option.none()
  return Option.some({
    // Behind a link is what is changed; the link stays.
    path: Option.getOrElse(input.output, () => realBase),
    encoding: Option.getOrElse(
      Option.orElse(input.encoding, () => encoding),
      () => "pack" as const
    ),
    overwrite: isInPlace || input.overwrite
  })
}

const compact = Effect.fnUntraced(function* (
  input: CompactInput,
  { store }: StoreTarget.StoreTarget,
  source: RecordSource.RecordSource,
  { sync_id: syncId }: SyncRun.SyncRun
) {
  let rows = 0
  const compactor = Compactor.make(input.rate)
  const work = compactor.compact({
    base: store,
    source,
    syncId,
    unfinished: input.unfinished ? "copy" : "refuse",
    onProgress: ({ rowCount }) =>
      Effect.sync(() => {
        rows = rowCount
      })
  })
  return yield* RecordProgress.during(WorkingStore.naming(input.base, work), () => rows, undefined, "rows")
})

const printPlan = Effect.fnUntraced(function* (
  input: CompactInput,
  source: RecordSource.RecordSource,
  run: SyncRun.SyncRun,
  outline: SyncTransfer.SyncOutline,
  types: ReadonlyArray<RecordType.Any>
) {
  const coming = yield* SyncOutlines.read(source, run.sync_id)
  const plan = yield* Effect.fromResult(
    SyncTransfer.plan(SyncOutlines.withTypes(outline, types), coming, {
      unfinished: input.unfinished ? "copy" : "refuse"
    })
  )
  if (input.json)
    return yield* Output.writeJson({
      dryRun: true,
      base: input.base,
      source: input.source,
      plan: { ...plan, run: TransferReport.runOf(plan.run) }
    })
  const verb = outline.run === undefined ? "Would add" : "Would replace"
  yield* Output.writeLine(
    `${verb} sync ${run.sync_id} of ${input.base} by that of ${input.source} (${TransferReport.describeRun(run)})`
  )
  yield* Output.write(TransferReport.planTable(plan))
})

const print = Effect.fnUntraced(function* (
  { base, json, source }: CompactInput,
  report: Compactor.CompactReport,
  saved: Option.Option<WorkingStore.Saved>
) {
  if (json)
    return yield* Output.writeJson({
      base,
      source,
      ...TransferReport.reportOf(report),
      output: Option.getOrNull(saved)
    })
  const { before, bytes, entryCount, run, types } = report
  yield* Output.write(TransferReport.changesTable(types))
  if (report._tag === "SyncEmpty")
    yield* Output.writeLine(
      `The sync of ${source} is empty: ${Output.formatCount(report.removedCount)} records were removed from ${base}`
    )
  yield* Output.writeLine(
    `${before === undefined ? "Added" : "Replaced"} sync ${run.sync_id} of ${base} (${TransferReport.describeRun(run)}): ` +
      `${Output.formatCount(entryCount)} index entries, ${Output.formatBytes(bytes)} written`
  )
  if (Option.isSome(saved)) yield* Output.writeLine(WorkingStore.describe(saved.value))
})
