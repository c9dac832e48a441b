/**
 * Rows on their way into blocks: the contents of one block or more, as a block has them, with room for the count in front. Cut
 * into blocks when it is known how much there is.
 */
import { maxKeySizeBytes } from "../Engine.ts"
import { varintSize, varintSizeBytes, writeVarint } from "../format/BlockFormat.ts"
import * as BlockCursor from "./BlockCursor.ts"
import { copyBytes, viewOf } from "./ByteCopy.ts"
import { keySizeOf, keyStartOf, type RowArena, valueSizeOf } from "./RowArena.ts"

export interface BlockImage {
  /** Bytes of a block with more than one row, at most. */
  readonly targetSizeBytes: number
  bytes: Uint8Array
  /** Of `bytes`. */
  view: DataView
  /** Where the rows begin and end. */
  start: number
  end: number
  rowCount: number
  /** The first row's key: its first `firstKeySize` bytes. */
  readonly firstKey: Uint8Array
  firstKeySize: number
  readonly cursor: BlockCursor.BlockCursor
}

/** Takes the key and the bytes of a block, which are its to keep. */
export type PutBlock = (key: Uint8Array, value: Uint8Array) => void

/** Bytes of a row beside key suffix and value, at most. */
const rowHeadBytes: number = 3 * varintSizeBytes

/** How full the pieces of an even cut are, at most: rows are not cut, so with more one would be left over. */
const fullShare = 0.9

const firstSizeBytes = 64 * 1024
const keptSizeBytes = 1024 * 1024

export const make = (targetSizeBytes: number): BlockImage => {
  const bytes = new Uint8Array(firstSizeBytes)
  return {
    targetSizeBytes,
    bytes,
    view: viewOf(bytes),
    start: varintSizeBytes,
    end: varintSizeBytes,
    rowCount: 0,
    firstKey: new Uint8Array(maxKeySizeBytes),
    firstKeySize: 0,
    cursor: BlockCursor.make()
  }
}

export const clear = (image: BlockImage): void => {
  image.start = varintSizeBytes
  image.end = varintSizeBytes
  image.rowCount = 0
  if (image.bytes.length > keptSizeBytes) useBytes(image, new Uint8Array(firstSizeBytes))
}

/** Bytes of the block that all rows would make. */
export const sizeBytes = (image: BlockImage): number => varintSize(image.rowCount) + image.end - image.start

/** Whether one row more is still within the target. There is always room for the first. */
export const hasRoom = (image: BlockImage, shared: number, keySize: number, valueSize: number): boolean => {
  if (image.rowCount === 0) return true
  const suffixSize = keySize - shared
  const rowSize = varintSize(shared) + varintSize(suffixSize) + suffixSize + varintSize(valueSize) + valueSize
  return varintSize(image.rowCount + 1) + image.end - image.start + rowSize <= image.targetSizeBytes
}

/** The key of the last row. Walks all of them. */
export const lastKeyOf = (image: BlockImage): Uint8Array => {
  const { bytes, cursor, end, firstKey, firstKeySize, rowCount, start } = image
  BlockCursor.startWithin(cursor, firstKey.slice(0, firstKeySize), bytes, start, end, rowCount)
  for (let row = 0; row < rowCount; row++) BlockCursor.next(cursor)
  return cursor.key.slice(0, cursor.keySize)
}

/** Adds a row of an arena, whose key shares `shared` bytes with the last one's. */
export const addArenaRow = (image: BlockImage, shared: number, arena: RowArena, row: number): void => {
  const { bytes: source, view: sourceView } = arena
  const start = keyStartOf(arena, row)
  const keySize = keySizeOf(arena, row)
  const valueStart = start + keySize
  const valueSize = valueSizeOf(arena, row)
  reserve(image, rowHeadBytes + keySize + valueSize)
  const { bytes, view } = image
  let at = image.end
  if (image.rowCount === 0) {
    image.firstKey.set(source.subarray(start, valueStart))
    image.firstKeySize = keySize
  } else {
    at = writeVarint(bytes, at, shared)
    at = writeVarint(bytes, at, keySize - shared)
    copyBytes(bytes, view, at, source, sourceView, start + shared, valueStart)
    at += keySize - shared
  }
  at = writeVarint(bytes, at, valueSize)
  copyBytes(bytes, view, at, source, sourceView, valueStart, valueStart + valueSize)
  image.end = at + valueSize
  image.rowCount++
}

/** Adds the cursor's row, whose key shares `shared` bytes with the last one's. */
export const addCursorRow = (image: BlockImage, shared: number, cursor: BlockCursor.BlockCursor): void => {
  const { bytes: source, key, keySize, valueEnd, valueSizeStart } = cursor
  reserve(image, rowHeadBytes + keySize + valueEnd - valueSizeStart)
  const { bytes } = image
  let at = image.end
  if (image.rowCount === 0) {
    image.firstKey.set(key)
    image.firstKeySize = keySize
  } else {
    at = writeVarint(bytes, at, shared)
    at = writeVarint(bytes, at, keySize - shared)
    for (let index = shared; index < keySize; index++) bytes[at++] = key[index]!
  }
  // PERF: a view of the source costs as much as 60 bytes by hand.
  if (valueEnd - valueSizeStart > 64) bytes.set(source.subarray(valueSizeStart, valueEnd), at)
  else for (let from = valueSizeStart, to = at; from < valueEnd; from++, to++) bytes[to] = source[from]!
  image.end = at + valueEnd - valueSizeStart
  image.rowCount++
}

/** Adds rows as they stand in a block, of which the first follows there on the image's last one. */
export const addRun = (image: BlockImage, source: Uint8Array, start: number, end: number, rowCount: number): void => {
  reserve(image, end - start)
  image.bytes.set(source.subarray(start, end), image.end)
  image.end += end - start
  image.rowCount += rowCount
}

/** Puts all rows as one block. There are some. */
export const putWhole = (image: BlockImage, put: PutBlock): void => {
  putPiece(image, image.firstKey.slice(0, image.firstKeySize), image.start, image.end, image.rowCount, put)
  clear(image)
}

/** Puts all rows, in blocks of about the same size where they are more than one. */
export const putEvenly = (image: BlockImage, put: PutBlock): void => {
  const size = sizeBytes(image)
  if (image.rowCount === 0) return
  if (image.rowCount === 1 || size <= image.targetSizeBytes) {
    putWhole(image, put)
    return
  }
  const pieceCount = Math.ceil(size / (image.targetSizeBytes * fullShare))
  putPieces(image, Math.ceil(size / pieceCount), 0, put)
  clear(image)
}

/** Puts full blocks of the first rows until at most `leftBytes`, above 0, are left. */
export const putFull = (image: BlockImage, leftBytes: number, put: PutBlock): void => {
  putPieces(image, Number.POSITIVE_INFINITY, leftBytes, put)
  image.bytes.copyWithin(varintSizeBytes, image.start, image.end)
  image.end -= image.start - varintSizeBytes
  image.start = varintSizeBytes
}

/** Cuts before the row that begins at or behind `aimBytes` of a piece, or that would take it over the target. */
const putPieces = (image: BlockImage, aimBytes: number, leftBytes: number, put: PutBlock): void => {
  const { bytes, cursor, end, targetSizeBytes } = image
  let key = image.firstKey.slice(0, image.firstKeySize)
  let start = image.start
  let count = 0
  BlockCursor.startWithin(cursor, key, bytes, start, end, image.rowCount)
  while (end - start > leftBytes && BlockCursor.next(cursor)) {
    const { rowStart, valueEnd, valueSizeStart } = cursor
    const isOver = varintSize(count + 1) + valueEnd - start > targetSizeBytes
    if (count > 0 && (isOver || rowStart - start >= aimBytes)) {
      putPiece(image, key, start, rowStart, count, put)
      key = cursor.key.slice(0, cursor.keySize)
      start = valueSizeStart
      count = 0
    }
    count++
  }
  if (leftBytes === 0) {
    putPiece(image, key, start, end, count, put)
    return
  }
  image.rowCount = count + cursor.left
  image.start = start
  image.firstKey.set(key)
  image.firstKeySize = key.length
}

/** The count goes in front of the first row's value size, where the rest of the row or the image's head was. */
const putPiece = (
  { bytes }: BlockImage,
  key: Uint8Array,
  start: number,
  end: number,
  rowCount: number,
  put: PutBlock
): void => {
  const at = start - varintSize(rowCount)
  writeVarint(bytes, at, rowCount)
  put(key, bytes.slice(at, end))
}

const reserve = (image: BlockImage, size: number): void => {
  const needed = image.end + size
  if (needed <= image.bytes.length) return
  const bytes = new Uint8Array(Math.max(needed, image.bytes.length * 2))
  bytes.set(image.bytes.subarray(0, image.end))
  useBytes(image, bytes)
}

const useBytes = (image: BlockImage, bytes: Uint8Array): void => {
  image.bytes = bytes
  image.view = viewOf(bytes)
}
