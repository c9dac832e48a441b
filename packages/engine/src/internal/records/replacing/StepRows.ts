/** Rows of a replacement, made in short steps: between two of them the caller has its turn, and may wait or fail. */
import { Cause, Effect, Stream } from "effect"
import type { Row } from "../../../Engine.ts"
import type { ReplaceProgress } from "../../../RecordStore.ts"

/** A step ends with the row that takes it to one of these. */
export const stepRowCount = 1_000
export const stepBytes: number = 256 * 1024

/** What a part of a replacement has written so far. */
export interface Tally {
  /** Logical rows. */
  rowCount: number
  /** Of the keys and values of blocks. */
  bytes: number
}

/** Makes the rows of one part. */
export interface Steps<E> {
  /** Makes some blocks, or none and reads more; whether it was the last step. */
  readonly next: Effect.Effect<boolean, E>
  /** Blocks of the step; taken away after it. */
  readonly blocks: Array<Row>
}

/** The turn of the caller. */
export type Pause<E> = Effect.Effect<void, E>

interface StepRowsOptions<E, P> {
  readonly pause: Pause<P>
  /** Begins from the start: an engine may read the rows of a replacement again. */
  readonly begin: Effect.Effect<Steps<E>, E>
}

export const stepRows = <E, P>({ begin, pause }: StepRowsOptions<E, P>): Stream.Stream<Row, E | P> =>
  Stream.fromPull(
    Effect.map(begin, (steps) => {
      let isBegun = false
      let isEnd = false
      const pull: Effect.Effect<readonly [Row, ...Array<Row>], E | P | Cause.Done> = Effect.suspend(() => {
        const step = Effect.suspend(() => {
          if (isEnd) return Cause.done()
          isBegun = true
          return Effect.flatMap(steps.next, (isLast) => {
            isEnd = isLast
            const blocks = steps.blocks.splice(0)
            return isNonEmpty(blocks) ? Effect.succeed(blocks) : pull
          })
        })
        return isBegun ? Effect.andThen(pause, step) : step
      })
      return pull
    })
  )

const isNonEmpty = (blocks: Array<Row>): blocks is [Row, ...Array<Row>] => blocks.length > 0

/** Sums up the parts. */
export const progressOf = (tallies: ReadonlyArray<Tally>): ReplaceProgress => {
  let rowCount = 0
  let bytes = 0
  for (const tally of tallies) {
    rowCount += tally.rowCount
    bytes += tally.bytes
  }
  return { rowCount, bytes }
}
