/**
 * The layout of an LMDB database of the engine.
 *
 * Each keyspace is a named database of its own name with binary keys. A stored value is
 *
 *     u32 CRC32C of the key's bytes followed by the value's, little-endian | value
 *
 * because LMDB has no checksums. The named database `~icecore`, no keyspace can have that name, holds one row, `layout`,
 * whose value is the one byte of this layout's version.
 *
 * Part of the on-disk format: never change, add a version.
 */

export const markerName = "~icecore"

export const markerKey: Uint8Array = Uint8Array.of(0x6c, 0x61, 0x79, 0x6f, 0x75, 0x74)

export const layoutVersion = 1

/** Bytes before each stored value. */
export const checksumBytes = 4
