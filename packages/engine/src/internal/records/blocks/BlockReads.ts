/** Reads of logical rows over an engine whose keyspace holds blocks of them. */
import { Effect, Option } from "effect"
import type { Reader, Row } from "../../../Engine.ts"
import * as BlockCursor from "../../../kernel/BlockCursor.ts"
import { attemptBlocks, type BlockReadError, ofHeader } from "./BlockAttempt.ts"
import { scanBlocks } from "./BlockScan.ts"

export type { BlockReadError } from "./BlockAttempt.ts"
export { getMany } from "./BlockLookup.ts"
export { type PageOptions, page, type ReadPage, type WalkOptions, walk } from "./BlockPage.ts"

/** Blocks that are read at once, and their bytes. */
const countedBlocks = 256
const countedBytes: number = 4 * 1024 * 1024

/** The value of one row, in the memory of its block. */
export const get = (
  reader: Reader,
  keyspace: string,
  key: Uint8Array
): Effect.Effect<Option.Option<Uint8Array>, BlockReadError> =>
  Effect.flatMap(reader.floor(keyspace, key), (row) => {
    const block = ofHeader(Option.getOrUndefined(row), key)
    if (block === undefined) return Effect.succeedNone
    return attemptBlocks(keyspace, () => {
      const cursor = BlockCursor.make()
      BlockCursor.start(cursor, block.key, block.value)
      return BlockCursor.seek(cursor, key) === 0 ? Option.some(valueOf(cursor)) : Option.none()
    })
  })

/** Number of rows whose keys begin with the prefix, which has the whole header. Reads all their blocks. */
export const count: (reader: Reader, keyspace: string, prefix: Uint8Array) => Effect.Effect<number, BlockReadError> =
  Effect.fnUntraced(function* (reader, keyspace, prefix) {
    let rowCount = 0
    const cursor = BlockCursor.make()
    const add = (blocks: ReadonlyArray<Row>) =>
      attemptBlocks(keyspace, () => {
        for (const block of blocks) rowCount += countIn(cursor, block, prefix)
      })
    const first = ofHeader(Option.getOrUndefined(yield* reader.floor(keyspace, prefix)), prefix)
    if (first !== undefined) yield* add([first])
    let gt = prefix
    for (let isEnd = false; !isEnd; ) {
      const range = { prefix, gt }
      const scanned = yield* scanBlocks(reader, { keyspace, range, limit: countedBlocks, maxBytes: countedBytes })
      yield* add(scanned.blocks)
      isEnd = scanned.isEnd
      gt = scanned.blocks[scanned.blocks.length - 1]?.key ?? gt
    }
    return rowCount
  })

const countIn = (cursor: BlockCursor.BlockCursor, block: Row, prefix: Uint8Array): number => {
  let rowCount = 0
  BlockCursor.start(cursor, block.key, block.value)
  while (BlockCursor.next(cursor)) if (BlockCursor.hasPrefix(cursor, prefix)) rowCount++
  return rowCount
}

/** In the memory of the block. */
const valueOf = ({ bytes, valueEnd, valueStart }: BlockCursor.BlockCursor): Uint8Array =>
  bytes.subarray(valueStart, valueEnd)
