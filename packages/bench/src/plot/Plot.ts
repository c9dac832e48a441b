/**
 * A plot as an SVG document: panels over the same horizontal axis, two beside each other, all axes logarithmic, one legend.
 *
 * ```
 * title
 * ┌ panel ─────┐  ┌ panel ─────┐
 * │      ·──·  │  │   ·──·──·  │
 * └────────────┘  └────────────┘
 * ┌ panel ─────┐  ── series
 * │      ·──·  │  ╌╌ reference
 * └────────────┘
 * caption: machine, date, how it was measured
 * ```
 *
 * The document stands alone: no style sheet, no script, no font but the system's. The same plot gives the same text.
 */
import * as LogScale from "./LogScale.ts"

export interface Axis {
  /** What it counts, with its unit: `peak resident set (MB)`. */
  readonly label: string
  readonly steps: LogScale.LogSteps
}

export interface Series {
  readonly name: string
  /** Drawn dashed: what the others are compared with. Default false. */
  readonly isReference?: boolean
  /** In ascending order of `x`. All numbers are above 0. */
  readonly points: ReadonlyArray<{
    readonly x: number
    /** One for each panel. */
    readonly values: ReadonlyArray<number>
  }>
}

export interface Plot {
  readonly title: string
  /** Lines below the plot, each of {@link maxLineLength} at most. */
  readonly caption: ReadonlyArray<string>
  readonly x: Axis
  /** The vertical axis of each panel, 1 or more. */
  readonly panels: ReadonlyArray<Axis>
  /** 1 or more, at most {@link maxSeriesCount}, each with a point or more. */
  readonly series: ReadonlyArray<Series>
}

/** Of the Okabe-Ito palette, which people with any kind of colour vision tell apart; each with a marker of its own. */
const colors = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"]

/** More could not be told apart. */
export const maxSeriesCount: number = colors.length

/** Characters of a line of the caption that fit, in the widest of the usual fonts. */
export const maxLineLength = 115

const panelWidth = 340
const panelHeight = 260
const columnWidth = panelWidth + 90
const rowHeight = panelHeight + 66
const top = 46
const left = 70
const lineHeight = 18
const legendLineHeight = 22

/** The SVG document. Lengths are CSS pixels. */
export const render = (plot: Plot): string => {
  const { caption, panels, series, title } = plot
  const x = LogScale.make(
    series.flatMap(({ points }) => points.map((point) => point.x)),
    plot.x.steps
  )
  const legend = cornerOf(panels.length)
  const below = Math.max(legend[1] + series.length * legendLineHeight + 20, cornerOf(panels.length - 1)[1] + rowHeight)
  const width = left + 2 * columnWidth - 60
  const height = below + caption.length * lineHeight
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12" fill="#222222">`,
    `<title>${escape(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    text(left, 24, title, `font-size="15" font-weight="600"`),
    ...panels.flatMap((panel, at) => renderPanel(plot, panel, { at, x })),
    ...renderLegend(series, legend),
    ...caption.map((line, at) => text(left, below + at * lineHeight, line, `fill="#666666"`)),
    "</svg>",
    ""
  ].join("\n")
}

type Place = readonly [x: number, y: number]

/** The upper left corner of a panel. */
const cornerOf = (at: number): Place => [left + (at % 2) * columnWidth, top + (at >> 1) * rowHeight]

const renderPanel = (plot: Plot, axis: Axis, panel: { readonly at: number; readonly x: LogScale.LogScale }) => {
  const { at, x } = panel
  const [start, above] = cornerOf(at)
  const y = LogScale.make(
    plot.series.flatMap(({ points }) => points.map(({ values }) => values[at]!)),
    axis.steps
  )
  const placeX = (value: number): number => round(start + x.place(value) * panelWidth)
  const placeY = (value: number): number => round(above + (1 - y.place(value)) * panelHeight)
  const bottom = above + panelHeight
  const middle = above + panelHeight / 2
  return [
    ...x.ticks.map((tick) => line(placeX(tick), above, placeX(tick), bottom, gridLine)),
    ...labelled(x.ticks).map((tick) => text(placeX(tick), bottom + 18, formatTick(tick), `text-anchor="middle"`)),
    ...y.ticks.map((tick) => line(start, placeY(tick), start + panelWidth, placeY(tick), gridLine)),
    ...y.ticks.map((tick) => text(start - 8, placeY(tick) + 4, formatTick(tick), `text-anchor="end"`)),
    `<rect x="${start}" y="${above}" width="${panelWidth}" height="${panelHeight}" fill="none" stroke="#888888"/>`,
    text(start + panelWidth / 2, bottom + 38, plot.x.label, `text-anchor="middle"`),
    text(start - 54, middle, axis.label, `text-anchor="middle" transform="rotate(-90 ${start - 54} ${middle})"`),
    ...plot.series.flatMap(({ isReference, points }, index) => {
      const places = points.map((point): Place => [placeX(point.x), placeY(point.values[at]!)])
      return [
        `<polyline points="${places.map((place) => place.join(",")).join(" ")}" ${stroke(index, isReference)}/>`,
        ...places.map((place) => marker(index, place))
      ]
    })
  ]
}

/** Ticks that get a number: those of a decimal axis with many steps would touch. */
const labelled = (ticks: ReadonlyArray<number>): ReadonlyArray<number> =>
  ticks.length <= 9 ? ticks : ticks.filter((tick) => Number.isInteger(Math.log10(tick)) || tick === ticks.at(-1))

const renderLegend = (series: ReadonlyArray<Series>, [start, above]: Place): ReadonlyArray<string> =>
  series.flatMap(({ isReference, name }, index) => {
    const middle = above + 10 + index * legendLineHeight
    return [
      `<polyline points="${start},${middle} ${start + 30},${middle}" ${stroke(index, isReference)}/>`,
      marker(index, [start + 15, middle]),
      text(start + 38, middle + 4, name, "")
    ]
  })

const gridLine = `stroke="#e4e4e4"`

const stroke = (index: number, isReference = false): string =>
  `fill="none" stroke="${colors[index]}" stroke-width="2"${isReference ? ` stroke-dasharray="5 4"` : ""}`

/** A circle, a square, a triangle or a diamond. */
const marker = (index: number, [x, y]: Place): string => {
  const fill = `fill="${colors[index]}"`
  const size = 4
  if (index % 4 === 0) return `<circle cx="${x}" cy="${y}" r="${size}" ${fill}/>`
  if (index % 4 === 1) return `<rect x="${x - size}" y="${y - size}" width="${size * 2}" height="${size * 2}" ${fill}/>`
  const corners =
    index % 4 === 2
      ? `${x},${y - 5} ${x + 5},${y + size} ${x - 5},${y + size}`
      : `${x},${y - 5} ${x + 5},${y} ${x},${y + 5} ${x - 5},${y}`
  return `<polygon points="${corners}" ${fill}/>`
}

const line = (x1: number, y1: number, x2: number, y2: number, style: string): string =>
  `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" ${style}/>`

const text = (x: number, y: number, content: string, style: string): string =>
  `<text x="${x}" y="${y}"${style === "" ? "" : ` ${style}`}>${escape(content)}</text>`

const escape = (content: string): string =>
  content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

/** A hundredth of a pixel is enough, and keeps the document short. */
const round = (pixels: number): number => Math.round(pixels * 100) / 100

/** `0.5`, `200`, `10 k`, `3 M`: at most three digits. */
const formatTick = (value: number): string =>
  value >= 1_000_000
    ? `${+(value / 1_000_000).toPrecision(3)} M`
    : value >= 10_000
      ? `${+(value / 1_000).toPrecision(3)} k`
      : `${+value.toPrecision(4)}`
