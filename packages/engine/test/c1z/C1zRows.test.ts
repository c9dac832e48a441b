import { assert, describe, it } from "@effect/vitest"
import { C1zUnreadable } from "../../src/c1z/C1zError.ts"
import { makePages } from "../../src/c1z/C1zRows.ts"
import { assets, type CheckedTable } from "../../src/c1z/C1zSchema.ts"
import type { SqliteConnection, SqliteRow } from "../../src/live/SqliteDriver.ts"

const table: CheckedTable = {
  shape: assets,
  columns: Object.keys(assets.columns),
  rowCount: 4,
  firstRow: 1,
  others: new Map()
}

/** A connection whose table has these rows, whatever is asked for. */
const connectionOf = (rows: ReadonlyArray<SqliteRow>): SqliteConnection => ({
  exec: () => undefined,
  close: () => {},
  prepare: () => ({
    run: () => undefined,
    get: () => undefined,
    iterate: (from) => rows.filter(({ rowid }) => Number(rowid) >= Number(from))
  })
})

describe("C1zRows", () => {
  it("makePages ends a page with the row that brings it to 4 MiB, and goes on behind it", () => {
    const data = new Uint8Array(3 * 1024 * 1024)
    const pages = makePages(connectionOf([1, 2, 3, 4].map((rowid) => ({ rowid, data }))), "made.c1z", table)
    const found: Array<ReadonlyArray<number>> = []
    for (let from: number | undefined = 1; from !== undefined; ) {
      const page = pages(undefined, from)
      found.push(page.rows.map(({ row }) => row))
      from = page.next
    }
    assert.deepStrictEqual(found, [[1, 2], [3, 4], []])
  })

  it("makePages refuses rows that are not in order, which a damaged table can repeat for ever", () => {
    for (const rowids of [
      [2, 1],
      [1, 1]
    ]) {
      const rows = rowids.map((rowid) => ({ rowid }))
      assert.throws(() => makePages(connectionOf(rows), "made.c1z", table)(undefined, 1), C1zUnreadable)
    }
  })
})
