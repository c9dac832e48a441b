/**
 * Entries on the wire as length-prefixed frames, for entries of any bytes: media type `application/vnd.icecore.frames`.
 *
 * ```
 * entry frame   u64 seq │ u32 length │ length bytes
 * end frame     u64 2^64 − 1 │ u32 count of the entry frames before it
 * ```
 *
 * Integers are little-endian and unsigned. A body without its end frame, or with another count, was cut off.
 */
import type { Entry } from "../Entry.ts"

export const mediaType = "application/vnd.icecore.frames"

const headSizeBytes = 12
const endSeq = 0xffff_ffff_ffff_ffffn

/** Bytes that {@link encode} makes of these entries. */
export const sizeBytesOf = (entries: ReadonlyArray<Entry>): number =>
  entries.reduce((sum, entry) => sum + headSizeBytes + entry.bytes.length, headSizeBytes)

/** One body: a frame an entry, then the end frame. */
export const encode = (entries: ReadonlyArray<Entry>): Uint8Array => {
  const body = new Uint8Array(sizeBytesOf(entries))
  const view = new DataView(body.buffer)
  let offset = 0
  for (const { seq, bytes } of entries) {
    view.setBigUint64(offset, BigInt(seq), true)
    view.setUint32(offset + 8, bytes.length, true)
    body.set(bytes, offset + headSizeBytes)
    offset += headSizeBytes + bytes.length
  }
  view.setBigUint64(offset, endSeq, true)
  view.setUint32(offset + 8, entries.length, true)
  return body
}
