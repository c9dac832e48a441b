/**
 * What differs between two syncs, printed: a summary by type, and each record that differs when it is asked for.
 */
import { RecordComparison, RecordNdjson, type RecordReader, type RecordType, type SyncRun } from "@icecore/engine"
import { Data, Effect, Option, type PlatformError, type Stdio, Stream, type Terminal } from "effect"
import { Argument, Flag } from "effect/cli"
import * as DisplayText from "../DisplayText.ts"
import * as Output from "../Output.ts"
import * as Table from "../Table.ts"
import * as KeyText from "./KeyText.ts"
import * as RecordArguments from "./RecordArguments.ts"
import * as RecordProgress from "./RecordProgress.ts"

/** The two are not the same. What differs has been printed. */
export class RecordsDiffer extends Data.Error<{
  readonly left: string
  readonly right: string
  readonly count: number
}> {
  readonly _tag = "RecordsDiffer"
  override readonly name = "RecordsDiffer"
  override get message(): string {
    return `${this.left} and ${this.right} differ in ${this.count === 1 ? "1 record" : `${Output.formatCount(this.count)} records`}`
  }
}

/** One of the two that are compared. */
export const sideArgument = (name: string, what: "What was" | "What is"): Argument.Argument<string> =>
  Argument.String(name).pipe(
    Argument.withDescription(`${what}: an archive of any kind, or the directory of a record store`)
  )

export const sideSyncFlag = (name: string): Flag.Flag<Option.Option<string>> =>
  Flag.String(`sync-${name}`).pipe(
    Flag.withDescription(
      `The sync of ${name.toUpperCase()}, whether it has ended or not (default: the one that ended last)`
    ),
    Flag.withMetavar("ID"),
    Flag.optional
  )

export const ignoreFlag: Flag.Flag<ReadonlyArray<string>> = Flag.String("ignore").pipe(
  Flag.withDescription("A field in which records may differ, such as discovered_at; may be given more than once"),
  Flag.withMetavar("FIELD"),
  Flag.atLeast(0)
)

export const listFlag: Flag.Flag<boolean> = Flag.Boolean("list").pipe(
  Flag.withDescription("Print a line for each record that differs, too"),
  Flag.withDefault(false)
)

/** One side of a comparison. */
export interface Side {
  /** What the side is called in what is printed. */
  readonly name: string
  readonly path: string
  readonly reader: RecordReader.RecordReader
  readonly run: SyncRun.SyncRun
}

/** What is compared, and how it is printed. */
export interface DiffReportOptions {
  /** What was. */
  readonly left: Side
  /** What is. */
  readonly right: Side
  /** Names of types, or the beginnings of them. Empty: all. */
  readonly types: ReadonlyArray<string>
  readonly ignored: ReadonlyArray<string>
  /** A line a record that differs: for people, for programs with both records, or none. */
  readonly each: "lines" | "ndjson" | "none"
}

/** Compares record by record, and prints each that differs as it is found. Gives the counts by type. */
export const compare: (
  options: DiffReportOptions
) => Effect.Effect<
  ReadonlyArray<RecordComparison.TypeSummary>,
  | RecordReader.RecordListError
  | RecordComparison.RecordTypesDiffer
  | RecordArguments.RecordArgumentInvalid
  | PlatformError.PlatformError,
  Stdio.Stdio | Terminal.Terminal
> = Effect.fnUntraced(function* ({ each, ignored, left, right, types: names }) {
  const known = byName([...left.reader.types, ...right.reader.types])
  const types = yield* Effect.forEach(names, (name) => RecordArguments.chooseType(known, name))
  yield* checkIgnored(types.length > 0 ? types : known, ignored)
  const steps = RecordComparison.compare({
    left: { reader: left.reader, sync: left.run.sync_id },
    right: { reader: right.reader, sync: right.run.sync_id },
    ...(types.length > 0 ? { types: types.map(({ name }) => name) } : {}),
    ignoredFields: ignored
  })
  const summaries = new Map<string, RecordComparison.TypeSummary>()
  let compared = 0
  const lineOf = each === "ndjson" ? toLine(left.name, right.name) : describe
  const print = (step: RecordComparison.ComparisonStep) => {
    RecordComparison.summarize(summaries, step)
    compared += Math.max(step.leftCount, step.rightCount)
    const text = each === "none" ? "" : step.differences.map((difference) => `${lineOf(difference)}\n`).join("")
    return text === "" ? Effect.void : Output.write(text)
  }
  yield* RecordProgress.during(Stream.runForEach(steps, print), () => compared)
  return [...summaries.values()]
})

/** Records that differ, of all types. */
export const countOf = (summaries: ReadonlyArray<RecordComparison.TypeSummary>): number =>
  summaries.reduce((sum, each) => sum + each.addedCount + each.removedCount + each.changedCount, 0)

/** A side as JSON. */
export const sideOf = ({ path, run }: Side): { readonly path: string; readonly sync: string } => ({
  path,
  sync: run.sync_id
})

/** The counts by type as a table; the columns of the sides have their names. */
export const table = (
  { left, right }: Pick<DiffReportOptions, "left" | "right">,
  summaries: ReadonlyArray<RecordComparison.TypeSummary>
): string =>
  Table.render(
    [
      { name: "type" },
      ...[left.name, right.name, "added", "removed", "changed"].map((name): Table.Column => ({ name, align: "right" })),
      { name: "changed fields" }
    ],
    summaries.map(({ addedCount, changedCount, changedFields, leftCount, removedCount, rightCount, type }) => [
      type,
      ...[leftCount, rightCount, addedCount, removedCount, changedCount].map(Output.formatCount),
      Object.entries(changedFields)
        .sort()
        .map(([name, count]) => `${name} (${Output.formatCount(count)})`)
        .join(", ")
    ])
  )

/**
 * Compares and prints all of it: the counts, and each difference when it is asked for. Fails with {@link RecordsDiffer} when there
 * is any.
 */
export const print: (
  options: Omit<DiffReportOptions, "each"> & {
    readonly list: boolean
    readonly json: boolean
    readonly ndjson: boolean
  }
) => Effect.Effect<void, Effect.Error<ReturnType<typeof compare>> | RecordsDiffer, Stdio.Stdio | Terminal.Terminal> =
  Effect.fnUntraced(function* (options) {
    const { json, left, list, ndjson, right } = options
    const summaries = yield* compare({ ...options, each: ndjson ? "ndjson" : list && !json ? "lines" : "none" })
    if (json) yield* Output.writeJson({ [left.name]: sideOf(left), [right.name]: sideOf(right), types: summaries })
    else if (!ndjson) yield* Output.write(table(options, summaries))
    const count = countOf(summaries)
    if (count > 0) return yield* new RecordsDiffer({ left: left.path, right: right.path, count })
  })

/** Each name once; both sides have most of them. */
const byName = (types: ReadonlyArray<RecordType.Any>): ReadonlyArray<RecordType.Any> => [
  ...new Map(types.map((type) => [type.name, type] as const)).values()
]

/** Refuses a field to ignore that no record has. */
export const checkIgnored = (
  types: ReadonlyArray<RecordType.Any>,
  ignored: ReadonlyArray<string>
): Effect.Effect<void, RecordArguments.RecordArgumentInvalid> => {
  const fields = new Set(types.flatMap(({ shape }) => shape.fields.map(({ name }) => name)))
  const unknown = ignored.find((name) => !fields.has(name))
  if (unknown === undefined) return Effect.void
  return Effect.fail(
    new RecordArguments.RecordArgumentInvalid({
      argument: `--ignore=${unknown}`,
      detail: `no record has such a field, expected ${[...fields].sort().join(", ")}`
    })
  )
}

const signs = { added: "+", removed: "-", changed: "~" } as const

const recordOf = ({ left, right }: RecordComparison.Difference): object =>
  Option.getOrElse(right, () => Option.getOrThrow(left))

const describe = (difference: RecordComparison.Difference): string => {
  const { fields, kind, type } = difference
  const key = KeyText.partsOf(type, recordOf(difference)).map(DisplayText.visible).join(" ")
  return `${signs[kind]} ${type.name} ${key}${fields.length === 0 ? "" : `: ${fields.join(", ")}`}`
}

/** Both records of a difference, as far as there are two. */
const toLine =
  (leftName: string, rightName: string) =>
  ({ fields, kind, left, right, type }: RecordComparison.Difference): string => {
    const json = (record: Option.Option<object>) =>
      Option.getOrUndefined(Option.map(record, (each) => RecordNdjson.toJson(type, each)))
    return JSON.stringify({
      kind,
      type: type.name,
      ...(kind === "changed" ? { fields } : {}),
      [leftName]: json(left),
      [rightName]: json(right)
    })
  }
