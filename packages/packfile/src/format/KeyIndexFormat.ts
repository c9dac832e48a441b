/**
 * The key index of a window's coverage (`.idx`).
 *
 * ```
 * 0            header, 96 bytes
 * 96           block 0, block 1, …
 * tableOffset  table: an entry of 24 bytes for each block
 * EOF-16       footer
 * ```
 *
 * Integers are little-endian, u64 are safe integers.
 *
 * ```
 * header                                          table entry
 *  0  8  magic `IceKeyIx`                          0  16  smallest prefix of the block
 *  8  4  version, 1                               16   4  CRC32C of the block
 * 12  4  keysPerBlock, 1 to 16,384                20   1  kind: 0 hashed, 1 plain
 * 16  8  keyCount                                 21   1  seed, 0 when plain
 * 24  8  window                                   22   2  zero
 * 32  8  lo, the first chunk
 * 40  8  hi, the last chunk, inclusive            footer
 * 48  8  firstSeq: payloads count from it          0   8  size of the file
 * 56  8  lastSeq, inclusive                        8   4  the header's CRC32C
 * 64  8  tableOffset                              12   4  magic `DONE`
 * 72  4  blockCount
 * 76  1  payloadSize: 3, or 4 when lastSeq − firstSeq is 2^24 or more
 * 77  1  fingerprintSize, 1
 * 78  1  duplicates: 0 error, 1 first, 2 last
 * 79  1  zero
 * 80  8  duplicateCount: rows that lost to another with their key
 * 88  4  CRC32C of the table
 * 92  4  CRC32C of bytes 0 to 91
 * ```
 *
 * A prefix is the first 16 bytes of a key. Block i holds the prefixes from i · keysPerBlock on in ascending order, `keysPerBlock` of
 * them, the last block what is left: n prefixes. A hashed block is a minimal perfect hash over them:
 *
 * ```
 * pilots   ceil(n / 3) bytes, one for each bucket
 * remap    2 · (ceil(n · 100 / 99) − n) bytes: for each slot from n on the slot below n that stands for it, zero when unused
 * entries  n of them: payload (seq − firstSeq, payloadSize bytes) │ fingerprint, u8
 * ```
 *
 * The hash of a prefix, which the block's seed and smallest prefix salt, the bucket and the slot are in `KeyHash`. A plain block, for
 * prefixes that no seed can tell apart, is `n · 16 bytes of prefix, ascending ‖ n · payload`. Every byte of the file is covered by a
 * checksum or has one allowed value. Part of the on-disk format: never change, add a version.
 *
 * Example: the index of the one key `aa…` of the entry at seq 7, over chunk 0 of seqs 0 to 9, has the block `00 0000 070000 b6` (pilot,
 * remap, payload, fingerprint), the table entry `aa…aa 86478a36 00 00 0000` and the footer `8f00000000000000 69e6b224 444f4e45`.
 */
import { Crc32c } from "@icecore/codec"
import { prefixSizeBytes } from "./KeyRunFormat.ts"

/** What becomes of a key that several entries have: refused, or the seq of the first or the last of them counts. */
export type DuplicatePolicy = "error" | "first" | "last"

/** The policies by their number in the header. */
export const duplicatePolicies: ReadonlyArray<DuplicatePolicy> = ["error", "first", "last"]

/** The fields of a header. */
export interface IndexFields {
  readonly keysPerBlock: number
  readonly keyCount: number
  readonly window: number
  readonly lo: number
  readonly hi: number
  readonly firstSeq: number
  readonly lastSeq: number
  readonly duplicates: DuplicatePolicy
  readonly duplicateCount: number
  readonly tableChecksum: number
  readonly tableOffset: number
  readonly blockCount: number
  readonly payloadSizeBytes: number
}

/** Why bytes are no index. `offsetBytes` is within the file. */
export interface IndexFault {
  readonly part: "size" | "magic" | "version" | "header" | "footer" | "table" | "block"
  readonly detail: string
  readonly offsetBytes: number
}

const at = {
  magic: 0,
  version: 8,
  keysPerBlock: 12,
  keyCount: 16,
  window: 24,
  lo: 32,
  hi: 40,
  firstSeq: 48,
  lastSeq: 56,
  tableOffset: 64,
  blockCount: 72,
  payloadSize: 76,
  fingerprintSize: 77,
  duplicates: 78,
  reserved: 79,
  duplicateCount: 80,
  tableChecksum: 88,
  checksum: 92
} as const

/** Where things lie in a table entry. */
export const tableAt: {
  readonly prefix: number
  readonly checksum: number
  readonly kind: number
  readonly seed: number
  readonly reserved: number
} = {
  prefix: 0,
  checksum: prefixSizeBytes,
  kind: prefixSizeBytes + 4,
  seed: prefixSizeBytes + 5,
  reserved: prefixSizeBytes + 6
}

const footerAt = { fileSize: 0, headerChecksum: 8, magic: 12 } as const

const magic = new TextEncoder().encode("IceKeyIx")
const footerMagic = 0x454e_4f44
const currentVersion = 1

/** Bytes of the header: where the first block begins. */
export const headerSizeBytes: number = at.checksum + 4
/** Bytes of the table for each block. */
export const tableEntrySizeBytes: number = tableAt.reserved + 2
/** Bytes of the footer. */
export const footerSizeBytes: number = footerAt.magic + 4
/** Bytes of a fingerprint. */
export const fingerprintSizeBytes = 1
/** Most keys of a block: slots are found by 16 bits, which more could not be shared out to evenly. */
export const maxKeysPerBlock = 16_384
/** Kinds of blocks. */
export const kinds = { hashed: 0, plain: 1 } as const

const keysPerBucket = 3
const remapEntrySizeBytes = 2
const wordSize = 2 ** 32
const narrowPayloadSizeBytes = 3
const widePayloadSizeBytes = 4

/** Buckets of a hashed block with so many keys, each with a pilot of a byte. */
export const bucketCountOf = (keyCount: number): number => Math.ceil(keyCount / keysPerBucket)

/** Slots that pilots place keys in: a hundredth more than there are keys, or finding the last pilots would take long. */
export const slotCountOf = (keyCount: number): number => Math.ceil((keyCount * 100) / 99)

/** Bytes of the slots past the last key. */
export const remapSizeOf = (keyCount: number): number => (slotCountOf(keyCount) - keyCount) * remapEntrySizeBytes

/** Bytes of a payload for these seqs. */
export const payloadSizeOf = (firstSeq: number, lastSeq: number): number =>
  lastSeq - firstSeq < 256 ** narrowPayloadSizeBytes ? narrowPayloadSizeBytes : widePayloadSizeBytes

/** Bytes of a block. */
export const blockSizeOf = (kind: number, keyCount: number, payloadSizeBytes: number): number =>
  kind === kinds.plain
    ? keyCount * (prefixSizeBytes + payloadSizeBytes)
    : bucketCountOf(keyCount) + remapSizeOf(keyCount) + keyCount * (payloadSizeBytes + fingerprintSizeBytes)

/** Keys of a block; `keyCount` is that of the index. */
export const keysOfBlock = (
  fields: { readonly keyCount: number; readonly keysPerBlock: number },
  block: number
): number => Math.min(fields.keysPerBlock, fields.keyCount - block * fields.keysPerBlock)

const setUint64 = (view: DataView, offset: number, value: number): void => {
  view.setUint32(offset, value % wordSize, true)
  view.setUint32(offset + 4, Math.floor(value / wordSize), true)
}

const getUint64 = (view: DataView, offset: number): number =>
  view.getUint32(offset, true) + view.getUint32(offset + 4, true) * wordSize

/** The bytes of a header. */
export const encodeHeader = (fields: IndexFields): Uint8Array => {
  const bytes = new Uint8Array(headerSizeBytes)
  const view = new DataView(bytes.buffer)
  bytes.set(magic, at.magic)
  view.setUint32(at.version, currentVersion, true)
  view.setUint32(at.keysPerBlock, fields.keysPerBlock, true)
  setUint64(view, at.keyCount, fields.keyCount)
  setUint64(view, at.window, fields.window)
  setUint64(view, at.lo, fields.lo)
  setUint64(view, at.hi, fields.hi)
  setUint64(view, at.firstSeq, fields.firstSeq)
  setUint64(view, at.lastSeq, fields.lastSeq)
  setUint64(view, at.tableOffset, fields.tableOffset)
  view.setUint32(at.blockCount, fields.blockCount, true)
  view.setUint8(at.payloadSize, fields.payloadSizeBytes)
  view.setUint8(at.fingerprintSize, fingerprintSizeBytes)
  view.setUint8(at.duplicates, duplicatePolicies.indexOf(fields.duplicates))
  setUint64(view, at.duplicateCount, fields.duplicateCount)
  view.setUint32(at.tableChecksum, fields.tableChecksum, true)
  view.setUint32(at.checksum, Crc32c.update(0, bytes, 0, at.checksum), true)
  return bytes
}

/** The bytes of a footer, for a file that ends with it. */
export const encodeFooter = (header: Uint8Array, fileSizeBytes: number): Uint8Array => {
  const bytes = new Uint8Array(footerSizeBytes)
  const view = new DataView(bytes.buffer)
  setUint64(view, footerAt.fileSize, fileSizeBytes)
  bytes.set(header.subarray(at.checksum), footerAt.headerChecksum)
  view.setUint32(footerAt.magic, footerMagic, true)
  return bytes
}

/** Parses a header of {@link headerSizeBytes} bytes and checks that what it says fits a file of `fileSizeBytes`. */
export const decodeHeader = (bytes: Uint8Array, fileSizeBytes: number): IndexFields | IndexFault => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, headerSizeBytes)
  const damage = identityFault(bytes, view)
  if (damage !== undefined) return damage
  const duplicates = duplicatePolicies[view.getUint8(at.duplicates)]
  if (duplicates === undefined)
    return fault(at.duplicates, `policy is ${view.getUint8(at.duplicates)}, expected 0 to 2`)
  const fields: IndexFields = {
    keysPerBlock: view.getUint32(at.keysPerBlock, true),
    keyCount: getUint64(view, at.keyCount),
    window: getUint64(view, at.window),
    lo: getUint64(view, at.lo),
    hi: getUint64(view, at.hi),
    firstSeq: getUint64(view, at.firstSeq),
    lastSeq: getUint64(view, at.lastSeq),
    duplicates,
    duplicateCount: getUint64(view, at.duplicateCount),
    tableChecksum: view.getUint32(at.tableChecksum, true),
    tableOffset: getUint64(view, at.tableOffset),
    blockCount: view.getUint32(at.blockCount, true),
    payloadSizeBytes: view.getUint8(at.payloadSize)
  }
  if (view.getUint8(at.fingerprintSize) !== fingerprintSizeBytes || view.getUint8(at.reserved) !== 0) {
    return fault(at.fingerprintSize, "it has fields that this version does not know")
  }
  return consistencyFault(fields, fileSizeBytes) ?? fields
}

const fault = (offsetBytes: number, detail: string, part: IndexFault["part"] = "header"): IndexFault => ({
  part,
  detail,
  offsetBytes
})

/** The version comes first: another may place its checksum elsewhere. */
const identityFault = (bytes: Uint8Array, view: DataView): IndexFault | undefined => {
  for (let index = 0; index < magic.length; index++) {
    if (bytes[at.magic + index] !== magic[index]) return fault(at.magic, "it is not that of a key index", "magic")
  }
  const version = view.getUint32(at.version, true)
  if (version !== currentVersion) return fault(at.version, `it is ${version}, expected ${currentVersion}`, "version")
  const expected = view.getUint32(at.checksum, true)
  const actual = Crc32c.update(0, bytes, 0, at.checksum)
  return actual === expected
    ? undefined
    : fault(at.checksum, `checksum is 0x${actual.toString(16)}, expected 0x${expected.toString(16)}`)
}

const consistencyFault = (fields: IndexFields, fileSizeBytes: number): IndexFault | undefined => {
  const { keysPerBlock, keyCount, blockCount, firstSeq, lastSeq, payloadSizeBytes, tableOffset } = fields
  for (const field of [
    "keyCount",
    "window",
    "lo",
    "hi",
    "firstSeq",
    "lastSeq",
    "tableOffset",
    "duplicateCount"
  ] as const) {
    if (!Number.isSafeInteger(fields[field])) return fault(at[field], `${field} is no safe integer`)
  }
  if (keysPerBlock === 0 || keysPerBlock > maxKeysPerBlock) {
    return fault(at.keysPerBlock, `keys per block are ${keysPerBlock}, expected 1 to ${maxKeysPerBlock}`)
  }
  if (blockCount !== Math.ceil(keyCount / keysPerBlock)) {
    return fault(at.blockCount, `block count is ${blockCount} for ${keyCount} keys by ${keysPerBlock}`)
  }
  const payloadSize = payloadSizeOf(firstSeq, lastSeq)
  if (lastSeq < firstSeq || payloadSizeBytes !== payloadSize) {
    return fault(at.payloadSize, `payloads have ${payloadSizeBytes} bytes for seqs ${firstSeq} to ${lastSeq}`)
  }
  const expectedSize = tableOffset + blockCount * tableEntrySizeBytes + footerSizeBytes
  if (tableOffset < headerSizeBytes || expectedSize !== fileSizeBytes) {
    return fault(at.tableOffset, `the file has ${fileSizeBytes} bytes, expected ${expectedSize}`, "size")
  }
  return undefined
}

/** Whether `bytes`, the last of a file, say that it is complete and belongs to `header`. */
export const footerFault = (bytes: Uint8Array, header: Uint8Array, fileSizeBytes: number): IndexFault | undefined => {
  const expected = encodeFooter(header, fileSizeBytes)
  for (let index = 0; index < footerSizeBytes; index++) {
    if (bytes[index] !== expected[index]) {
      return fault(fileSizeBytes - footerSizeBytes + index, "it does not say that the file is complete", "footer")
    }
  }
  return undefined
}
