/** Finds the blocks that keys fall into. */
import { Effect, Option } from "effect"
import type { Reader, Row } from "../../../Engine.ts"
import * as BlockCursor from "../../../kernel/BlockCursor.ts"
import { compareBytes } from "../../Bounds.ts"
import { attemptBlocks, type BlockReadError, ofHeader } from "./BlockAttempt.ts"

export interface Location {
  /** Distinct, ascending. */
  readonly blocks: ReadonlyArray<Row>
  /** Of each key: the place of its block in `blocks`; −1 when its header has no block that begins at or before it. */
  readonly blockOf: Int32Array
}

/** Every so many keys are looked up at first: those between two that what was read decides need no look of their own. */
const stride = 8

/** For each of the keys, which ascend, the block that holds it if any does. */
export const locate: (
  reader: Reader,
  keyspace: string,
  keys: ReadonlyArray<Uint8Array>
) => Effect.Effect<Location, BlockReadError> = Effect.fnUntraced(function* (reader, keyspace, keys) {
  const found: Array<Row | undefined> = keys.map(() => undefined)
  const isKnown = new Uint8Array(keys.length)
  const look = (places: ReadonlyArray<number>): Effect.Effect<void, BlockReadError> =>
    Effect.map(
      reader.floorMany(
        keyspace,
        places.map((at) => keys[at]!)
      ),
      (rows) => {
        for (const [index, at] of places.entries()) {
          found[at] = ofHeader(Option.getOrUndefined(rows[index]!), keys[at]!)
          isKnown[at] = 1
        }
      }
    )
  const probes: Array<number> = []
  for (let at = 0; at < keys.length; at += stride) probes.push(at)
  yield* look(probes)
  const open = yield* attemptBlocks(keyspace, () => fillBetween(keys, found, isKnown))
  if (open.length > 0) yield* look(open)
  return collect(found)
})

/** Fills in what the blocks of known keys decide about the keys between, and returns the places of the others. */
const fillBetween = (
  keys: ReadonlyArray<Uint8Array>,
  found: Array<Row | undefined>,
  isKnown: Uint8Array
): ReadonlyArray<number> => {
  const open: Array<number> = []
  const cursor = BlockCursor.make()
  for (let known = 0; known < keys.length; ) {
    let next = known + 1
    while (next < keys.length && isKnown[next] === 0) next++
    const before = found[known]
    const behind = next < keys.length ? found[next] : undefined
    let isWalked = false
    for (let at = known + 1; at < next; at++) {
      const key = keys[at]!
      if (behind !== undefined && compareBytes(behind.key, key) <= 0) {
        found[at] = behind
        continue
      }
      if (before !== undefined && !isWalked) {
        isWalked = true
        BlockCursor.start(cursor, before.key, before.value)
        while (BlockCursor.next(cursor));
      }
      const isInside = before !== undefined && compareBytes(key, cursor.key.subarray(0, cursor.keySize)) <= 0
      if (isInside) found[at] = before
      else open.push(at)
    }
    known = next
  }
  return open
}

const collect = (found: ReadonlyArray<Row | undefined>): Location => {
  const blocks: Array<Row> = []
  const blockOf = new Int32Array(found.length)
  for (const [at, block] of found.entries()) {
    const last = blocks[blocks.length - 1]
    if (block !== undefined && (last === undefined || compareBytes(last.key, block.key) !== 0)) blocks.push(block)
    blockOf[at] = block === undefined ? -1 : blocks.length - 1
  }
  return { blocks, blockOf }
}
