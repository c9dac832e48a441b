/** Looks keys up in an open index. */
import { Effect } from "effect"
import type { DiskError } from "../Disk.ts"
import * as Format from "../format/KeyIndexFormat.ts"
import type { KeyIndexCorrupt } from "../KeyError.ts"
import * as BlockCodec from "../kernel/BlockCodec.ts"
import * as BlockTable from "../kernel/BlockTable.ts"
import * as KeyHash from "../kernel/KeyHash.ts"
import * as IndexFile from "./IndexFile.ts"

const absent = -1

/** The big-endian word at a byte. */
const wordAt = (key: Uint8Array, at: number): number =>
  ((key[at]! << 24) | (key[at + 1]! << 16) | (key[at + 2]! << 8) | key[at + 3]!) >>> 0

/** Where a lookup leaves the salt and the hash of its key. Shared by all lookups of an index: read the hash at once. */
interface Scratch {
  readonly salt: Int32Array
  readonly hash: Int32Array
}

const makeScratch = (): Scratch => ({ salt: new Int32Array(4), hash: new Int32Array(2) })

/** Finds the block of a key, and hashes the key for it. */
const locate = (table: BlockTable.BlockTable, key: Uint8Array, { hash, salt }: Scratch): number => {
  const word0 = wordAt(key, 0)
  const word1 = wordAt(key, 4)
  const word2 = wordAt(key, 8)
  const word3 = wordAt(key, 12)
  const block = BlockTable.blockOf(table, word0, word1, word2, word3)
  if (block < 0) return block
  const seed = table.seeds[block]!
  KeyHash.saltInto(salt, seed, table.word0[block]!, table.word1[block]!, table.word2[block]!, table.word3[block]!)
  KeyHash.hashInto(hash, salt, word0, word1, word2, word3)
  return block
}

/** By the bytes of the whole file, which have been checked. */
export const resident = ({ fields, table }: IndexFile.IndexFile, bytes: Uint8Array): ((key: Uint8Array) => number) => {
  const { firstSeq, payloadSizeBytes } = fields
  const scratch = makeScratch()
  const { hash } = scratch
  return (key) => {
    const block = locate(table, key, scratch)
    if (block < 0) return absent
    const start = table.offsets[block]!
    const keyCount = Format.keysOfBlock(fields, block)
    const payload =
      table.kinds[block] === Format.kinds.plain
        ? BlockCodec.findPlain(bytes, start, keyCount, payloadSizeBytes, key)
        : BlockCodec.findHashed(bytes, start, keyCount, payloadSizeBytes, hash)
    return payload < 0 ? absent : firstSeq + payload
  }
}

/**
 * By reads of the file. The first lookup in a block reads it whole and checks it, later ones read a pilot and an entry, one time in a hundred the
 * slot in between too. A plain block is read whole every time.
 */
export const positioned = (
  index: IndexFile.IndexFile
): ((key: Uint8Array) => Effect.Effect<number, KeyIndexCorrupt | DiskError>) => {
  const { fields, file, table } = index
  const { firstSeq, payloadSizeBytes } = fields
  const isChecked = new Uint8Array(table.blockCount)
  const scratch = makeScratch()
  const { hash } = scratch

  const fromWhole = (block: number, key: Uint8Array): Effect.Effect<number, KeyIndexCorrupt | DiskError> =>
    Effect.map(IndexFile.readBlock(index, block), (bytes) => {
      isChecked[block] = 1
      locate(table, key, scratch)
      const keyCount = Format.keysOfBlock(fields, block)
      return table.kinds[block] === Format.kinds.plain
        ? BlockCodec.findPlain(bytes, 0, keyCount, payloadSizeBytes, key)
        : BlockCodec.findHashed(bytes, 0, keyCount, payloadSizeBytes, hash)
    })

  const fromParts = Effect.fnUntraced(function* (block: number, first: number, second: number) {
    const start = table.offsets[block]!
    const keyCount = Format.keysOfBlock(fields, block)
    const bucketCount = Format.bucketCountOf(keyCount)
    const part = new Uint8Array(payloadSizeBytes + Format.fingerprintSizeBytes)
    const pilot = part.subarray(0, 1)
    yield* file.readAt(pilot, start + KeyHash.bucketOf(first, bucketCount))
    let slot = KeyHash.slotOf(second, KeyHash.pilotMasks[pilot[0]!]!, Format.slotCountOf(keyCount))
    if (slot >= keyCount) {
      const standIn = part.subarray(0, 2)
      yield* file.readAt(standIn, start + bucketCount + 2 * (slot - keyCount))
      slot = standIn[0]! | (standIn[1]! << 8)
    }
    yield* file.readAt(part, start + bucketCount + Format.remapSizeOf(keyCount) + slot * part.length)
    return part[payloadSizeBytes] === KeyHash.fingerprintOf(first)
      ? BlockCodec.payloadAt(part, 0, payloadSizeBytes)
      : absent
  })

  return (key) =>
    Effect.suspend(() => {
      const block = locate(table, key, scratch)
      if (block < 0) return Effect.succeed(absent)
      const isWhole = isChecked[block] === 0 || table.kinds[block] === Format.kinds.plain
      const payload = isWhole ? fromWhole(block, key) : fromParts(block, hash[0]!, hash[1]!)
      return Effect.map(payload, (found) => (found < 0 ? absent : firstSeq + found))
    })
}
