import { assert, describe, it } from "@effect/vitest"
import * as KeyMerge from "../src/kernel/KeyMerge.ts"
import { makeChoices } from "./MergeFixtures.ts"

interface Row {
  readonly key: string
  readonly lane: number
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Merges lanes given some rows at a time, and says which lanes had each key. */
const merged = (lanes: ReadonlyArray<ReadonlyArray<Row>>, batchSize: () => number): ReadonlyArray<string> => {
  const merge = KeyMerge.make<Row>()
  const rest = lanes.map((rows) => [...rows])
  const dry = lanes.map((_, order) => KeyMerge.makeLane<Row>(order, ({ key }) => bytes(key)))
  const seen: Array<string> = []
  for (;;) {
    for (const lane of dry.splice(0)) {
      const rows = rest[lane.order]!.splice(0, batchSize())
      if (rows.length > 0) KeyMerge.supply(merge, lane, rows)
    }
    if (KeyMerge.takeLeast(merge) === 0) return seen
    const rows = merge.least.map((lane) => KeyMerge.rowOf(lane))
    seen.push(`${rows[0]!.key}: ${rows.map(({ lane }) => lane).join(" ")}`)
    KeyMerge.advance(merge, dry)
  }
}

describe("KeyMerge", () => {
  it("takeLeast gives every key once, in order, with all lanes that have it from the lowest to the highest", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const { nextInt } = makeChoices(seed)
      const lanes = Array.from({ length: nextInt(70) }, (_, lane) =>
        [...new Set(Array.from({ length: nextInt(20) }, () => "abcdefghij".slice(0, nextInt(4)) + nextInt(9)))]
          .sort()
          .map((key) => ({ key, lane }))
      )
      const byKey = new Map<string, Array<number>>()
      for (const { key, lane } of lanes.flat()) byKey.set(key, [...(byKey.get(key) ?? []), lane])
      const expected = [...byKey].toSorted(([left], [right]) => (left < right ? -1 : 1))
      assert.deepStrictEqual(
        merged(lanes, () => 1 + nextInt(5)),
        expected.map(([key, having]) => `${key}: ${having.join(" ")}`)
      )
    }
  })

  it("takeLeast orders keys by their bytes, unsigned, a prefix before what is longer", () => {
    const keys = [[], [0], [0, 0], [1], [127], [128], [255], [255, 0]].map((each) => Uint8Array.from(each))
    const merge = KeyMerge.make<Uint8Array>()
    for (const [order, key] of keys.toReversed().entries()) {
      KeyMerge.supply(
        merge,
        KeyMerge.makeLane<Uint8Array>(order, (row) => row),
        [key]
      )
    }
    const seen: Array<Uint8Array> = []
    while (KeyMerge.takeLeast(merge) > 0) seen.push(KeyMerge.rowOf(merge.least[0]!))
    assert.deepStrictEqual(seen, keys)
  })
})
