import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { maxKeySizeBytes } from "../src/Engine.ts"
import { makeCursor } from "../src/format/EntryRun.ts"
import { compareBytes } from "../src/internal/Bounds.ts"
import * as RunTree from "../src/kernel/RunTree.ts"

const sharedBytes = (left: Uint8Array, right: Uint8Array): number => {
  let common = 0
  while (common < left.length && common < right.length && left[common] === right[common]) common++
  return common
}

/** Comes to a row of the run, or behind its last one. */
const set = (open: RunTree.OpenRun, key: Uint8Array | undefined, shared: number): void => {
  open.isSpent = key === undefined
  open.shared = shared
  if (key === undefined) return
  open.cursor.key.set(key)
  open.cursor.keySize = key.length
}

interface Read {
  readonly key: Uint8Array
  readonly run: number
  readonly shared: number
}

/** All rows of the runs as the tree gives them, each with what it says of the one before. */
const readAll = (lists: ReadonlyArray<ReadonlyArray<Uint8Array>>): ReadonlyArray<Read> => {
  const at = lists.map(() => 0)
  const runs = lists.map((list, run) => {
    const open: RunTree.OpenRun = { run, cursor: makeCursor(), shared: 0, isSpent: false }
    set(open, list[0], 0)
    return open
  })
  const tree = RunTree.make(runs)
  const read: Array<Read> = []
  for (let open = RunTree.first(tree); open !== undefined; open = RunTree.first(tree)) {
    const { cursor, run, shared } = open
    const key = cursor.key.slice(0, cursor.keySize)
    read.push({ key, run, shared })
    const next = lists[run]![++at[run]!]
    set(open, next, next === undefined ? 0 : sharedBytes(key, next))
    RunTree.next(tree)
  }
  return read
}

const expectedOf = (lists: ReadonlyArray<ReadonlyArray<Uint8Array>>): ReadonlyArray<Read> => {
  const rows = lists.flatMap((list, run) => list.map((key) => ({ key, run })))
  rows.sort((left, right) => compareBytes(left.key, right.key) || right.run - left.run)
  return rows.map((row, index) => ({ ...row, shared: index === 0 ? 0 : sharedBytes(rows[index - 1]!.key, row.key) }))
}

/** Few different bytes, so that keys are equal, begin alike and are prefixes of one another. */
const keys = fc.array(fc.uint8Array({ minLength: 1, maxLength: 5, max: 2 }), { maxLength: 12 }).map((list) => {
  const sorted = list.toSorted(compareBytes)
  return sorted.filter((key, index) => index === 0 || compareBytes(sorted[index - 1]!, key) !== 0)
})

it("RunTree gives the rows of all runs in order, of equal keys the newest first, with what each shares with the one before", () => {
  fc.assert(
    fc.property(fc.array(keys, { maxLength: 9 }), (lists) => {
      assert.deepStrictEqual(readAll(lists), expectedOf(lists))
    }),
    { numRuns: 2_000 }
  )
})

it("RunTree.first gives none when there are no runs, or none has rows", () => {
  assert.deepStrictEqual(readAll([]), [])
  assert.deepStrictEqual(readAll([[], [], []]), [])
})

it("RunTree compares keys that differ in their last byte only, however long", () => {
  const long = new Uint8Array(maxKeySizeBytes).fill(7)
  const lists = [2, 0, 1].map((last) => [Uint8Array.of(...long.subarray(1), last)])
  assert.deepStrictEqual(readAll(lists), expectedOf(lists))
})
