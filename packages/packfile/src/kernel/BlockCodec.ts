/** Turns the keys of a block into its bytes, and looks a key up in them. */
import * as Format from "../format/KeyIndexFormat.ts"
import { prefixSizeBytes } from "../format/KeyRunFormat.ts"
import * as BlockSolver from "./BlockSolver.ts"
import * as KeyHash from "./KeyHash.ts"

/** Keys of a block under construction, ascending. */
export interface KeyBlock {
  /** Four big-endian words a key, signed: compiled code keeps those in integer registers. */
  readonly words: Int32Array
  /** Offsets from the window's first seq. */
  readonly offsets: Uint32Array
  keyCount: number
}

export const makeKeyBlock = (keysPerBlock: number): KeyBlock => ({
  words: new Int32Array(4 * keysPerBlock),
  offsets: new Uint32Array(keysPerBlock),
  keyCount: 0
})

/** The block that was encoded last: its kind and its seed. */
export interface EncodedBlock {
  kind: number
  seed: number
  sizeBytes: number
}

export interface EncodeOptions {
  /** Taken from every offset. */
  readonly baseOffset: number
  readonly payloadSizeBytes: number
  /** Seeds that are tried before the block becomes a plain one. */
  readonly seedCount: number
}

/** Writes the bytes of a block to the front of `target`, which has room for a plain one. */
export const encode = (
  solver: BlockSolver.BlockSolver,
  block: KeyBlock,
  options: EncodeOptions,
  target: Uint8Array,
  encoded: EncodedBlock
): void => {
  const { payloadSizeBytes, seedCount } = options
  let seed = 0
  while (seed < seedCount && !BlockSolver.solve(solver, block.words, block.keyCount, seed)) seed++
  encoded.kind = seed < seedCount ? Format.kinds.hashed : Format.kinds.plain
  encoded.seed = seed < seedCount ? seed : 0
  encoded.sizeBytes = Format.blockSizeOf(encoded.kind, block.keyCount, payloadSizeBytes)
  if (encoded.kind === Format.kinds.hashed) encodeHashed(solver, block, options, target)
  else encodePlain(block, options, target)
}

const encodeHashed = (
  solver: BlockSolver.BlockSolver,
  block: KeyBlock,
  { baseOffset, payloadSizeBytes }: EncodeOptions,
  target: Uint8Array
): void => {
  const { bucketCount, bucketStarts, firsts, keys, owners, pilots, seconds, slotCount } = solver
  const { keyCount, offsets } = block
  for (let bucket = 0; bucket < bucketCount; bucket++) target[bucket] = pilots[bucket]!
  let freeSlot = 0
  for (let slot = keyCount, at = bucketCount; slot < slotCount; slot++, at += 2) {
    let standIn = 0
    if (owners[slot]! >= 0) {
      while (owners[freeSlot]! >= 0) freeSlot++
      standIn = freeSlot++
    }
    target[at] = standIn & 0xff
    target[at + 1] = standIn >>> 8
  }
  const entriesAt = bucketCount + Format.remapSizeOf(keyCount)
  const entrySizeBytes = payloadSizeBytes + Format.fingerprintSizeBytes
  for (let bucket = 0; bucket < bucketCount; bucket++) {
    const mask = KeyHash.pilotMasks[pilots[bucket]!]!
    const end = bucketStarts[bucket + 1]!
    for (let place = bucketStarts[bucket]!; place < end; place++) {
      let slot = KeyHash.slotOf(seconds[place]!, mask, slotCount)
      if (slot >= keyCount) slot = standInOf(target, 0, keyCount, slot)
      const at = entriesAt + slot * entrySizeBytes
      putPayload(target, at, offsets[keys[place]!]! - baseOffset, payloadSizeBytes)
      target[at + payloadSizeBytes] = KeyHash.fingerprintOf(firsts[place]!)
    }
  }
}

const encodePlain = (
  { keyCount, offsets, words }: KeyBlock,
  { baseOffset, payloadSizeBytes }: EncodeOptions,
  target: Uint8Array
): void => {
  const view = new DataView(target.buffer, target.byteOffset)
  const payloadsAt = keyCount * prefixSizeBytes
  for (let word = 0; word < 4 * keyCount; word++) view.setInt32(4 * word, words[word]!)
  for (let key = 0; key < keyCount; key++) {
    putPayload(target, payloadsAt + key * payloadSizeBytes, offsets[key]! - baseOffset, payloadSizeBytes)
  }
}

const putPayload = (target: Uint8Array, at: number, payload: number, payloadSizeBytes: number): void => {
  target[at] = payload & 0xff
  target[at + 1] = (payload >>> 8) & 0xff
  target[at + 2] = (payload >>> 16) & 0xff
  if (payloadSizeBytes === 4) target[at + 3] = payload >>> 24
}

/** The payload at a place. */
export const payloadAt = (bytes: Uint8Array, at: number, payloadSizeBytes: number): number => {
  const low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16)
  return payloadSizeBytes === 4 ? (low | (bytes[at + 3]! << 24)) >>> 0 : low
}

/** The slot below `keyCount` that stands for one from there on. The block is at `start` of `bytes`. */
export const standInOf = (bytes: Uint8Array, start: number, keyCount: number, slot: number): number => {
  const at = start + Format.bucketCountOf(keyCount) + 2 * (slot - keyCount)
  return bytes[at]! | (bytes[at + 1]! << 8)
}

/**
 * The payload that the key whose hash is given may have, −1 for none, in the hashed block of `keyCount` keys at `start` of `bytes`. The
 * block has been checked.
 */
export const findHashed = (
  bytes: Uint8Array,
  start: number,
  keyCount: number,
  payloadSizeBytes: number,
  hash: Int32Array
): number => {
  const bucketCount = Format.bucketCountOf(keyCount)
  const first = hash[0]!
  const mask = KeyHash.pilotMasks[bytes[start + KeyHash.bucketOf(first, bucketCount)]!]!
  let slot = KeyHash.slotOf(hash[1]!, mask, Format.slotCountOf(keyCount))
  if (slot >= keyCount) slot = standInOf(bytes, start, keyCount, slot)
  const entriesAt = start + bucketCount + Format.remapSizeOf(keyCount)
  const at = entriesAt + slot * (payloadSizeBytes + Format.fingerprintSizeBytes)
  return bytes[at + payloadSizeBytes] === KeyHash.fingerprintOf(first) ? payloadAt(bytes, at, payloadSizeBytes) : -1
}

/** The same in a plain block, by the first bytes of `key`. */
export const findPlain = (
  bytes: Uint8Array,
  start: number,
  keyCount: number,
  payloadSizeBytes: number,
  key: Uint8Array
): number => {
  let low = 0
  let high = keyCount
  while (low < high) {
    const middle = (low + high) >>> 1
    const order = comparePrefix(bytes, start + middle * prefixSizeBytes, key)
    if (order === 0) {
      return payloadAt(bytes, start + keyCount * prefixSizeBytes + middle * payloadSizeBytes, payloadSizeBytes)
    }
    if (order < 0) low = middle + 1
    else high = middle
  }
  return -1
}

const comparePrefix = (bytes: Uint8Array, at: number, key: Uint8Array): number => {
  for (let index = 0; index < prefixSizeBytes; index++) {
    const order = bytes[at + index]! - key[index]!
    if (order !== 0) return order
  }
  return 0
}

/** What a block must be, beside the one that its checksum is of. */
export interface BlockShape {
  readonly isPlain: boolean
  readonly keyCount: number
  readonly payloadSizeBytes: number
  readonly maxPayload: number
}

/** Why the block at `start` of `bytes` is no such block; undefined when it is one. */
export const structureFault = (bytes: Uint8Array, start: number, shape: BlockShape): string | undefined => {
  const { isPlain, keyCount, maxPayload, payloadSizeBytes } = shape
  const bucketCount = Format.bucketCountOf(keyCount)
  const before = isPlain ? keyCount * prefixSizeBytes : bucketCount + Format.remapSizeOf(keyCount)
  const stepBytes = payloadSizeBytes + (isPlain ? 0 : Format.fingerprintSizeBytes)
  for (let entry = 0, at = start + before; entry < keyCount; entry++, at += stepBytes) {
    if (payloadAt(bytes, at, payloadSizeBytes) > maxPayload) return `the payload of entry ${entry} is past the last seq`
  }
  if (isPlain) return undefined
  const slotCount = Format.slotCountOf(keyCount)
  for (let slot = keyCount; slot < slotCount; slot++) {
    if (standInOf(bytes, start, keyCount, slot) >= keyCount) return `slot ${slot} leads past the last entry`
  }
  return undefined
}
