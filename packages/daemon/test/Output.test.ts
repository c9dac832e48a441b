import { assert, describe, it } from "@effect/vitest"
import * as Output from "../src/cli/Output.ts"

describe("Output", () => {
  it("formatBytes uses binary units and one decimal from a KiB on", () => {
    const cases: ReadonlyArray<readonly [number, string]> = [
      [0, "0 B"],
      [1_023, "1023 B"],
      [1_024, "1.0 KiB"],
      [1_536, "1.5 KiB"],
      [5 * 2 ** 30, "5.0 GiB"],
      [2 ** 60, "1024.0 PiB"]
    ]
    for (const [bytes, text] of cases) assert.strictEqual(Output.formatBytes(bytes), text)
  })

  it("formatSeconds shows two units at most", () => {
    const cases: ReadonlyArray<readonly [number, string]> = [
      [-1, "0s"],
      [0.4, "0s"],
      [59, "59s"],
      [60, "1m 00s"],
      [3_599, "59m 59s"],
      [3_600, "1h 00m"],
      [90_061, "25h 01m"]
    ]
    for (const [seconds, text] of cases) assert.strictEqual(Output.formatSeconds(seconds), text)
  })

  it("pairs aligns the second column", () => {
    assert.strictEqual(
      Output.pairs([
        ["a", "1"],
        ["long", "2"]
      ]),
      "a     1\nlong  2"
    )
  })
})
