/** Orders the rows of an arena by the bytes of their keys. */
import type { RowArena } from "./RowArena.ts"

/** Rows of an arena, by number. */
export interface SortedRows {
  /** Ascending and distinct by key: of equal keys the row added last. Only the first `count` numbers are meant. */
  readonly order: Uint32Array
  readonly count: number
  /** Rows with the key of one that was added after them. */
  readonly superseded: ReadonlyArray<number>
}

/** Orders the rows that are not dropped. Takes 16 bytes for each row. */
export const sort: (arena: RowArena) => SortedRows = () => {
  throw new Error("not made yet")
}
