/** Moves sorted rows into blocks and decides which seq a key gets when several entries have it. */
import type { DuplicatePolicy } from "../format/KeyIndexFormat.ts"
import type { KeyBlock } from "./BlockCodec.ts"
import type { RowBatch } from "./RowBatch.ts"
import * as RunRows from "./RunRows.ts"

/** The feed wants another batch, has filled the block, or has met a key of two entries that must not be. */
export type FeedState = "hungry" | "full" | "duplicate"

/** Rows on their way into a block. Keys and their offsets arrive in ascending order, over all batches. */
export interface KeyFeed {
  readonly batch: RowBatch
  readonly block: KeyBlock
  readonly keysPerBlock: number
  readonly duplicates: DuplicatePolicy
  /** The next place in the order of the batch. */
  at: number
  /** Rows that lost to another with their key. */
  duplicateCount: number
  /** After `duplicate`: the offset of the other entry; the first one's is that of the last key of the block. */
  duplicateOffset: number
}

export const make = (
  batch: RowBatch,
  block: KeyBlock,
  options: { readonly keysPerBlock: number; readonly duplicates: DuplicatePolicy }
): KeyFeed => ({ batch, block, ...options, at: 0, duplicateCount: 0, duplicateOffset: 0 })

/** Moves rows from `at` on. A full block is emptied by the caller; its last key is not known to be done before the next one is seen. */
export const move = (feed: KeyFeed): FeedState => {
  const { batch, block, keysPerBlock } = feed
  const { order, rowCount, view } = batch
  const { offsets, words } = block
  let { keyCount } = block
  let { at } = feed
  let state: FeedState = "hungry"
  for (; at < rowCount; at++) {
    const row = order[at]!
    const word0 = view.getInt32(row)
    const word1 = view.getInt32(row + 4)
    const word2 = view.getInt32(row + 8)
    const word3 = view.getInt32(row + 12)
    const offset = RunRows.offsetOf(view, row)
    const end = 4 * keyCount
    if (
      keyCount > 0 &&
      words[end - 1] === word3 &&
      words[end - 2] === word2 &&
      words[end - 3] === word1 &&
      words[end - 4] === word0
    ) {
      if (settleDuplicate(feed, offset, keyCount - 1)) continue
      state = "duplicate"
      break
    }
    if (keyCount === keysPerBlock) {
      state = "full"
      break
    }
    words[end] = word0
    words[end + 1] = word1
    words[end + 2] = word2
    words[end + 3] = word3
    offsets[keyCount++] = offset
  }
  block.keyCount = keyCount
  feed.at = at
  return state
}

/** A later row with the key of `key`. The same entry may hold a key twice. */
const settleDuplicate = (feed: KeyFeed, offset: number, key: number): boolean => {
  const { offsets } = feed.block
  if (feed.duplicates === "error" && offset !== offsets[key]) {
    feed.duplicateOffset = offset
    return false
  }
  feed.duplicateCount++
  if (feed.duplicates === "last") offsets[key] = offset
  return true
}
