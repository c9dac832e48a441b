/**
 * The `icecore-bench` command: runs rows and prints their table; `check` compares the last run with the targets.
 */
import { Console, Data, Effect, FileSystem, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { run } from "./Harness.ts"
import { defaultRounds } from "./Measure.ts"
import { plotCommand } from "./PlotCommand.ts"
import { Report, table, verdicts } from "./Report.ts"
import type { ResidentMemory } from "./ResidentMemory.ts"
import { rows } from "./rows/index.ts"

/** Some rows failed, or fell short of their targets. Each was named on the way. */
export class BenchFellShort extends Data.Error<{ readonly count: number; readonly what: string }> {
  readonly _tag = "BenchFellShort"
  override readonly name = "BenchFellShort"
  override get message(): string {
    return `${this.count} ${this.what}`
  }
}

const out = Flag.String("out").pipe(
  Flag.withDescription("JSON file of the run"),
  Flag.withDefault(new URL("../out/bench.json", import.meta.url).pathname)
)

const check = Command.make(
  "check",
  { out },
  Effect.fnUntraced(function* ({ out }) {
    const files = yield* FileSystem.FileSystem
    const report = yield* Effect.flatMap(files.readFileString(out), Schema.decodeEffect(Report))
    const all = verdicts(report)
    for (const { row, target, figure, isMet } of all)
      yield* Console.log(`${isMet ? "ok   " : "SHORT"}  ${row}  ${target}  is ${figure}`)
    const short = all.filter(({ isMet }) => !isMet)
    if (report.isQuick) yield* Console.log("The run was quick: its figures mean little.")
    if (short.length > 0)
      return yield* new BenchFellShort({ count: short.length, what: `of ${all.length} targets missed` })
    yield* Console.log(`All ${all.length} targets met.`)
  })
).pipe(Command.withDescription("Compare the last run with the targets; exit status 1 when one is missed"))

/** The whole command line. */
// biome-ignore lint/complexity/noBannedTypes: `{}` is how the library writes a command whose flags are its own affair.
export const benchCommand: Command.Command<"icecore-bench", {}, {}, unknown, FileSystem.FileSystem | ResidentMemory> =
  Command.make(
    "icecore-bench",
    {
      out,
      row: Flag.String("row").pipe(Flag.withDescription("Only rows whose name starts with this"), Flag.optional),
      rounds: Flag.Int("rounds").pipe(
        Flag.withDescription(`Counted rounds, ${defaultRounds} or more for figures that count`),
        Flag.withDefault(defaultRounds)
      ),
      quick: Flag.Boolean("quick").pipe(
        Flag.withDescription("Small inputs, to see that the rows work"),
        Flag.withDefault(false)
      ),
      directory: Flag.String("directory").pipe(
        Flag.withDescription("Where rows write: on the disk to be measured"),
        Flag.optional
      )
    },
    Effect.fnUntraced(function* ({ out, row, rounds, quick, directory }) {
      const files = yield* FileSystem.FileSystem
      const report = yield* run({
        rows,
        rounds: Math.max(1, rounds),
        isQuick: quick,
        onRow: ({ name, work }) => Console.error(`${name}: ${work}`),
        ...(Option.isSome(row) ? { filter: row.value } : {}),
        ...(Option.isSome(directory) ? { workDirectory: directory.value } : {})
      })
      yield* Console.log(table(report))
      yield* files.makeDirectory(out.slice(0, out.lastIndexOf("/") + 1) || ".", { recursive: true })
      yield* Effect.flatMap(Schema.encodeEffect(Report)(report), (json) => files.writeFileString(out, json))
      yield* Console.log(`\nWritten to ${out}`)
      const failed = report.rows.filter(({ outcome }) => outcome.status === "failed")
      if (failed.length > 0)
        return yield* new BenchFellShort({ count: failed.length, what: `of ${report.rows.length} rows failed` })
    })
  ).pipe(
    Command.withDescription("Measure Icecore against the bare libraries, as ratios"),
    Command.withSubcommands([check, plotCommand])
  )
