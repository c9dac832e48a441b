/**
 * The hash of the key index: 32-bit arithmetic alone, which every JavaScript engine runs as machine integers.
 *
 * Two outputs come from the four big-endian words of a prefix and a seed. The first gives bucket (its upper bits) and fingerprint (its
 * lowest eight), the second the slot, which the bucket's pilot moves. Part of the on-disk format of the index: never change, add a version.
 */

/** Pilots of a bucket: one byte. */
export const pilotCount = 256

const prime1 = 0x85eb_ca6b | 0
const prime2 = 0xc2b2_ae35 | 0
const prime3 = 0x27d4_eb2f | 0
const prime4 = 0x1656_67b1 | 0
const prime5 = 0x9e37_79b1 | 0

/** What each pilot is mixed in as. */
export const pilotMasks: Int32Array = Int32Array.from({ length: pilotCount }, (_, pilot) => {
  let mask = Math.imul(pilot + 1, prime5)
  mask = Math.imul(mask ^ (mask >>> 16), prime1)
  return mask ^ (mask >>> 13)
})

/** Writes both outputs for a prefix to `target`: first and second, as signed numbers. `seed` is 0 to 255. */
export const hashInto = (
  target: Int32Array,
  seed: number,
  word0: number,
  word1: number,
  word2: number,
  word3: number
): void => {
  const mixedSeed = Math.imul(seed, prime5)
  let first = Math.imul(word0 ^ mixedSeed, prime1)
  first ^= first >>> 16
  let second = Math.imul((word1 + mixedSeed) | 0, prime2)
  second ^= second >>> 15
  first = Math.imul(first ^ word2, prime3)
  first = ((first ^ (first >>> 15)) + second) | 0
  second = (Math.imul(second ^ word3, prime4) + first) | 0
  second ^= second >>> 16
  first = Math.imul(first ^ second, prime5)
  first ^= first >>> 13
  second = Math.imul((second + first) | 0, prime1)
  target[0] = first
  target[1] = second ^ (second >>> 16)
}

/** The upper 16 bits of `value`, scaled to 0 to `count` − 1; a count is below 2^15. */
const scale = (value: number, count: number): number => Math.imul(value >>> 16, count) >>> 16

/**
 * The bucket of a key. With u = first / 2^32 it lies at (7u² + u) / 8 of all buckets, so that the first ones are large and placed while
 * there is room, and the last ones are small.
 */
export const bucketOf = (first: number, bucketCount: number): number => {
  const half = first >>> 16
  const square = Math.imul(half, half) >>> 0
  return scale(square - (square >>> 3) + (first >>> 3), bucketCount)
}

/** The slot of a key in a bucket with this pilot's mask. */
export const slotOf = (second: number, pilotMask: number, slotCount: number): number =>
  scale(Math.imul(second ^ pilotMask, prime2), slotCount)

/** The fingerprint of a key. */
export const fingerprintOf = (first: number): number => first & 0xff
