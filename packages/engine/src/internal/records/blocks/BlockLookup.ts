/** Reads many rows by their keys, each block once. */
import { Effect, Option } from "effect"
import type { Reader, Row } from "../../../Engine.ts"
import * as BlockCursor from "../../../kernel/BlockCursor.ts"
import { compareBytes } from "../../Bounds.ts"
import { type BlockReadError, corruptBlock, ofHeader } from "./BlockAttempt.ts"

/**
 * Values in the order of the keys, which may be in any order; undefined for a key that is not there. They lie in the memory of their
 * blocks. A block is looked for when the one before it ends below the next key.
 */
export const getMany: (
  reader: Reader,
  keyspace: string,
  keys: ReadonlyArray<Uint8Array>
) => Effect.Effect<ReadonlyArray<Uint8Array | undefined>, BlockReadError> = Effect.fnUntraced(
  function* (reader, keyspace, keys) {
    const lookup = makeLookup(keys)
    for (;;) {
      try {
        seekInBlock(lookup)
      } catch (cause) {
        return yield* corruptBlock(keyspace, cause)
      }
      if (lookup.done === keys.length) return lookup.values
      const key = nextKey(lookup)
      const row = yield* reader.floor(keyspace, key)
      lookup.block = ofHeader(Option.getOrUndefined(row), key)
      lookup.isFresh = true
    }
  }
)

interface Lookup {
  readonly keys: ReadonlyArray<Uint8Array>
  /** Places of the keys, ascending by key. */
  readonly order: ReadonlyArray<number>
  readonly values: Array<Uint8Array | undefined>
  /** Keys that are done, in their order. */
  done: number
  readonly cursor: BlockCursor.BlockCursor
  block: Row | undefined
  /** The block was looked for with the next key, and the cursor is not in it yet. No block then means that the key is not there. */
  isFresh: boolean
}

const makeLookup = (keys: ReadonlyArray<Uint8Array>): Lookup => {
  const order = keys.map((_, place) => place)
  if (!isAscending(keys)) order.sort((left, right) => compareBytes(keys[left]!, keys[right]!))
  return {
    keys,
    order,
    values: keys.map(() => undefined),
    done: 0,
    cursor: BlockCursor.make(),
    block: undefined,
    isFresh: false
  }
}

const nextKey = ({ done, keys, order }: Lookup): Uint8Array => keys[order[done]!]!

/** Does all keys that the block decides about. */
const seekInBlock = (lookup: Lookup): void => {
  const { cursor, keys, order, values } = lookup
  const { block } = lookup
  if (block === undefined) {
    if (lookup.isFresh) lookup.done++
    lookup.isFresh = false
    return
  }
  BlockCursor.start(cursor, block.key, block.value)
  /** Order of the cursor's row and the key, as `BlockCursor.seek` says it. */
  let sought = -1
  do {
    const key = nextKey(lookup)
    if (sought >= 0) sought = BlockCursor.compareKey(cursor, key)
    if (sought < 0) sought = BlockCursor.seek(cursor, key)
    // Behind the last row: of the key that the block was looked for with nothing is known but that it is not there.
    if (sought < 0 && !lookup.isFresh) break
    if (sought === 0) values[order[lookup.done]!] = cursor.bytes.subarray(cursor.valueStart, cursor.valueEnd)
    lookup.isFresh = false
    lookup.done++
  } while (sought >= 0 && lookup.done < keys.length)
  lookup.block = undefined
}

const isAscending = (keys: ReadonlyArray<Uint8Array>): boolean => {
  for (let index = 1; index < keys.length; index++) {
    if (compareBytes(keys[index - 1]!, keys[index]!) > 0) return false
  }
  return true
}
