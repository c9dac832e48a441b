/**
 * A logarithmic axis: where a value lies on it, and which values are written beside it.
 */

/**
 * Steps of a scale:
 *
 * - `decimal`: 1, 2 and 5 of every power of ten, and more between where the values need fewer than {@link fewSteps} of them;
 * - `thirds`: 1 and 3 of every power of ten, for sizes that were chosen so;
 * - `binary`: every power of two.
 */
export type LogSteps = "decimal" | "thirds" | "binary"

export interface LogScale {
  /** The first and the last step: nothing that it was made for lies outside. */
  readonly low: number
  readonly high: number
  /** The steps from `low` to `high`, ascending, both included. */
  readonly ticks: ReadonlyArray<number>
  /** Where a value lies between `low` (0) and `high` (1). */
  readonly place: (value: number) => number
}

const fewSteps = 4

/** The smallest scale of steps that holds all the values: 1 or more of them, each above 0. It has at least two steps. */
export const make = (values: ReadonlyArray<number>, steps: LogSteps): LogScale => {
  const least = Math.min(...values)
  const greatest = Math.max(...values)
  let ticks = ticksAround(least, greatest, factors[steps])
  if (steps === "decimal" && ticks.length < fewSteps) ticks = ticksAround(least, greatest, fineFactors)
  const low = ticks[0]!
  const high = ticks.at(-1)!
  const [start, length] = [Math.log(low), Math.log(high / low)]
  return { low, high, ticks, place: (value) => (Math.log(value) - start) / length }
}

interface Factors {
  readonly base: number
  readonly of: ReadonlyArray<number>
}

const factors: Readonly<Record<LogSteps, Factors>> = {
  decimal: { base: 10, of: [1, 2, 5] },
  thirds: { base: 10, of: [1, 3] },
  binary: { base: 2, of: [1] }
}

const fineFactors: Factors = { base: 10, of: [1, 1.5, 2, 3, 4, 5, 6, 8] }

/** The steps from the last one that is not above `least` to the first that is not below `greatest`, which is another one. */
const ticksAround = (least: number, greatest: number, { base, of }: Factors): ReadonlyArray<number> => {
  const [first, last] = [least, greatest].map((value) => Math.floor(Math.log(value) / Math.log(base))) as [
    number,
    number
  ]
  // One power more on each side: a logarithm may be off by a rounding.
  const all = Array.from({ length: last - first + 4 }, (_, at) => first - 1 + at).flatMap((power) =>
    // Divided: a negative power of ten is a rounding off on some runtimes, and would be written as such.
    of.map((factor) => (power < 0 ? factor / base ** -power : factor * base ** power))
  )
  const from = all.findLastIndex((step) => step <= least)
  const to = Math.max(
    from + 1,
    all.findIndex((step) => step >= greatest)
  )
  return all.slice(from, to + 1)
}
