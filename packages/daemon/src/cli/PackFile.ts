/**
 * Opening a packfile for inspection, when nothing but the file says how it is encoded.
 */
import { Zstd } from "@icecore/codec"
import {
  ByteSource,
  type Disk,
  type DiskError,
  type PackOpenError,
  PackReader,
  RecordEncoding
} from "@icecore/packfile"
import { Effect, Option, type Scope } from "effect"
import { appDataSizeBytesOf, decodeAppData } from "../EntriesPack.ts"
import * as RecordChecksums from "../internal/RecordChecksums.ts"

/** First four bytes of a zstd frame (RFC 8878, section 3.1.1), little-endian. */
const zstdMagic = 0xfd2f_b528

/** What a file of ours is, by its name. */
export const kindOf = (path: string): "key run" | "key index" | "packfile" =>
  path.endsWith(".bin") ? "key run" : path.endsWith(".idx") ? "key index" : "packfile"

export interface OpenedPack {
  /** A pack of entries is also held against the checksums of its records, so it is good for one pass over all items in order. */
  readonly reader: PackReader.PackReader
  /** What a pack of entries has, or what the first record that is not empty looks like. */
  readonly encoding: "zstd" | "none"
}

/** Opens the file for the scope. */
export const open: (path: string) => Effect.Effect<OpenedPack, PackOpenError | DiskError, Disk | Zstd | Scope.Scope> =
  Effect.fnUntraced(function* (path: string) {
    const source = yield* ByteSource.fromFile(path)
    const plain = yield* PackReader.open(source)
    const zstd = RecordEncoding.zstd(yield* Zstd)
    const { appData, recordCount, trailer } = plain
    if (Option.contains(appDataSizeBytesOf(trailer.format, recordCount), appData.length)) {
      const { recordChecksums } = yield* decodeAppData(path, plain)
      const encoding = RecordChecksums.checking(zstd, recordChecksums)
      return { reader: yield* PackReader.open(source, { encoding }), encoding: "zstd" }
    }
    const first = firstRecord(plain)
    const isZstd =
      Option.isSome(first) && first.value.sizeBytes >= 4 && (yield* beginsZstd(source, first.value.offsetBytes))
    if (!isZstd) return { reader: plain, encoding: "none" }
    return { reader: yield* PackReader.open(source, { encoding: zstd }), encoding: "zstd" }
  })

const beginsZstd = (source: ByteSource.ByteSource, offsetBytes: number): Effect.Effect<boolean, DiskError> =>
  Effect.map(
    source.read(offsetBytes, 4),
    (bytes) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) === zstdMagic
  )

/** The first record with a payload; a record of empty items has none. */
const firstRecord = (reader: PackReader.PackReader): Option.Option<PackReader.RecordLocation> => {
  for (let index = 0; index < reader.recordCount; index++) {
    const record = reader.record(index)
    // A record of several items ends in its size index: 5 bytes or more, with 4 of checksum.
    const leastSizeBytes = reader.trailer.itemsPerRecord === 1 ? 1 : 13
    if (Option.exists(record, ({ sizeBytes }) => sizeBytes >= leastSizeBytes)) return record
  }
  return Option.none()
}
