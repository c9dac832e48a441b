import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import * as LogScale from "../src/plot/LogScale.ts"
import { maxSeriesCount, type Plot, render } from "../src/plot/Plot.ts"

describe("LogScale", () => {
  it("make gives 1, 2 and 5 of every power of ten, and places values by their logarithm", () => {
    const scale = LogScale.make([0.03, 0.7, 4], "decimal")
    assert.deepStrictEqual(scale.ticks, [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5])
    assert.deepStrictEqual([scale.low, scale.high], [0.02, 5])
    assert.closeTo(scale.place(Math.sqrt(0.02 * 5)), 0.5, 1e-12)
  })

  it("make gives 1 and 3 of every power of ten where they are asked for", () => {
    assert.deepStrictEqual(LogScale.make([10_000, 300_000], "thirds").ticks, [10_000, 30_000, 100_000, 300_000])
  })

  it("make gives more steps between where values lie close together", () => {
    assert.deepStrictEqual(LogScale.make([110, 290], "decimal").ticks, [100, 150, 200, 300])
    assert.deepStrictEqual(LogScale.make([110, 600], "decimal").ticks, [100, 200, 500, 1_000])
  })

  it("make gives powers of two where they are asked for", () => {
    assert.deepStrictEqual(LogScale.make([2, 64], "binary").ticks, [2, 4, 8, 16, 32, 64])
  })

  it("make gives two steps to values that are all the same", () => {
    assert.deepStrictEqual(LogScale.make([100], "decimal").ticks, [100, 150])
    assert.deepStrictEqual(LogScale.make([8, 8], "binary").ticks, [8, 16])
  })

  it("make holds every value between its first and last step, in ascending order", () => {
    const value = fc.integer({ min: -12_000, max: 12_000 }).map((power) => 10 ** (power / 1_000))
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1 }),
        fc.constantFrom<LogScale.LogSteps>("decimal", "thirds", "binary"),
        (values, steps) => {
          const { high, low, place, ticks } = LogScale.make(values, steps)
          assert.isAtLeast(ticks.length, 2)
          assert.deepStrictEqual([ticks[0], ticks.at(-1)], [low, high])
          for (const each of values) {
            assert.isAtLeast(each, low)
            assert.isAtMost(each, high)
            assert.isTrue(place(each) >= -1e-9 && place(each) <= 1 + 1e-9)
          }
          for (const [at, tick] of ticks.entries()) if (at > 0) assert.isAbove(tick, ticks[at - 1]!)
        }
      )
    )
  })
})

const plot: Plot = {
  title: "Merging <many> & few",
  caption: ["2 processors, 2026-11-21"],
  x: { label: "sources", steps: "binary" },
  panels: [
    { label: "time (s)", steps: "decimal" },
    { label: "peak resident set (MB)", steps: "decimal" }
  ],
  series: [
    {
      name: "merge",
      points: [
        { x: 2, values: [1, 100] },
        { x: 64, values: [10, 200] }
      ]
    },
    { name: "row by row", isReference: true, points: [{ x: 2, values: [5, 100] }] }
  ]
}

/** The places of the line of a series in each panel. */
const linesOf = (svg: string): ReadonlyArray<ReadonlyArray<ReadonlyArray<number>>> =>
  [...svg.matchAll(/<polyline points="([^"]*)" fill="none" stroke="([^"]*)"/g)].map(([, points]) =>
    points!.split(" ").map((place) => place.split(",").map(Number))
  )

describe("Plot", () => {
  it("render is one well-formed document that needs nothing else, the same for the same plot", () => {
    const svg = render(plot)
    assert.strictEqual(render(plot), svg)
    const open: Array<string> = []
    for (const [, isClosing, name, , isEmpty] of svg.matchAll(/<(\/?)([a-z]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g)) {
      if (isClosing === "/") assert.strictEqual(open.pop(), name)
      else if (isEmpty === "") open.push(name!)
    }
    assert.deepStrictEqual(open, [])
    assert.notMatch(svg, /<script|<style|href|url\(|NaN|undefined|Infinity/)
    assert.notMatch(svg.replaceAll(/<[^<>]*>/g, ""), /[<>]|&(?!amp;|lt;|gt;)/)
  })

  it("render writes title, caption, series, and both axes with their units", () => {
    const svg = render(plot)
    const written = [...svg.matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map(([, content]) => content)
    for (const expected of [
      "Merging &lt;many&gt; &amp; few",
      "2 processors, 2026-11-21",
      "merge",
      "row by row",
      "time (s)",
      "peak resident set (MB)"
    ])
      assert.strictEqual(written.filter((content) => content === expected).length, 1, expected)
    assert.strictEqual(written.filter((content) => content === "sources").length, 2)
  })

  it("render draws each series in each panel from its first to its last place", () => {
    const [mergeTime, rowsTime, mergeMemory] = linesOf(render(plot)) as ReadonlyArray<number[][]>
    const [width, height] = [340, 260]
    assert.deepStrictEqual(mergeTime, [
      [70, 46 + height],
      [70 + width, 46]
    ])
    assert.deepStrictEqual(
      rowsTime!.map(([x, y]) => [x, Math.round(y!)]),
      [[70, 46 + Math.round(height * (1 - Math.log10(5)))]]
    )
    assert.deepStrictEqual(mergeMemory!.at(-1), [70 + 430 + width, 46])
  })

  it("render draws references dashed, and gives every series a colour of its own", () => {
    const many = { ...plot, series: Array.from({ length: maxSeriesCount }, () => plot.series[0]!) }
    const colors = [...render(many).matchAll(/<polyline [^>]* stroke="([^"]*)"/g)].map(([, color]) => color)
    assert.strictEqual(new Set(colors).size, maxSeriesCount)
    assert.strictEqual([...render(plot).matchAll(/stroke-dasharray/g)].length, plot.panels.length + 1)
  })

  it("render puts the third panel below the first, and the legend beside it", () => {
    const panels = [...plot.panels, { label: "rate (grants/s)", steps: "decimal" as const }]
    const series = [{ name: "merge", points: [{ x: 2, values: [1, 1, 1] }] }]
    const [first, , third, legend] = linesOf(render({ ...plot, panels, series }))
    const [[x, y], [thirdX, thirdY]] = [first![0] as [number, number], third![0] as [number, number]]
    assert.strictEqual(thirdX, x)
    assert.isAbove(thirdY, y)
    assert.deepStrictEqual(legend, [
      [500, 382],
      [530, 382]
    ])
  })

  it("render writes numbers with k and M, of a long axis only powers of ten and the last", () => {
    const ticksOf = (...range: ReadonlyArray<number>) => {
      const points = range.map((x) => ({ x, values: [3, 30] }))
      const svg = render({ ...plot, x: { label: "grants", steps: "decimal" }, series: [{ name: "compact", points }] })
      return [...svg.matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map(([, content]) => content)
    }
    assert.includeMembers(ticksOf(10_000, 3_000_000), ["10 k", "20 k", "100 k", "1 M", "5 M"])
    const long = ticksOf(1_000, 3_000_000)
    assert.includeMembers(long, ["1000", "10 k", "100 k", "1 M", "5 M"])
    assert.notInclude(long, "20 k")
  })
})
