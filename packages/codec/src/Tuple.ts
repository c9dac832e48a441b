/**
 * Keys of several parts whose bytes order as the parts do.
 *
 * Part of the on-disk format of record stores: never change, add a version.
 *
 * ```
 * [escaped part][00][escaped part][00]…[escaped part]
 * ```
 *
 * Escaping writes 00 as 01 01 and 01 as 01 02, so that 00 only ever separates: no part, followed by its separator, is a
 * prefix of another. Parts are strings (UTF-8), bytes, booleans (00, 01) and integers, big-endian, signed ones with the sign
 * bit flipped; integers and booleans are escaped too, so that a key can be split by one who does not know its types.
 *
 * Example: `"a"`, int32 1 are `61 00 80 01 01 01 01 01 02`.
 *
 * Writers put one part, without separator, into `target` from `at` on and return its end; they throw {@link TupleOverflow}
 * when `target` is too small and {@link TupleValueInvalid} for a value that has no encoding. Readers take a part `[at, end)`
 * as {@link partEnd} delimits it and throw {@link TupleCorrupt}. Nothing is allocated per part, but by what is returned.
 */
import { Data } from "effect"
import * as Utf8 from "./kernel/Utf8.ts"

/** Between two parts, and behind the last one of a prefix that stands for whole parts. */
export const separatorByte = 0

/** A key does not fit into its buffer. */
export class TupleOverflow extends Data.Error<{ readonly sizeBytes: number }> {
  readonly _tag = "TupleOverflow"
  override readonly name = "TupleOverflow"
  override get message(): string {
    return `Cannot write tuple: the buffer has ${this.sizeBytes} bytes, expected more`
  }
}

/** A value has no encoding as a part. */
export class TupleValueInvalid extends Data.Error<{ readonly expected: string; readonly actual: string }> {
  readonly _tag = "TupleValueInvalid"
  override readonly name = "TupleValueInvalid"
  override get message(): string {
    return `Cannot write tuple: a part is ${this.actual}, expected ${this.expected}`
  }
}

/** Bytes are not a part of the kind that was asked for. */
export class TupleCorrupt extends Data.Error<{ readonly offsetBytes: number; readonly detail: string }> {
  readonly _tag = "TupleCorrupt"
  override readonly name = "TupleCorrupt"
  override get message(): string {
    return `Cannot read tuple at byte ${this.offsetBytes}: ${this.detail}`
  }
}

/** UTF-8, of a well-formed string. */
export const appendString = (target: Uint8Array, at: number, value: string): number => {
  const length = value.length
  // A unit takes three bytes at most, or two when it is escaped.
  if (at + length * 3 > target.length) checkRoom(target, at, stringSizeBytes(value))
  let end = at
  for (let index = 0; index < length; index++) {
    const unit = value.charCodeAt(index)
    if (unit >= 0x80) {
      const codePoint = value.codePointAt(index)!
      if (codePoint >= 0xd800 && codePoint <= 0xdfff) throw loneSurrogate(value)
      if (codePoint >= 0x1_0000) index++
      end = putCodePoint(target, end, codePoint)
    } else if (unit > escapeByte) target[end++] = unit
    else {
      target[end++] = escapeByte
      target[end++] = unit + 1
    }
  }
  return end
}

export const appendBytes = (target: Uint8Array, at: number, value: Uint8Array): number => {
  if (at + value.length * 2 > target.length) checkRoom(target, at, bytesSizeBytes(value))
  let end = at
  for (let index = 0; index < value.length; index++) end = putByte(target, end, value[index]!)
  return end
}

export const appendBoolean = (target: Uint8Array, at: number, value: boolean): number => {
  checkRoom(target, at, 2)
  return putByte(target, at, value ? 1 : 0)
}

/** Of an integer from −2^31 to 2^31 − 1. */
export const appendInt32 = (target: Uint8Array, at: number, value: number): number => {
  if ((value | 0) !== value) throw outOfRange("an integer of 32 bits", value)
  return appendWord(target, at, value ^ 0x8000_0000)
}

/** Of an integer from 0 to 2^32 − 1. */
export const appendUint32 = (target: Uint8Array, at: number, value: number): number => {
  if (value >>> 0 !== value) throw outOfRange("an unsigned integer of 32 bits", value)
  return appendWord(target, at, value)
}

/** Of a bigint or a safe integer from −2^63 to 2^63 − 1. */
export const appendInt64 = (target: Uint8Array, at: number, value: bigint | number): number => {
  const isInRange = typeof value === "number" ? Number.isSafeInteger(value) : value >= minInt64 && value < -minInt64
  if (!isInRange) throw outOfRange("an integer of 64 bits, safe when it is a number", value)
  return appendWords(target, at, highWord(value) ^ 0x8000_0000, lowWord(value))
}

/** Of a bigint or a safe integer from 0 to 2^64 − 1. */
export const appendUint64 = (target: Uint8Array, at: number, value: bigint | number): number => {
  const isInRange = typeof value === "number" ? Number.isSafeInteger(value) : value < -2n * minInt64
  if (!isInRange || value < 0) throw outOfRange("an unsigned integer of 64 bits, safe when it is a number", value)
  return appendWords(target, at, highWord(value), lowWord(value))
}

/** Ends a part. */
export const separator = (target: Uint8Array, at: number): number => {
  checkRoom(target, at, 1)
  target[at] = separatorByte
  return at + 1
}

/** Compares well-formed strings as keys order them: by code points, not by the units that `<` goes by. */
export const compareStrings: (self: string, that: string) => number = Utf8.compare

/** Where the part that starts at `at` ends: its separator, or `end`. */
export const partEnd = (bytes: Uint8Array, at: number, end: number): number => {
  let partEndAt = at
  while (partEndAt < end && bytes[partEndAt] !== separatorByte) partEndAt++
  return partEndAt
}

export const readString = (bytes: Uint8Array, at: number, end: number): string => {
  let isPlain = true
  for (let index = at; index < end; index++) if (bytes[index]! <= escapeByte) isPlain = false
  const plain = isPlain ? bytes.subarray(at, end) : readBytes(bytes, at, end)
  const text = Utf8.decode(plain, 0, plain.length)
  if (text === undefined) throw new TupleCorrupt({ offsetBytes: at, detail: "expected UTF-8" })
  return text
}

/** A buffer of the caller's own. */
export const readBytes = (bytes: Uint8Array, at: number, end: number): Uint8Array => {
  const plain = new Uint8Array(end - at)
  return plain.slice(0, unescape(bytes, at, end, plain))
}

export const readBoolean = (bytes: Uint8Array, at: number, end: number): boolean => {
  readWord(bytes, at, end, 1)
  const byte = word[0]!
  if (byte > 1) throw new TupleCorrupt({ offsetBytes: at, detail: `expected a boolean, found ${byte}` })
  return byte === 1
}

export const readInt32 = (bytes: Uint8Array, at: number, end: number): number => {
  readWord(bytes, at, end, 4)
  return wordView.getUint32(0) ^ 0x8000_0000
}

export const readUint32 = (bytes: Uint8Array, at: number, end: number): number => {
  readWord(bytes, at, end, 4)
  return wordView.getUint32(0)
}

export const readInt64 = (bytes: Uint8Array, at: number, end: number): bigint => {
  readWord(bytes, at, end, 8)
  return wordView.getBigUint64(0) + minInt64
}

export const readUint64 = (bytes: Uint8Array, at: number, end: number): bigint => {
  readWord(bytes, at, end, 8)
  return wordView.getBigUint64(0)
}

const escapeByte = 1
const minInt64 = -0x8000_0000_0000_0000n

const word = new Uint8Array(8)
const wordView = new DataView(word.buffer)

const checkRoom = (target: Uint8Array, at: number, sizeBytes: number): void => {
  if (at + sizeBytes > target.length) throw new TupleOverflow({ sizeBytes: target.length })
}

const stringSizeBytes = (value: string): number => {
  let size = Utf8.sizeBytes(value)
  for (let index = 0; index < value.length; index++) if (value.charCodeAt(index) <= escapeByte) size++
  return size
}

const bytesSizeBytes = (value: Uint8Array): number => {
  let size = value.length
  for (let index = 0; index < value.length; index++) if (value[index]! <= escapeByte) size++
  return size
}

const loneSurrogate = (value: string): TupleValueInvalid =>
  new TupleValueInvalid({ expected: "a well-formed string", actual: `${JSON.stringify(value)} with a lone surrogate` })

const outOfRange = (expected: string, value: bigint | number): TupleValueInvalid =>
  new TupleValueInvalid({ expected, actual: String(value) })

/** For code points from 80 on, none of whose bytes is escaped. */
const putCodePoint = (target: Uint8Array, at: number, codePoint: number): number => {
  let end = at
  if (codePoint < 0x800) target[end++] = 0xc0 | (codePoint >> 6)
  else {
    if (codePoint < 0x1_0000) target[end++] = 0xe0 | (codePoint >> 12)
    else {
      target[end++] = 0xf0 | (codePoint >> 18)
      target[end++] = 0x80 | ((codePoint >> 12) & 0x3f)
    }
    target[end++] = 0x80 | ((codePoint >> 6) & 0x3f)
  }
  target[end++] = 0x80 | (codePoint & 0x3f)
  return end
}

const putByte = (target: Uint8Array, at: number, byte: number): number => {
  if (byte > escapeByte) {
    target[at] = byte
    return at + 1
  }
  target[at] = escapeByte
  target[at + 1] = byte + 1
  return at + 2
}

/** PERF: high and low words of a number without a bigint, which would be allocated. */
const highWord = (value: bigint | number): number =>
  typeof value === "number" ? Math.floor(value / 0x1_0000_0000) | 0 : Number(BigInt.asIntN(32, value >> 32n))

const lowWord = (value: bigint | number): number =>
  typeof value === "number"
    ? (value - Math.floor(value / 0x1_0000_0000) * 0x1_0000_0000) | 0
    : Number(BigInt.asIntN(32, value))

const appendWord = (target: Uint8Array, at: number, value: number): number => {
  if (at + 8 > target.length) checkRoom(target, at, wordSizeBytes(value))
  return putWord(target, at, value)
}

const appendWords = (target: Uint8Array, at: number, high: number, low: number): number => {
  if (at + 16 > target.length) checkRoom(target, at, wordSizeBytes(high) + wordSizeBytes(low))
  return putWord(target, putWord(target, at, high), low)
}

const wordSizeBytes = (value: number): number => {
  let size = 4
  for (let shift = 0; shift < 32; shift += 8) if (((value >>> shift) & 0xff) <= escapeByte) size++
  return size
}

const putWord = (target: Uint8Array, at: number, value: number): number => {
  let end = putByte(target, at, value >>> 24)
  end = putByte(target, end, (value >>> 16) & 0xff)
  end = putByte(target, end, (value >>> 8) & 0xff)
  return putByte(target, end, value & 0xff)
}

/** Puts the plain bytes of a part into `target`, which may be too small, and returns their number. */
const unescape = (bytes: Uint8Array, at: number, end: number, target: Uint8Array): number => {
  let size = 0
  for (let index = at; index < end; index++) {
    let byte = bytes[index]!
    if (byte === separatorByte) throw new TupleCorrupt({ offsetBytes: index, detail: "found a separator in a part" })
    if (byte === escapeByte) {
      index++
      const escaped = index < end ? bytes[index]! : 0
      if (escaped !== 1 && escaped !== 2) {
        throw new TupleCorrupt({ offsetBytes: index, detail: "found an escape that is not 01 01 or 01 02" })
      }
      byte = escaped - 1
    }
    target[size++] = byte
  }
  return size
}

/** Puts the plain bytes of a part of fixed size into {@link word}. */
const readWord = (bytes: Uint8Array, at: number, end: number, sizeBytes: number): void => {
  const size = unescape(bytes, at, end, word)
  if (size !== sizeBytes) {
    throw new TupleCorrupt({ offsetBytes: at, detail: `found ${size} bytes, expected ${sizeBytes}` })
  }
}
