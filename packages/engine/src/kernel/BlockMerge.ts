/**
 * Merges sorted changes with the blocks that they fall into.
 *
 * Both sides ascend, so what neighbours share says most of what is asked: of keys a ≤ b ≤ c, a and c share the smaller of
 * what a and b and what b and c share; and of two keys behind the same one, the one that shares more with it comes first. Bytes are
 * compared only where that leaves it open.
 */
import type { Row } from "../Engine.ts"
import { targetSizeBytes } from "../format/BlockFormat.ts"
import { headerSizeBytes } from "../format/RecordLayout.ts"
import { compareBytes } from "../internal/Bounds.ts"
import * as BlockCursor from "./BlockCursor.ts"
import * as BlockImage from "./BlockImage.ts"
import type { SortedRows } from "./ByteSort.ts"
import { isDelete, keyOf, keySizeOf, keyStartOf, type RowArena, valueSizeOf } from "./RowArena.ts"

/** Existing blocks of one header, ascending, that hold or would hold the rows of some changes. */
export interface TouchedBlocks {
  readonly blocks: ReadonlyArray<Row>
  /** Whether there are no others between them. */
  readonly isAdjacent: boolean
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

/** Changes to the rows of one header: those at the places from `from` up to `to`. */
export interface Changes {
  readonly arena: RowArena
  readonly sorted: SortedRows
  readonly from: number
  readonly to: number
}

export interface MergeOptions {
  /** Bytes of a block with more than one row, at most. Default and maximum: that of the format. */
  readonly targetSizeBytes?: number
}

/** An image of this many blocks is not kept waiting for its end. */
const waitingBlocks = 16
const keptBlocks = 4

/** A block that lost rows is joined with the next one when it has less than this share of the target. */
const smallShare = 0.25

interface Merging {
  readonly changes: Changes
  readonly sink: MergeSink
  readonly image: BlockImage.BlockImage
  readonly cursor: BlockCursor.BlockCursor
  /** Engine keys of blocks whose rows are in the image or removed, not yet told to the sink. */
  readonly stale: Array<Uint8Array>
  /** Place in `order` of the next change. */
  at: number
  /** The place behind the last change that belongs to the block. */
  to: number
  /** The image is not what the stale blocks are. */
  isChanged: boolean
  /** The stale blocks lost rows. */
  hasShrunk: boolean
  /** Bytes that the image's last key shares with the next change's. */
  sharedWithChange: number
  /** Bytes that the image's last key shares with the cursor's. */
  sharedWithRow: number
  /** Bytes that the next change's key shares with the cursor's, and their order. */
  common: number
  order: number
  /** Rows of the block that go to the image as they stand there, behind its last row: where they begin and end. */
  runStart: number
  runEnd: number
  runCount: number
  /** The image's last row, run included, is the one before the cursor's in its block. */
  isLinked: boolean
  readonly put: BlockImage.PutBlock
}

/**
 * Merges changes with the blocks that they fall into: a change belongs to the last block that does not begin behind it, or else
 * to the first. Blocks in which nothing changes are left alone. Throws {@link BlockCursor.BlockDamage} when a block is not one.
 */
export const merge = (
  changes: Changes,
  { blocks, isAdjacent, isEnd }: TouchedBlocks,
  sink: MergeSink,
  options: MergeOptions = {}
): void => {
  const merging = makeMerging(changes, sink, options.targetSizeBytes ?? targetSizeBytes)
  for (const [index, block] of blocks.entries()) {
    const following = blocks[index + 1]
    const to = following === undefined ? changes.to : placeOf(changes, merging.at, following.key)
    // A block without changes matters only to one before it that is too small.
    if (to === merging.at && merging.stale.length === 0) continue
    merging.to = to
    mergeBlock(merging, block)
    if (following === undefined) break
    addChanges(merging, false)
    const isSmall = BlockImage.sizeBytes(merging.image) < smallShare * merging.image.targetSizeBytes
    if (!(merging.hasShrunk && isSmall && isAdjacent)) finish(merging)
  }
  merging.to = changes.to
  addChanges(merging, isEnd)
  finish(merging)
}

const makeMerging = (changes: Changes, sink: MergeSink, target: number): Merging => {
  const stale: Array<Uint8Array> = []
  return {
    changes,
    sink,
    image: BlockImage.make(target),
    cursor: BlockCursor.make(),
    stale,
    at: changes.from,
    to: changes.to,
    isChanged: false,
    hasShrunk: false,
    sharedWithChange: 0,
    sharedWithRow: 0,
    common: 0,
    order: 0,
    runStart: 0,
    runEnd: 0,
    runCount: 0,
    isLinked: false,
    put: (key, value) => {
      for (const old of stale) if (compareBytes(old, key) !== 0) sink.deleteBlock(old)
      stale.length = 0
      sink.putBlock(key, value)
    }
  }
}

/** The place of the first change from `at` on that is not below the key. */
const placeOf = ({ arena, sorted: { order }, to }: Changes, at: number, key: Uint8Array): number => {
  let low = at
  let high = to
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareBytes(keyOf(arena, order[middle]!), key) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** Writes out what the image holds, if it is not what is there. */
const finish = (merging: Merging): void => {
  const { image, sink, stale } = merging
  if (merging.isChanged) {
    if (image.rowCount > 0) BlockImage.putEvenly(image, merging.put)
    for (const key of stale) sink.deleteBlock(key)
  }
  BlockImage.clear(image)
  stale.length = 0
  merging.isChanged = false
  merging.hasShrunk = false
}

/** Takes in the rows of a block and the changes that are not behind its last row. */
const mergeBlock = (merging: Merging, block: Row): void => {
  const { changes, cursor, image } = merging
  merging.stale.push(block.key)
  merging.isLinked = false
  BlockCursor.start(cursor, block.key, block.value)
  let hasRow = BlockCursor.next(cursor)
  if (image.rowCount > 0) joinImage(merging)
  if (merging.at < merging.to) compareFrom(merging, headerSizeBytes)
  while (hasRow && merging.at < merging.to) {
    if (merging.order > 0) {
      keepRow(merging)
      merging.sharedWithChange = merging.common
      hasRow = BlockCursor.next(cursor)
      if (hasRow) passRow(merging)
      else merging.sharedWithChange = merging.common
    } else if (merging.order < 0) {
      const row = changes.sorted.order[merging.at]!
      if (!isDelete(changes.arena, row)) {
        insert(merging, row)
        putWaiting(merging)
      }
      passChange(merging, isDelete(changes.arena, row))
    } else {
      hasRow = applyChange(merging)
    }
  }
  if (hasRow) keepRest(merging)
  endRun(merging)
}

/** What the image's last key shares with the block's first one and with the next change. */
const joinImage = (merging: Merging): void => {
  const { changes, cursor, image } = merging
  const last = BlockImage.lastKeyOf(image)
  merging.sharedWithRow = commonSize(last, last.length, cursor.key, cursor.keySize)
  if (merging.at === merging.to) return
  const key = keyOf(changes.arena, changes.sorted.order[merging.at]!)
  merging.sharedWithChange = commonSize(last, last.length, key, key.length)
}

/** Sets `common` and `order` of change and row, which agree up to `depth`. */
const compareFrom = (merging: Merging, depth: number): void => {
  const { changes, cursor } = merging
  const { bytes } = changes.arena
  const row = changes.sorted.order[merging.at]!
  const start = keyStartOf(changes.arena, row)
  const keySize = keySizeOf(changes.arena, row)
  const size = Math.min(keySize, cursor.keySize)
  let common = depth
  while (common < size && bytes[start + common] === cursor.key[common]) common++
  merging.common = common
  merging.order = common < size ? bytes[start + common]! - cursor.key[common]! : keySize - cursor.keySize
}

/** Change and row are both behind one key, with which they share so many bytes. */
const compareBehind = (merging: Merging, changeShared: number, rowShared: number): void => {
  if (changeShared === rowShared) {
    compareFrom(merging, changeShared)
    return
  }
  merging.common = Math.min(changeShared, rowShared)
  merging.order = rowShared - changeShared
}

/** The cursor's row goes to the image. */
const keepRow = (merging: Merging): void => {
  const { cursor, image } = merging
  if (merging.isLinked) {
    merging.runCount++
  } else {
    BlockImage.addCursorRow(image, merging.sharedWithRow, cursor)
    merging.runStart = cursor.valueEnd
    merging.runCount = 0
    merging.isLinked = true
  }
  merging.runEnd = cursor.valueEnd
}

/** The cursor's row and all behind it go to the image; those behind are not looked at. */
const keepRest = (merging: Merging): void => {
  const { cursor } = merging
  keepRow(merging)
  merging.runEnd = cursor.end
  merging.runCount += cursor.left
}

/** Moves the rows of the run to the image; the next row is not linked. */
const endRun = (merging: Merging): void => {
  if (merging.isLinked && merging.runCount > 0) {
    BlockImage.addRun(merging.image, merging.cursor.bytes, merging.runStart, merging.runEnd, merging.runCount)
  }
  merging.isLinked = false
}

/** The cursor has come from a row that was kept, before the change, to the next one. */
const passRow = (merging: Merging): void => {
  const { common, cursor } = merging
  merging.sharedWithRow = cursor.shared
  compareBehind(merging, common, cursor.shared)
}

/** The change before the row is done. */
const passChange = (merging: Merging, isDelete: boolean): void => {
  const { common } = merging
  const shared = nextChangeShared(merging)
  merging.sharedWithChange = isDelete ? Math.min(merging.sharedWithChange, shared) : shared
  if (!isDelete) merging.sharedWithRow = common
  merging.at++
  if (merging.at < merging.to) compareBehind(merging, shared, common)
}

/** Does the change to the cursor's row and comes to the next one; false when there is none. */
const applyChange = (merging: Merging): boolean => {
  const { changes, cursor, image, sink } = merging
  const { arena } = changes
  const { valueEnd, valueStart } = cursor
  const row = changes.sorted.order[merging.at]!
  const isRemoved = isDelete(arena, row)
  if (isRemoved) {
    endRun(merging)
    sink.onRemoved(row, cursor.bytes, valueStart, valueEnd)
    merging.hasShrunk = true
    merging.isChanged = true
  } else {
    sink.onReplaced(row, cursor.bytes, valueStart, valueEnd)
    if (hasValue(arena, row, cursor)) {
      keepRow(merging)
    } else {
      endRun(merging)
      BlockImage.addArenaRow(image, merging.sharedWithRow, arena, row)
      merging.isChanged = true
    }
  }
  const changeShared = nextChangeShared(merging)
  const hasRow = BlockCursor.next(cursor)
  const rowShared = cursor.shared
  merging.sharedWithChange = isRemoved ? Math.min(merging.sharedWithChange, changeShared) : changeShared
  merging.sharedWithRow = isRemoved ? Math.min(merging.sharedWithRow, rowShared) : rowShared
  merging.at++
  if (hasRow && merging.at < merging.to) compareBehind(merging, changeShared, rowShared)
  return hasRow
}

/** Whether the row of the arena has the value of the cursor's row. */
const hasValue = (arena: RowArena, row: number, { bytes, valueEnd, valueStart }: BlockCursor.BlockCursor): boolean => {
  const size = valueSizeOf(arena, row)
  if (size !== valueEnd - valueStart) return false
  const start = keyStartOf(arena, row) + keySizeOf(arena, row)
  for (let index = 0; index < size; index++) {
    if (arena.bytes[start + index] !== bytes[valueStart + index]) return false
  }
  return true
}

/** Bytes that the next change's key shares with that of the change after it; 0 when there is none. */
const nextChangeShared = ({ at, changes, to }: Merging): number => (at + 1 < to ? changes.sorted.shared[at + 1]! : 0)

/** Bytes that two keys of one header share. */
const commonSize = (left: Uint8Array, leftSize: number, right: Uint8Array, rightSize: number): number => {
  const size = Math.min(leftSize, rightSize)
  let common = headerSizeBytes
  while (common < size && left[common] === right[common]) common++
  return common
}

/** The next change, a put, goes to the image. */
const insert = (merging: Merging, row: number): void => {
  const { changes, image, sink } = merging
  endRun(merging)
  BlockImage.addArenaRow(image, merging.sharedWithChange, changes.arena, row)
  merging.isChanged = true
  sink.onInserted(row)
}

/** Takes in the changes behind the last row. At the end of a header blocks are made full: more of the same kind follow. */
const addChanges = (merging: Merging, isEnd: boolean): void => {
  const { changes, image, put, to } = merging
  const { arena } = changes
  const { order } = changes.sorted
  const target = image.targetSizeBytes
  if (merging.at < to && isEnd && BlockImage.sizeBytes(image) > target) BlockImage.putFull(image, target, put)
  for (; merging.at < to; merging.at++) {
    const row = order[merging.at]!
    const isPut = !isDelete(arena, row)
    if (isPut) {
      if (
        isEnd &&
        !BlockImage.hasRoom(image, merging.sharedWithChange, keySizeOf(arena, row), valueSizeOf(arena, row))
      ) {
        BlockImage.putWhole(image, put)
      }
      insert(merging, row)
      if (!isEnd) putWaiting(merging)
    }
    const shared = nextChangeShared(merging)
    merging.sharedWithChange = isPut ? shared : Math.min(merging.sharedWithChange, shared)
  }
}

/** Keeps the image bounded. */
const putWaiting = ({ image, put }: Merging): void => {
  if (image.end - image.start <= waitingBlocks * image.targetSizeBytes) return
  BlockImage.putFull(image, keptBlocks * image.targetSizeBytes, put)
}
