/** Reads of logical rows over an engine whose keyspace holds blocks of them. */
import { Effect, Option } from "effect"
import type { Reader, Row } from "../../Engine.ts"
import * as BlockCursor from "../../kernel/BlockCursor.ts"
import { compareBytes } from "../Bounds.ts"
import { attemptBlocks, type BlockReadError, ofHeader } from "./BlockAttempt.ts"
import { locate } from "./BlockLocation.ts"
import { scanBlocks } from "./BlockScan.ts"

export type { BlockReadError } from "./BlockAttempt.ts"
export { type PageOptions, page, type ReadPage, type WalkOptions, walk } from "./BlockPage.ts"

/** Keys that are looked up at once: as many blocks may be in memory. */
const keysAtOnce = 1_024

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

/** Values in the order of the keys, which may be in any order; undefined for a key that is not there. */
export const getMany: (
  reader: Reader,
  keyspace: string,
  keys: ReadonlyArray<Uint8Array>
) => Effect.Effect<ReadonlyArray<Uint8Array | undefined>, BlockReadError> = Effect.fnUntraced(
  function* (reader, keyspace, keys) {
    const values: Array<Uint8Array | undefined> = keys.map(() => undefined)
    const order = keys.map((_, index) => index)
    if (!isAscending(keys)) order.sort((left, right) => compareBytes(keys[left]!, keys[right]!))
    for (let start = 0; start < order.length; start += keysAtOnce) {
      const places = order.slice(start, start + keysAtOnce)
      const sorted = places.map((place) => keys[place]!)
      const { blockOf, blocks } = yield* locate(reader, keyspace, sorted)
      yield* attemptBlocks(keyspace, () => {
        for (const [index, value] of valuesIn(blocks, blockOf, sorted).entries()) values[places[index]!] = value
      })
    }
    return values
  }
)

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

const isAscending = (keys: ReadonlyArray<Uint8Array>): boolean => {
  for (let index = 1; index < keys.length; index++) {
    if (compareBytes(keys[index - 1]!, keys[index]!) > 0) return false
  }
  return true
}

/** Goes through each block once, up to the last of the keys in it. The keys ascend. */
const valuesIn = (
  blocks: ReadonlyArray<Row>,
  blockOf: Int32Array,
  keys: ReadonlyArray<Uint8Array>
): ReadonlyArray<Uint8Array | undefined> => {
  const cursor = BlockCursor.make()
  let current = -1
  /** Of the cursor's row, as {@link BlockCursor.seek} says it. */
  let sought = -1
  return keys.map((key, index) => {
    const place = blockOf[index]!
    if (place < 0) return undefined
    if (place !== current) {
      const block = blocks[place]!
      BlockCursor.start(cursor, block.key, block.value)
      current = place
      sought = BlockCursor.seek(cursor, key)
    } else if (sought >= 0) {
      sought = BlockCursor.compareKey(cursor, key)
      if (sought < 0) sought = BlockCursor.seek(cursor, key)
    }
    return sought === 0 ? valueOf(cursor) : undefined
  })
}

/** In the memory of the block. */
const valueOf = ({ bytes, valueEnd, valueStart }: BlockCursor.BlockCursor): Uint8Array =>
  bytes.subarray(valueStart, valueEnd)
