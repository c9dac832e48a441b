/** The log of a walk as a source: any part of it, in batches of one size, up to an end. */
import { Cause, Effect, Option, Stream } from "effect"
import type { Source } from "../../src/Source.ts"
import type { LogContent } from "./LogContent.ts"

export interface WalkSourceOptions {
  readonly content: Pick<LogContent, "bytesAt">
  /** Seq behind its last entry. */
  readonly end: number
  readonly batchSize: number
  readonly isRepeatable: boolean
}

export const make = ({ content, end, batchSize, isRepeatable }: WalkSourceOptions): Source => {
  let isTaken = false
  let done = 0
  return {
    name: "walk",
    isBounded: true,
    isRepeatable,
    tip: Effect.succeed(Option.some(end - 1)),
    entries: ({ from, resume }) =>
      Stream.unwrap(
        Effect.sync(() => {
          if (isTaken && !isRepeatable) throw new Error("a source that can be read once is read twice")
          isTaken = true
          if (resume !== undefined && Number(decoder.decode(resume)) >= from)
            throw new Error(`the position of ${decoder.decode(resume)} is handed back for entry ${from}`)
          if (from > end) throw new Error(`entry ${from} is asked for, the source ends before ${end}`)
          let next = from
          return Stream.fromPull(
            Effect.succeed(
              Effect.suspend(() => {
                if (next >= end) return Cause.done()
                const firstSeq = next
                const size = Math.min(batchSize, end - next)
                next += size
                done += size
                const entries = Array.from({ length: size }, (_, index) => content.bytesAt(firstSeq + index))
                const batch = {
                  firstSeq,
                  entries,
                  positionAfter: (count: number) => encoder.encode(`${firstSeq + count - 1}`)
                }
                return Effect.succeed([batch] as const)
              })
            )
          )
        })
      ),
    progress: Effect.sync(() => ({ unit: "entries", done, total: Option.some(end) }))
  }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
