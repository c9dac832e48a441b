/**
 * Page tokens: where a listing goes on, as text that only the listing it came from takes.
 *
 * ```text
 * base64url without padding of
 * 0   u8      version, 1
 * 1   u8      flags: bit 0, the sync was not named but the default of its time; the others are 0
 * 2   u8      tag of the record type
 * 3   u8      tag of the index, 0 for the primary key
 * 4   20 B    sync id
 * 24  u16 LE  length of the prefix that is listed, in bytes
 * 26  …       key of the last row looked at, without its header of 22 bytes; starts with the prefix
 * end u32 LE  CRC32C of all before
 * ```
 *
 * The checksum finds accidents, it keeps nobody from making a token: one that was made up reads rows that its maker may list
 * anyway. It lives for one listing, so its format may change with any version.
 */
import { Crc32c } from "@icecore/codec"
import { Result } from "effect"
import { Base64Url } from "effect/encoding"
import { maxKeySizeBytes } from "../../../Engine.ts"
import { compareBytes } from "../../Bounds.ts"

const version = 1
const defaultSyncFlag = 1
const syncOffsetBytes = 4
const syncSizeBytes = 20
const prefixLengthOffsetBytes: number = syncOffsetBytes + syncSizeBytes
const keyOffsetBytes: number = prefixLengthOffsetBytes + 2
const checksumSizeBytes = 4

/** Longer text is no token. */
const maxTextLength = 4 * Math.ceil((keyOffsetBytes + maxKeySizeBytes + checksumSizeBytes) / 3)

/** What is listed: a token of one listing is refused by every other. */
export interface Listed {
  readonly typeTag: number
  /** 0 for the primary key. */
  readonly indexTag: number
  /** 20 bytes. */
  readonly sync: Uint8Array
  /** Whether the listing did not name its sync. */
  readonly isDefaultSync: boolean
  /** The encoded prefix, empty for all. */
  readonly prefix: Uint8Array
}

/** A token's contents. */
export interface PageToken extends Omit<Listed, "prefix"> {
  readonly prefixLengthBytes: number
  /** The last row's key behind its header. */
  readonly lastKey: Uint8Array
}

/** The token for the rows behind `lastKey`, which starts with the prefix. */
export const encode = (listed: Listed, lastKey: Uint8Array): string => {
  const end = keyOffsetBytes + lastKey.length
  const bytes = new Uint8Array(end + checksumSizeBytes)
  bytes[0] = version
  bytes[1] = listed.isDefaultSync ? defaultSyncFlag : 0
  bytes[2] = listed.typeTag
  bytes[3] = listed.indexTag
  bytes.set(listed.sync, syncOffsetBytes)
  const view = new DataView(bytes.buffer)
  view.setUint16(prefixLengthOffsetBytes, listed.prefix.length, true)
  bytes.set(lastKey, keyOffsetBytes)
  view.setUint32(end, Crc32c.update(0, bytes, 0, end), true)
  return Base64Url.encode(bytes)
}

/** The contents of a token, or what is wrong with it (as `InvalidPageToken` says it). */
export const decode = (text: string): Result.Result<PageToken, string> => {
  if (text.length > maxTextLength) return Result.fail("is too long")
  const decoded = Base64Url.decode(text)
  if (Result.isFailure(decoded)) return Result.fail("is not base64url")
  const bytes = decoded.success
  // The unused bits of the last character are not under the checksum.
  if (Base64Url.encode(bytes) !== text) return Result.fail("is not base64url as it is written here")
  const end = bytes.length - checksumSizeBytes
  if (end < keyOffsetBytes) return Result.fail("is too short")
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint32(end, true) !== Crc32c.update(0, bytes, 0, end)) return Result.fail("has a wrong checksum")
  if (bytes[0] !== version) return Result.fail(`is of version ${bytes[0]}, expected ${version}`)
  const prefixLengthBytes = view.getUint16(prefixLengthOffsetBytes, true)
  if (prefixLengthBytes > end - keyOffsetBytes) return Result.fail("has a prefix longer than its key")
  return Result.succeed({
    typeTag: bytes[2]!,
    indexTag: bytes[3]!,
    sync: bytes.slice(syncOffsetBytes, prefixLengthOffsetBytes),
    isDefaultSync: (bytes[1]! & defaultSyncFlag) !== 0,
    prefixLengthBytes,
    lastKey: bytes.slice(keyOffsetBytes, end)
  })
}

/** Why the token is not one of this listing; undefined when it is. */
export const mismatch = (token: PageToken, listed: Listed): string | undefined => {
  if (token.typeTag !== listed.typeTag) return "is of another record type"
  if (token.indexTag !== listed.indexTag) return "is of another index"
  if (token.isDefaultSync !== listed.isDefaultSync) {
    return token.isDefaultSync ? "is of a listing that did not name its sync" : "is of a listing that named its sync"
  }
  if (compareBytes(token.sync, listed.sync) !== 0) return "is of another sync"
  const { prefix } = listed
  const isPrefix =
    token.prefixLengthBytes === prefix.length && compareBytes(token.lastKey.subarray(0, prefix.length), prefix) === 0
  return isPrefix ? undefined : "is of another prefix"
}
