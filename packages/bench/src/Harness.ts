/**
 * Runs rows one after the other, each in a scope and a directory of its own, and never stops at one that fails.
 */
import { Cause, Clock, Data, Effect, Exit, FileSystem } from "effect"
import { thisMachine } from "./Machine.ts"
import { measure } from "./Measure.ts"
import type { Report, RowResult } from "./Report.ts"
import type { ResidentMemory } from "./ResidentMemory.ts"
import { type Row, RowSkipped } from "./Row.ts"

export interface RunOptions {
  readonly rows: ReadonlyArray<Row>
  /** Runs only rows whose name starts with this. Default: all that are not on demand. */
  readonly filter?: string
  readonly rounds: number
  readonly isQuick: boolean
  /** Where rows get their directories: on the disk that is to be measured. Default: the system's temporary directory. */
  readonly workDirectory?: string
  /** Runs before each row, to show progress. */
  readonly onRow?: (row: Row) => Effect.Effect<void>
}

/** No row has a name that starts with the filter. */
export class NoSuchRow extends Data.Error<{ readonly filter: string; readonly known: ReadonlyArray<string> }> {
  readonly _tag = "NoSuchRow"
  override readonly name = "NoSuchRow"
  override get message(): string {
    return `Cannot run rows ${this.filter}: there are ${this.known.join(", ")}`
  }
}

/** Runs the rows and reports on all of them, the failed and skipped ones too. */
export const run: (options: RunOptions) => Effect.Effect<Report, NoSuchRow, FileSystem.FileSystem | ResidentMemory> =
  Effect.fn("Harness.run")(function* (options: RunOptions) {
    const { filter } = options
    const selected = options.rows.filter(({ isOnDemand, name }) =>
      isOnDemand === true ? name === filter : filter === undefined || name.startsWith(filter)
    )
    if (filter !== undefined && selected.length === 0)
      return yield* new NoSuchRow({ filter, known: options.rows.map(({ name }) => name) })
    const startedAtMillis = yield* Clock.currentTimeMillis
    const rows: Array<RowResult> = []
    for (const row of selected) {
      if (options.onRow !== undefined) yield* options.onRow(row)
      rows.push(yield* runRow(row, options))
    }
    return { version: 1, startedAtMillis, machine: thisMachine(), isQuick: options.isQuick, rows }
  })

const runRow = Effect.fnUntraced(function* (row: Row, options: RunOptions) {
  const files = yield* FileSystem.FileSystem
  const exit = yield* Effect.exit(
    Effect.scoped(
      Effect.gen(function* () {
        const directory = yield* files.makeTempDirectoryScoped({
          prefix: "icecore-bench-",
          ...(options.workDirectory === undefined ? {} : { directory: options.workDirectory })
        })
        const pair = yield* row.setup({ isQuick: options.isQuick, directory })
        return yield* measure(pair, { rounds: options.rounds })
      })
    )
  )
  const { name, work, reference, unit, targets } = row
  return { name, work, reference, unit, targets, outcome: yield* outcomeOf(exit) }
})

/** A defect in a row is shown as its failure: the other rows still have their say. Only an interruption ends the run. */
const outcomeOf = <A extends object>(
  exit: Exit.Exit<A, unknown>
): Effect.Effect<
  ({ readonly status: "measured" } & A) | { readonly status: "failed" | "skipped"; readonly reason: string }
> => {
  if (Exit.isSuccess(exit)) return Effect.succeed({ status: "measured", ...exit.value })
  if (Cause.hasInterruptsOnly(exit.cause)) return Effect.interrupt
  const error = Cause.squash(exit.cause)
  const reason = error instanceof Error ? error.message : String(error)
  return Effect.succeed({ status: error instanceof RowSkipped ? "skipped" : "failed", reason })
}
