/** The rows of one header, one after another from blocks that are read a few at a time. */
import { Effect } from "effect"
import type { EngineReadError, Reader, Row } from "../../../Engine.ts"
import { maxKeySizeBytes } from "../../../Engine.ts"
import * as BlockCursor from "../../../kernel/BlockCursor.ts"

/** Blocks that are read at once: about 256 KiB. */
const blocksAtOnce = 64

export interface BlockFeed {
  readonly reader: Reader
  /** Names the store in errors. */
  readonly path: string
  readonly keyspace: string
  readonly header: Uint8Array
  /** Stands on the row while {@link advance} says `row`. */
  readonly cursor: BlockCursor.BlockCursor
  /** Bytes that the row's key shares with the one before it, also where that is of another block. */
  shared: number
  blocks: ReadonlyArray<Row>
  /** Of the next block. */
  at: number
  isInBlock: boolean
  /** The engine has no blocks behind those that were read. */
  isEnd: boolean
  /** The last row of the block before: its first `lastSize` bytes. */
  readonly lastKey: Uint8Array
  lastSize: number
}

interface FeedOptions {
  /** Of one moment. */
  readonly reader: Reader
  readonly path: string
  readonly keyspace: string
  readonly header: Uint8Array
  /** Gives no rows, whatever there are. Default false. */
  readonly isEmpty?: boolean
}

export const make = ({ isEmpty = false, ...options }: FeedOptions): BlockFeed => ({
  ...options,
  cursor: BlockCursor.make(),
  shared: 0,
  blocks: [],
  at: 0,
  isInBlock: false,
  isEnd: isEmpty,
  lastKey: new Uint8Array(maxKeySizeBytes),
  lastSize: 0
})

/**
 * Comes to the next row. `starved`: {@link fill} it first. Throws {@link BlockCursor.BlockDamage} where a block is not one, or not
 * behind the one before it.
 */
export const advance = (feed: BlockFeed): "row" | "starved" | "end" => {
  const { cursor } = feed
  for (;;) {
    if (feed.isInBlock) {
      if (BlockCursor.next(cursor)) {
        feed.shared = cursor.shared
        return "row"
      }
      feed.isInBlock = false
      feed.lastKey.set(cursor.key.subarray(0, cursor.keySize))
      feed.lastSize = cursor.keySize
    }
    if (feed.at === feed.blocks.length) return feed.isEnd ? "end" : "starved"
    const { key, value } = feed.blocks[feed.at++]!
    BlockCursor.start(cursor, key, value)
    BlockCursor.next(cursor)
    feed.isInBlock = true
    feed.shared = sharedWithLast(feed)
    return "row"
  }
}

/** Reads the next blocks. */
export const fill = (feed: BlockFeed): Effect.Effect<void, EngineReadError> => {
  const { blocks, header, keyspace, reader } = feed
  const last = blocks[blocks.length - 1]
  const range = last === undefined ? { prefix: header } : { prefix: header, gt: last.key }
  return Effect.map(reader.page(keyspace, { ...range, limit: blocksAtOnce }), (page) => {
    // The key of the last block says where to go on.
    if (page.rows.length > 0) {
      feed.blocks = page.rows
      feed.at = 0
    }
    feed.isEnd = page.isEnd || page.rows.length === 0
  })
}

/** The cursor is on the first row of a block, which must be behind the last one of the block before. */
const sharedWithLast = ({ cursor, lastKey, lastSize }: BlockFeed): number => {
  const size = Math.min(lastSize, cursor.keySize)
  let common = 0
  while (common < size && lastKey[common] === cursor.key[common]) common++
  const isBehind = common < size ? lastKey[common]! < cursor.key[common]! : lastSize < cursor.keySize
  if (isBehind) return common
  throw new BlockCursor.BlockDamage(cursor.blockKey, "its rows are not behind those of the block before it")
}
