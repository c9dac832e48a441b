/** Changes to logical rows, made against the blocks that an engine has now. */
import { Effect, Option } from "effect"
import type { Range, Reader, Row } from "../../../Engine.ts"
import { headerSizeBytes } from "../../../format/RecordLayout.ts"
import * as BlockMerge from "../../../kernel/BlockMerge.ts"
import type { SortedRows } from "../../../kernel/ByteSort.ts"
import * as RowArena from "../../../kernel/RowArena.ts"
import { compareBytes } from "../../Bounds.ts"
import { attemptBlocks, type BlockReadError, ofHeader } from "./BlockAttempt.ts"
import { locate } from "./BlockLocation.ts"
import { scanBlocks } from "./BlockScan.ts"

export interface MergePartOptions {
  /** Of one moment from the first part to the last, or seeing what the parts before have written. */
  readonly reader: Reader
  readonly keyspace: string
  readonly arena: RowArena.RowArena
  readonly sorted: SortedRows
  readonly sink: BlockMerge.MergeSink
  /** Bytes of existing blocks after which a part reads no more. Default 4 MiB. */
  readonly maxReadBytes?: number
  /** Bytes of a block with more than one row, at most. Default and maximum: that of the format. */
  readonly targetSizeBytes?: number
}

const defaultMaxReadBytes: number = 4 * 1024 * 1024

/** Changes whose blocks are looked up at once: few at first, because a block may be large. */
const fewestRows = 16
const mostRows = 512

/** Blocks of one scan, at most. */
const blocksAtOnce = 256

/** Changes for each block below which blocks are looked up, not read one after another. */
const denseRows = 0.5

/** Blocks that some changes fall into, and the place behind the last of them. */
interface Part {
  readonly touched: BlockMerge.TouchedBlocks
  readonly to: number
}

/**
 * Merges the sorted rows from `from` on, of one header and as many as bounded memory allows, and returns where the next part
 * begins: `sorted.count` after the last. What goes to the sink need not be written before the next part, in which no block of this
 * one is read or put again.
 */
export const mergePart: (options: MergePartOptions, from: number) => Effect.Effect<number, BlockReadError> =
  Effect.fnUntraced(function* (options, from) {
    const { arena, keyspace, sink, sorted, targetSizeBytes } = options
    const end = headerEnd(options, from)
    const { to, touched } = yield* readPart(options, from, end)
    const changes = { arena, sorted, from, to }
    const merging = targetSizeBytes === undefined ? {} : { targetSizeBytes }
    yield* attemptBlocks(keyspace, () => BlockMerge.merge(changes, touched, sink, merging))
    return to
  })

/** Reads blocks one after another while the changes lie close; where they do not, looks the block of each up. */
const readPart = Effect.fnUntraced(function* (
  options: MergePartOptions,
  from: number,
  end: number
): Effect.fn.Return<Part, BlockReadError> {
  const { keyspace, maxReadBytes = defaultMaxReadBytes, reader } = options
  const key = keyAt(options, from)
  const prefix = key.slice(0, headerSizeBytes)
  const first = ofHeader(Option.getOrUndefined(yield* reader.floor(keyspace, key)), key)
  const blocks: Array<Row> = first === undefined ? [] : [first]
  let bytes = first === undefined ? 0 : first.value.length
  let to = from
  // Two blocks, of which the second says where the first one ends.
  for (let limit = 2 - blocks.length; ; limit = Math.min(limit * 4, blocksAtOnce)) {
    const last = blocks[blocks.length - 1]
    const range: Range = last === undefined ? { prefix } : { prefix, gt: last.key }
    const scanned = yield* scanBlocks(reader, { keyspace, range, limit, maxBytes: Math.max(1, maxReadBytes - bytes) })
    for (const block of scanned.blocks) {
      blocks.push(block)
      bytes += block.value.length
    }
    if (scanned.isEnd) return { touched: { blocks, isAdjacent: true, isEnd: true }, to: end }
    const covered = placeOf(options, to, end, blocks[blocks.length - 1]!.key)
    const coveredRows = covered - to
    const isStart = to === from
    to = covered
    if (to === end || bytes >= maxReadBytes) break
    if (isStart && coveredRows === 1) return yield* lookUpPart(options, from, end, blocks[0]!)
    if (coveredRows < denseRows * scanned.blocks.length) break
  }
  return { touched: { blocks: blocks.slice(0, -1), isAdjacent: true, isEnd: false }, to }
})

/** Looks up the blocks of changes far apart; the first two are not of one block. */
const lookUpPart = Effect.fnUntraced(function* (
  options: MergePartOptions,
  from: number,
  end: number,
  first: Row
): Effect.fn.Return<Part, BlockReadError> {
  const { keyspace, maxReadBytes = defaultMaxReadBytes, reader } = options
  const blocks: Array<Row> = [first]
  let bytes = first.value.length
  let at = from
  /** The first change of the last block. */
  let lastStart = from
  for (let count = fewestRows; at < end; count = Math.min(count * 2, mostRows)) {
    const keys: Array<Uint8Array> = []
    while (keys.length < count && at + keys.length < end) keys.push(keyAt(options, at + keys.length))
    const located = yield* locate(reader, keyspace, keys)
    for (let index = 0; index < keys.length; index++, at++) {
      const place = located.blockOf[index]!
      const block = place < 0 ? first : located.blocks[place]!
      if (compareBytes(block.key, blocks[blocks.length - 1]!.key) === 0) continue
      blocks.push(block)
      bytes += block.value.length
      lastStart = at
    }
    if (blocks.length > 1 && (bytes >= maxReadBytes || at - from >= mostRows)) break
  }
  // Changes that were not looked at may belong to the last block too: those that were wait for them.
  return { touched: { blocks, isAdjacent: false, isEnd: false }, to: at === end ? end : lastStart }
})

const keyAt = ({ arena, sorted }: MergePartOptions, place: number): Uint8Array =>
  RowArena.keyOf(arena, sorted.order[place]!)

/** The first place from `from` up to `end` whose key is not below the given one. */
const placeOf = (options: MergePartOptions, from: number, end: number, key: Uint8Array): number => {
  let low = from
  let high = end
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareBytes(keyAt(options, middle), key) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** The place behind the last key with the header of the one at `from`. */
const headerEnd = (options: MergePartOptions, from: number): number => {
  const header = keyAt(options, from).subarray(0, headerSizeBytes)
  let low = from + 1
  let high = options.sorted.count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareBytes(keyAt(options, middle).subarray(0, headerSizeBytes), header) === 0) low = middle + 1
    else high = middle
  }
  return low
}
