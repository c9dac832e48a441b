/**
 * Turns the lines of a sequence of inputs into batches of entries with their positions.
 */
import { Cause, Effect, Option, Scope, Stream } from "effect"
import { type EntriesOptions, PositionInvalid, type SourceBatch, type SourceError, SourceTooShort } from "../Source.ts"
import * as LineCursor from "./LineCursor.ts"
import type { LineFiles } from "./LineFiles.ts"
import * as LinePosition from "./LinePosition.ts"

export interface LineStreamOptions {
  /** How errors name the source. */
  readonly path: string
  /** Seq of the first line of the first input. */
  readonly firstSeq: number
  /** Told the seq of the last line of each take, whether it is delivered or passed over. */
  readonly onSeq: (seq: number) => void
}

/** The entries of `files` from `from` on. Ends, or fails with {@link SourceTooShort}, when the files do. */
export const make = (
  files: LineFiles,
  options: LineStreamOptions,
  { from, resume }: EntriesOptions
): Stream.Stream<SourceBatch, SourceError> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const position = resume === undefined ? Option.none() : Option.some(yield* LinePosition.decode(resume))
      if (Option.isSome(position) && position.value.seq >= from)
        return yield* new PositionInvalid({
          source: "ndjson",
          detail: `its position is behind entry ${position.value.seq}, which is not before entry ${from}`
        })
      const reader = makeReader(files, options, from, position)
      return Stream.fromPull(Effect.succeed(Scope.provide(reader, scope)))
    })
  )

/** The next batch each time, until it is done. */
const makeReader = (
  files: LineFiles,
  { path, firstSeq, onSeq }: LineStreamOptions,
  from: number,
  position: Option.Option<LinePosition.LinePosition>
): Effect.Effect<readonly [SourceBatch], SourceError | Cause.Done, Scope.Scope> => {
  let cursor: Option.Option<LineCursor.LineCursor> = Option.none()
  let hasBegun = false
  let nextSeq = Option.match(position, { onNone: () => firstSeq, onSome: ({ seq }) => seq + 1 })

  /** Counts lines that were taken from `source`, and makes a batch of those from `from` on. */
  const count = (
    source: LineCursor.LineCursor,
    lines: ReadonlyArray<Uint8Array>
  ): Option.Option<readonly [SourceBatch]> => {
    const seq = nextSeq
    nextSeq += lines.length
    onSeq(nextSeq - 1)
    const place = placeIn(source, lines, seq)
    source.last = Option.some(place(lines.length))
    if (nextSeq <= from) return Option.none()
    const skipped = Math.max(0, from - seq)
    return Option.some([
      {
        firstSeq: seq + skipped,
        entries: skipped === 0 ? lines : lines.slice(skipped),
        positionAfter: (taken) => LinePosition.encode(place(skipped + taken))
      }
    ])
  }

  return Effect.gen(function* () {
    if (!hasBegun) {
      cursor = yield* files.begin(position)
      hasBegun = true
    }
    while (Option.isSome(cursor)) {
      const current = cursor.value
      const lines = yield* LineCursor.take(current)
      if (Option.isSome(lines)) {
        const batch = count(current, lines.value)
        if (Option.isSome(batch)) return batch.value
        continue
      }
      const step = yield* files.atEnd(current)
      if (step === "more") continue
      if (step === "finished") {
        const line = LineCursor.takeOpenLine(current)
        if (Option.isSome(line)) {
          const batch = count(current, [line.value])
          if (Option.isSome(batch)) return batch.value
          continue
        }
        cursor = yield* files.after(current)
      } else cursor = Option.some(step)
      yield* current.close
    }
    if (nextSeq < from) return yield* new SourceTooShort({ path, from, end: nextSeq })
    return yield* Cause.done()
  })
}

/** The place behind the first `count` of the lines that were taken last from the cursor, of which the first is entry `seq`. */
const placeIn = (
  { name, identity, offsetBytes, line, isOpen }: LineCursor.LineCursor,
  lines: ReadonlyArray<Uint8Array>,
  seq: number
): ((count: number) => LinePosition.LinePosition) => {
  const ends = new Float64Array(lines.length)
  let endBytes = offsetBytes
  for (let index = lines.length - 1; index >= 0; index--) {
    ends[index] = endBytes
    endBytes -= lines[index]!.length + 1
  }
  return (count) => ({
    seq: seq + count - 1,
    name,
    identity,
    offsetBytes: ends[count - 1]!,
    line: line - lines.length + count,
    lineBytes: lines[count - 1]!.length,
    lineCrc: LinePosition.checksum(lines[count - 1]!),
    // A line without a line feed is taken alone.
    isOpen
  })
}
