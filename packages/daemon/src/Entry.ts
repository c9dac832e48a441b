/**
 * An entry as it is read: its place in the log and its bytes.
 */

/** One entry of the log. The bytes are the reader's to keep, and must not be changed when others see them too. */
export interface Entry {
  readonly seq: number
  readonly bytes: Uint8Array
}

export type RangeOrder = "ascending" | "descending"
