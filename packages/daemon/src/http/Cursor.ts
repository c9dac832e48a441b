/**
 * Where a page ended, so that the next one goes on behind it. Opaque to clients; part of no other interface.
 *
 * ```
 * at   size  field
 * 0    1     version 1
 * 1    1     order: 0 ascending, 1 descending
 * 2    1     bounds present: bit 0 from, bit 1 to
 * 3    8     last seq that was delivered (exclusive for the next page)
 * 11   8     from, 0 when absent
 * 19   8     to, 0 when absent
 * 27   4     CRC32C of bytes 0..26
 * ```
 *
 * Integers are little-endian and unsigned; the 31 bytes travel as base64url without padding. The checksum finds typing and
 * cutting, it is no signature: a cursor gives no rights that a query does not.
 */
import { Crc32c } from "@icecore/codec"
import { Option, Result } from "effect"
import { Base64Url } from "effect/encoding"
import type { RangeOrder } from "../Entry.ts"

const version = 1
const sizeBytes = 31
const checksumOffset = 27

export interface Cursor {
  readonly order: RangeOrder
  readonly from: Option.Option<number>
  readonly to: Option.Option<number>
  /** Last seq that was delivered. */
  readonly after: number
}

/** Writes a cursor as text. */
export const encode = (cursor: Cursor): string => {
  const bytes = new Uint8Array(sizeBytes)
  const view = new DataView(bytes.buffer)
  bytes[0] = version
  bytes[1] = cursor.order === "ascending" ? 0 : 1
  bytes[2] = (Option.isSome(cursor.from) ? 1 : 0) | (Option.isSome(cursor.to) ? 2 : 0)
  view.setBigUint64(3, BigInt(cursor.after), true)
  view.setBigUint64(11, BigInt(Option.getOrElse(cursor.from, () => 0)), true)
  view.setBigUint64(19, BigInt(Option.getOrElse(cursor.to, () => 0)), true)
  view.setUint32(checksumOffset, Crc32c.update(0, bytes, 0, checksumOffset), true)
  return Base64Url.encode(bytes)
}

/** Reads a cursor; none when the text is not one that {@link encode} wrote. */
export const decode = (text: string): Option.Option<Cursor> => {
  const decoded = Base64Url.decode(text)
  if (Result.isFailure(decoded) || decoded.success.length !== sizeBytes) return Option.none()
  const bytes = decoded.success
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint32(checksumOffset, true) !== Crc32c.update(0, bytes, 0, checksumOffset)) return Option.none()
  const [after, from, to] = [view.getBigUint64(3, true), view.getBigUint64(11, true), view.getBigUint64(19, true)]
  const isValid =
    bytes[0] === version &&
    bytes[1]! <= 1 &&
    bytes[2]! <= 3 &&
    [after, from, to].every((value) => value <= BigInt(Number.MAX_SAFE_INTEGER)) &&
    encodesItself(text, bytes)
  if (!isValid) return Option.none()
  return Option.some({
    order: bytes[1] === 0 ? "ascending" : "descending",
    from: (bytes[2]! & 1) === 0 ? Option.none() : Option.some(Number(from)),
    to: (bytes[2]! & 2) === 0 ? Option.none() : Option.some(Number(to)),
    after: Number(after)
  })
}

/** Base64 has spare bits at its end; only one spelling of a cursor is taken. */
const encodesItself = (text: string, bytes: Uint8Array): boolean => Base64Url.encode(bytes) === text
