import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as ContentHash from "../src/internal/ContentHash.ts"

/** The definition, word for word. */
const plain = (items: ReadonlyArray<Uint8Array>): string => {
  const hash = createHash("sha256")
  for (const item of items) {
    const length = new Uint8Array(4)
    new DataView(length.buffer).setUint32(0, item.length, true)
    hash.update(length).update(item)
  }
  return hash.digest("hex")
}

describe("ContentHash", () => {
  it("ContentHash.digest is right wherever lengths and items meet the end of the buffer they are gathered in", () => {
    const hasher = ContentHash.makeHasher(undefined)
    const buffer = 64 * 1024
    // The second item begins 12 bytes before the end of the buffer to 4 bytes after it; the third has its own chance.
    for (let short = -4; short <= 12; short++) {
      for (const second of [0, 1, 3, 8, buffer - 4, buffer, buffer + 1]) {
        const items = [buffer - 4 - short, second, 5, 0].map((size, at) => new Uint8Array(size).fill(at + 1))
        const payload = new Uint8Array(Buffer.concat(items))
        const sizes = Uint32Array.from(items, (item) => item.length)
        const actual = Buffer.from(ContentHash.digest(hasher, payload, sizes, items.length)).toString("hex")
        assert.strictEqual(actual, plain(items), `${short} and ${second}`)
      }
    }
  })
})
