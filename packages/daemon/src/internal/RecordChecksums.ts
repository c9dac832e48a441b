/**
 * Checksums of what a pack of entries stores, kept in its app data: the CRC32C of each record's encoded payload, u32
 * little-endian, in the order of the records. Part of the on-disk format of {@link import("../EntriesPack.ts")}.
 *
 * Compressed bytes can be damaged and still decode to the right content. Nothing that is read is wrong then, but the disk is
 * failing, and this is how verification learns of it; and it names the record of any other damage.
 */
import { Crc32c } from "@icecore/codec"
import { RecordEncoding } from "@icecore/packfile"
import { Effect } from "effect"

const checksumSizeBytes = 4

/** Bytes of the checksums of so many records. */
export const sizeBytesOf = (recordCount: number): number => recordCount * checksumSizeBytes

export interface CollectingEncoding {
  readonly encoding: RecordEncoding.RecordEncoding
  /** The checksums of all records that were encoded. */
  readonly recordChecksums: () => Uint8Array
}

/** For one writer, which encodes its records in their order. */
export const collecting = (inner: RecordEncoding.RecordEncoding): CollectingEncoding => {
  const checksums: Array<number> = []
  const encode = (payload: Uint8Array): ReturnType<RecordEncoding.RecordEncoding["encode"]> => {
    const recordIndex = checksums.push(0) - 1
    return Effect.map(inner.encode(payload), (encoded) => {
      checksums[recordIndex] = Crc32c.checksum(encoded)
      return encoded
    })
  }
  const recordChecksums = (): Uint8Array => {
    const bytes = new Uint8Array(sizeBytesOf(checksums.length))
    const view = new DataView(bytes.buffer)
    for (const [index, checksum] of checksums.entries()) view.setUint32(index * checksumSizeBytes, checksum, true)
    return bytes
  }
  return { encoding: { ...inner, encode }, recordChecksums }
}

/** For one verification, which decodes every record in order. */
export const checking = (
  inner: RecordEncoding.RecordEncoding,
  recordChecksums: Uint8Array
): RecordEncoding.RecordEncoding => {
  const view = new DataView(recordChecksums.buffer, recordChecksums.byteOffset, recordChecksums.byteLength)
  let recordIndex = 0
  return {
    ...inner,
    decode: (stored, bound) => {
      const expected = view.getUint32(checksumSizeBytes * recordIndex++, true)
      const actual = Crc32c.checksum(stored)
      const decoded = inner.decode(stored, bound)
      if (actual === expected) return decoded
      const detail = `its stored bytes have checksum 0x${actual.toString(16)}, expected 0x${expected.toString(16)}`
      return Effect.andThen(decoded, Effect.fail(new RecordEncoding.RecordDecodeFailed({ detail })))
    }
  }
}
