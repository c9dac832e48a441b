import { assert, describe, it } from "@effect/vitest"
import { make as makeItems } from "../src/fixtures/JsonItems.ts"
import * as KeyedLines from "../src/fixtures/KeyedLines.ts"
import { make as makeRows, randomIndexes } from "../src/fixtures/KeyedRows.ts"
import { make as makeLines } from "../src/fixtures/Lines.ts"

const compare = (left: Uint8Array, right: Uint8Array): number => Buffer.compare(left, right)

describe("Fixtures", () => {
  it("KeyedRows have distinct keys in the order that was asked for", () => {
    const shape = { count: 5_000, keySizeBytes: 12, valueSizeBytes: 3 }
    const ascending = makeRows({ ...shape, order: "ascending" }).keys
    assert.deepStrictEqual(ascending, ascending.toSorted(compare))
    const random = makeRows({ ...shape, order: "random" }).keys
    assert.notDeepEqual(random, random.toSorted(compare))
    assert.strictEqual(new Set(random.map((key) => key.join())).size, random.length)
  })

  it("randomIndexes stay below their bound", () => {
    assert.isTrue(randomIndexes(1_000, 7).every((index) => index < 7))
    assert.strictEqual(new Set(randomIndexes(1_000, 7)).size, 7)
  })

  it("KeyedLines are JSON of one length, each with its own key, wherever they begin", () => {
    const { lines, keys } = KeyedLines.make(1_000)
    for (const [seq, line] of lines.entries()) {
      assert.strictEqual(line.length, KeyedLines.lineSizeBytes)
      assert.strictEqual(
        JSON.parse(new TextDecoder().decode(line)).key,
        Buffer.from(KeyedLines.keyAt(seq)).toString("hex")
      )
    }
    assert.strictEqual(new Set(keys.map((key) => key.join())).size, keys.length)
    assert.deepStrictEqual(KeyedLines.make(1, 700).keys, keys.slice(700, 701))
  })

  it("JsonItems and Lines fill every item, and no line holds a line feed", () => {
    const { bytes, items } = makeItems(1_000, 400)
    assert.strictEqual(items.length * 400, bytes.length)
    assert.isTrue(items.every((item) => item.length === 400 && item.indexOf(0) < 0))
    assert.isTrue(makeLines(100, 200).every((line) => line.length === 200 && line.indexOf(0x0a) < 0))
  })
})
