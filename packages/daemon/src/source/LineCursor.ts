/**
 * Lines of one input in order, with the place of each: what the source holds while it reads a file.
 */
import type { Disk } from "@icecore/packfile"
import { Effect, Exit, Option, Scope } from "effect"
import { LineTooLong, SourceChanged, SourceDamaged, type SourceError } from "../Source.ts"
import { type ByteInput, fromFile, type InputFile, openFile } from "./ByteInput.ts"
import * as LineSplitter from "./kernel/LineSplitter.ts"
import { checksum, describe, type LinePosition } from "./LinePosition.ts"
import { decode, detect, promisedBy } from "./live/Decompression.ts"

/** Lines that one batch has at most. Its bytes are bounded by one read and one line. */
export const maxBatchLines = 8_192

const lineFeed = 10

/** An input and how far its lines were taken. Mutable: it belongs to the stream that opened it. */
export interface LineCursor {
  readonly path: string
  /** Bare name of the file; `-` for standard input. */
  readonly name: string
  /** Device and inode; empty for standard input. */
  readonly identity: string
  /** The file itself, when it may grow; none when it is compressed or no file. */
  readonly growing: Option.Option<InputFile>
  readonly input: ByteInput
  readonly splitter: LineSplitter.LineSplitter
  /** Closes the input. Also done by the scope that it was opened in. */
  readonly close: Effect.Effect<void>
  /** Decoded bytes up to the end of the last line taken, its line feed included. */
  offsetBytes: number
  /** Decoded bytes read, past `offsetBytes` when part of a line waits for the rest. */
  readBytes: number
  /** Lines taken. */
  line: number
  /** Behind the last line taken, or the one that the file was opened behind; none at the beginning. Kept by the stream. */
  last: Option.Option<LinePosition>
  /** The last line taken came without a line feed: the next byte must be one, and belongs to it. */
  isOpen: boolean
}

/** The line that a position stands behind is not in this file. */
export interface Displaced {
  readonly _tag: "Displaced"
  /** What stands where the line should be; none when there is no file or it ends before. */
  readonly actual: Option.Option<string>
}

export interface OpenOptions {
  readonly disk: Disk
  readonly path: string
  readonly name: string
  readonly lineLimitBytes: number
  /** Whether the file may be written to by others, so that its last line is checked at each read. */
  readonly isFollowed: boolean
  /** Whether a file is not opened yet while its first bytes, if any, cannot tell whether it is compressed. */
  readonly awaitsBytes: boolean
  /** Told the size of each read of the file. */
  readonly onRead: (sizeBytes: number) => void
  /** Told how many bytes lie before where the file is read first. */
  readonly onSkip: (sizeBytes: number) => void
}

/** Opens a file at its beginning; none when it is absent or cannot be told yet. */
export const open: (options: OpenOptions) => Effect.Effect<Option.Option<LineCursor>, SourceError, Scope.Scope> =
  Effect.fnUntraced(function* (options) {
    const scope = yield* Scope.fork(yield* Effect.scope)
    return yield* openIn(options, scope, 0).pipe(Effect.onError(() => Scope.close(scope, Exit.void)))
  })

/** Opens a file behind the line of `position`, if that line is there. */
export const openBehind: (
  options: OpenOptions,
  position: LinePosition
) => Effect.Effect<LineCursor | Displaced, SourceError, Scope.Scope> = Effect.fnUntraced(function* (options, position) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const tailBytes = tailSizeBytes(position)
  const found = yield* openIn(options, scope, position.offsetBytes - tailBytes).pipe(
    Effect.flatMap((opened) =>
      Option.isNone(opened)
        ? Effect.succeed(displaced(Option.none()))
        : Effect.map(findLine(opened.value, position, tailBytes), (miss) => miss ?? opened.value)
    ),
    Effect.onError(() => Scope.close(scope, Exit.void))
  )
  if ("_tag" in found) yield* Scope.close(scope, Exit.void)
  return found
})

/** Lines of something that is no file. Its scope is the caller's. */
export const fromInput = (input: ByteInput, options: { readonly lineLimitBytes: number }): LineCursor => ({
  path: input.path,
  name: "-",
  identity: "",
  growing: Option.none(),
  input,
  splitter: LineSplitter.make(options.lineLimitBytes),
  close: Effect.void,
  offsetBytes: 0,
  readBytes: 0,
  line: 0,
  last: Option.none(),
  isOpen: false
})

/**
 * Passes over the lines of an input that cannot be opened behind them, up to the one of `position`, which must be there.
 * The cursor must be at its beginning.
 */
export const passOver: (
  cursor: LineCursor,
  position: LinePosition
) => Effect.Effect<Displaced | undefined, SourceError> = (cursor, position) =>
  Effect.suspend(() => {
    const tailBytes = tailSizeBytes(position)
    cursor.offsetBytes = position.offsetBytes - tailBytes
    return findLine(cursor, position, tailBytes)
  })

/** Takes the next complete lines, at least one; none at the end of what there is. */
export const take: (cursor: LineCursor) => Effect.Effect<Option.Option<ReadonlyArray<Uint8Array>>, SourceError> =
  Effect.fnUntraced(function* (cursor) {
    const lines: Array<Uint8Array> = []
    for (;;) {
      const result = LineSplitter.take(cursor.splitter, lines, maxBatchLines)
      if (lines.length > 0) {
        advance(cursor, lines)
        return Option.some(lines)
      }
      if (result === "tooLong")
        return yield* new LineTooLong({
          path: cursor.path,
          line: cursor.line + 1,
          limitBytes: cursor.splitter.limitBytes
        })
      const chunk = yield* cursor.input.read
      if (Option.isNone(chunk)) return Option.none()
      yield* feed(cursor, chunk.value)
    }
  })

/** Whether the last line taken still stands in the file where it was. Always so for what cannot grow. */
export const isIntact: (cursor: LineCursor) => Effect.Effect<boolean, SourceError> = Effect.fnUntraced(function* ({
  growing,
  last
}) {
  if (Option.isNone(growing) || Option.isNone(last)) return true
  const position = last.value
  const tail = new Uint8Array(tailSizeBytes(position))
  return yield* growing.value.file.readAt(tail, position.offsetBytes - tail.length).pipe(
    Effect.map(() => differenceAt(tail, position) === undefined),
    Effect.catchTag("DiskShortRead", () => Effect.succeed(false))
  )
})

/** Takes the last line of an input that has no line feed and will get none; none when there is no such line. */
export const takeOpenLine = (cursor: LineCursor): Option.Option<Uint8Array> => {
  const line = LineSplitter.takeRest(cursor.splitter)
  if (line === undefined) return Option.none()
  cursor.offsetBytes += line.length
  cursor.line++
  cursor.isOpen = true
  return Option.some(line)
}

/** Bytes of the line of a position and its line feed, if it had one. */
const tailSizeBytes = (position: LinePosition): number => position.lineBytes + (position.isOpen ? 0 : 1)

const displaced = (actual: Option.Option<string>): Displaced => ({ _tag: "Displaced", actual })

const openIn = Effect.fnUntraced(function* (
  options: OpenOptions,
  scope: Scope.Closeable,
  startBytes: number
): Effect.fn.Return<Option.Option<LineCursor>, SourceError> {
  const { disk, path, name, lineLimitBytes, isFollowed, awaitsBytes, onRead, onSkip } = options
  const opened = yield* Scope.provide(openFile(disk, path), scope)
  if (Option.isNone(opened)) return Option.none()
  const { file, identity } = opened.value
  const prefix = new Uint8Array(Math.min(4, yield* file.size))
  yield* file.readAt(prefix, 0)
  const detected = detect(prefix)
  const promised = promisedBy(path)
  if (promised !== "none" && detected !== promised)
    return yield* new SourceDamaged({ path, format: promised, detail: `it does not begin as ${promised} data does` })
  if (detected === "undetermined" && awaitsBytes) return Option.none()
  const isPlain = detected === "none" || detected === "undetermined"
  if (isPlain) onSkip(startBytes)
  // A file that is rewritten between two reads must not be read on as if it were the same.
  const isSound: Effect.Effect<boolean, SourceError> = Effect.suspend(() =>
    isFollowed ? isIntact(cursor) : Effect.succeed(true)
  )
  const raw = fromFile(opened.value, isPlain ? startBytes : 0, onRead, isSound)
  const input = isPlain ? raw : yield* Scope.provide(decode(raw, detected), scope)
  const cursor: LineCursor = {
    path,
    name,
    identity,
    growing: isPlain ? opened : Option.none(),
    input,
    splitter: LineSplitter.make(lineLimitBytes),
    close: Scope.close(scope, Exit.void),
    offsetBytes: startBytes,
    readBytes: isPlain ? startBytes : 0,
    line: 0,
    last: Option.none(),
    isOpen: false
  }
  return Option.some(cursor)
})

/** Compares the line at the cursor with the one of the position and, when they are the same, moves behind it. */
const findLine = Effect.fnUntraced(function* (
  cursor: LineCursor,
  position: LinePosition,
  tailBytes: number
): Effect.fn.Return<Displaced | undefined, SourceError> {
  const tail = new Uint8Array(tailBytes)
  let filledBytes = 0
  let rest: Uint8Array = new Uint8Array(0)
  // A compressed input starts at its beginning: what lies before the line is passed over.
  let skipBytes = cursor.offsetBytes - cursor.readBytes
  while (filledBytes < tailBytes) {
    const read = yield* cursor.input.read
    if (Option.isNone(read)) return displaced(Option.none())
    const chunk = read.value.subarray(Math.min(skipBytes, read.value.length))
    skipBytes -= read.value.length - chunk.length
    rest = chunk.subarray(Math.min(chunk.length, tailBytes - filledBytes))
    tail.set(chunk.subarray(0, chunk.length - rest.length), filledBytes)
    filledBytes += chunk.length - rest.length
  }
  const actual = differenceAt(tail, position)
  if (actual !== undefined) return displaced(Option.some(actual))
  if (position.isOpen && rest.length > 0 && rest[0] !== lineFeed) return displaced(Option.some("a longer line"))
  cursor.offsetBytes = position.offsetBytes
  cursor.readBytes = position.offsetBytes
  cursor.line = position.line
  cursor.isOpen = position.isOpen
  cursor.last = Option.some(position)
  if (rest.length > 0) yield* feed(cursor, rest)
  return undefined
})

/** What stands in `tail` instead of the line and its line feed. */
const differenceAt = (tail: Uint8Array, position: LinePosition): string | undefined => {
  const line = tail.subarray(0, position.lineBytes)
  const crc = checksum(line)
  if (crc !== position.lineCrc) return describe(line.length, crc)
  return position.isOpen || tail[position.lineBytes] === lineFeed ? undefined : "a longer line"
}

const feed = (cursor: LineCursor, chunk: Uint8Array): Effect.Effect<void, SourceChanged> =>
  Effect.suspend(() => {
    cursor.readBytes += chunk.length
    if (!cursor.isOpen) return Effect.sync(() => LineSplitter.feed(cursor.splitter, chunk))
    if (chunk[0] !== lineFeed)
      return Effect.fail(
        new SourceChanged({ path: cursor.path, line: cursor.line, expected: "its end", actual: "more bytes behind it" })
      )
    cursor.isOpen = false
    cursor.offsetBytes++
    return Effect.sync(() => LineSplitter.feed(cursor.splitter, chunk.subarray(1)))
  })

const advance = (cursor: LineCursor, lines: ReadonlyArray<Uint8Array>): void => {
  cursor.line += lines.length
  for (const line of lines) cursor.offsetBytes += line.length + 1
}
