/**
 * The key run of a chunk (`.bin`).
 *
 * ```
 * 0   8    rowCount, u64
 * 8   20   row 0:  key prefix (16 bytes) │ offset, u32
 * 28  20   row 1
 * …                                       8 + 20 · rowCount bytes in all
 * ```
 *
 * Numbers are little-endian. A prefix is the first 16 bytes of a key; an offset is a seq less the first seq of the chunk's window.
 * Rows ascend by the bytes of the prefix, and by offset where prefixes are equal. There is no checksum: whoever needs one keeps the
 * CRC32C of the whole file elsewhere. Part of the on-disk format: never change, add a version.
 *
 * Example: keys `aa…` (16 times `aa`) of the entry at offset 7 and `0b…` of the one at 258:
 * `0200000000000000 0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b 02010000 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 07000000`.
 */

/** Bytes of a key that runs and indexes hold: its first ones. */
export const prefixSizeBytes = 16

const offsetSizeBytes = 4

/** Where the offset lies in a row. */
export const offsetAt: number = prefixSizeBytes

/** Bytes of a row. */
export const rowSizeBytes: number = prefixSizeBytes + offsetSizeBytes

/** Bytes before the first row. */
export const headerSizeBytes = 8

const wordSize = 2 ** 32

/** Bytes of a run with so many rows. */
export const sizeOf = (rowCount: number): number => headerSizeBytes + rowCount * rowSizeBytes

/** Where a row begins in the file. */
export const offsetOfRow = (row: number): number => headerSizeBytes + row * rowSizeBytes

/** Writes the count in front of the rows. */
export const encodeHeader = (view: DataView, rowCount: number): void => {
  view.setUint32(0, rowCount % wordSize, true)
  view.setUint32(4, Math.floor(rowCount / wordSize), true)
}

/** The count, which may be no safe integer in a damaged file. */
export const decodeHeader = (view: DataView): number => view.getUint32(0, true) + view.getUint32(4, true) * wordSize
