/**
 * A benchmark row, declared as data: what is measured, against what, and how far apart the two may be.
 */
import { Data, Effect, type Scope } from "effect"

/**
 * How far the subject may be from its reference.
 *
 * - `time`: its time over the reference's, at most this;
 * - `throughput`: its units per second over the reference's, at least this;
 * - `rate`: its own units per second, at least this, for rows without a reference;
 * - `memory`: the resident set of the process while it runs, at most this many bytes.
 */
export type Target =
  | { readonly kind: "time"; readonly atMost: number }
  | { readonly kind: "throughput"; readonly atLeast: number }
  | { readonly kind: "rate"; readonly atLeast: number }
  | { readonly kind: "memory"; readonly atMostBytes: number }

/** Numbers by name. */
export type Figures = Readonly<Record<string, number>>

/** One side of a pair. */
export interface Contender {
  /** Runs before every round, outside of the measured time: a fresh file, an empty table. */
  readonly prepare?: Effect.Effect<unknown, unknown>
  /** The measured work of one round, finished and as durable as the row says when the effect completes. */
  readonly run: Effect.Effect<unknown, unknown>
  /** What counts of the last run, in seconds, where that is not how long it took: a {@link quantile} of the times of what it did. */
  readonly seconds?: Effect.Effect<number>
  /** What else is to be known of the last run, by name: bytes a grant, reads of the disk. Shown beside the time; no target is about them. */
  readonly figures?: Effect.Effect<Figures>
  /** Peak of the last run in bytes, when the work has a process of its own. Default: that of this process. */
  readonly peakBytes?: Effect.Effect<number>
}

/** What `setup` hands to the harness. Subject and reference do the same work on the same input. */
export interface Pair {
  readonly subject: Contender
  /** Absent where `performance` names none: the row then shows a rate. */
  readonly reference?: Contender
  /** Units of {@link Row.unit} that each side handles in one round. */
  readonly unitsPerRound: number
  /** One round, none to warm up: for work that takes minutes and whose figure is no ratio. Default false. */
  readonly isRunOnce?: boolean
}

export interface SetupOptions {
  /** Asked for a smaller input that shows the harness works; its figures mean little. */
  readonly isQuick: boolean
  /** An empty directory of the row's own, removed afterwards. */
  readonly directory: string
}

/** One line of the table. */
export interface Row {
  /** `package/what/variant`, unique: what `--row` selects by. */
  readonly name: string
  /** The work, in words. */
  readonly work: string
  /** What the reference is, in words; empty when there is none. */
  readonly reference: string
  /** Plural noun of what is counted: `puts`, `bytes`. */
  readonly unit: string
  readonly targets: ReadonlyArray<Target>
  /** Takes so long that it runs only when `--row` is its whole name. Default false. */
  readonly isOnDemand?: boolean
  /** Makes the input once; its scope closes after the last round. */
  readonly setup: (options: SetupOptions) => Effect.Effect<Pair, unknown, Scope.Scope>
}

/** A side did not do the work that the row is about, so that its time means nothing. */
export class WorkUndone extends Data.Error<{
  readonly row: string
  readonly what: string
  readonly expected: number
  readonly actual: number
}> {
  readonly _tag = "WorkUndone"
  override readonly name = "WorkUndone"
  override get message(): string {
    return `Cannot count row ${this.row}: ${this.what} is ${this.actual}, expected ${this.expected}`
  }
}

/** Fails when the work was not done in full. */
export const requireWork = (
  row: string,
  what: string,
  counts: { readonly expected: number; readonly actual: number }
): Effect.Effect<void, WorkUndone> =>
  counts.expected === counts.actual ? Effect.void : Effect.fail(new WorkUndone({ row, what, ...counts }))

/** A row cannot run here: a program is missing, the system cannot do it. It is shown as skipped, not as failed. */
export class RowSkipped extends Data.Error<{ readonly row: string; readonly detail: string }> {
  readonly _tag = "RowSkipped"
  override readonly name = "RowSkipped"
  override get message(): string {
    return `Cannot run row ${this.row}: ${this.detail}`
  }
}

/** Compares a figure with its target. */
export const meets = (target: Target, figure: number): boolean =>
  target.kind === "time"
    ? figure <= target.atMost
    : target.kind === "memory"
      ? figure <= target.atMostBytes
      : figure >= target.atLeast
