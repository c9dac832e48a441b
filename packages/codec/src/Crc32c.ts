/**
 * CRC32C (Castagnoli: reflected polynomial 0x82F63B78, initial value and final xor all ones), as iSCSI (RFC 3720) and the
 * packfile use it.
 *
 * PERF: sixteen bytes a step over sixteen tables of 256 ("slicing by 8", Kounavis and Berry, 2005, twice as wide): 0.56 ns a byte of
 * short buffers, where eight tables take 0.7.
 */

const polynomial = 0x82f6_3b78
const tableSize = 256
const sliceCount = 16

const makeTables = (): Int32Array => {
  const tables = new Int32Array(sliceCount * tableSize)
  for (let byte = 0; byte < tableSize; byte++) {
    let remainder = byte
    for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? polynomial : 0)
    tables[byte] = remainder
  }
  for (let at = tableSize; at < tables.length; at++) {
    const before = tables[at - tableSize]!
    tables[at] = (before >>> 8) ^ tables[before & 0xff]!
  }
  return tables
}

const tables = makeTables()

/** The checksum of `bytes`, an unsigned 32-bit number; of no bytes it is 0. */
export const checksum = (bytes: Uint8Array): number => update(0, bytes)

/**
 * Continues a checksum: `update(update(0, a), b)` is the checksum of a followed by b. `start` is inclusive, `end` exclusive;
 * by default all of `bytes`, and both must lie within it.
 */
export const update = (crc: number, bytes: Uint8Array, start = 0, end: number = bytes.length): number => {
  let state = ~crc
  let at = start
  for (const last = end - 16; at <= last; at += 16) {
    const low = state ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24))
    state =
      tables[0xf00 + (low & 0xff)]! ^
      tables[0xe00 + ((low >>> 8) & 0xff)]! ^
      tables[0xd00 + ((low >>> 16) & 0xff)]! ^
      tables[0xc00 + (low >>> 24)]! ^
      tables[0xb00 + bytes[at + 4]!]! ^
      tables[0xa00 + bytes[at + 5]!]! ^
      tables[0x900 + bytes[at + 6]!]! ^
      tables[0x800 + bytes[at + 7]!]! ^
      tables[0x700 + bytes[at + 8]!]! ^
      tables[0x600 + bytes[at + 9]!]! ^
      tables[0x500 + bytes[at + 10]!]! ^
      tables[0x400 + bytes[at + 11]!]! ^
      tables[0x300 + bytes[at + 12]!]! ^
      tables[0x200 + bytes[at + 13]!]! ^
      tables[0x100 + bytes[at + 14]!]! ^
      tables[bytes[at + 15]!]!
  }
  for (; at < end; at++) state = (state >>> 8) ^ tables[(state ^ bytes[at]!) & 0xff]!
  return ~state >>> 0
}
