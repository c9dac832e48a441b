import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import * as NdjsonDomain from "../../src/domain/NdjsonDomain.ts"

describe("NdjsonDomain", () => {
  it("refusal names the first line feed, and nothing else is refused", () => {
    const { refusal } = NdjsonDomain.make()
    assert.deepStrictEqual(
      refusal(Uint8Array.from([1, 10, 10])),
      Option.some("byte 1 is a line feed, an entry is one line without it")
    )
    for (const entry of [[], [13], [0, 255, 0xc0], [0xef, 0xbb, 0xbf]])
      assert.isTrue(Option.isNone(refusal(Uint8Array.from(entry))))
  })

  it("parseOptions gives back the options of any domain, and takes nothing else", () => {
    const domains: ReadonlyArray<NdjsonDomain.NdjsonOptions> = [
      {},
      { keys: ["/hash"] },
      { keys: ["/b/0", "", "/a~1\u00e9"], keyFormat: "text", duplicates: "last" }
    ]
    for (const options of domains) {
      const { options: text } = NdjsonDomain.make(options)
      const parsed = Option.getOrThrow(NdjsonDomain.parseOptions(text))
      assert.strictEqual(NdjsonDomain.make(parsed).options, text)
    }
    for (const text of ["{}", "[]", "sha256:00", '{"keys":["a"],"keyFormat":"hex","duplicates":"error"}'])
      assert.isTrue(Option.isNone(NdjsonDomain.parseOptions(text)), text)
  })
})
