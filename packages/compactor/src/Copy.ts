/**
 * Copies key ranges from one open database to another, whatever engines they are of.
 *
 * 1. A snapshot of the source is taken: everything copied is from that one moment, while the source goes on.
 * 2. All ranges go through one {@link Database.replace} of the target: its readers see all old or all new.
 * 3. The replace is durable on return; a failure, an interruption or a crash before that leaves the target as it was.
 *
 * Rows stream through in the batches of the source's scan, so memory grows neither with the rows nor with the ranges.
 */
import type { Database, EngineReadError, EngineWriteError, Range, Reader, Replacement } from "@icecore/engine"
import { Data, Effect, Stream } from "effect"

/** Which rows to copy. In the target they replace whatever the same range of the same keyspace holds. */
export interface CopyRange {
  readonly keyspace: string
  /** Default: all of the keyspace. */
  readonly range?: Range
}

export interface CopyOptions {
  /** Only read, through a snapshot. */
  readonly source: Database
  readonly target: Database
  /**
   * 1 or more ranges; where two of one keyspace overlap, the rows are copied, and counted, twice with the same result.
   * Default: every keyspace of the source, whole. Keyspaces of the target that are not named stay untouched.
   */
  readonly ranges?: ReadonlyArray<CopyRange>
  /**
   * Runs after each batch read from the source, with the totals so far. It runs inside the target's transaction: it must
   * not write to the target, and what it waits for the copy waits for.
   */
  readonly onProgress?: (progress: CopyCount) => Effect.Effect<void>
}

/** What was read from the source and handed to the target. */
export interface CopyCount {
  readonly rowCount: number
  /** Bytes of keys and values, without what either engine adds. */
  readonly contentBytes: number
}

export interface CopyReport extends CopyCount {
  /** One for each range, in the order given. */
  readonly ranges: ReadonlyArray<CopyRange & CopyCount>
}

/** The copy makes no sense as asked; nothing was read or written. */
export class CopyRefused extends Data.Error<{
  readonly source: string
  readonly target: string
  readonly detail: string
}> {
  readonly _tag = "CopyRefused"
  override readonly name = "CopyRefused"
  override get message(): string {
    return `Cannot copy ${this.source} to ${this.target}: ${this.detail}`
  }
}

/** The source could not be read; the target is as it was. */
export class CopySourceFailed extends Data.Error<{ readonly source: string; readonly cause: EngineReadError }> {
  readonly _tag = "CopySourceFailed"
  override readonly name = "CopySourceFailed"
  override get message(): string {
    return `Cannot copy from ${this.source}: ${this.cause.message}`
  }
}

/** The target did not take the rows; it is as it was. */
export class CopyTargetFailed extends Data.Error<{ readonly target: string; readonly cause: EngineWriteError }> {
  readonly _tag = "CopyTargetFailed"
  override readonly name = "CopyTargetFailed"
  override get message(): string {
    return `Cannot copy to ${this.target}: ${this.cause.message}`
  }
}

export type CopyError = CopyRefused | CopySourceFailed | CopyTargetFailed

/**
 * Copies the ranges atomically and durably, and says how much that was. Concurrent writes to the source do not show in the
 * target; writes to the target wait until the copy is done. Fails with {@link CopyError}.
 */
export const copy: (options: CopyOptions) => Effect.Effect<CopyReport, CopyError> = Effect.fn("Copy.copy")(function* (
  options: CopyOptions
) {
  const { source, target, onProgress } = options
  const ranges = options.ranges ?? source.keyspaces.map((keyspace): CopyRange => ({ keyspace }))
  const detail = refusal(source, target, ranges)
  if (detail !== undefined) return yield* new CopyRefused({ source: source.path, target: target.path, detail })

  const tallies = ranges.map((range) => ({ ...range, rowCount: 0, contentBytes: 0 }))
  const progress =
    onProgress === undefined ? () => Effect.void : () => Effect.suspend(() => onProgress(totalOf(tallies)))
  const snapshot = yield* Effect.mapError(
    source.snapshot,
    (cause) => new CopySourceFailed({ source: source.path, cause })
  )
  yield* target
    .replace(tallies.map((tally) => replacementOf(source.path, snapshot, tally, progress)))
    .pipe(
      Effect.mapError((cause) =>
        cause._tag === "CopySourceFailed" ? cause : new CopyTargetFailed({ target: target.path, cause })
      )
    )
  return { ...totalOf(tallies), ranges: tallies.map((tally) => ({ ...tally })) }
}, Effect.scoped)

interface Tally extends CopyRange {
  rowCount: number
  contentBytes: number
}

const refusal = (source: Database, target: Database, ranges: ReadonlyArray<CopyRange>): string | undefined => {
  if (source === target) return "they are the same database"
  if (ranges.length === 0) return "no range is given"
  for (const { keyspace } of ranges) {
    if (!source.keyspaces.includes(keyspace)) return `the source has no keyspace ${keyspace}`
    if (!target.keyspaces.includes(keyspace)) return `the target has no keyspace ${keyspace}`
  }
  return undefined
}

const replacementOf = (
  path: string,
  snapshot: Reader,
  tally: Tally,
  progress: () => Effect.Effect<void>
): Replacement<CopySourceFailed> => ({
  keyspace: tally.keyspace,
  range: tally.range ?? {},
  rows: Stream.suspend(() => {
    // An adapter may run the stream again, for example after growing its file: what counts is the last run.
    tally.rowCount = 0
    tally.contentBytes = 0
    return snapshot.scan(tally.keyspace, tally.range).pipe(
      Stream.mapError((cause) => new CopySourceFailed({ source: path, cause })),
      Stream.mapArrayEffect((rows) => {
        for (const { key, value } of rows) tally.contentBytes += key.length + value.length
        tally.rowCount += rows.length
        return Effect.as(progress(), rows)
      })
    )
  })
})

const totalOf = (tallies: ReadonlyArray<CopyCount>): CopyCount => ({
  rowCount: tallies.reduce((total, each) => total + each.rowCount, 0),
  contentBytes: tallies.reduce((total, each) => total + each.contentBytes, 0)
})
