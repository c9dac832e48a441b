import { assert, describe, it } from "@effect/vitest"
import { makeNameCounts } from "../../src/c1z/C1zReport.ts"
import * as RemainderMemo from "../../src/c1z/RemainderMemo.ts"

describe("RemainderMemo", () => {
  it("gives what was remembered for the same name and bytes, from copies of its own", () => {
    const memo = RemainderMemo.make()
    const message = Uint8Array.of(1, 2)
    memo.set("a", { message, remainder: Uint8Array.of(3), paths: ["p"] })
    assert.deepStrictEqual(memo.get("a", Uint8Array.of(1, 2)), {
      message: Uint8Array.of(1, 2),
      remainder: Uint8Array.of(3),
      paths: ["p"]
    })
    assert.isUndefined(memo.get("b", message))
    assert.isUndefined(memo.get("a", Uint8Array.of(1, 3)))
    assert.isUndefined(memo.get("a", Uint8Array.of(1)))
    message[0] = 9
    assert.isUndefined(memo.get("a", message))
  })

  it("forgets when it has kept many bytes", () => {
    const memo = RemainderMemo.make()
    const large = new Uint8Array(7 * 1024 * 1024)
    const names = ["a", "b", "c"]
    for (const name of names) memo.set(name, { message: large, remainder: large.subarray(0, 1), paths: [] })
    assert.deepStrictEqual(
      names.map((name) => memo.get(name, large) !== undefined),
      [false, false, true]
    )
  })
})

describe("makeNameCounts", () => {
  it("counts by name, in the order of names, and those after a thousand as one", () => {
    const counts = makeNameCounts()
    for (let at = 1_500; at > 0; at--) counts.add(`${at}`.padStart(4, "0"))
    counts.add("1500", 2)
    const record = counts.toRecord()
    assert.strictEqual(Object.keys(record).length, 1_001)
    assert.deepStrictEqual([record["1500"], record["0501"], record["0500"], record["…"]], [3, 1, undefined, 500])
    assert.deepStrictEqual(Object.keys(makeSorted()), ["a", "b"])
  })
})

const makeSorted = () => {
  const counts = makeNameCounts()
  counts.add("b")
  counts.add("a")
  return counts.toRecord()
}
