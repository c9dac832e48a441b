/**
 * What a study leaves behind: one JSON document, and the plot that is drawn from it.
 */
import { Schema } from "effect"
import { Machine } from "./Machine.ts"
import type { Plot } from "./plot/Plot.ts"
import type { Sample, Study, StudySeries } from "./Study.ts"

/** A series at one size: medians of the seconds, largest of the peaks. */
export interface StudyPoint extends Sample {
  readonly size: number
}

export interface StudyReport {
  readonly version: 1
  /** Of the study. */
  readonly name: string
  readonly startedAtMillis: number
  readonly machine: Machine
  readonly isQuick: boolean
  /** Rounds that each point is the median of. */
  readonly rounds: number
  /** Smallest and largest load of the machine, of the last minute before each round. */
  readonly load: { readonly low: number; readonly high: number }
  readonly series: ReadonlyArray<StudySeries & { readonly points: ReadonlyArray<StudyPoint> }>
}

/** The report as JSON text. */
export const StudyReport: Schema.Codec<StudyReport, string> = Schema.fromJsonString(
  Schema.Struct({
    version: Schema.Literal(1),
    name: Schema.String,
    startedAtMillis: Schema.Finite,
    machine: Machine,
    isQuick: Schema.Boolean,
    rounds: Schema.Finite,
    load: Schema.Struct({ low: Schema.Finite, high: Schema.Finite }),
    series: Schema.Array(
      Schema.Struct({
        name: Schema.String,
        isReference: Schema.optionalKey(Schema.Boolean),
        points: Schema.Array(
          Schema.Struct({
            size: Schema.Finite,
            seconds: Schema.Finite,
            peakBytes: Schema.Finite,
            ownPeakBytes: Schema.Finite
          })
        )
      })
    )
  })
)

/** Time, peak of the resident set, and what of that is the program's own, against the size. */
export const plotOf = (study: Study, report: StudyReport): Plot => {
  const { isQuick, load, machine, rounds, startedAtMillis } = report
  const day = new Date(startedAtMillis).toISOString().slice(0, 10)
  return {
    title: study.title,
    caption: [
      ...study.notes,
      `${machine.processors} processors (${machine.platform}, ${machine.architecture}), ${machine.runtime}, ${day}, ` +
        `load ${load.low.toFixed(1)} to ${load.high.toFixed(1)}`,
      `Median time and largest peak of ${rounds}.${isQuick ? " A quick run: its figures mean little." : ""}`
    ],
    x: study.x,
    panels: [
      { label: "time (s)", steps: "decimal" },
      { label: "peak resident set (MB)", steps: "decimal" },
      { label: "peak without pages of files (MB)", steps: "decimal" }
    ],
    series: report.series.map(({ points, ...series }) => ({
      ...series,
      points: points.map(({ ownPeakBytes, peakBytes, seconds, size }) => ({
        x: size,
        values: [seconds, peakBytes / 1e6, ownPeakBytes / 1e6]
      }))
    }))
  }
}
