/**
 * The trailer: the last 76 bytes of a packfile, read first. The whole file is
 *
 * ```
 * 0          record 0 … record N-1
 * indexBase  offset index      (indexSize bytes, the last 4 their CRC32C; see OffsetIndex.ts)
 *            app data          (appDataSize bytes, the caller's own, no checksum)
 * EOF-76     trailer
 * ```
 *
 * and the trailer
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
 *
 * All little-endian. Part of the on-disk format: never change, add a version.
 *
 * Example: a pack without items, 128 to a record, no content hash, is its empty index and its trailer, 80 bytes:
 *
 * ```
 * 00000000
 * 534c4348 01 00 0000 00000000 00000000 00000000 80000000 8000 0000 04000000 00000000
 * 00…00 (32) 00000000 6fd39e3f
 * ```
 */
import { Crc32c } from "@icecore/codec"
import { groupSize, maxRecordCount } from "./OffsetIndex.ts"

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

/** Why bytes are not a trailer, or not that of a file this long. `offsetBytes` is within the trailer. */
export interface TrailerFault {
  readonly part: "size" | "magic" | "version" | "flags" | "trailer" | "checksum"
  readonly detail: string
  readonly offsetBytes: number
}

/** Largest value of every number in the format. */
export const maxUint32 = 0xffff_ffff

const magic = 0x4843_4c53
const currentVersion = 1
const contentHashFlag = 1
const contentHashSizeBytes = 32

const at = {
  magic: 0,
  version: 4,
  flags: 5,
  format: 8,
  recordCount: 12,
  totalItems: 16,
  itemsPerRecord: 20,
  groupSize: 24,
  indexSize: 28,
  appDataSize: 32,
  contentHash: 36,
  checksum: 72
} as const

/** Bytes of a trailer. */
export const trailerSizeBytes: number = at.checksum + 4

/** The bytes of a trailer of the current version. */
export const encode = (trailer: Omit<Trailer, "version">): Uint8Array => {
  const bytes = new Uint8Array(trailerSizeBytes)
  const view = new DataView(bytes.buffer)
  view.setUint32(at.magic, magic, true)
  view.setUint8(at.version, currentVersion)
  view.setUint8(at.flags, trailer.contentHash === undefined ? 0 : contentHashFlag)
  view.setUint32(at.format, trailer.format, true)
  view.setUint32(at.recordCount, trailer.recordCount, true)
  view.setUint32(at.totalItems, trailer.totalItems, true)
  view.setUint32(at.itemsPerRecord, trailer.itemsPerRecord, true)
  view.setUint16(at.groupSize, groupSize, true)
  view.setUint32(at.indexSize, trailer.indexSizeBytes, true)
  view.setUint32(at.appDataSize, trailer.appDataSizeBytes, true)
  if (trailer.contentHash !== undefined) bytes.set(trailer.contentHash, at.contentHash)
  view.setUint32(at.checksum, Crc32c.update(0, bytes, 0, at.checksum), true)
  return bytes
}

const fault = (part: TrailerFault["part"], offsetBytes: number, detail: string): TrailerFault => ({
  part,
  offsetBytes,
  detail
})

/** Parses the trailer that `bytes` end with, of a file of `fileSizeBytes`, and checks that its parts fit the file. */
export const decode = (bytes: Uint8Array, fileSizeBytes: number): Trailer | TrailerFault => {
  if (bytes.length < trailerSizeBytes) {
    return fault("size", 0, `the file has ${fileSizeBytes} bytes, expected at least ${trailerSizeBytes}`)
  }
  const start = bytes.length - trailerSizeBytes
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, trailerSizeBytes)
  const damage = identityFault(bytes.subarray(start), view)
  if (damage !== undefined) return damage
  const trailer: Trailer = {
    version: view.getUint8(at.version),
    format: view.getUint32(at.format, true),
    recordCount: view.getUint32(at.recordCount, true),
    totalItems: view.getUint32(at.totalItems, true),
    itemsPerRecord: view.getUint32(at.itemsPerRecord, true),
    indexSizeBytes: view.getUint32(at.indexSize, true),
    appDataSizeBytes: view.getUint32(at.appDataSize, true),
    contentHash:
      (view.getUint8(at.flags) & contentHashFlag) === 0
        ? undefined
        : bytes.slice(start + at.contentHash, start + at.contentHash + contentHashSizeBytes)
  }
  return consistencyFault(trailer, view.getUint16(at.groupSize, true), fileSizeBytes) ?? trailer
}

/** Whether these are the bytes of a trailer at all, undamaged. The version comes first: another may place its checksum elsewhere. */
const identityFault = (bytes: Uint8Array, view: DataView): TrailerFault | undefined => {
  const foundMagic = view.getUint32(at.magic, true)
  if (foundMagic !== magic) {
    return fault("magic", at.magic, `it is 0x${foundMagic.toString(16)}, expected 0x${magic.toString(16)}`)
  }
  const version = view.getUint8(at.version)
  if (version !== currentVersion) return fault("version", at.version, `it is ${version}, expected ${currentVersion}`)
  const expected = view.getUint32(at.checksum, true)
  const actual = Crc32c.update(0, bytes, 0, at.checksum)
  if (actual !== expected) {
    const detail = `trailer checksum is 0x${actual.toString(16)}, expected 0x${expected.toString(16)}`
    return fault("checksum", at.checksum, detail)
  }
  const unknownFlags = view.getUint8(at.flags) & ~contentHashFlag
  if (unknownFlags !== 0) return fault("flags", at.flags, `unknown flags 0x${unknownFlags.toString(16)} are set`)
  return undefined
}

const consistencyFault = (
  { recordCount, totalItems, itemsPerRecord, indexSizeBytes, appDataSizeBytes }: Trailer,
  foundGroupSize: number,
  fileSizeBytes: number
): TrailerFault | undefined => {
  if (foundGroupSize !== groupSize) {
    return fault("trailer", at.groupSize, `index group size is ${foundGroupSize}, expected ${groupSize}`)
  }
  if (itemsPerRecord === 0) return fault("trailer", at.itemsPerRecord, "items per record is 0, expected at least 1")
  const expectedRecords = Math.ceil(totalItems / itemsPerRecord)
  if (recordCount !== expectedRecords) {
    const detail = `record count is ${recordCount}, expected ${expectedRecords} for ${totalItems} items by ${itemsPerRecord}`
    return fault("trailer", at.recordCount, detail)
  }
  const neededBytes = trailerSizeBytes + indexSizeBytes + appDataSizeBytes
  if (neededBytes > fileSizeBytes) {
    const detail = `index, app data and trailer take ${neededBytes} bytes, the file has ${fileSizeBytes}`
    return fault("size", at.indexSize, detail)
  }
  const possibleRecords = maxRecordCount(indexSizeBytes)
  if (recordCount > possibleRecords) {
    const detail = `record count is ${recordCount}, an index of ${indexSizeBytes} bytes has at most ${possibleRecords}`
    return fault("trailer", at.recordCount, detail)
  }
  return undefined
}
