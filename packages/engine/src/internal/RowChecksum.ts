/** The checksum that adapters over files without one keep beside every row. */
import { Crc32c } from "@icecore/codec"

/** CRC32C of the key's bytes followed by the value's, unsigned: a value under the wrong key is damage too. */
export const rowChecksum = (key: Uint8Array, value: Uint8Array): number => Crc32c.update(Crc32c.update(0, key), value)
