/**
 * Blocks: neighbouring rows of a record store as one row of an engine. Part of the on-disk format: never change, add a version
 * (the first byte of every key).
 *
 * ```text
 * engine key    the whole key of the block's first row
 * engine value  varint count │ varint value size │ value │ row … (count − 1 of them)
 * row           varint shared │ varint suffix size │ suffix │ varint value size │ value
 * ```
 *
 * A row's key is the first `shared` bytes of the key before it, followed by the suffix. `shared` is as large as it can be, so the
 * suffix is not empty and its first byte is above the byte that it takes the place of. Varints are LEB128 of 32 bits, unsigned, of the
 * fewest bytes. All keys of a block begin with the same header: version, tag and sync (`RecordLayout.headerSizeBytes`). A value of
 * more than {@link targetSizeBytes} is of a block with one row. The engine's own checksum covers key and value.
 *
 * Example, with headers left out: the rows ("ada", 01 02) and ("adb", none) are the engine's row "ada" → 02 02 01 02 02 01 62 00.
 */
import { maxValueSizeBytes } from "../Engine.ts"

/** Bytes of a block with more than one row, at most: with the engine's checksum one overflow page of LMDB. */
export const targetSizeBytes = 4_060

/** Bytes of one varint, at most. */
export const varintSizeBytes = 5

/** Bytes of a row's value, at most: alone in its block it must fit the engine. */
export const maxRowValueSizeBytes: number = maxValueSizeBytes - 1 - varintSizeBytes

/** Bytes that the number takes as a varint. */
export const varintSize = (value: number): number =>
  value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5

/** Writes a whole number below 2³² and returns the byte behind it. There is room. */
export const writeVarint = (target: Uint8Array, at: number, value: number): number => {
  let left = value
  let end = at
  while (left >= 0x80) {
    target[end++] = (left & 0x7f) | 0x80
    left >>>= 7
  }
  target[end++] = left
  return end
}
