/**
 * The offset index: the stored size of every record.
 *
 * ```
 * FOR group of records 0 to 127 ‖ FOR group of records 128 to 255 ‖ … ‖ last group, shorter ‖ CRC32C of all that, u32
 * ```
 *
 * Little-endian; a FOR group is drawn in ForGroup of `@icecore/codec`. Groups are read from the back, where their widths are.
 * The prefix sum of all sizes must be the offset at which the index begins. Part of the on-disk format: never change, add a version.
 *
 * Example: one record of 12 bytes is `00 01 0c000000 33415de2`: residual 0 in one byte, width 1, minimum 12, checksum.
 *
 * A reader keeps the packed bytes and, for every group, where it ends and where its first record begins: about a tenth of what an offset
 * per record would take, and a lookup unpacks one group (under a microsecond).
 */
import { Crc32c, ForGroup } from "@icecore/codec"

/** Records per group. */
export const groupSize = 128

const checksumSizeBytes = 4
const minGroupSizeBytes = 6

/** Most records that an index of this size can describe: the guard before anything is allocated for them. */
export const maxRecordCount = (indexSizeBytes: number): number =>
  groupSize * Math.max(0, Math.floor((indexSizeBytes - checksumSizeBytes) / minGroupSizeBytes))

/** A checked index. Its fields belong to the functions of this module. */
export interface OffsetIndex {
  readonly recordCount: number
  readonly bytes: Uint8Array
  /** Where each group ends in `bytes`. */
  readonly groupEnds: Uint32Array
  /** Where the first record of each group begins in the file. */
  readonly groupOffsets: Float64Array
  /** Sizes of the group that was looked at last. */
  readonly sizes: Uint32Array
  unpackedGroup: number
}

/** Why bytes are not an index of so many records that end at `indexBase`. `offsetBytes` is within the index. */
export interface OffsetIndexFault {
  readonly part: "index" | "checksum"
  readonly detail: string
  readonly offsetBytes: number
}

const fault = (offsetBytes: number, detail: string): OffsetIndexFault => ({ part: "index", offsetBytes, detail })

const recordsInGroup = (recordCount: number, group: number): number =>
  Math.min(groupSize, recordCount - group * groupSize)

/** Checks a whole index and keeps `bytes`. `recordCount` has been held against {@link maxRecordCount}. */
export const decode = (bytes: Uint8Array, recordCount: number, indexBase: number): OffsetIndex | OffsetIndexFault => {
  const end = bytes.length - checksumSizeBytes
  if (end < 0) return fault(0, `it has ${bytes.length} bytes, expected at least ${checksumSizeBytes}`)
  const expected = new DataView(bytes.buffer, bytes.byteOffset + end).getUint32(0, true)
  const actual = Crc32c.update(0, bytes, 0, end)
  if (actual !== expected) {
    const detail = `index checksum is 0x${actual.toString(16)}, expected 0x${expected.toString(16)}`
    return { part: "checksum", offsetBytes: end, detail }
  }
  const groupCount = Math.ceil(recordCount / groupSize)
  const index: OffsetIndex = {
    recordCount,
    bytes,
    groupEnds: new Uint32Array(groupCount),
    groupOffsets: new Float64Array(groupCount),
    sizes: new Uint32Array(groupSize),
    unpackedGroup: -1
  }
  return placeGroups(index, end, indexBase) ?? index
}

/** From the last group to the first, because a group is found from its end. */
const placeGroups = (index: OffsetIndex, indexEnd: number, indexBase: number): OffsetIndexFault | undefined => {
  const { bytes, groupEnds, groupOffsets, recordCount, sizes } = index
  let end = indexEnd
  let offset = indexBase
  for (let group = groupEnds.length - 1; group >= 0; group--) {
    const count = recordsInGroup(recordCount, group)
    const size = ForGroup.measureTail(bytes, 0, end, count)
    if (size < 0) return fault(end, `group ${group} of ${groupEnds.length} is not a group of ${count} sizes`)
    if (!ForGroup.decodeTailUnsafe(bytes, end, count, sizes)) return fault(end, `a size in group ${group} overflows`)
    for (let record = 0; record < count; record++) offset -= sizes[record]!
    groupEnds[group] = end
    groupOffsets[group] = offset
    end -= size
  }
  if (end !== 0) return fault(0, `${end} bytes are left over before the first group`)
  if (offset !== 0) return fault(0, `record sizes sum to ${indexBase - offset}, but the index begins at ${indexBase}`)
  return undefined
}

const unpack = (index: OffsetIndex, group: number): void => {
  if (index.unpackedGroup === group) return
  ForGroup.decodeTailUnsafe(index.bytes, index.groupEnds[group]!, recordsInGroup(index.recordCount, group), index.sizes)
  index.unpackedGroup = group
}

/** Where a record begins in the file. `record` is 0 to `recordCount` − 1. */
export const offsetOf = (index: OffsetIndex, record: number): number => {
  const group = Math.floor(record / groupSize)
  unpack(index, group)
  let offset = index.groupOffsets[group]!
  for (let at = record % groupSize; at > 0; at--) offset += index.sizes[at - 1]!
  return offset
}

/** Stored bytes of a record. `record` is 0 to `recordCount` − 1. */
export const sizeOf = (index: OffsetIndex, record: number): number => {
  unpack(index, Math.floor(record / groupSize))
  return index.sizes[record % groupSize]!
}

/** An index under construction: packs a group as soon as it is full, so it takes no more memory than the index will. */
export interface OffsetIndexBuilder {
  bytes: Uint8Array
  sizeBytes: number
  readonly sizes: Uint32Array
  pendingSizes: number
}

/** An index without records. */
export const makeBuilder = (): OffsetIndexBuilder => ({
  bytes: new Uint8Array(4096),
  sizeBytes: 0,
  sizes: new Uint32Array(groupSize),
  pendingSizes: 0
})

/** Most bytes that the index has when it is finished now. */
export const maxFinishedSizeBytes = (builder: OffsetIndexBuilder): number =>
  builder.sizeBytes + ForGroup.maxSizeBytes(groupSize) + checksumSizeBytes

/** Adds the stored size of the next record, 0 to 2^32 − 1. */
export const append = (builder: OffsetIndexBuilder, sizeBytes: number): void => {
  builder.sizes[builder.pendingSizes++] = sizeBytes
  if (builder.pendingSizes === groupSize) packGroup(builder)
}

const packGroup = (builder: OffsetIndexBuilder): void => {
  const needed = maxFinishedSizeBytes(builder)
  if (needed > builder.bytes.length) {
    const grown = new Uint8Array(Math.max(needed, builder.bytes.length * 2))
    grown.set(builder.bytes.subarray(0, builder.sizeBytes))
    builder.bytes = grown
  }
  builder.sizeBytes += ForGroup.encodeInto(builder.sizes, 0, builder.pendingSizes, builder.bytes, builder.sizeBytes)
  builder.pendingSizes = 0
}

/** The bytes of the index, checksum included: a view of the builder, which must not be used again. */
export const finish = (builder: OffsetIndexBuilder): Uint8Array => {
  if (builder.pendingSizes > 0) packGroup(builder)
  const end = builder.sizeBytes
  new DataView(builder.bytes.buffer).setUint32(end, Crc32c.update(0, builder.bytes, 0, end), true)
  return builder.bytes.subarray(0, end + checksumSizeBytes)
}
