/**
 * K-sortable unique ids: 20 bytes, a big-endian u32 of seconds since 1 400 000 000 (Unix) and 16 random bytes, written as 27
 * digits of base 62. Order of texts = order of bytes = order of times, to the second.
 *
 * Algorithm and text form: https://github.com/segmentio/ksuid.
 */
import { type Brand, Clock, Data, Effect, Order, Random, Result } from "effect"

/** Unix time of second 0. */
export const epochSeconds = 1_400_000_000

/** Bytes of an id. */
export const sizeBytes = 20

/** Characters of an id. */
export const textLength = 27

/** An id as text. */
export type Ksuid = string & Brand.Brand<"Ksuid">

/** Text or bytes are no KSUID. */
export class KsuidInvalid extends Data.Error<{ readonly actual: string; readonly expected: string }> {
  readonly _tag = "KsuidInvalid"
  override readonly name = "KsuidInvalid"
  override get message(): string {
    return `Cannot read KSUID ${this.actual}: expected ${this.expected}`
  }
}

/** A new id of the current second of `Clock` and 16 bytes of `Random`. Times outside 2014 to 2150 count as the nearest. */
export const make: Effect.Effect<Ksuid> = Effect.gen(function* () {
  const seconds = Math.floor((yield* Clock.currentTimeMillis) / 1_000) - epochSeconds
  const bytes = new Uint8Array(sizeBytes)
  putWord(bytes, 0, Math.min(Math.max(seconds, 0), 0xffff_ffff))
  for (let at = 4; at < sizeBytes; at += 4) putWord(bytes, at, yield* Random.nextIntBetween(0, 0xffff_ffff))
  return textOf(bytes, 0)
})

/** The id that a text is: exactly 27 digits of a value below 2^160. */
export const parse = (text: string): Result.Result<Ksuid, KsuidInvalid> => {
  if (text.length !== textLength || !/^[0-9A-Za-z]*$/.test(text)) {
    return invalid(JSON.stringify(text.slice(0, 2 * textLength)), `${textLength} digits and letters`)
  }
  return text > maxText ? invalid(JSON.stringify(text), `at most ${maxText}`) : Result.succeed(text as Ksuid)
}

/** The 20 bytes of an id, in a buffer of the caller's own. */
export const toBytes = (ksuid: Ksuid): Uint8Array => {
  const bytes = new Uint8Array(sizeBytes)
  for (let index = 0; index < textLength; index++) {
    let carry = digits.indexOf(ksuid[index]!)
    for (let at = sizeBytes - 1; at >= 0; at--) {
      carry += bytes[at]! * 62
      bytes[at] = carry & 0xff
      carry >>>= 8
    }
  }
  return bytes
}

/** The id of the 20 bytes from `at` on. */
export const fromBytes = (bytes: Uint8Array, at: number = 0): Result.Result<Ksuid, KsuidInvalid> => {
  const size = Math.max(0, bytes.length - at)
  return size < sizeBytes ? invalid(`of ${size} bytes`, `${sizeBytes} bytes`) : Result.succeed(textOf(bytes, at))
}

/** Unix time in seconds at which an id was made. */
export const secondsOf = (ksuid: Ksuid): number => {
  const bytes = toBytes(ksuid)
  return epochSeconds + new DataView(bytes.buffer).getUint32(0)
}

/** By text, which is by bytes. */
export const order: Order.Order<Ksuid> = Order.String

/** In the order of their bytes. */
const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/** Of 20 bytes ff. */
const maxText = "aWgEPTl1tmebfsQzFP4bxwgy80V"

const invalid = (actual: string, expected: string): Result.Result<never, KsuidInvalid> =>
  Result.fail(new KsuidInvalid({ actual, expected }))

const putWord = (bytes: Uint8Array, at: number, word: number): void => new DataView(bytes.buffer).setUint32(at, word)

/** Long division by 62, digit by digit from the last. */
const textOf = (bytes: Uint8Array, at: number): Ksuid => {
  const rest = bytes.slice(at, at + sizeBytes)
  let text = ""
  for (let count = 0; count < textLength; count++) {
    let remainder = 0
    for (let index = 0; index < sizeBytes; index++) {
      const dividend = remainder * 0x100 + rest[index]!
      rest[index] = Math.floor(dividend / 62)
      remainder = dividend % 62
    }
    text = digits[remainder]! + text
  }
  return text as Ksuid
}
