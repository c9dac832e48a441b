/**
 * The low 32 bits of XXH64 with seed 0: the content checksum of a zstd frame (RFC 8878, section 3.1.1).
 *
 * The algorithm is the public specification of xxHash by Yann Collet. JavaScript has no 64-bit integers that are fast, so a
 * 64-bit number is two 32-bit halves and a product is made of 16-bit limbs.
 */

const primes = {
  one: [0x9e3779b1, 0x85ebca87],
  two: [0xc2b2ae3d, 0x27d4eb4f],
  three: [0x165667b1, 0x9e3779f9],
  four: [0x85ebca77, 0xc2b2ae63],
  five: [0x27d4eb2f, 0x165667c5]
} as const

type Prime = readonly [high: number, low: number]

/** An unsigned 64-bit number that is changed in place. */
interface Word {
  high: number
  low: number
}

const word = (high: number, low: number): Word => ({ high: high >>> 0, low: low >>> 0 })

const add = (target: Word, high: number, low: number): void => {
  const sum = target.low + (low >>> 0)
  target.low = sum >>> 0
  target.high = (target.high + (high >>> 0) + (sum > 0xffff_ffff ? 1 : 0)) >>> 0
}

const multiply = (target: Word, prime: Prime): void => {
  const lowLow = target.low & 0xffff
  const lowHigh = target.low >>> 16
  const primeLow = prime[1] & 0xffff
  const primeHigh = prime[1] >>> 16
  const bottom = lowLow * primeLow
  const middle = lowHigh * primeLow + (bottom >>> 16)
  const cross = lowLow * primeHigh + (middle & 0xffff)
  const carry = lowHigh * primeHigh + Math.floor(middle / 0x1_0000) + Math.floor(cross / 0x1_0000)
  target.high = (carry + Math.imul(target.low, prime[0]) + Math.imul(target.high, prime[1])) >>> 0
  target.low = (((cross & 0xffff) << 16) | (bottom & 0xffff)) >>> 0
}

/** `bits` is 1 to 31. */
const rotateLeft = (target: Word, bits: number): void => {
  const { high, low } = target
  target.high = ((high << bits) | (low >>> (32 - bits))) >>> 0
  target.low = ((low << bits) | (high >>> (32 - bits))) >>> 0
}

const shiftXor = (target: Word, bits: number): void => {
  const { high, low } = target
  if (bits >= 32) {
    target.low = (low ^ (high >>> (bits - 32))) >>> 0
    return
  }
  target.low = (low ^ ((low >>> bits) | (high << (32 - bits)))) >>> 0
  target.high = (high ^ (high >>> bits)) >>> 0
}

const round = (lane: Word, high: number, low: number, scratch: Word): void => {
  scratch.high = high >>> 0
  scratch.low = low >>> 0
  multiply(scratch, primes.two)
  add(lane, scratch.high, scratch.low)
  rotateLeft(lane, 31)
  multiply(lane, primes.one)
}

const mergeLane = (hash: Word, lane: Word, scratch: Word): void => {
  const merged = word(0, 0)
  round(merged, lane.high, lane.low, scratch)
  hash.high = (hash.high ^ merged.high) >>> 0
  hash.low = (hash.low ^ merged.low) >>> 0
  multiply(hash, primes.one)
  add(hash, primes.four[0], primes.four[1])
}

/** A checksum on its way. Its fields belong to the functions of this module. */
export interface XxHash64 {
  readonly lanes: readonly [Word, Word, Word, Word]
  /** Up to 31 bytes that do not fill a stripe yet. */
  readonly pending: Uint8Array
  pendingBytes: number
  totalBytes: number
  readonly scratch: Word
}

const stripeSizeBytes = 32

/** Of no bytes yet. */
export const make = (): XxHash64 => {
  const first = word(primes.one[0], primes.one[1])
  add(first, primes.two[0], primes.two[1])
  const fourth = word(0, 0)
  add(fourth, ~primes.one[0], ~primes.one[1])
  add(fourth, 0, 1)
  const lanes = [first, word(primes.two[0], primes.two[1]), word(0, 0), fourth] as const
  return { lanes, pending: new Uint8Array(stripeSizeBytes), pendingBytes: 0, totalBytes: 0, scratch: word(0, 0) }
}

/** Continues with bytes, which it does not keep. */
export const update = (state: XxHash64, bytes: Uint8Array): void => {
  state.totalBytes += bytes.length
  let from = 0
  if (state.pendingBytes > 0) {
    from = Math.min(stripeSizeBytes - state.pendingBytes, bytes.length)
    state.pending.set(bytes.subarray(0, from), state.pendingBytes)
    state.pendingBytes += from
    if (state.pendingBytes < stripeSizeBytes) return
    foldStripes(state, state.pending)
  }
  const left = bytes.subarray(from)
  const foldedBytes = foldStripes(state, left)
  state.pending.set(left.subarray(foldedBytes))
  state.pendingBytes = left.length - foldedBytes
}

/** The checksum of all bytes so far, an unsigned 32-bit number. The state is used up. */
export const digest = (state: XxHash64): number => {
  const { scratch, totalBytes } = state
  const hash = word(primes.five[0], primes.five[1])
  if (totalBytes >= stripeSizeBytes) foldLanes(hash, state.lanes, scratch)
  add(hash, Math.floor(totalBytes / 2 ** 32), totalBytes)
  foldTail(hash, new DataView(state.pending.buffer, 0, state.pendingBytes), 0, scratch)
  shiftXor(hash, 33)
  multiply(hash, primes.two)
  shiftXor(hash, 29)
  multiply(hash, primes.three)
  shiftXor(hash, 32)
  return hash.low
}

/** The checksum, an unsigned 32-bit number. */
export const checksum = (bytes: Uint8Array): number => {
  const state = make()
  update(state, bytes)
  return digest(state)
}

/** Folds whole stripes and returns the bytes that they are. */
const foldStripes = ({ lanes, scratch }: XxHash64, bytes: Uint8Array): number => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const [first, second, third, fourth] = lanes
  let at = 0
  for (; at + stripeSizeBytes <= bytes.length; at += stripeSizeBytes) {
    round(first, view.getUint32(at + 4, true), view.getUint32(at, true), scratch)
    round(second, view.getUint32(at + 12, true), view.getUint32(at + 8, true), scratch)
    round(third, view.getUint32(at + 20, true), view.getUint32(at + 16, true), scratch)
    round(fourth, view.getUint32(at + 28, true), view.getUint32(at + 24, true), scratch)
  }
  return at
}

const foldLanes = (hash: Word, lanes: XxHash64["lanes"], scratch: Word): void => {
  hash.high = 0
  hash.low = 0
  const turns = [1, 7, 12, 18]
  for (let index = 0; index < lanes.length; index++) {
    const turned = word(lanes[index]!.high, lanes[index]!.low)
    rotateLeft(turned, turns[index]!)
    add(hash, turned.high, turned.low)
  }
  for (const lane of lanes) mergeLane(hash, lane, scratch)
}

const foldTail = (hash: Word, view: DataView, from: number, scratch: Word): void => {
  let at = from
  for (; at + 8 <= view.byteLength; at += 8) {
    const part = word(0, 0)
    round(part, view.getUint32(at + 4, true), view.getUint32(at, true), scratch)
    hash.high = (hash.high ^ part.high) >>> 0
    hash.low = (hash.low ^ part.low) >>> 0
    rotateLeft(hash, 27)
    multiply(hash, primes.one)
    add(hash, primes.four[0], primes.four[1])
  }
  if (at + 4 <= view.byteLength) {
    const part = word(0, view.getUint32(at, true))
    multiply(part, primes.one)
    hash.high = (hash.high ^ part.high) >>> 0
    hash.low = (hash.low ^ part.low) >>> 0
    rotateLeft(hash, 23)
    multiply(hash, primes.two)
    add(hash, primes.three[0], primes.three[1])
    at += 4
  }
  for (; at < view.byteLength; at++) {
    const part = word(0, view.getUint8(at))
    multiply(part, primes.five)
    hash.high = (hash.high ^ part.high) >>> 0
    hash.low = (hash.low ^ part.low) >>> 0
    rotateLeft(hash, 11)
    multiply(hash, primes.one)
  }
}
