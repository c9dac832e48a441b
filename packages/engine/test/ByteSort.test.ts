import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { compareBytes } from "../src/internal/Bounds.ts"
import * as ByteSort from "../src/kernel/ByteSort.ts"
import * as RowArena from "../src/kernel/RowArena.ts"
import { randomOf } from "./BlockSubjects.ts"

/** Bytes that meet often, behind prefixes shared by many. */
const key = fc
  .tuple(fc.nat(3), fc.array(fc.constantFrom(0, 1, 0x61, 0xff), { maxLength: 14 }))
  .map(([prefix, tail]) => Uint8Array.from([...new Array(prefix * 9).fill(0x61), ...tail]))

const nothing = new Uint8Array(0)

const arenaOf = (keys: ReadonlyArray<Uint8Array>): RowArena.RowArena => {
  const arena = RowArena.make(1 << 24)
  for (const each of keys) RowArena.append(arena, false, each, each.length, nothing)
  return arena
}

/** What the sort must give, by the library's own. */
const expectedOf = (keys: ReadonlyArray<Uint8Array>, isDropped: (row: number) => boolean) => {
  const rows = keys.map((_, row) => row).filter((row) => !isDropped(row))
  rows.sort((left, right) => compareBytes(keys[left]!, keys[right]!) || left - right)
  const isLast = (row: number, at: number) =>
    at === rows.length - 1 || compareBytes(keys[row]!, keys[rows[at + 1]!]!) !== 0
  return { order: rows.filter(isLast), superseded: rows.filter((row, at) => !isLast(row, at)).sort((a, b) => a - b) }
}

const sharedOf = (keys: ReadonlyArray<Uint8Array>) =>
  keys.map((each, at) => {
    const before = keys[at - 1] ?? nothing
    let same = 0
    while (same < before.length && before[same] === each[same]) same++
    return same
  })

it("ByteSort orders keys bytewise, says what neighbours share, keeps the last of equal ones and says which it superseded", () => {
  fc.assert(
    fc.property(fc.array(key, { maxLength: 300 }), (keys) => {
      const { count, order, shared, superseded } = ByteSort.sort(arenaOf(keys))
      const expected = expectedOf(keys, () => false)
      assert.deepStrictEqual([...order.subarray(0, count)], expected.order)
      assert.deepStrictEqual([...shared.subarray(0, count)], sharedOf(expected.order.map((row) => keys[row]!)))
      assert.deepStrictEqual(
        superseded.toSorted((left, right) => left - right),
        expected.superseded
      )
    }),
    { numRuns: 500 }
  )
})

it("ByteSort leaves out rows that were dropped", () => {
  fc.assert(
    fc.property(fc.array(key, { maxLength: 60 }), fc.array(fc.nat(60)), (keys, dropped) => {
      const arena = arenaOf(keys)
      for (const row of dropped) if (row < keys.length) RowArena.drop(arena, row, 1)
      const { count, order } = ByteSort.sort(arena)
      assert.deepStrictEqual([...order.subarray(0, count)], expectedOf(keys, (row) => dropped.includes(row)).order)
    })
  )
})

it("ByteSort orders many keys with long common prefixes, in any order of arrival", () => {
  for (const step of [1, -1, 7_919]) {
    const keys = Array.from({ length: 20_000 }, (_, row) => {
      const number = (((row * step) % 20_000) + 20_000) % 20_000
      return new TextEncoder().encode(`${"x".repeat(500)}${Math.floor(number / 100)}/${number % 100}`)
    })
    const { count, order } = ByteSort.sort(arenaOf(keys))
    assert.strictEqual(count, keys.length)
    for (let at = 1; at < count; at++) assert.isBelow(compareBytes(keys[order[at - 1]!]!, keys[order[at]!]!), 0)
  }
})

it("RowArena takes rows up to its limit, one row of any size, and starts over when cleared", () => {
  const arena = RowArena.make(10_000)
  const value = new Uint8Array(100).fill(7)
  let count = 0
  while (RowArena.append(arena, false, Uint8Array.of(1, count), 2, value) >= 0) count++
  assert.isAtMost(RowArena.sizeBytes(arena), 10_000)
  assert.isAbove(RowArena.sizeBytes(arena), 10_000 - 2 * (102 + RowArena.rowOverheadBytes))
  assert.strictEqual(arena.rowCount, count)
  RowArena.clear(arena)
  assert.strictEqual(RowArena.append(arena, true, Uint8Array.of(9, 9, 9), 2, new Uint8Array(50_000).fill(3)), 0)
  assert.deepStrictEqual([...RowArena.keyOf(arena, 0)], [9, 9])
  assert.isTrue(RowArena.isDelete(arena, 0))
  assert.strictEqual(RowArena.valueOf(arena, 0).length, 50_000)
  assert.strictEqual(RowArena.append(arena, false, Uint8Array.of(1), 1, value), -1)
  RowArena.clear(arena)
  assert.isAtMost(arena.bytes.length, 10_000)
  assert.strictEqual(RowArena.append(arena, false, Uint8Array.of(1), 1, value), 0)
  assert.isFalse(RowArena.isDelete(arena, 0))
})

it("RowArena keeps what was added when it grows, attached rows included", () => {
  const arena = RowArena.make(1 << 24)
  for (let row = 0; row < 5_000; row++) {
    const text = new TextEncoder().encode(`key ${row} value`)
    const at = RowArena.reserve(arena, text.length)
    arena.bytes.set(text, at)
    assert.strictEqual(RowArena.add(arena, row % 2 === 0, text.length - 5, 5), row)
    RowArena.attach(arena, row, row * 3, row % 7)
  }
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
  for (let row = 0; row < 5_000; row++) {
    assert.strictEqual(text(RowArena.keyOf(arena, row)), `key ${row} `)
    assert.strictEqual(text(RowArena.valueOf(arena, row)), "value")
    assert.strictEqual(RowArena.isDelete(arena, row), row % 2 === 0)
    assert.deepStrictEqual([arena.attachedStart[row], arena.attachedCount[row]], [row * 3, row % 7])
  }
})

it("ByteSort orders many random keys, equal ones among them, as few are ordered", () => {
  const random = randomOf(5)
  const keys = Array.from({ length: 30_000 }, () =>
    Uint8Array.from({ length: 1 + random(9) }, () => (random(4) === 0 ? random(4) : random(256)))
  )
  const { count, order, shared, superseded } = ByteSort.sort(arenaOf(keys))
  const expected = expectedOf(keys, () => false)
  const expectedShared = sharedOf(expected.order.map((row) => keys[row]!))
  assert.strictEqual(count, expected.order.length)
  assert.isTrue(expected.order.every((row, at) => order[at] === row && shared[at] === expectedShared[at]))
  assert.strictEqual(superseded.length, expected.superseded.length)
})
