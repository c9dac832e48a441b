/**
 * The steps of a walk. Each is made from the walk's seed and its own number alone and means something in every state, so a walk
 * from which steps were taken out still does the others as it did.
 */
import { SurvivorChoice } from "@icecore/packfile/testing"

/** A step that a crash can come in the middle of. */
export type Work =
  /** Entries offered by a program, one call after the other. */
  | { readonly _tag: "Append"; readonly sizes: ReadonlyArray<number> }
  /** Entries up to the end of the chunk. */
  | { readonly _tag: "Boundary" }
  /** A bounded source that has some entries more than the log. */
  | {
      readonly _tag: "Ingest"
      readonly count: number
      readonly isRepeatable: boolean
      readonly batch: number
      /** Only what can be filled in without a hot database. */
      readonly isBackfill: boolean
    }
  /** One run of the lifecycle. */
  | { readonly _tag: "Lifecycle" }
  /** Everything comes to rest and readers have long gone; then it is audited. */
  | { readonly _tag: "Settle" }
  /** Closed and opened again. */
  | { readonly _tag: "Restart"; readonly retention: RetentionChange }

/** How a restart changes what is kept. `number` picks one of what is possible. */
export interface RetentionChange {
  readonly kind: "same" | "widen" | "narrow"
  readonly number: number
}

/** A crash. */
export interface CrashPick {
  /** Picks one of the operations, before which it comes. */
  readonly at: number
  readonly choice: SurvivorChoice.SurvivorChoice
}

export type Step =
  | Work
  | (CrashPick & {
      readonly _tag: "Crash"
      readonly during: Work
      /** Crashes of the recoveries after it. */
      readonly again: ReadonlyArray<CrashPick>
    })
  /**
   * Entries, the last of which has a key that an entry before it has already, or the same first 16 bytes only: offered by a program,
   * or by a source.
   */
  | {
      readonly _tag: "Duplicate"
      readonly of: number
      readonly kind: "key" | "prefix"
      readonly before: number
      readonly way: "append" | "ingest"
    }
  | {
      readonly _tag: "OpenView"
      readonly at: number
      readonly order: "ascending" | "descending"
      /** Chunks that are appended before it is read to its end, so that what it reads is pruned meanwhile; 0: it is held. */
      readonly overtaking: number
      /** Until it is read on. */
      readonly millis: number
    }
  | { readonly _tag: "AdvanceView"; readonly view: number; readonly count: number }
  | { readonly _tag: "CloseView"; readonly view: number }
  | { readonly _tag: "Time"; readonly millis: number }

export type WorkTag = Work["_tag"]

const workWeights: ReadonlyArray<readonly [WorkTag, number]> = [
  ["Append", 8],
  ["Boundary", 3],
  ["Ingest", 6],
  ["Lifecycle", 6],
  ["Settle", 2],
  ["Restart", 5]
]

const stepWeights: ReadonlyArray<readonly [Step["_tag"], number]> = [
  ["Append", 12],
  ["Boundary", 4],
  ["Ingest", 7],
  ["Lifecycle", 9],
  ["Settle", 6],
  ["Restart", 7],
  ["Crash", 22],
  ["Duplicate", 7],
  ["OpenView", 6],
  ["AdvanceView", 8],
  ["CloseView", 3],
  ["Time", 7]
]

/** A crash chosen by the next numbers. */
export const crashPick = (next: () => number): CrashPick => ({
  at: next(),
  choice: SurvivorChoice.choiceAt(next(), next() % 14)
})

/** The step with this number, from 0, of the walk with this seed. */
export const stepAt = (seed: number, index: number): Step => {
  const next = SurvivorChoice.generator(SurvivorChoice.mix(seed, index))
  const below = (bound: number): number => next() % bound
  const weighted = <A>(weights: ReadonlyArray<readonly [A, number]>): A => {
    let left = below(weights.reduce((sum, [, weight]) => sum + weight, 0))
    for (const [value, weight] of weights) {
      if (left < weight) return value
      left -= weight
    }
    return weights[0]![0]
  }
  const pick = (): CrashPick => crashPick(next)

  const workOf = (tag: WorkTag): Work => {
    switch (tag) {
      case "Append":
        return { _tag: tag, sizes: Array.from({ length: 1 + below(4) }, () => 1 + below(3)) }
      case "Ingest": {
        const isBackfill = below(4) === 0
        return {
          _tag: tag,
          count: below(14),
          isRepeatable: isBackfill || below(3) > 0,
          batch: 1 + below(7),
          isBackfill
        }
      }
      case "Restart":
        return {
          _tag: tag,
          retention: { kind: (["same", "widen", "widen", "narrow", "narrow"] as const)[below(5)]!, number: next() }
        }
      default:
        return { _tag: tag }
    }
  }

  const tag = weighted(stepWeights)
  switch (tag) {
    case "Crash": {
      const again = Array.from({ length: below(4) === 0 ? 1 + below(2) : 0 }, pick)
      return { _tag: tag, during: workOf(weighted(workWeights)), ...pick(), again }
    }
    case "Duplicate":
      return {
        _tag: tag,
        of: next(),
        kind: below(4) === 0 ? "prefix" : "key",
        before: below(9),
        way: below(2) === 0 ? "append" : "ingest"
      }
    case "OpenView":
      return {
        _tag: tag,
        at: next(),
        order: below(2) === 0 ? "ascending" : "descending",
        overtaking: below(5),
        millis: [0, 15_000, 60_000, 250_000][below(4)]!
      }
    case "AdvanceView":
      return { _tag: tag, view: next(), count: 1 + below(3) }
    case "CloseView":
      return { _tag: tag, view: next() }
    case "Time":
      return { _tag: tag, millis: [10, 1_000, 20_000, 45_000, 400_000][below(5)]! }
    default:
      return workOf(tag)
  }
}
