/**
 * Frame of reference: a group of unsigned 32-bit integers as one minimum and packed differences.
 *
 * Part of the on-disk format of packfiles: never change, add a version.
 *
 * ```
 * [residuals: ceil(n * width / 8) bytes][width u8][minimum u32 little-endian]
 * ```
 *
 * A residual is value − minimum. `width` is the bits of the largest residual, 1 to 32. Residual j occupies the bits
 * j·width to (j + 1)·width − 1 of the packed bytes, least significant bit of each byte first. n is not stored: a decoder is
 * told it, and reads from the tail. No checksum; the format around it has one.
 *
 * Example: 120, 95 are minimum 95, width 5 and residuals 25, 0: `19 00 05 5f 00 00 00`.
 */
import { Data, Result } from "effect"

/** Bytes of a group behind its packed residuals. */
export const tailSizeBytes = 5

/** Largest value and largest number of values of a group. */
export const maxValue = 0xffff_ffff

/** Bytes that end before `end` are not a group of `count` values. */
export class ForGroupInvalid extends Data.Error<{
  readonly fault: "truncated" | "width" | "overflow" | "count"
  readonly detail: string
}> {
  readonly _tag = "ForGroupInvalid"
  override readonly name = "ForGroupInvalid"
  override get message(): string {
    return `Cannot decode frame-of-reference group: ${this.detail}`
  }
}

/** Most bytes that `count` values can take. */
export const maxSizeBytes = (count: number): number => count * 4 + tailSizeBytes

/**
 * Packs `values[from..from + count)`, each an integer from 0 to 2^32 − 1, into `target` at `offset` and returns the number
 * of bytes written. `target` must have {@link maxSizeBytes} bytes from there on; `count` is at least 1.
 */
export const encodeInto = (
  values: Uint32Array,
  from: number,
  count: number,
  target: Uint8Array,
  offset: number
): number => {
  let minimum = values[from]!
  let maximum = minimum
  for (let at = from + 1; at < from + count; at++) {
    const value = values[at]!
    if (value < minimum) minimum = value
    if (value > maximum) maximum = value
  }
  const width = Math.max(1, 32 - Math.clz32(maximum - minimum))
  const end = packResiduals(values, from, count, minimum, width, target, offset)
  target[end] = width
  target[end + 1] = minimum & 0xff
  target[end + 2] = (minimum >>> 8) & 0xff
  target[end + 3] = (minimum >>> 16) & 0xff
  target[end + 4] = minimum >>> 24
  return end + tailSizeBytes - offset
}

/** Returns where the packed bytes end. A byte is written as soon as it is full, so that no shift ever exceeds 31 bits. */
const packResiduals = (
  values: Uint32Array,
  from: number,
  count: number,
  minimum: number,
  width: number,
  target: Uint8Array,
  offset: number
): number => {
  let at = offset
  let pending = 0
  let pendingBits = 0
  for (let index = from; index < from + count; index++) {
    const residual = (values[index]! - minimum) >>> 0
    let bits = width
    let rest = residual
    while (pendingBits + bits >= 8) {
      const taken = 8 - pendingBits
      target[at++] = pending | ((rest << pendingBits) & 0xff)
      rest >>>= taken
      bits -= taken
      pending = 0
      pendingBits = 0
    }
    pending |= rest << pendingBits
    pendingBits += bits
  }
  if (pendingBits > 0) target[at++] = pending
  return at
}

/** Bytes of a group of `count` values of `width` bits. Exact to 2^53. */
export const sizeBytes = (count: number, width: number): number => Math.ceil((count * width) / 8) + tailSizeBytes

/**
 * Size in bytes of the group of `count` values that ends before `end`, or a negative number: -1 when the bytes are too few,
 * -2 when the width is not 1 to 32. Nothing before `floor` is looked at.
 */
export const measureTail = (bytes: Uint8Array, floor: number, end: number, count: number): number => {
  if (end - floor < tailSizeBytes) return -1
  const width = bytes[end - tailSizeBytes]!
  if (width < 1 || width > 32) return -2
  const size = sizeBytes(count, width)
  return size > end - floor ? -1 : size
}

/**
 * Unpacks the group of `count` values that ends before `end` into `target` from 0 on. Unchecked: {@link measureTail} must
 * have accepted it, and `target` must hold `count` values. False when a value exceeds {@link maxValue}.
 */
export const decodeTailUnsafe = (bytes: Uint8Array, end: number, count: number, target: Uint32Array): boolean => {
  const width = bytes[end - 5]!
  const minimum = (bytes[end - 4]! | (bytes[end - 3]! << 8) | (bytes[end - 2]! << 16) | (bytes[end - 1]! << 24)) >>> 0
  let at = end - sizeBytes(count, width)
  let current = 0
  let currentBits = 0
  for (let index = 0; index < count; index++) {
    let residual = 0
    let filled = 0
    while (filled < width) {
      if (currentBits === 0) {
        current = bytes[at++]!
        currentBits = 8
      }
      const taken = Math.min(currentBits, width - filled)
      residual |= (current & ((1 << taken) - 1)) << filled
      current >>>= taken
      currentBits -= taken
      filled += taken
    }
    const value = (residual >>> 0) + minimum
    if (value > maxValue) return false
    target[index] = value
  }
  return true
}

/** The bytes of one group of 1 to 2^32 − 1 values, each an integer from 0 to 2^32 − 1. */
export const encode = (values: Uint32Array): Uint8Array => {
  const target = new Uint8Array(maxSizeBytes(values.length))
  return target.slice(0, encodeInto(values, 0, values.length, target, 0))
}

/**
 * The `count` values of the group that ends where `bytes` does; bytes before it are left alone. `sizeBytes` says how many
 * the group took. Nothing is allocated before the bytes are known to hold that many values.
 */
export const decodeTail = (
  bytes: Uint8Array,
  count: number
): Result.Result<{ readonly values: Uint32Array; readonly sizeBytes: number }, ForGroupInvalid> => {
  if (!Number.isInteger(count) || count < 1 || count > maxValue) {
    return Result.fail(new ForGroupInvalid({ fault: "count", detail: `count is ${count}, expected 1 to ${maxValue}` }))
  }
  const size = measureTail(bytes, 0, bytes.length, count)
  if (size === -1) {
    return Result.fail(
      new ForGroupInvalid({ fault: "truncated", detail: `${bytes.length} bytes are too few for ${count} values` })
    )
  }
  if (size === -2) {
    const width = bytes[bytes.length - tailSizeBytes]
    return Result.fail(new ForGroupInvalid({ fault: "width", detail: `width is ${width} bits, expected 1 to 32` }))
  }
  const values = new Uint32Array(count)
  return decodeTailUnsafe(bytes, bytes.length, count, values)
    ? Result.succeed({ values, sizeBytes: size })
    : Result.fail(new ForGroupInvalid({ fault: "overflow", detail: `a value exceeds ${maxValue}` }))
}
