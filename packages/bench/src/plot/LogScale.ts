/**
 * A logarithmic axis: where a value lies on it, and which values are written beside it.
 */

/** Steps of a scale: 1, 2 and 5 of every power of ten, or every power of two. */
export type LogSteps = "decimal" | "binary"

export interface LogScale {
  /** The first and the last step: nothing that it was made for lies outside. */
  readonly low: number
  readonly high: number
  /** The steps from `low` to `high`, ascending, both included. */
  readonly ticks: ReadonlyArray<number>
  /** Where a value lies between `low` (0) and `high` (1). */
  readonly place: (value: number) => number
}

/** The smallest scale of steps that holds all the values: 1 or more of them, each above 0. It has at least two steps. */
export const make = (values: ReadonlyArray<number>, steps: LogSteps): LogScale => {
  const all = stepsAround(Math.min(...values), Math.max(...values), steps)
  const first = all.findLastIndex((step) => step <= Math.min(...values))
  const last = Math.max(
    first + 1,
    all.findIndex((step) => step >= Math.max(...values))
  )
  const ticks = all.slice(first, last + 1)
  const low = ticks[0]!
  const high = ticks.at(-1)!
  const [start, length] = [Math.log(low), Math.log(high / low)]
  return { low, high, ticks, place: (value) => (Math.log(value) - start) / length }
}

/** Every step from below `low` to above `high`. */
const stepsAround = (low: number, high: number, steps: LogSteps): ReadonlyArray<number> => {
  const base = steps === "decimal" ? 10 : 2
  const factors = steps === "decimal" ? [1, 2, 5] : [1]
  const [first, last] = [low, high].map((value) => Math.floor(Math.log(value) / Math.log(base))) as [number, number]
  // One power more on each side: a logarithm may be off by a rounding.
  return Array.from({ length: last - first + 4 }, (_, at) => first - 1 + at).flatMap((power) =>
    // Divided: a negative power of ten is a rounding off on some runtimes, and would be written as such.
    factors.map((factor) => (power < 0 ? factor / base ** -power : factor * base ** power))
  )
}
