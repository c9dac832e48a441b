/**
 * What a run leaves behind: one JSON document, and the table that is printed from it.
 */
import { Schema } from "effect"
import { Machine } from "./Machine.ts"
import type { Measurement } from "./Measure.ts"
import { type Figures, meets, type Target } from "./Row.ts"

/** A row as it ran. `failed` and `skipped` carry the reason. */
export interface RowResult {
  readonly name: string
  readonly work: string
  readonly reference: string
  readonly unit: string
  readonly targets: ReadonlyArray<Target>
  readonly outcome:
    | ({ readonly status: "measured" } & Measurement)
    | { readonly status: "failed" | "skipped"; readonly reason: string }
}

/** A run: where, when, how, and its rows in the order they ran. */
export interface Report {
  readonly version: 1
  readonly startedAtMillis: number
  readonly machine: Machine
  /** Its figures mean little: inputs were small. */
  readonly isQuick: boolean
  readonly rows: ReadonlyArray<RowResult>
}

const TargetSchema: Schema.Codec<Target> = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("time"), atMost: Schema.Finite }),
  Schema.Struct({ kind: Schema.Literals(["throughput", "rate"]), atLeast: Schema.Finite }),
  Schema.Struct({ kind: Schema.Literal("memory"), atMostBytes: Schema.Finite })
])

/** The report as JSON text. */
export const Report: Schema.Codec<Report, string> = Schema.fromJsonString(
  Schema.Struct({
    version: Schema.Literal(1),
    startedAtMillis: Schema.Finite,
    machine: Machine,
    isQuick: Schema.Boolean,
    rows: Schema.Array(
      Schema.Struct({
        name: Schema.String,
        work: Schema.String,
        reference: Schema.String,
        unit: Schema.String,
        targets: Schema.Array(TargetSchema),
        outcome: Schema.Union([
          Schema.Struct({
            status: Schema.Literal("measured"),
            rounds: Schema.Finite,
            unitsPerRound: Schema.Finite,
            subjectSeconds: Schema.Finite,
            referenceSeconds: Schema.NullOr(Schema.Finite),
            timeRatio: Schema.NullOr(Schema.Finite),
            timeRatioLow: Schema.NullOr(Schema.Finite),
            timeRatioHigh: Schema.NullOr(Schema.Finite),
            peakBytes: Schema.Finite,
            grownBytes: Schema.Finite,
            figures: Schema.Record(Schema.String, Schema.Finite),
            referenceFigures: Schema.Record(Schema.String, Schema.Finite)
          }),
          Schema.Struct({ status: Schema.Literals(["failed", "skipped"]), reason: Schema.String })
        ])
      })
    )
  })
)

/** A target of a row with the figure it is about; `undefined` when the row was not measured. */
export interface Verdict {
  readonly row: string
  readonly target: string
  readonly figure: string
  readonly isMet: boolean
}

/** Every target of every row that was not skipped. A row that failed meets none. */
export const verdicts = (report: Report): ReadonlyArray<Verdict> =>
  report.rows
    .filter(({ outcome }) => outcome.status !== "skipped")
    .flatMap(({ name, targets, unit, outcome }) =>
      targets.map((target) => {
        const figure = outcome.status === "measured" ? figureOf(target, outcome) : null
        return {
          row: name,
          target: describeTarget(target, unit),
          figure: figure === null ? "not measured" : formatFigure(target, figure, unit),
          isMet: figure !== null && meets(target, figure)
        }
      })
    )

/** The table, one line a row, as wide as it needs to be. */
export const table = (report: Report): string => {
  const checked = verdicts(report)
  const lines = report.rows.map((row) => {
    const own = checked.filter((verdict) => verdict.row === row.name)
    const goal = row.targets.map((target) => describeTarget(target, row.unit)).join(", ")
    const mark = own.length === 0 ? "" : own.every(({ isMet }) => isMet) ? "ok" : "short"
    if (row.outcome.status !== "measured")
      return [row.name, row.outcome.status, "", "", "", "", row.outcome.reason, "", ""]
    const { subjectSeconds, unitsPerRound, timeRatio, timeRatioLow, timeRatioHigh, peakBytes } = row.outcome
    const { figures, referenceFigures } = row.outcome
    return [
      row.name,
      timeRatio === null ? "" : `${timeRatio.toFixed(2)}x`,
      timeRatioLow === null || timeRatioHigh === null ? "" : `${timeRatioLow.toFixed(2)}-${timeRatioHigh.toFixed(2)}`,
      formatRate(unitsPerRound / subjectSeconds, row.unit),
      formatBytes(peakBytes),
      goal,
      row.reference,
      mark,
      formatFigures(figures, referenceFigures)
    ]
  })
  const head = ["row", "time", "range", "rate", "peak", "target", "reference", "", ""]
  const all = [head, ...lines]
  const widths = head.map((_, column) => Math.max(...all.map((cells) => cells[column]!.length)))
  return all
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}

const figureOf = (target: Target, measured: Measurement): number | null => {
  if (target.kind === "memory") return measured.peakBytes
  if (target.kind === "rate") return measured.unitsPerRound / measured.subjectSeconds
  if (measured.timeRatio === null) return null
  return target.kind === "time" ? measured.timeRatio : 1 / measured.timeRatio
}

const describeTarget = (target: Target, unit: string): string => {
  if (target.kind === "time") return `time <= ${target.atMost}x`
  if (target.kind === "throughput") return `throughput >= ${target.atLeast}x`
  if (target.kind === "rate") return `>= ${formatRate(target.atLeast, unit)}`
  return `memory <= ${formatBytes(target.atMostBytes)}`
}

const formatFigure = (target: Target, figure: number, unit: string): string =>
  target.kind === "memory"
    ? formatBytes(figure)
    : target.kind === "rate"
      ? formatRate(figure, unit)
      : `${figure.toFixed(3)}x`

/** `bytes a grant 31.2 (58.7)`, in brackets what the reference has. */
const formatFigures = (figures: Figures, reference: Figures): string =>
  Object.entries(figures)
    .map(
      ([name, figure]) =>
        `${name} ${+figure.toPrecision(4)}${name in reference ? ` (${+reference[name]!.toPrecision(4)})` : ""}`
    )
    .join(", ")

const formatRate = (perSecond: number, unit: string): string =>
  unit === "bytes"
    ? `${formatBytes(perSecond)}/s`
    : `${perSecond >= 1000 ? Math.round(perSecond).toLocaleString("en-US") : perSecond.toPrecision(3)} ${unit}/s`

const formatBytes = (bytes: number): string => `${(bytes / (1024 * 1024)).toFixed(1)} MiB`
