/**
 * Tables for people: a line of names, and a line a row, in columns that are as wide as the first rows need.
 */
import * as DisplayText from "./DisplayText.ts"

export interface Column {
  readonly name: string
  /** `right` for numbers. Default `left`. */
  readonly align?: "left" | "right"
}

export interface TableOptions {
  /** Columns of the terminal that a cell takes at most; what is longer is cut, with an ellipsis. Default: no bound. */
  readonly maxCellColumns?: number
}

/** A table whose widths are set; rows that come later, and need more, push what is behind them to the right. */
export interface Table {
  readonly header: string
  readonly row: (cells: ReadonlyArray<string>) => string
}

const gap = "  "

/** UTF-16 units that are looked at for a column of a cell that is cut: what people write takes far fewer. */
const unitsPerColumn = 64

/** A table for rows like the given ones. Its lines end without spaces and have no line feed. */
export const make = (
  columns: ReadonlyArray<Column>,
  sample: ReadonlyArray<ReadonlyArray<string>>,
  { maxCellColumns = Number.POSITIVE_INFINITY }: TableOptions = {}
): Table => {
  const cellOf = (text: string): string => {
    if (maxCellColumns === Number.POSITIVE_INFINITY) return DisplayText.visible(text)
    // PERF: values have megabytes, and what becomes of a character takes far more room than it.
    const head = DisplayText.headOf(text, unitsPerColumn * maxCellColumns)
    const line = DisplayText.visible(head)
    return DisplayText.fit(head.length < text.length ? `${line}…` : line, maxCellColumns)
  }
  const widths = columns.map(({ name }, index) =>
    sample.reduce(
      (width, cells) => Math.max(width, DisplayText.widthOf(cellOf(cells[index] ?? ""))),
      DisplayText.widthOf(name)
    )
  )
  const lineOf = (cells: ReadonlyArray<string>): string =>
    columns
      .map(({ align }, index) =>
        DisplayText.pad(cells[index] ?? "", widths[index]!, align === "right" ? "left" : "right")
      )
      .join(gap)
      .trimEnd()
  return { header: lineOf(columns.map(({ name }) => name)), row: (cells) => lineOf(cells.map(cellOf)) }
}

/** All of a table, with a line feed behind each line. */
export const render = (
  columns: ReadonlyArray<Column>,
  rows: ReadonlyArray<ReadonlyArray<string>>,
  options: TableOptions = {}
): string => {
  const table = make(columns, rows, options)
  return [table.header, ...rows.map(table.row)].map((line) => `${line}\n`).join("")
}
