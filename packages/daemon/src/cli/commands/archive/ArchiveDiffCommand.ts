/**
 * `icecore archive diff`: what differs between two syncs, of one archive or store or of two.
 */
import { RecordComparison, RecordNdjson, type RecordType } from "@icecore/engine"
import { Data, Effect, Option, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import type { CliCommand } from "../../CliServices.ts"
import { jsonFlag } from "../../CommonFlags.ts"
import * as DisplayText from "../../DisplayText.ts"
import * as Output from "../../Output.ts"
import * as KeyText from "../../records/KeyText.ts"
import * as RecordArguments from "../../records/RecordArguments.ts"
import { limitsFlag, ndjsonFlag, typesFlag } from "../../records/RecordFlags.ts"
import * as RecordProgress from "../../records/RecordProgress.ts"
import * as RecordServices from "../../records/RecordServices.ts"
import * as RecordSource from "../../records/RecordSource.ts"
import * as Table from "../../Table.ts"

/** The two are not the same. What differs has been printed. */
class RecordsDiffer extends Data.Error<{ readonly a: string; readonly b: string; readonly count: number }> {
  readonly _tag = "RecordsDiffer"
  override readonly name = "RecordsDiffer"
  override get message(): string {
    return `${this.a} and ${this.b} differ in ${this.count === 1 ? "1 record" : `${Output.formatCount(this.count)} records`}`
  }
}

const sideArgument = (name: "a" | "b") =>
  Argument.String(name).pipe(
    Argument.withDescription(
      `${name === "a" ? "What was" : "What is"}: an archive of any kind, or the directory of a record store`
    )
  )

const sideSyncFlag = (name: "a" | "b") =>
  Flag.String(`sync-${name}`).pipe(
    Flag.withDescription(
      `The sync of ${name.toUpperCase()}, whether it has ended or not (default: the one that ended last)`
    ),
    Flag.withMetavar("ID"),
    Flag.optional
  )

const ignoreFlag = Flag.String("ignore").pipe(
  Flag.withDescription("A field in which records may differ, such as discovered_at; may be given more than once"),
  Flag.withMetavar("FIELD"),
  Flag.atLeast(0)
)

const listFlag = Flag.Boolean("list").pipe(
  Flag.withDescription("Print a line for each record that differs, too"),
  Flag.withDefault(false)
)

export const archiveDiffCommand: CliCommand<"diff"> = Command.make(
  "diff",
  {
    a: sideArgument("a"),
    b: sideArgument("b"),
    "sync-a": sideSyncFlag("a"),
    "sync-b": sideSyncFlag("b"),
    type: typesFlag,
    ignore: ignoreFlag,
    list: listFlag,
    "max-decoded-size": limitsFlag,
    json: jsonFlag,
    ndjson: ndjsonFlag
  },
  Effect.fnUntraced(
    function* (input) {
      const left = yield* RecordSource.open(input.a, input["max-decoded-size"])
      const right = yield* RecordSource.open(input.b, input["max-decoded-size"])
      const leftRun = yield* RecordArguments.chooseSync(left.reader, input["sync-a"], "--sync-a")
      const rightRun = yield* RecordArguments.chooseSync(right.reader, input["sync-b"], "--sync-b")
      const known = [...left.reader.types, ...right.reader.types]
      const types = yield* Effect.forEach(input.type, (name) => RecordArguments.chooseType(byName(known), name))
      yield* checkIgnored(types.length > 0 ? types : known, input.ignore)
      const steps = RecordComparison.compare({
        left: { reader: left.reader, sync: leftRun.sync_id },
        right: { reader: right.reader, sync: rightRun.sync_id },
        ...(types.length > 0 ? { types: types.map(({ name }) => name) } : {}),
        ignoredFields: input.ignore
      })
      const summaries = new Map<string, RecordComparison.TypeSummary>()
      let compared = 0
      const print = (step: RecordComparison.ComparisonStep) => {
        RecordComparison.summarize(summaries, step)
        compared += Math.max(step.leftCount, step.rightCount)
        const text = step.differences.map((each) => (input.ndjson ? toLine(each) : `${describe(each)}\n`)).join("")
        return text !== "" && (input.ndjson || (input.list && !input.json)) ? Output.write(text) : Effect.void
      }
      yield* RecordProgress.during(Stream.runForEach(steps, print), () => compared)
      const all = [...summaries.values()]
      const count = all.reduce((sum, each) => sum + each.addedCount + each.removedCount + each.changedCount, 0)
      if (input.json)
        yield* Output.writeJson({
          a: sideOf(input.a, leftRun.sync_id),
          b: sideOf(input.b, rightRun.sync_id),
          types: all
        })
      else if (!input.ndjson) yield* Output.write(render(all))
      if (count > 0) return yield* new RecordsDiffer({ a: input.a, b: input.b, count })
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

const sideOf = (path: string, sync: string): unknown => ({ path, sync })

/** Each name once; both sides have most of them. */
const byName = (types: ReadonlyArray<RecordType.Any>): ReadonlyArray<RecordType.Any> => [
  ...new Map(types.map((type) => [type.name, type] as const)).values()
]

const checkIgnored = (
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

const keyOf = (type: RecordType.Any, record: object): ReadonlyArray<string> =>
  type.keyParts.map(({ path }) =>
    KeyText.format(path.reduce<unknown>((value, name) => (value as Readonly<Record<string, unknown>>)[name], record))
  )

const recordOf = ({ left, right }: RecordComparison.Difference): object =>
  Option.getOrElse(right, () => Option.getOrThrow(left))

const describe = (difference: RecordComparison.Difference): string => {
  const { fields, kind, type } = difference
  const key = keyOf(type, recordOf(difference)).map(DisplayText.visible).join(" ")
  return `${signs[kind]} ${type.name} ${key}${fields.length === 0 ? "" : `: ${fields.join(", ")}`}`
}

/** Both records of a difference, as far as there are two. */
const toLine = ({ fields, kind, left, right, type }: RecordComparison.Difference): string => {
  const json = (record: Option.Option<object>) =>
    Option.getOrUndefined(Option.map(record, (each) => RecordNdjson.toJson(type, each)))
  return `${JSON.stringify({ kind, type: type.name, ...(kind === "changed" ? { fields } : {}), a: json(left), b: json(right) })}\n`
}

const render = (summaries: ReadonlyArray<RecordComparison.TypeSummary>): string =>
  Table.render(
    [
      { name: "type" },
      ...["a", "b", "added", "removed", "changed"].map((name): Table.Column => ({ name, align: "right" })),
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
