import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as LineSplitter from "../../src/source/kernel/LineSplitter.ts"

/** Lines and the rest, cut in the plainest way there is. */
const naive = (bytes: Uint8Array): { readonly lines: Array<Array<number>>; readonly rest: Array<number> } => {
  const lines: Array<Array<number>> = []
  let line: Array<number> = []
  for (const byte of bytes) {
    if (byte === 10) {
      lines.push(line)
      line = []
    } else line.push(byte)
  }
  return { lines, rest: line }
}

const split = (bytes: Uint8Array, cuts: ReadonlyArray<number>, maxLines: number, limitBytes: number) => {
  const splitter = LineSplitter.make(limitBytes)
  const lines: Array<Array<number>> = []
  const bounds = [...cuts.map((cut) => cut % (bytes.length + 1)).sort((left, right) => left - right), bytes.length]
  let start = 0
  for (const end of bounds) {
    if (end > start) LineSplitter.feed(splitter, bytes.slice(start, end))
    start = end
    for (;;) {
      const taken: Array<Uint8Array> = []
      const result = LineSplitter.take(splitter, taken, maxLines)
      assert.isAtMost(taken.length, maxLines)
      for (const line of taken) lines.push(Array.from(line))
      if (result === "tooLong") return { lines, isTooLong: true, rest: [] }
      if (result === "needInput") break
    }
  }
  return { lines, isTooLong: false, rest: Array.from(LineSplitter.takeRest(splitter) ?? []) }
}

// Mostly line feeds, carriage returns and a few others, so that lines are short and empty ones are common.
const bytes = fc
  .array(fc.oneof(fc.constantFrom(10, 13, 0, 255), fc.nat({ max: 255 })), { maxLength: 200 })
  .map((array) => Uint8Array.from(array))

describe("LineSplitter", () => {
  it("take cuts the same lines as a plain loop, wherever the chunks end", () => {
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(), { maxLength: 12 }), fc.integer({ min: 1, max: 5 }), (input, cuts, max) => {
        const result = split(input, cuts, max, 1_000)
        assert.isFalse(result.isTooLong)
        assert.deepStrictEqual({ lines: result.lines, rest: result.rest }, naive(input))
      }),
      { numRuns: 2_000 }
    )
  })

  it("take stops at the first line over the limit, wherever the chunks end", () => {
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(), { maxLength: 12 }), fc.nat({ max: 6 }), (input, cuts, limitBytes) => {
        const { lines, rest } = naive(input)
        const firstLong = [...lines, rest].findIndex((line) => line.length > limitBytes)
        const result = split(input, cuts, 3, limitBytes)
        assert.strictEqual(result.isTooLong, firstLong >= 0)
        assert.deepStrictEqual(result.lines, firstLong >= 0 ? lines.slice(0, firstLong) : lines)
      }),
      { numRuns: 2_000 }
    )
  })

  it("take hands out a view when a line lies in one chunk", () => {
    const splitter = LineSplitter.make(10)
    const chunk = Uint8Array.from([97, 98, 10, 99])
    LineSplitter.feed(splitter, chunk)
    const lines: Array<Uint8Array> = []
    assert.strictEqual(LineSplitter.take(splitter, lines, 10), "needInput")
    assert.strictEqual(lines[0]?.buffer, chunk.buffer)
  })
})
