/**
 * Progress of long work on standard error: a line that redraws itself on a terminal, a plain line every few seconds
 * otherwise.
 */
import { Clock, Effect, Option, Stdio, Terminal } from "effect"
import * as Output from "./Output.ts"

/** How far the work is. */
export interface ProgressSample {
  /** Entries that this run has done with; left out by work that does not count any. */
  readonly entries?: number
  /** What `entries` counts. Default `entries`. */
  readonly unit?: string
  /** Chunks frozen by this run; left out by work that freezes none. */
  readonly frozenChunks?: number
  /** How much of the input was read, in its own unit; `total` is none when the end is unknown. */
  readonly done: number
  readonly total: Option.Option<number>
  /** The part of `done` that earlier runs had read. Default 0. */
  readonly doneBefore?: number
  /** What holds the work up now, as one line. */
  readonly problem: Option.Option<string>
}

const terminalIntervalMillis = 100
const plainIntervalMillis = 5_000

/** Some terminals give no width. */
const unknownColumns = 80
const barWidth = 24

/** The text of one moment. Rates are means since the start; the time left assumes that the input goes on as it went in this run. */
export const render = (sample: ProgressSample, elapsedSeconds: number, style: "terminal" | "plain"): string => {
  const { entries, unit = "entries" } = sample
  const share = Option.map(sample.total, (total) => (total === 0 ? 1 : Math.min(1, sample.done / total)))
  const doneNow = sample.done - (sample.doneBefore ?? 0)
  const left = Option.flatMap(sample.total, (total) =>
    doneNow > 0 && sample.done < total && elapsedSeconds >= 1
      ? Option.some((elapsedSeconds * (total - sample.done)) / doneNow)
      : Option.none()
  )
  const parts = [
    ...Option.toArray(Option.map(share, (value) => (style === "terminal" ? bar(value) : percent(value)))),
    ...(entries === undefined
      ? []
      : [
          `${Output.formatCount(entries)} ${unit}`,
          `${Output.formatCount(elapsedSeconds > 0 ? entries / elapsedSeconds : 0)}/s`
        ]),
    ...(sample.frozenChunks === undefined ? [] : [`${Output.formatCount(sample.frozenChunks)} chunks frozen`]),
    ...Option.toArray(Option.map(left, (seconds) => `${Output.formatSeconds(seconds)} left`)),
    ...Option.toArray(sample.problem)
  ]
  return parts.join("  ")
}

const percent = (share: number): string => `${Math.floor(share * 100)}%`

const bar = (share: number): string => {
  const full = Math.round(share * barWidth)
  return `[${"=".repeat(full)}${" ".repeat(barWidth - full)}] ${percent(share).padStart(4)}`
}

/** Shows samples while `effect` runs, and one last one when it has succeeded; a failure is told by whoever catches it. */
export const during: <A, E, R, E2, R2>(
  effect: Effect.Effect<A, E, R>,
  sample: Effect.Effect<ProgressSample, E2, R2>
) => Effect.Effect<A, E, R | R2 | Stdio.Stdio | Terminal.Terminal> = Effect.fnUntraced(function* <A, E, R, E2, R2>(
  effect: Effect.Effect<A, E, R>,
  sample: Effect.Effect<ProgressSample, E2, R2>
) {
  const stdio = yield* Stdio.Stdio
  const terminal = yield* Terminal.Terminal
  const style = (yield* stdio.stderrIsTerminal) ? "terminal" : "plain"
  const startMillis = yield* Clock.currentTimeMillis
  const show = Effect.gen(function* () {
    const elapsedSeconds = ((yield* Clock.currentTimeMillis) - startMillis) / 1_000
    const text = render(yield* sample, elapsedSeconds, style)
    if (style === "plain") return yield* Output.writeError(`${text}\n`)
    const columns = (yield* terminal.columns) || unknownColumns
    yield* Output.writeError(`\r${text.slice(0, Math.max(1, columns - 1))}\u001b[K`)
  })
  const interval = style === "terminal" ? terminalIntervalMillis : plainIntervalMillis
  const loop = Effect.forever(Effect.andThen(Effect.sleep(interval), Effect.ignore(show)))
  const endLine = style === "terminal" ? Output.writeError("\n") : Effect.void
  return yield* Effect.raceFirst(effect, loop).pipe(
    Effect.tap(() => Effect.ignore(show)),
    Effect.ensuring(Effect.ignore(endLine))
  )
})
