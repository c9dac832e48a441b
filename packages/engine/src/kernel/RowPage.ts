/** Rows taken out of blocks: keys one after another in one buffer, values where their blocks have them. */

export interface RowPage {
  count: number
  /** Keys one after another; another array once it has grown. */
  keys: Uint8Array
  /** Byte behind each key; a key begins where the one before it ends. */
  keyEnd: Uint32Array
  /** Of each row: the buffer its value lies in, and where. */
  readonly valueSource: Array<Uint8Array>
  valueStart: Uint32Array
  valueEnd: Uint32Array
}

/** The key of a row, in the page's memory. */
export const keyOf = (page: RowPage, row: number): Uint8Array =>
  page.keys.subarray(row === 0 ? 0 : page.keyEnd[row - 1]!, page.keyEnd[row]!)

/** The value of a row, in the memory of its block. */
export const valueOf = (page: RowPage, row: number): Uint8Array =>
  page.valueSource[row]!.subarray(page.valueStart[row]!, page.valueEnd[row]!)
