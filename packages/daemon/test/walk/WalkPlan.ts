/** Which walks a run of the tests takes, and the search for the shortest one that still fails. */
import { Config, Effect, Option } from "effect"
import * as WalkDriver from "./WalkDriver.ts"
import type { SubjectName } from "./WalkSubject.ts"
import type { WalkViolation } from "./WalkViolation.ts"

export interface PlannedWalk {
  readonly seed: number
  readonly steps: ReadonlyArray<number>
}

/** Steps of one walk: long enough to go through many windows, short enough that steps of a failure can be read. */
const walkLength = 180

/** Steps on each machine in all: `ICECORE_WALK_STEPS`, or these. A real one is slow, and does not crash. */
const defaultSteps: Record<SubjectName, number> = {
  "simulated-sqlite": 2_160,
  "simulated-lmdb": 2_160,
  sqlite: 180,
  lmdb: 180
}

/** A walk of the usual length. */
export const walkOf = (seed: number): PlannedWalk => ({
  seed,
  steps: Array.from({ length: walkLength }, (_, index) => index)
})

/** Seed of the first walk on each machine. */
const firstSeeds: Record<SubjectName, number> = { "simulated-sqlite": 1, "simulated-lmdb": 101, sqlite: 201, lmdb: 301 }

/** The walks of a run. */
export const planned = (subject: SubjectName): Effect.Effect<ReadonlyArray<PlannedWalk>> =>
  Effect.map(Effect.orDie(Config.option(Config.Int("ICECORE_WALK_STEPS"))), (steps) =>
    walksOf(subject, Math.ceil(Option.getOrElse(steps, () => defaultSteps[subject]) / walkLength))
  )

const walksOf = (subject: SubjectName, count: number): ReadonlyArray<PlannedWalk> =>
  Array.from({ length: count }, (_, index) => walkOf(firstSeeds[subject] + index))

/**
 * The walks that may find a mutant: those of a run on the simulated machines, which the store gets through without it. One that is
 * known to find it, as `simulated-sqlite/3`, comes first.
 */
export const hunt = (known: string): ReadonlyArray<PlannedWalk & { readonly subject: SubjectName }> =>
  (["simulated-sqlite", "simulated-lmdb"] as const)
    .flatMap((subject) => walksOf(subject, defaultSteps[subject] / walkLength).map((walk) => ({ subject, ...walk })))
    .sort((left, right) => Number(isNamed(right, known)) - Number(isNamed(left, known)))

const isNamed = ({ subject, seed }: { readonly subject: string; readonly seed: number }, name: string): boolean =>
  `${subject}/${seed}` === name

/** Walks taken at most to find a shorter one. */
const shrinkAttempts = 60

/** Leaves out as many steps as can be found to have nothing to do with it: those behind it, then halves, quarters and so on. */
export const shrink = (
  walk: { readonly subject: SubjectName; readonly seed: number; readonly steps: ReadonlyArray<number> },
  violation: WalkViolation
): Effect.Effect<{ readonly steps: ReadonlyArray<number>; readonly violation: WalkViolation }> =>
  Effect.gen(function* () {
    let best = { steps: walk.steps.filter((step) => step <= violation.step), violation }
    let attempts = 0
    let size = Math.ceil(best.steps.length / 2)
    while (size >= 1 && attempts < shrinkAttempts) {
      let isShorter = false
      for (let start = 0; start < best.steps.length && attempts < shrinkAttempts; ) {
        const steps = [...best.steps.slice(0, start), ...best.steps.slice(start + size)]
        attempts++
        const report = yield* WalkDriver.walk({ ...walk, steps })
        if (Option.isSome(report.violation)) {
          const found = report.violation.value
          best = { steps: steps.filter((step) => step <= found.step), violation: found }
          isShorter = true
        } else start += size
      }
      if (!isShorter || size > 1) size = size === 1 ? 0 : Math.ceil(size / 2)
    }
    return best
  })
