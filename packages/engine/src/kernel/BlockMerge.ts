/** Merges sorted changes with the blocks that they fall into. */
import type { Row } from "../Engine.ts"
import type { RowArena } from "./RowArena.ts"

/** Existing blocks of one header, ascending, that hold or would hold the rows of some changes. */
export interface TouchedBlocks {
  readonly blocks: ReadonlyArray<Row>
  /** Whether the block at the same place is the one right after the block before it here. */
  readonly isAdjacent: ReadonlyArray<boolean>
  /** Whether the last one is the last block of its header, or there is none. */
  readonly isEnd: boolean
}

/** Told in the order of the keys. Bytes belong to blocks or the arena: to be read during the call, or kept and not changed. */
export interface MergeSink {
  /** A block to put. Both buffers are the sink's to keep. Comes after the `deleteBlock` of the blocks it replaces. */
  readonly putBlock: (key: Uint8Array, value: Uint8Array) => void
  readonly deleteBlock: (key: Uint8Array) => void
  /** A put whose key was not there. */
  readonly onInserted: (row: number) => void
  /** A put whose key was there, with the value between two bytes. */
  readonly onReplaced: (row: number, bytes: Uint8Array, start: number, end: number) => void
  /** A delete whose key was there, with the value between two bytes. A delete of no row is not told. */
  readonly onRemoved: (row: number, bytes: Uint8Array, start: number, end: number) => void
}

/** A run of changes to the rows of one header: those of `order` from `from` up to `to`. */
export interface Changes {
  readonly arena: RowArena
  readonly order: Uint32Array
  readonly from: number
  readonly to: number
}

/** Merges; throws {@link "./BlockCursor.ts".BlockDamage} when a block is not one. */
export const merge: (changes: Changes, touched: TouchedBlocks, sink: MergeSink) => void = () => {
  throw new Error("not made yet")
}
