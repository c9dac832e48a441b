/**
 * Measures a pair side by side, because machines are shared and only a ratio taken in one run means anything.
 *
 * One uncounted round of each side warms up. Then every round runs both sides right after each other, the first of them in
 * turn, and yields one ratio; the figure is the median over the rounds, so neither a slow minute of the machine nor a
 * single bad round decides it.
 */
import { Clock, Effect } from "effect"
import { ResidentMemory } from "./ResidentMemory.ts"
import type { Contender, Figures, Pair } from "./Row.ts"

/** Rounds when none are asked for, and the fewest that count. */
export const defaultRounds = 5

/** What the rounds of one row gave. Times are seconds of one round. */
export interface Measurement {
  readonly rounds: number
  readonly unitsPerRound: number
  readonly subjectSeconds: number
  /** Median of the reference; `null` without one. */
  readonly referenceSeconds: number | null
  /** Median, smallest and largest of subject time over reference time; `null` without a reference. */
  readonly timeRatio: number | null
  readonly timeRatioLow: number | null
  readonly timeRatioHigh: number | null
  /** Largest resident set of the process that ran the subject, over all counted rounds. */
  readonly peakBytes: number
  /** How much of that was not there when the round began. */
  readonly grownBytes: number
  /** Of the last round of each side; empty where it has none. */
  readonly figures: Figures
  readonly referenceFigures: Figures
}

/** Runs `rounds` interleaved rounds (1 or more) after one to warm up, unless the pair is to run once. Fails with whatever a side fails with. */
export const measure: (
  pair: Pair,
  options: { readonly rounds: number }
) => Effect.Effect<Measurement, unknown, ResidentMemory> = Effect.fnUntraced(function* (
  pair: Pair,
  options: { readonly rounds: number }
) {
  const memory = yield* ResidentMemory
  const { subject, reference, unitsPerRound } = pair
  const rounds = pair.isRunOnce === true ? 1 : options.rounds
  if (pair.isRunOnce !== true) {
    yield* secondsOf(subject)
    if (reference !== undefined) yield* secondsOf(reference)
  }

  const subjectTimes: Array<number> = []
  const referenceTimes: Array<number> = []
  let peakBytes = 0
  let grownBytes = 0
  const runSubject = Effect.gen(function* () {
    yield* subject.prepare ?? Effect.void
    const before = yield* memory.reset
    subjectTimes.push(yield* secondsOfRun(subject))
    const peak = yield* subject.peakBytes ?? memory.peakBytes
    peakBytes = Math.max(peakBytes, peak)
    grownBytes = Math.max(grownBytes, subject.peakBytes === undefined ? peak - before : peak)
  })
  const runReference =
    reference === undefined
      ? Effect.void
      : Effect.map(secondsOf(reference), (seconds) => void referenceTimes.push(seconds))

  for (let round = 0; round < rounds; round++) {
    const [first, second] = round % 2 === 0 ? [runSubject, runReference] : [runReference, runSubject]
    yield* first
    yield* second
  }

  const ratios = referenceTimes.map((seconds, round) => subjectTimes[round]! / seconds)
  return {
    rounds,
    unitsPerRound,
    subjectSeconds: median(subjectTimes),
    referenceSeconds: reference === undefined ? null : median(referenceTimes),
    timeRatio: reference === undefined ? null : median(ratios),
    timeRatioLow: reference === undefined ? null : Math.min(...ratios),
    timeRatioHigh: reference === undefined ? null : Math.max(...ratios),
    peakBytes,
    grownBytes,
    figures: yield* subject.figures ?? noFigures,
    referenceFigures: yield* reference?.figures ?? noFigures
  }
})

const noFigures: Effect.Effect<Figures> = Effect.succeed({})

/** The middle of the values, or the mean of the two in the middle. One value or more. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}

/** The value that `share` of the values (0 to 1) lie below. One value or more. */
export const quantile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
}

const secondsOf = (contender: Contender): Effect.Effect<number, unknown> =>
  Effect.andThen(contender.prepare ?? Effect.void, secondsOfRun(contender))

const secondsOfRun = Effect.fnUntraced(function* ({ run, seconds }: Contender) {
  const start = yield* Clock.currentTimeNanos
  yield* run
  const took = Number((yield* Clock.currentTimeNanos) - start) / 1e9
  return seconds === undefined ? took : yield* seconds
})
