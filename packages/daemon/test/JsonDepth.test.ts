import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import { isDeeperThan } from "../src/kernel/JsonDepth.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const depthOf = (value: unknown): number =>
  typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0

describe("JsonDepth", () => {
  it("isDeeperThan agrees with a walk of the parsed document", () => {
    const unit = FastCheck.constantFrom("[", "]", "{", "}", '"', "\\", "a")
    const text = FastCheck.string({ unit, maxLength: 6 })
    const document = FastCheck.object({
      key: text,
      values: [text, FastCheck.integer()],
      maxDepth: 6,
      withNullPrototype: false
    })
    FastCheck.assert(
      FastCheck.property(document, (value) => {
        const json = bytes(JSON.stringify(value))
        const depth = depthOf(value)
        assert.isFalse(isDeeperThan(json, depth))
        if (depth > 0) assert.isTrue(isDeeperThan(json, depth - 1))
      })
    )
  })

  it("isDeeperThan answers for bytes that are no JSON", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.uint8Array({ maxLength: 60 }), FastCheck.nat({ max: 5 }), (json, limit) => {
        assert.isBoolean(isDeeperThan(json, limit))
      })
    )
    assert.isTrue(isDeeperThan(bytes("[".repeat(30)), 3))
    assert.isFalse(isDeeperThan(bytes(`"${"[".repeat(30)}`), 3))
    assert.isFalse(isDeeperThan(bytes(`"\\"${"[".repeat(30)}"`), 3))
  })
})
