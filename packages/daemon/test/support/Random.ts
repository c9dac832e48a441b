/** Chance that can be had again. */

/**
 * 0 to 1, exclusive: a small generator (Numerical Recipes, "An Even Quicker Generator"), so that a failure names the seed that it came
 * from.
 */
export const randomFrom = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

export const anySeed = (): number => Math.floor(Math.random() * 2 ** 32)
