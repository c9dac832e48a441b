import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as LinePosition from "../../src/source/LinePosition.ts"

const position: LinePosition.LinePosition = {
  seq: 41,
  name: "log.ndjson",
  identity: "2049:1311",
  offsetBytes: 9_120,
  line: 42,
  lineBytes: 9,
  lineCrc: LinePosition.checksum(new TextEncoder().encode("123456789")),
  isOpen: false
}
// 3808858755 is 0xE3069283, the published check value of CRC32C.
const golden =
  '{"v":1,"seq":41,"name":"log.ndjson","id":"2049:1311","offset":9120,"line":42,"bytes":9,"crc":3808858755,"open":false}'

describe("LinePosition", () => {
  it("encode writes version 1 as it is stored", () => {
    assert.strictEqual(new TextDecoder().decode(LinePosition.encode(position)), golden)
  })

  it.effect("decode reads version 1", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* LinePosition.decode(new TextEncoder().encode(golden)), position)
    })
  )

  it.effect("decode refuses every truncation, another version, impossible numbers and other bytes", () =>
    Effect.gen(function* () {
      const refused = [
        ...Array.from({ length: golden.length }, (_, length) => golden.slice(0, length)),
        golden.replace('"v":1', '"v":2'),
        golden.replace("9120", "-1"),
        golden.replace("9120", "9120.5"),
        golden.replace('"bytes":9', '"bytes":9e99'),
        golden.replace('"bytes":9', '"bytes":9121'),
        "null",
        "\u0000"
      ]
      for (const text of refused) {
        const error = yield* Effect.flip(LinePosition.decode(new TextEncoder().encode(text)))
        assert.strictEqual(error._tag, "PositionInvalid")
      }
    })
  )
})
