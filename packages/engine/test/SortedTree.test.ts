import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { compareBytes } from "../src/internal/Bounds.ts"
import * as SortedTree from "../src/kernel/SortedTree.ts"
import { treeFingerprint } from "../src/kernel/TreeFingerprint.ts"

const everything = { lower: undefined, lowerInclusive: true, upper: undefined, upperInclusive: true }
const keys = fc.array(fc.uint8Array({ minLength: 1, maxLength: 3 }), { maxLength: 200 })

const build = (list: ReadonlyArray<Uint8Array>): SortedTree.SortedTree =>
  list.reduce<SortedTree.SortedTree>((tree, key) => SortedTree.put(tree, key, key), undefined)

const listed = (tree: SortedTree.SortedTree): ReadonlyArray<Uint8Array> => {
  const rows: Array<{ key: Uint8Array; value: Uint8Array }> = []
  SortedTree.collect(tree, everything, false, Number.POSITIVE_INFINITY, rows)
  return rows.map(({ key }) => key)
}

const depth = (tree: SortedTree.SortedTree): number =>
  tree === undefined ? 0 : 1 + Math.max(depth(tree.left), depth(tree.right))

it("SortedTree has the same shape and fingerprint whatever the order of arrival, and another for other contents", () => {
  fc.assert(
    fc.property(keys, fc.uint8Array({ minLength: 4, maxLength: 4 }), (list, extra) => {
      const forward = build(list)
      const backward = SortedTree.remove(build([...list, extra].reverse()), extra)
      assert.deepStrictEqual(forward, backward)
      assert.strictEqual(treeFingerprint(forward), treeFingerprint(backward))
      assert.notStrictEqual(treeFingerprint(forward), treeFingerprint(SortedTree.put(forward, extra, extra)))
      if (forward !== undefined) {
        const changed = SortedTree.put(forward, forward.key, Uint8Array.of(...forward.value, 0))
        assert.notStrictEqual(treeFingerprint(forward), treeFingerprint(changed))
      }
    })
  )
})

it("SortedTree leaves an older version as it was", () => {
  fc.assert(
    fc.property(keys, keys, (before, after) => {
      const old = build(before)
      const expected = listed(old)
      const bounds = { ...everything, lower: Uint8Array.of(64), upper: Uint8Array.of(192) }
      const next = after.reduce((tree, key) => SortedTree.put(SortedTree.remove(tree, key), key, key), old)
      SortedTree.removeRange(next, bounds)
      assert.deepStrictEqual(listed(old), expected)
      const sorted = [...new Map([...before].map((key) => [key.join(), key])).values()].sort(compareBytes)
      assert.deepStrictEqual(expected, sorted)
    })
  )
})

it("SortedTree stays shallow for keys that count up", () => {
  let tree: SortedTree.SortedTree
  for (let index = 0; index < 100_000; index++) {
    const key = Uint8Array.of(index >> 16, index >> 8, index)
    tree = SortedTree.put(tree, key, key)
  }
  assert.isBelow(depth(tree), 60)
  assert.strictEqual(tree?.contentBytes, 600_000)
})
