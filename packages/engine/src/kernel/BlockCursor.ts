/**
 * Walks the rows of a block and checks every part of the format on the way: what is not as a writer makes it throws
 * {@link BlockDamage}. Reads nothing outside of the block and takes no memory that the block asks for.
 */
import { maxKeySizeBytes } from "../Engine.ts"
import { headerSizeBytes } from "../format/RecordLayout.ts"
import { compareBytes } from "../internal/Bounds.ts"
import { viewOf } from "./ByteCopy.ts"

/** What a kernel throws when a block is not one; it does not know the keyspace, the caller adds it. */
export class BlockDamage extends Error {
  /** The block's. */
  readonly key: Uint8Array
  readonly detail: string

  constructor(key: Uint8Array, detail: string) {
    super(detail)
    this.key = key
    this.detail = detail
  }
}

export interface BlockCursor {
  /** Of the row that {@link next} came to: its first `keySize` bytes. Overwritten by the next row. */
  readonly key: Uint8Array
  readonly keyView: DataView
  keySize: number
  /** Bytes that the key shares with the one before it; 0 for the first row. */
  shared: number
  /** Where the row begins in `bytes`. */
  rowStart: number
  /** Where the size of the row's value stands. */
  valueSizeStart: number
  valueStart: number
  /** Also the end of the row. */
  valueEnd: number
  bytes: Uint8Array
  /** Rows after the current one. */
  left: number
  blockKey: Uint8Array
  end: number
  /** No row was come to. */
  isFirst: boolean
}

export const make = (): BlockCursor => {
  const key = new Uint8Array(maxKeySizeBytes)
  return {
    key,
    keyView: viewOf(key),
    keySize: 0,
    shared: 0,
    rowStart: 0,
    valueSizeStart: 0,
    valueStart: 0,
    valueEnd: 0,
    bytes: noBytes,
    left: 0,
    blockKey: noBytes,
    end: 0,
    isFirst: true
  }
}

const noBytes = new Uint8Array(0)

/** Stands before the first row of the block. */
export const start = (cursor: BlockCursor, blockKey: Uint8Array, bytes: Uint8Array): void => {
  startWithin(cursor, blockKey, bytes, 0, bytes.length, -1)
}

/** Stands before the first row of a block that lies between two bytes. Its count is in front, or given when it is not. */
export const startWithin = (
  cursor: BlockCursor,
  blockKey: Uint8Array,
  bytes: Uint8Array,
  at: number,
  end: number,
  count: number
): void => {
  cursor.blockKey = blockKey
  cursor.bytes = bytes
  cursor.end = end
  cursor.valueEnd = at
  cursor.isFirst = true
  if (blockKey.length < headerSizeBytes) throw new BlockDamage(blockKey, `its key has ${blockKey.length} bytes`)
  cursor.left = count < 0 ? readVarint(cursor) : count
  if (cursor.left === 0) throw new BlockDamage(blockKey, "it has no rows")
}

/** Comes to the next row; false behind the last one. */
export const next = (cursor: BlockCursor): boolean => {
  if (cursor.left === 0) {
    if (cursor.valueEnd !== cursor.end) throw new BlockDamage(cursor.blockKey, "there are bytes behind its last row")
    return false
  }
  cursor.left--
  cursor.rowStart = cursor.valueEnd
  if (cursor.isFirst) startKey(cursor)
  else nextKey(cursor)
  cursor.valueSizeStart = cursor.valueEnd
  const size = readVarint(cursor)
  const valueStart = cursor.valueEnd
  cursor.valueStart = valueStart
  cursor.valueEnd = valueStart + size
  if (cursor.valueEnd > cursor.end) throw new BlockDamage(cursor.blockKey, "a value reaches behind its end")
  return true
}

/**
 * Comes to the first row that is not below the key, starting with the row after the current one. 0: it has the key; 1: it is
 * above; −1: there is none.
 */
export const seek = (cursor: BlockCursor, key: Uint8Array): number => {
  /** Bytes that the key shares with the row before, which is below it. */
  let common = -1
  while (next(cursor)) {
    const { shared } = cursor
    if (common >= 0 && shared > common) continue
    if (shared < common) return 1
    const size = Math.min(key.length, cursor.keySize)
    common = Math.max(common, 0)
    while (common < size && key[common] === cursor.key[common]) common++
    const order = common < size ? cursor.key[common]! - key[common]! : cursor.keySize - key.length
    if (order >= 0) return Math.sign(order)
  }
  return -1
}

const startKey = (cursor: BlockCursor): void => {
  cursor.isFirst = false
  cursor.key.set(cursor.blockKey)
  cursor.keySize = cursor.blockKey.length
  cursor.shared = 0
}

const nextKey = (cursor: BlockCursor): void => {
  const { bytes, key, keySize } = cursor
  const shared = readVarint(cursor)
  const suffixSize = readVarint(cursor)
  const at = cursor.valueEnd
  if (shared < headerSizeBytes) throw new BlockDamage(cursor.blockKey, "a row has another header")
  if (shared > keySize || suffixSize === 0 || shared + suffixSize > maxKeySizeBytes || at + suffixSize > cursor.end) {
    throw new BlockDamage(cursor.blockKey, `a row's key has ${shared} and ${suffixSize} bytes`)
  }
  if (shared < keySize && bytes[at]! <= key[shared]!) {
    throw new BlockDamage(cursor.blockKey, "its rows are not ascending")
  }
  for (let index = 0; index < suffixSize; index++) key[shared + index] = bytes[at + index]!
  cursor.shared = shared
  cursor.keySize = shared + suffixSize
  cursor.valueEnd = at + suffixSize
}

/** Order of the row's key and the given one: below 0, 0 or above 0. */
export const compareKey = (cursor: BlockCursor, key: Uint8Array): number =>
  compareBytes(cursor.key.subarray(0, cursor.keySize), key)

/** Whether the row's key begins with the prefix. */
export const hasPrefix = ({ key, keySize }: BlockCursor, prefix: Uint8Array): boolean => {
  if (keySize < prefix.length) return false
  for (let index = 0; index < prefix.length; index++) if (key[index] !== prefix[index]) return false
  return true
}

/** The varint at `valueEnd`, which moves behind it. */
const readVarint = (cursor: BlockCursor): number => {
  const at = cursor.valueEnd
  if (at < cursor.end) {
    const byte = cursor.bytes[at]!
    if (byte < 0x80) {
      cursor.valueEnd = at + 1
      return byte
    }
  }
  return readLongVarint(cursor)
}

const readLongVarint = (cursor: BlockCursor): number => {
  let value = 0
  let factor = 1
  for (let size = 1; size <= 5 && cursor.valueEnd < cursor.end; size++) {
    const byte = cursor.bytes[cursor.valueEnd++]!
    value += (byte & 0x7f) * factor
    factor *= 0x80
    if (byte >= 0x80) continue
    if (byte === 0 && size > 1) break
    return value
  }
  throw new BlockDamage(cursor.blockKey, "a number in it is not one")
}
