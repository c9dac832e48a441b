import { assert, describe, it } from "@effect/vitest"
import { parseTime } from "../../src/c1z/C1zTime.ts"

describe("C1zTime", () => {
  it("parseTime gives microseconds of UTC, whatever zeros were left out", () => {
    const second = Date.UTC(2025, 11, 17, 16, 31, 25) * 1_000
    const micros = (text: string) => parseTime(text)?.micros
    assert.strictEqual(micros("2025-12-17 16:31:25.057185"), second + 57_185)
    assert.strictEqual(micros("2025-12-17 16:31:25.5"), second + 500_000)
    assert.strictEqual(micros("2025-12-17 16:31:25"), second)
    assert.strictEqual(micros("2025-12-17T16:31:25Z"), second)
    assert.strictEqual(micros("2025-12-17 16:31:25.05+00:00"), second + 50_000)
    assert.strictEqual(micros("1970-01-01 00:00:00"), 0)
    assert.strictEqual(micros("1969-12-31 23:59:59.999999"), -1)
    assert.strictEqual(micros("2024-02-29 00:00:00"), Date.UTC(2024, 1, 29) * 1_000)
  })

  it("parseTime says when a text is finer than a microsecond", () => {
    assert.deepStrictEqual(parseTime("1970-01-01 00:00:00.000001234"), { micros: 1, isCut: true })
    assert.deepStrictEqual(parseTime("1970-01-01 00:00:00.000001000"), { micros: 1, isCut: false })
  })

  it("parseTime refuses days and hours that there are not, other zones, other forms, and years it cannot count in", () => {
    for (const text of [
      "",
      "2025-02-29 00:00:00",
      "2025-13-01 00:00:00",
      "2025-00-10 00:00:00",
      "2025-01-32 00:00:00",
      "2025-01-01 24:00:00",
      "2025-01-01 00:60:00",
      "2025-01-01 00:00:60",
      "2025-01-01 00:00:00+01:00",
      "2025-01-01 00:00:00.",
      "2025-01-01 00:00:00.1234567890",
      "2025-01-01",
      "1765989085",
      "2025-01-01 00:00:00 ",
      "2256-01-01 00:00:00",
      "0001-01-01 00:00:00"
    ]) {
      assert.isUndefined(parseTime(text), text)
    }
  })
})
