/**
 * A sum over a set of keys that does not depend on their order: two sets of one sum and one count are the same but for an
 * accident of 1 in 2^64.
 *
 * Each key is hashed by two lanes of MurmurHash3 (Austin Appleby, public domain; the 32-bit variant, bytewise) with different seeds;
 * the lanes are added up modulo 2^32. Adding, not xor: a key that is there twice does not vanish.
 */

const multiplier1 = 0xcc9e_2d51
const multiplier2 = 0x1b87_3593
const firstSeed = 0x243f_6a88
const secondSeed = 0x85a3_08d3

/** A sum in progress, changed in place. */
export interface KeySum {
  count: number
  first: number
  second: number
}

export const make = (): KeySum => ({ count: 0, first: 0, second: 0 })

/** Adds the key in `bytes` from `start`, inclusive, to `end`, exclusive. */
export const add = (sum: KeySum, bytes: Uint8Array, start: number, end: number): void => {
  sum.count++
  sum.first = (sum.first + hash(firstSeed, bytes, start, end)) >>> 0
  sum.second = (sum.second + hash(secondSeed, bytes, start, end)) >>> 0
}

export const equals = (left: KeySum, right: KeySum): boolean =>
  left.count === right.count && left.first === right.first && left.second === right.second

const hash = (seed: number, bytes: Uint8Array, start: number, end: number): number => {
  let state = seed
  let at = start
  for (const last = end - 4; at <= last; at += 4) {
    const block = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    state = step(state, block)
  }
  let tail = 0
  for (let shift = 0; at < end; at++, shift += 8) tail |= bytes[at]! << shift
  return finish(step(state, tail) ^ (end - start))
}

const step = (state: number, block: number): number => {
  const mixed = Math.imul(block, multiplier1)
  const turned = state ^ Math.imul((mixed << 15) | (mixed >>> 17), multiplier2)
  return (Math.imul((turned << 13) | (turned >>> 19), 5) + 0xe654_6b64) | 0
}

const finish = (state: number): number => {
  let mixed = Math.imul(state ^ (state >>> 16), 0x85eb_ca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35)
  return mixed ^ (mixed >>> 16)
}
