/**
 * The hash of the key index: 32-bit arithmetic alone, which every JavaScript engine runs as machine integers.
 *
 * A prefix, as four big-endian words, is XORed with four words of salt and goes through five rounds of the permutation of Chaskey (Mouha and
 * others, 2014: "Chaskey: An Efficient MAC Algorithm for 32-bit Microcontrollers"), whose rotations these are. From four on each bit of the
 * prefix flips each bit of the outputs half of the time. The first output gives bucket (its upper bits) and fingerprint (its lowest eight),
 * the second the slot, which the bucket's pilot moves.
 *
 * The salt comes from the block's seed and its smallest prefix, so that keys which collide can be chosen only by who knows where the block
 * will begin: the permutation is public and can be run backwards.
 *
 * Multipliers: 2^32 / φ for salts and pilots, made a prime, and the two of MurmurHash3's 32-bit finalizer (Appleby) for pilots and slots.
 *
 * Part of the on-disk format of the index: never change, add a version.
 */

/** Pilots of a bucket: one byte. */
export const pilotCount = 256

const goldenPrime = 0x9e37_79b1 | 0
const murmurMultiplier1 = 0x85eb_ca6b | 0
const murmurMultiplier2 = 0xc2b2_ae35 | 0

const roundCount = 5

/** What each pilot is mixed in as. */
export const pilotMasks: Int32Array = Int32Array.from({ length: pilotCount }, (_, pilot) => {
  let mask = Math.imul(pilot + 1, goldenPrime)
  mask = Math.imul(mask ^ (mask >>> 16), murmurMultiplier1)
  return mask ^ (mask >>> 13)
})

/** Writes the four words of salt of the block with this seed, 0 to 255, and this smallest prefix to `target`. */
export const saltInto = (
  target: Int32Array,
  seed: number,
  word0: number,
  word1: number,
  word2: number,
  word3: number
): void => {
  const multiple = 4 * seed
  target[0] = word0 ^ Math.imul(multiple + 1, goldenPrime)
  target[1] = word1 ^ Math.imul(multiple + 2, goldenPrime)
  target[2] = word2 ^ Math.imul(multiple + 3, goldenPrime)
  target[3] = word3 ^ Math.imul(multiple + 4, goldenPrime)
}

/**
 * Writes both outputs for a prefix to `target`: first and second, as signed numbers.
 *
 * PERF: `packfile/key-index/build`. 12 ns of the 140 that a key takes; two chains of MurmurHash3's finalizer over all words took 16.
 */
export const hashInto = (
  target: Int32Array,
  salt: Int32Array,
  word0: number,
  word1: number,
  word2: number,
  word3: number
): void => {
  let a = word0 ^ salt[0]!
  let b = word1 ^ salt[1]!
  let c = word2 ^ salt[2]!
  let d = word3 ^ salt[3]!
  for (let round = 0; round < roundCount; round++) {
    a = (a + b) | 0
    c = (c + d) | 0
    b = ((b << 5) | (b >>> 27)) ^ a
    d = ((d << 8) | (d >>> 24)) ^ c
    a = (((a << 16) | (a >>> 16)) + d) | 0
    c = (c + b) | 0
    d = ((d << 13) | (d >>> 19)) ^ a
    b = ((b << 7) | (b >>> 25)) ^ c
    c = (c << 16) | (c >>> 16)
  }
  target[0] = a ^ b
  target[1] = c ^ d
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
  scale(Math.imul(second ^ pilotMask, murmurMultiplier2), slotCount)

/** The fingerprint of a key. */
export const fingerprintOf = (first: number): number => first & 0xff
