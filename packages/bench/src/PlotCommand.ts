/**
 * The `plot` command: runs studies and draws each as an SVG document, or draws them again from what was measured before.
 */
import { Console, Data, Effect, FileSystem, Option, Schema, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import { render } from "./plot/Plot.ts"
import type { Study } from "./Study.ts"
import { plotOf, StudyReport } from "./StudyReport.ts"
import * as StudyRun from "./StudyRun.ts"
import { studies } from "./studies/index.ts"

/** No study has a name that starts with this. */
export class NoSuchStudy extends Data.Error<{ readonly filter: string; readonly known: ReadonlyArray<string> }> {
  readonly _tag = "NoSuchStudy"
  override readonly name = "NoSuchStudy"
  override get message(): string {
    return `Cannot plot ${this.filter}: there are ${this.known.join(", ")}`
  }
}

/** The studies whose names start with the filter, 1 or more. */
export const selectStudies = (filter: string): Effect.Effect<ReadonlyArray<Study>, NoSuchStudy> => {
  const selected = studies.filter(({ name }) => name.startsWith(filter))
  return selected.length > 0
    ? Effect.succeed(selected)
    : Effect.fail(new NoSuchStudy({ filter, known: studies.map(({ name }) => name) }))
}

/** What the command is given. */
export interface PlotFlags {
  readonly study: string
  readonly rounds: number
  readonly quick: boolean
  readonly maxSize: Option.Option<number>
  readonly redraw: boolean
  readonly directory: Option.Option<string>
  readonly out: string
}

const flags: { readonly [Name in keyof PlotFlags]: Flag.Flag<PlotFlags[Name]> } = {
  study: Flag.String("study").pipe(
    Flag.withDescription("Only studies whose name starts with this"),
    Flag.withDefault("")
  ),
  rounds: Flag.Int("rounds").pipe(Flag.withDescription("Rounds of each size"), Flag.withDefault(3)),
  quick: Flag.Boolean("quick").pipe(
    Flag.withDescription("Small inputs, to see that the studies work"),
    Flag.withDefault(false)
  ),
  maxSize: Flag.Int("max-size").pipe(Flag.withDescription("Leaves out larger sizes"), Flag.optional),
  redraw: Flag.Boolean("redraw").pipe(
    Flag.withDescription("Draws what was measured last, and measures nothing"),
    Flag.withDefault(false)
  ),
  directory: Flag.String("directory").pipe(
    Flag.withDescription("Where inputs are made: on the disk to be measured"),
    Flag.optional
  ),
  out: Flag.String("out").pipe(
    Flag.withDescription("Directory of the plots, and of what was measured as JSON"),
    Flag.withDefault(new URL("../out", import.meta.url).pathname)
  )
}

/** `icecore-bench plot`. */
// biome-ignore lint/complexity/noBannedTypes: `{}` is how the library writes a command whose flags are its own affair.
export const plotCommand: Command.Command<"plot", PlotFlags, {}, unknown, FileSystem.FileSystem> = Command.make(
  "plot",
  flags,
  Effect.fnUntraced(function* ({ directory, maxSize, out, quick, redraw, rounds, study: filter }) {
    const files = yield* FileSystem.FileSystem
    yield* files.makeDirectory(out, { recursive: true })
    const draw = Effect.fnUntraced(function* (study: Study, report: StudyReport) {
      const path = `${out}/${study.name}.svg`
      yield* files.writeFileString(path, render(plotOf(study, report)))
      yield* Console.log(`Written to ${path}`)
    })
    for (const study of yield* selectStudies(filter)) {
      const path = `${out}/${study.name}.json`
      if (redraw) {
        yield* draw(study, yield* Effect.flatMap(files.readFileString(path), Schema.decodeEffect(StudyReport)))
        continue
      }
      yield* Console.error(`${study.name}: ${study.title}`)
      const options = {
        rounds: Math.max(1, rounds),
        isQuick: quick,
        ...(Option.isSome(maxSize) ? { maxSize: maxSize.value } : {}),
        ...(Option.isSome(directory) ? { workDirectory: directory.value } : {})
      }
      yield* Stream.runForEach(
        StudyRun.run(study, options),
        Effect.fnUntraced(function* (report) {
          yield* files.writeFileString(path, yield* Schema.encodeEffect(StudyReport)(report))
          yield* draw(study, report)
        })
      )
    }
  })
).pipe(Command.withDescription("Draw how time and memory grow with the input, as SVG"))
