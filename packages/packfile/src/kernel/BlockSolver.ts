/**
 * Finds the pilots of a block: one byte for each bucket, so that the keys of all buckets come to lie in slots of their own.
 *
 * Buckets are placed from the largest to the smallest, each with the first pilot that hits free slots only. A bucket without such a pilot
 * takes the one that evicts the cheapest buckets, which are placed again; how often is bounded. The method is PtrHash's (Groot Koerkamp,
 * 2025: "PtrHash: Minimal Perfect Hashing at RAM Throughput"), which has it from cuckoo hashing.
 *
 * PERF: `packfile/key-index/build`. With 3 keys a bucket and 1% more slots than keys a key takes 11 tries and 65 to 90 ns; 3.5 keys a
 * bucket would save 0.4 of 2.8 bits and take four times as long.
 */
import { bucketCountOf, maxKeysPerBlock, slotCountOf } from "../format/KeyIndexFormat.ts"
import * as KeyHash from "./KeyHash.ts"

/** More keys than this in one bucket: another seed. Far above what a good seed gives, about 30. */
const maxBucketSize = 64

/** Evictions for each bucket before another seed is tried; about 0.01 are usual. */
const evictionsPerBucket = 2
const minEvictions = 64

const free = -1

/** Memory for blocks of up to `keysPerBlock` keys, and the block that was solved last. Of one caller at a time. */
export interface BlockSolver {
  /** By bucket. */
  readonly pilots: Uint8Array
  /** Where each bucket begins in the arrays by place; one more at the end. */
  readonly bucketStarts: Uint32Array
  /** Keys bucket by bucket: which key is at a place, and the outputs of its hash. */
  readonly keys: Uint16Array
  readonly firsts: Int32Array
  readonly seconds: Int32Array
  /** The bucket in each slot; negative where none is. */
  readonly owners: Int32Array
  readonly salt: Int32Array
  readonly hash: Int32Array
  readonly hashedFirsts: Int32Array
  readonly hashedSeconds: Int32Array
  readonly buckets: Uint16Array
  readonly cursors: Uint32Array
  readonly sizeCursors: Uint32Array
  readonly bySize: Uint16Array
  readonly stack: Uint16Array
  readonly slots: Int32Array
  bucketCount: number
  slotCount: number
  evictionsLeft: number
}

/** `keysPerBlock` is 1 to {@link maxKeysPerBlock}. */
export const make = (keysPerBlock: number): BlockSolver => {
  const size = Math.min(keysPerBlock, maxKeysPerBlock)
  const bucketCount = bucketCountOf(size)
  return {
    pilots: new Uint8Array(bucketCount),
    bucketStarts: new Uint32Array(bucketCount + 1),
    keys: new Uint16Array(size),
    firsts: new Int32Array(size),
    seconds: new Int32Array(size),
    owners: new Int32Array(slotCountOf(size)),
    salt: new Int32Array(4),
    hash: new Int32Array(2),
    hashedFirsts: new Int32Array(size),
    hashedSeconds: new Int32Array(size),
    buckets: new Uint16Array(size),
    cursors: new Uint32Array(bucketCount),
    sizeCursors: new Uint32Array(maxBucketSize + 2),
    bySize: new Uint16Array(bucketCount),
    stack: new Uint16Array(bucketCount + maxBucketSize),
    slots: new Int32Array(maxBucketSize),
    bucketCount: 0,
    slotCount: 0,
    evictionsLeft: 0
  }
}

/**
 * Solves the block of the first `keyCount` prefixes in `words`, at least one, ascending, four big-endian words each. False when this seed
 * does not do: then what the solver holds means nothing.
 */
export const solve = (solver: BlockSolver, words: Int32Array, keyCount: number, seed: number): boolean => {
  solver.bucketCount = bucketCountOf(keyCount)
  solver.slotCount = slotCountOf(keyCount)
  solver.evictionsLeft = Math.max(minEvictions, evictionsPerBucket * solver.bucketCount)
  if (!fillBuckets(solver, words, keyCount, seed)) return false
  const { bySize, bucketCount, owners, slotCount } = solver
  owners.fill(free, 0, slotCount)
  for (let turn = 0; turn < bucketCount; turn++) {
    if (!place(solver, bySize[turn]!)) return false
  }
  return true
}

/** Hashes the keys, gathers them by bucket, and orders the buckets by size, largest first. */
const fillBuckets = (solver: BlockSolver, words: Int32Array, keyCount: number, seed: number): boolean => {
  const { bucketCount, bucketStarts, buckets, cursors, hash, hashedFirsts, hashedSeconds, salt } = solver
  KeyHash.saltInto(salt, seed, words[0]!, words[1]!, words[2]!, words[3]!)
  bucketStarts.fill(0, 0, bucketCount + 1)
  for (let key = 0, at = 0; key < keyCount; key++, at += 4) {
    KeyHash.hashInto(hash, salt, words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!)
    const first = hash[0]!
    hashedFirsts[key] = first
    hashedSeconds[key] = hash[1]!
    const bucket = KeyHash.bucketOf(first, bucketCount)
    buckets[key] = bucket
    bucketStarts[bucket + 1]!++
  }
  let largest = 0
  for (let bucket = 0; bucket < bucketCount; bucket++) {
    const size = bucketStarts[bucket + 1]!
    if (size > largest) largest = size
    cursors[bucket] = bucketStarts[bucket]!
    bucketStarts[bucket + 1] = bucketStarts[bucket]! + size
  }
  if (largest > maxBucketSize) return false
  const { firsts, keys, seconds } = solver
  for (let key = 0; key < keyCount; key++) {
    const place = cursors[buckets[key]!]!++
    keys[place] = key
    firsts[place] = hashedFirsts[key]!
    seconds[place] = hashedSeconds[key]!
  }
  orderBySize(solver, largest)
  return true
}

const orderBySize = ({ bucketCount, bucketStarts, bySize, sizeCursors }: BlockSolver, largest: number): void => {
  sizeCursors.fill(0, 0, largest + 2)
  for (let bucket = 0; bucket < bucketCount; bucket++) {
    sizeCursors[largest - (bucketStarts[bucket + 1]! - bucketStarts[bucket]!) + 1]!++
  }
  for (let rank = 0; rank <= largest; rank++) sizeCursors[rank + 1]! += sizeCursors[rank]!
  for (let bucket = 0; bucket < bucketCount; bucket++) {
    const rank = largest - (bucketStarts[bucket + 1]! - bucketStarts[bucket]!)
    bySize[sizeCursors[rank]!++] = bucket
  }
}

/** Places a bucket, and again those that it evicts. */
const place = (solver: BlockSolver, first: number): boolean => {
  const { bucketStarts, pilots, stack } = solver
  let depth = 0
  stack[depth++] = first
  while (depth > 0) {
    const bucket = stack[--depth]!
    const start = bucketStarts[bucket]!
    const end = bucketStarts[bucket + 1]!
    let pilot = freePilot(solver, bucket, start, end)
    if (pilot < 0) {
      pilot = cheapestPilot(solver, bucket, start, end)
      if (pilot < 0) return false
      depth = evict(solver, pilot, start, end, depth)
      if (depth < 0) return false
      take(solver, bucket, pilot, start, end)
    }
    pilots[bucket] = pilot
  }
  return true
}

/** The first pilot that hits free slots only, which are then taken; −1 when there is none. */
const freePilot = (solver: BlockSolver, bucket: number, start: number, end: number): number => {
  const { owners, seconds, slotCount, slots } = solver
  const { pilotCount, pilotMasks } = KeyHash
  search: for (let pilot = 0; pilot < pilotCount; pilot++) {
    const mask = pilotMasks[pilot]!
    for (let at = start; at < end; at++) {
      const slot = KeyHash.slotOf(seconds[at]!, mask, slotCount)
      if (owners[slot]! >= 0) continue search
      slots[at - start] = slot
    }
    if (takeFree(solver, bucket, end - start)) return pilot
  }
  return -1
}

/** Takes the first `count` slots, which were free; not when two of them are the same. */
const takeFree = ({ owners, slots }: BlockSolver, bucket: number, count: number): boolean => {
  for (let at = 0; at < count; at++) {
    const slot = slots[at]!
    if (owners[slot]! >= 0) {
      while (--at >= 0) owners[slots[at]!] = free
      return false
    }
    owners[slot] = bucket
  }
  return true
}

/** The pilot whose slots belong to the smallest buckets, from a pilot on that differs from try to try; −1: keys of the bucket always meet. */
const cheapestPilot = (solver: BlockSolver, bucket: number, start: number, end: number): number => {
  const { evictionsLeft, slotCount, seconds } = solver
  const rotation = Math.imul(bucket + 1, 0x9e37_79b1) + Math.imul(evictionsLeft, 0x85eb_ca6b)
  let best = -1
  let bestCost = 0x7fff_ffff
  for (let turn = 0; turn < KeyHash.pilotCount; turn++) {
    const pilot = (turn + (rotation >>> 24)) & (KeyHash.pilotCount - 1)
    const mask = KeyHash.pilotMasks[pilot]!
    let cost = 0
    for (let at = start; at < end && cost < bestCost; at++) {
      cost += costOf(solver, KeyHash.slotOf(seconds[at]!, mask, slotCount), at - start)
    }
    if (cost < bestCost) {
      best = pilot
      bestCost = cost
    }
  }
  return best
}

/** What taking the slot costs after `taken` others: nothing, the square of the size that is evicted, or too much. */
const costOf = ({ bucketStarts, owners, slots }: BlockSolver, slot: number, taken: number): number => {
  for (let before = 0; before < taken; before++) {
    if (slots[before] === slot) return 0x7fff_ffff
  }
  slots[taken] = slot
  const owner = owners[slot]!
  if (owner < 0) return 0
  const size = bucketStarts[owner + 1]! - bucketStarts[owner]!
  return size * size
}

/** Frees the slots that the pilot hits and stacks their buckets; the new depth, −1 when that was done too often. */
const evict = (solver: BlockSolver, pilot: number, start: number, end: number, depth: number): number => {
  const { bucketStarts, owners, pilots, seconds, slotCount, stack } = solver
  let top = depth
  for (let at = start; at < end; at++) {
    const owner = owners[KeyHash.slotOf(seconds[at]!, KeyHash.pilotMasks[pilot]!, slotCount)]!
    if (owner < 0) continue
    if (--solver.evictionsLeft < 0) return -1
    const mask = KeyHash.pilotMasks[pilots[owner]!]!
    const ownerEnd = bucketStarts[owner + 1]!
    for (let key = bucketStarts[owner]!; key < ownerEnd; key++) {
      owners[KeyHash.slotOf(seconds[key]!, mask, slotCount)] = free
    }
    stack[top++] = owner
  }
  return top
}

const take = (solver: BlockSolver, bucket: number, pilot: number, start: number, end: number): void => {
  const { owners, seconds, slotCount } = solver
  const mask = KeyHash.pilotMasks[pilot]!
  for (let at = start; at < end; at++) owners[KeyHash.slotOf(seconds[at]!, mask, slotCount)] = bucket
}
