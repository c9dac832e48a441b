/**
 * Cuts a run of bytes at line feeds (0x0A). Bytes are bytes: a carriage return, a byte order mark, NUL and invalid UTF-8 belong
 * to the line that they stand in, and an empty line is a line of no bytes.
 */

const lineFeed = 10

/** State of one run. Its fields belong to the functions of this module. */
export interface LineSplitter {
  readonly limitBytes: number
  chunk: Uint8Array
  /** Where in `chunk` the next line starts. */
  at: number
  /** The beginning of a line, from chunks before this one. */
  pending: Array<Uint8Array>
  pendingBytes: number
}

/**
 * Why {@link take} stopped: `full`: `maxLines` were taken, ask again. `needInput`: {@link feed} the next chunk. `tooLong`: the
 * next line has more than `limitBytes` bytes, which stays so.
 */
export type TakeResult = "full" | "needInput" | "tooLong"

const empty: Uint8Array = new Uint8Array(0)

/** A splitter for lines of `limitBytes` at most, inclusive, without their line feed. */
export const make = (limitBytes: number): LineSplitter => ({
  limitBytes,
  chunk: empty,
  at: 0,
  pending: [],
  pendingBytes: 0
})

/**
 * Gives the next chunk, once {@link take} said `needInput`. The chunk is the splitter's and then of the lines that are cut
 * from it: it must not be changed or reused.
 */
export const feed = (splitter: LineSplitter, chunk: Uint8Array): void => {
  splitter.chunk = chunk
  splitter.at = 0
}

/**
 * Appends complete lines, without their line feeds, to `lines`, which may hold `maxLines` in the end. A line that lies in one
 * chunk is a view of it; a line over several chunks is a copy. Holds `limitBytes` and one chunk at most.
 */
export const take = (splitter: LineSplitter, lines: Array<Uint8Array>, maxLines: number): TakeResult => {
  const { chunk, limitBytes } = splitter
  let at = splitter.at
  // PERF: native indexOf and subarray split 200-byte lines at 3.4 GB/s on Bun, a byte loop at 1.4 GB/s.
  while (lines.length < maxLines) {
    const end = chunk.indexOf(lineFeed, at)
    if (end < 0) {
      const restBytes = chunk.length - at
      if (splitter.pendingBytes + restBytes > limitBytes) {
        splitter.at = at
        return "tooLong"
      }
      if (restBytes > 0) {
        splitter.pending.push(chunk.subarray(at))
        splitter.pendingBytes += restBytes
      }
      splitter.chunk = empty
      splitter.at = 0
      return "needInput"
    }
    if (splitter.pendingBytes + end - at > limitBytes) {
      splitter.at = at
      return "tooLong"
    }
    lines.push(splitter.pendingBytes === 0 ? chunk.subarray(at, end) : join(splitter, chunk.subarray(at, end)))
    at = end + 1
  }
  splitter.at = at
  return "full"
}

/** The line that has no line feed yet, and forgets it; none when the last byte was a line feed or there was no byte. */
export const takeRest = (splitter: LineSplitter): Uint8Array | undefined =>
  splitter.pendingBytes === 0 ? undefined : join(splitter, empty)

const join = (splitter: LineSplitter, tail: Uint8Array): Uint8Array => {
  const line = new Uint8Array(splitter.pendingBytes + tail.length)
  let at = 0
  for (const part of splitter.pending) {
    line.set(part, at)
    at += part.length
  }
  line.set(tail, at)
  splitter.pending = []
  splitter.pendingBytes = 0
  return line
}
