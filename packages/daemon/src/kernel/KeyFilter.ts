/**
 * A Bloom filter over the first 16 bytes of keys: says of nearly every stranger at once that it is not among them, and of no
 * member.
 *
 * 16 bits and 6 probes a key let about 1 of 1,000 strangers pass (Bloom, "Space/time trade-offs in hash coding with allowable
 * errors", 1970; probes by double hashing, Kirsch and Mitzenmacher, 2006). In memory only.
 */

const bitsPerKey = 16
const probeCount = 6

export interface KeyFilter {
  readonly words: Uint32Array
  readonly bitCount: number
}

/** Bytes that a filter for so many keys takes. */
export const sizeBytesOf = (keyCount: number): number => 4 * (Math.ceil((keyCount * bitsPerKey) / 32) + 1)

/** A filter that no key was added to. */
export const make = (keyCount: number): KeyFilter => {
  const words = new Uint32Array(sizeBytesOf(keyCount) / 4)
  return { words, bitCount: words.length * 32 }
}

const wordAt = (key: Uint8Array, at: number): number =>
  key[at]! | (key[at + 1]! << 8) | (key[at + 2]! << 16) | (key[at + 3]! << 24)

/** Keys need not be uniform: every byte reaches every bit. */
const mix = (key: Uint8Array, seed: number): number => {
  let hash = seed
  for (let at = 0; at < 16; at += 4) {
    hash = Math.imul(hash ^ wordAt(key, at), 0x9e37_79b1)
    hash ^= hash >>> 15
  }
  hash = Math.imul(hash, 0x85eb_ca77)
  return (hash ^ (hash >>> 13)) >>> 0
}

/** Adds a key of 16 bytes or more, by the first 16. */
export const add = ({ words, bitCount }: KeyFilter, key: Uint8Array): void => {
  let bit = mix(key, 0x2545_f491)
  const step = mix(key, 0x6c07_8965) | 1
  for (let probe = 0; probe < probeCount; probe++) {
    const at = (bit >>> 0) % bitCount
    words[at >>> 5]! |= 1 << (at & 31)
    bit = (bit + step) | 0
  }
}

/** Whether the key may have been added; false: it was not. */
export const mayHave = ({ words, bitCount }: KeyFilter, key: Uint8Array): boolean => {
  let bit = mix(key, 0x2545_f491)
  const step = mix(key, 0x6c07_8965) | 1
  for (let probe = 0; probe < probeCount; probe++) {
    const at = (bit >>> 0) % bitCount
    if ((words[at >>> 5]! & (1 << (at & 31))) === 0) return false
    bit = (bit + step) | 0
  }
  return true
}
