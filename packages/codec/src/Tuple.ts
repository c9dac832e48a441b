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

export const appendString = (_target: Uint8Array, at: number, _value: string): number => at
export const appendBytes = (_target: Uint8Array, at: number, _value: Uint8Array): number => at
export const appendBoolean = (_target: Uint8Array, at: number, _value: boolean): number => at
export const appendInt32 = (_target: Uint8Array, at: number, _value: number): number => at
export const appendUint32 = (_target: Uint8Array, at: number, _value: number): number => at
/** Of a bigint or a safe integer. */
export const appendInt64 = (_target: Uint8Array, at: number, _value: bigint | number): number => at
/** Of a bigint or a safe integer. */
export const appendUint64 = (_target: Uint8Array, at: number, _value: bigint | number): number => at
/** Ends a part. */
export const separator = (_target: Uint8Array, at: number): number => at

/** Where the part that starts at `at` ends: its separator, or `end`. */
export const partEnd = (_bytes: Uint8Array, _at: number, end: number): number => end

export const readString = (_bytes: Uint8Array, _at: number, _end: number): string => ""
/** A buffer of the caller's own. */
export const readBytes = (_bytes: Uint8Array, _at: number, _end: number): Uint8Array => new Uint8Array()
export const readBoolean = (_bytes: Uint8Array, _at: number, _end: number): boolean => false
export const readInt32 = (_bytes: Uint8Array, _at: number, _end: number): number => 0
export const readUint32 = (_bytes: Uint8Array, _at: number, _end: number): number => 0
export const readInt64 = (_bytes: Uint8Array, _at: number, _end: number): bigint => 0n
export const readUint64 = (_bytes: Uint8Array, _at: number, _end: number): bigint => 0n
