/** The block table of a key index in memory, and which block a key belongs to. */
import { Crc32c } from "@icecore/codec"
import * as Format from "../format/KeyIndexFormat.ts"

/** What a checked index says of each block. About 31 bytes a block. */
export interface BlockTable {
  readonly blockCount: number
  /** The smallest prefix of each block, as four big-endian words. */
  readonly word0: Uint32Array
  readonly word1: Uint32Array
  readonly word2: Uint32Array
  readonly word3: Uint32Array
  readonly checksums: Uint32Array
  readonly kinds: Uint8Array
  readonly seeds: Uint8Array
  /** Where each block begins in the file, and at the end where the last one ends. */
  readonly offsets: Float64Array
}

/** Bytes that a table takes in memory. */
export const residentSizeOf = (blockCount: number): number => blockCount * 31

/** Writes the entry of a block whose smallest prefix is the first of `words`. */
export const encodeEntry = (
  view: DataView,
  block: number,
  entry: {
    readonly words: Int32Array
    readonly checksum: number
    readonly kind: number
    readonly seed: number
  }
): void => {
  const at = block * Format.tableEntrySizeBytes
  for (let word = 0; word < 4; word++) view.setInt32(at + Format.tableAt.prefix + 4 * word, entry.words[word]!)
  view.setUint32(at + Format.tableAt.checksum, entry.checksum, true)
  view.setUint8(at + Format.tableAt.kind, entry.kind)
  view.setUint8(at + Format.tableAt.seed, entry.seed)
}

/** Parses the table, `bytes`, of an index with these fields, whose size has been held against them. */
export const decode = (bytes: Uint8Array, fields: Format.IndexFields): BlockTable | Format.IndexFault => {
  const { blockCount, tableOffset } = fields
  const actual = Crc32c.checksum(bytes)
  if (actual !== fields.tableChecksum) {
    const detail = `checksum is 0x${actual.toString(16)}, expected 0x${fields.tableChecksum.toString(16)}`
    return { part: "table", detail, offsetBytes: tableOffset }
  }
  const table: BlockTable = {
    blockCount,
    word0: new Uint32Array(blockCount),
    word1: new Uint32Array(blockCount),
    word2: new Uint32Array(blockCount),
    word3: new Uint32Array(blockCount),
    checksums: new Uint32Array(blockCount),
    kinds: new Uint8Array(blockCount),
    seeds: new Uint8Array(blockCount),
    offsets: new Float64Array(blockCount + 1)
  }
  return fillTable(table, new DataView(bytes.buffer, bytes.byteOffset), fields) ?? table
}

const fillTable = (table: BlockTable, view: DataView, fields: Format.IndexFields): Format.IndexFault | undefined => {
  const { checksums, kinds, offsets, seeds, word0, word1, word2, word3 } = table
  let offset = Format.headerSizeBytes
  for (let block = 0; block < table.blockCount; block++) {
    const at = block * Format.tableEntrySizeBytes
    const kind = view.getUint8(at + Format.tableAt.kind)
    const isKnown = kind === Format.kinds.hashed || kind === Format.kinds.plain
    if (!isKnown || view.getUint16(at + Format.tableAt.reserved) !== 0) {
      return { part: "table", detail: `block ${block} is of no known kind`, offsetBytes: fields.tableOffset + at }
    }
    word0[block] = view.getUint32(at)
    word1[block] = view.getUint32(at + 4)
    word2[block] = view.getUint32(at + 8)
    word3[block] = view.getUint32(at + 12)
    checksums[block] = view.getUint32(at + Format.tableAt.checksum, true)
    kinds[block] = kind
    seeds[block] = view.getUint8(at + Format.tableAt.seed)
    offsets[block] = offset
    if (block > 0 && !isAtMost(table, block - 1, word0[block]!, word1[block]!, word2[block]!, word3[block]!)) {
      return { part: "table", detail: `block ${block} comes before ${block - 1}`, offsetBytes: fields.tableOffset + at }
    }
    offset += Format.blockSizeOf(kind, Format.keysOfBlock(fields, block), fields.payloadSizeBytes)
  }
  offsets[table.blockCount] = offset
  if (offset === fields.tableOffset) return undefined
  const detail = `blocks end at ${offset}, but it begins at ${fields.tableOffset}`
  return { part: "table", detail, offsetBytes: fields.tableOffset }
}

/** Whether the smallest prefix of the block is at most this one. */
const isAtMost = (
  table: BlockTable,
  block: number,
  word0: number,
  word1: number,
  word2: number,
  word3: number
): boolean =>
  (table.word0[block]! - word0 ||
    table.word1[block]! - word1 ||
    table.word2[block]! - word2 ||
    table.word3[block]! - word3) <= 0

/**
 * The block that holds a prefix if any does; −1 when it is below all. From where it should be if keys are uniform, by growing steps, and
 * then by halves.
 */
export const blockOf = (table: BlockTable, word0: number, word1: number, word2: number, word3: number): number => {
  const { blockCount } = table
  // Invariant: blocks before `low` begin at or before the prefix, blocks from `high` on after it.
  let low = 0
  let high = blockCount
  let probe = Math.floor((word0 / 2 ** 32) * blockCount)
  for (let step = 1; low < high; step *= 2) {
    if (isAtMost(table, probe, word0, word1, word2, word3)) {
      low = probe + 1
      probe += step
      if (probe < high) continue
    } else {
      high = probe
      probe -= step
      if (probe >= low) continue
    }
    probe = (low + high) >>> 1
  }
  return low - 1
}
