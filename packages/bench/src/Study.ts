/**
 * A study, declared as data: how time and memory of the same work grow with its input. A row says how far apart two sides are at one
 * size; a study is drawn as a plot.
 */
import type { Effect, Scope } from "effect"
import type { Axis } from "./plot/Plot.ts"

/** One measurement. All above 0. */
export interface Sample {
  readonly seconds: number
  /** Largest resident set of a process that did the work and nothing else. */
  readonly peakBytes: number
  /** Of that what is no page of a file. */
  readonly ownPeakBytes: number
}

export interface StudySeries {
  readonly name: string
  /** What the others are compared with. Default false. */
  readonly isReference?: boolean
}

export interface Study {
  /** `package-by-what`, unique: what the command selects by, and the name of the files. */
  readonly name: string
  readonly title: string
  /** What is measured and how, in lines that stand below the plot. */
  readonly notes: ReadonlyArray<string>
  readonly x: Axis
  /** Sizes of the input in ascending order. */
  readonly sizes: ReadonlyArray<number>
  /** Small sizes, to see that it works. */
  readonly quickSizes: ReadonlyArray<number>
  readonly series: ReadonlyArray<StudySeries>
  /** Makes the input of a size in an empty directory; gives one effect for each series, each of which may be run many times. */
  readonly setup: (options: {
    readonly size: number
    /** Whatever else decides how large the input is may be smaller then. */
    readonly isQuick: boolean
    readonly directory: string
  }) => Effect.Effect<ReadonlyArray<Effect.Effect<Sample, unknown>>, unknown, Scope.Scope>
}
