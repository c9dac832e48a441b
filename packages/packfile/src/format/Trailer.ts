/**
 * The trailer: the last 76 bytes of a packfile, read first.
 *
 * Little-endian. Part of the on-disk format: never change, add a version.
 *
 * ```
 * at  size field
 *  0   4   magic 0x48434C53 (bytes "SLCH")
 *  4   1   version, 1
 *  5   1   flags: bit 0 = content hash present, other bits zero
 *  6   2   reserved, zero
 *  8   4   format, the caller's
 * 12   4   recordCount
 * 16   4   totalItems
 * 20   4   itemsPerRecord
 * 24   2   index group size, 128
 * 26   2   reserved, zero
 * 28   4   indexSize, with its CRC32C
 * 32   4   appDataSize
 * 36  32   content hash, zero when absent
 * 68   4   reserved, zero
 * 72   4   CRC32C of bytes 0 to 71
 * ```
 */

/** The fields of a trailer. Every number is an unsigned 32-bit integer. */
export interface Trailer {
  readonly version: number
  readonly format: number
  readonly recordCount: number
  readonly totalItems: number
  readonly itemsPerRecord: number
  /** Bytes of the offset index, its checksum included. */
  readonly indexSizeBytes: number
  readonly appDataSizeBytes: number
  /** 32 bytes, or undefined when the writer kept none. */
  readonly contentHash: Uint8Array | undefined
}
