/**
 * The size index of a record that holds more than one item.
 *
 * ```
 * itemsPerRecord = 1:  encode(item)
 * otherwise:           encode(items, concatenated) ‖ FOR group of the item sizes ‖ CRC32C of the group's bytes, u32
 * ```
 *
 * The group is never encoded and there is one also when the last record has a single item. It is checked before the payload is decoded.
 * Part of the on-disk format: never change, add a version.
 *
 * Example: items of 120 and 95 bytes are followed by `19 00 05 5f000000` and the checksum of these seven bytes.
 */
import { Crc32c, ForGroup } from "@icecore/codec"

const checksumSizeBytes = 4

/** Most bytes that the sizes of `itemCount` items take. */
export const maxSizeBytes = (itemCount: number): number => ForGroup.maxSizeBytes(itemCount) + checksumSizeBytes

/** Writes the sizes of `itemCount` items to `target` at `offset` and returns how many bytes; `target` must have room. */
export const encodeInto = (sizes: Uint32Array, itemCount: number, target: Uint8Array, offset: number): number => {
  const end = offset + ForGroup.encodeInto(sizes, 0, itemCount, target, offset)
  const checksum = Crc32c.update(0, target, offset, end)
  target[end] = checksum & 0xff
  target[end + 1] = (checksum >>> 8) & 0xff
  target[end + 2] = (checksum >>> 16) & 0xff
  target[end + 3] = checksum >>> 24
  return end + checksumSizeBytes - offset
}

/** The sizes of a record. */
export interface ItemSizes {
  readonly sizes: Uint32Array
  /** Their sum. */
  readonly payloadSizeBytes: number
  /** Bytes of the record before the size index: the encoded payload. */
  readonly encodedSizeBytes: number
}

/** Why a record has no sizes. */
export interface ItemSizesFault {
  readonly part: "record" | "checksum"
  readonly detail: string
}

/** Reads the sizes of the `itemCount` items of a stored record. Allocates at most 32 times its bytes. */
export const decode = (record: Uint8Array, itemCount: number): ItemSizes | ItemSizesFault => {
  const end = record.length - checksumSizeBytes
  const size = end < 0 ? -1 : ForGroup.measureTail(record, 0, end, itemCount)
  if (size === -1) {
    return { part: "record", detail: `its ${record.length} bytes are too few for the sizes of ${itemCount} items` }
  }
  if (size === -2) {
    const width = record[end - ForGroup.tailSizeBytes]
    return { part: "record", detail: `the width of its item sizes is ${width} bits, expected 1 to 32` }
  }
  const encodedSizeBytes = end - size
  const expected = new DataView(record.buffer, record.byteOffset + end).getUint32(0, true)
  const actual = Crc32c.update(0, record, encodedSizeBytes, end)
  if (actual !== expected) {
    const detail = `item sizes checksum is 0x${actual.toString(16)}, expected 0x${expected.toString(16)}`
    return { part: "checksum", detail }
  }
  const sizes = new Uint32Array(itemCount)
  if (!ForGroup.decodeTailUnsafe(record, end, itemCount, sizes)) {
    return { part: "record", detail: "an item size overflows" }
  }
  let payloadSizeBytes = 0
  for (let item = 0; item < itemCount; item++) payloadSizeBytes += sizes[item]!
  return { sizes, payloadSizeBytes, encodedSizeBytes }
}
