/**
 * The frozen form of one chunk: a packfile whose item `n` is entry `firstSeq + n` of the chunk, byte for byte.
 *
 * Records are zstd frames of 128 entries, or of fewer where entries are so large that a record would go over
 * {@link maxRecordSizeBytes}; the content hash is always there. The trailer's `format` is {@link entriesFormat}. The app data is the first
 * seq, so that a file that came under the name of another chunk is not taken for it, and the checksums of the records as they
 * are stored ({@link import("./internal/RecordChecksums.ts")}):
 *
 * ```
 * u64 first seq │ u32 CRC32C of the first seq │ u32 checksum of record 0 │ u32 checksum of record 1 │ …        little-endian
 * ```
 *
 * Part of the on-disk format: never change, add a format number.
 */
import { Crc32c, Zstd } from "@icecore/codec"
import {
  ByteSource,
  type Disk,
  PackCorrupt,
  type PackOpenError,
  type PackReadError,
  PackReader,
  type PackVerifyError,
  type PackWriteError,
  PackWriter,
  RecordEncoding
} from "@icecore/packfile"
import { Data, Effect, Option, type Scope, Stream } from "effect"
import type { Entry, RangeOrder } from "./Entry.ts"
import * as RecordChecksums from "./internal/RecordChecksums.ts"
import * as RecordSizer from "./kernel/RecordSizer.ts"

/** The trailer's `format` of a pack of entries: records encoded with zstd, items unchanged. */
export const entriesFormat = 1

const firstSeqSizeBytes = 8

const headSizeBytes = firstSeqSizeBytes + 4

/** What the app data of a pack of entries says. */
export interface EntriesAppData {
  /** Exact, whatever it is. */
  readonly firstSeq: bigint
  readonly recordChecksums: Uint8Array
}

/** Bytes of the app data of a pack of entries with so many records. */
export const appDataSizeBytesOf = (recordCount: number): number =>
  headSizeBytes + RecordChecksums.sizeBytesOf(recordCount)

/** Reads app data that has as many bytes as {@link appDataSizeBytesOf} says. */
export const decodeAppData = (
  path: string,
  { appData, record, recordCount, trailer }: PackReader.PackReader
): Effect.Effect<EntriesAppData, PackCorrupt> => {
  const view = new DataView(appData.buffer, appData.byteOffset, appData.byteLength)
  const actual = Crc32c.checksum(appData.subarray(0, firstSeqSizeBytes))
  const expected = view.getUint32(firstSeqSizeBytes, true)
  if (actual === expected)
    return Effect.succeed({ firstSeq: view.getBigUint64(0, true), recordChecksums: appData.subarray(headSizeBytes) })
  const detail = `that of the first seq is 0x${actual.toString(16)}, expected 0x${expected.toString(16)}`
  const recordsEnd = Option.match(record(recordCount - 1), {
    onNone: () => 0,
    onSome: (last) => last.offsetBytes + last.sizeBytes
  })
  const offsetBytes = recordsEnd + trailer.indexSizeBytes
  return Effect.fail(new PackCorrupt({ path, part: "checksum", detail, offsetBytes }))
}

const encodeAppData = (firstSeq: number, recordChecksums: Uint8Array): Uint8Array => {
  const appData = new Uint8Array(headSizeBytes + recordChecksums.length)
  const view = new DataView(appData.buffer)
  view.setBigUint64(0, BigInt(firstSeq), true)
  view.setUint32(firstSeqSizeBytes, Crc32c.checksum(appData.subarray(0, firstSeqSizeBytes)), true)
  appData.set(recordChecksums, headSizeBytes)
  return appData
}

/** Bytes that a record of several entries has at most, decoded: 16 MiB. A single entry may have as many. */
export const maxRecordSizeBytes: number = 16 * 1024 * 1024

/** A whole pack that is not the one of its chunk: another count of items, other entries, another format, no content hash. */
export class FrozenChunkWrong extends Data.Error<{
  readonly path: string
  readonly chunk: number
  readonly detail: string
}> {
  readonly _tag = "FrozenChunkWrong"
  override readonly name = "FrozenChunkWrong"
  override get message(): string {
    return `Cannot use ${this.path} for chunk ${this.chunk}: ${this.detail}`
  }
}

/** An open frozen chunk. */
export interface EntriesPack {
  /** First seq of the chunk, inclusive. */
  readonly firstSeq: number
  readonly reader: PackReader.PackReader
}

export interface OpenEntriesPack {
  readonly path: string
  readonly chunk: number
  /** First seq of the chunk, inclusive. */
  readonly firstSeq: number
  /** Entries that the chunk has. */
  readonly entryCount: number
}

/** Opens the pack of a chunk for the scope, and checks that it can be that chunk's. */
export const open: (
  options: OpenEntriesPack
) => Effect.Effect<EntriesPack, PackOpenError | FrozenChunkWrong, Disk | Zstd | Scope.Scope> = Effect.fnUntraced(
  function* (options: OpenEntriesPack) {
    const encoding = RecordEncoding.zstd(yield* Zstd)
    return yield* openWith(options, yield* ByteSource.fromFile(options.path), encoding)
  }
)

/**
 * Opens the pack of a chunk for one `verify` of its reader, which then finds any byte of the file that is not as it was written.
 * Good for nothing else.
 */
export const openToVerify: (
  options: OpenEntriesPack
) => Effect.Effect<EntriesPack, PackOpenError | FrozenChunkWrong, Disk | Zstd | Scope.Scope> = Effect.fnUntraced(
  function* (options: OpenEntriesPack) {
    const encoding = RecordEncoding.zstd(yield* Zstd)
    const source = yield* ByteSource.fromFile(options.path)
    const { reader } = yield* openWith(options, source, encoding)
    const { recordChecksums } = yield* decodeAppData(options.path, reader)
    return yield* openWith(options, source, RecordChecksums.checking(encoding, recordChecksums))
  }
)

const openWith = Effect.fnUntraced(function* (
  { path, chunk, firstSeq, entryCount }: OpenEntriesPack,
  source: ByteSource.ByteSource,
  encoding: RecordEncoding.RecordEncoding
): Effect.fn.Return<EntriesPack, PackOpenError | FrozenChunkWrong> {
  const reader = yield* PackReader.open(source, { encoding })
  const wrong = (detail: string) => Effect.fail(new FrozenChunkWrong({ path, chunk, detail }))
  if (reader.trailer.format !== entriesFormat)
    return yield* wrong(`its format is ${reader.trailer.format}, expected ${entriesFormat}`)
  if (reader.itemCount !== entryCount) return yield* wrong(`it has ${reader.itemCount} items, expected ${entryCount}`)
  if (Option.isNone(reader.contentHash)) return yield* wrong("it has no content hash")
  const appDataSizeBytes = appDataSizeBytesOf(reader.recordCount)
  if (reader.appData.length !== appDataSizeBytes)
    return yield* wrong(`it has ${reader.appData.length} bytes of app data, expected ${appDataSizeBytes}`)
  const found = (yield* decodeAppData(path, reader)).firstSeq
  if (found !== BigInt(firstSeq)) return yield* wrong(`its first entry is ${found}, expected ${firstSeq}`)
  return { firstSeq, reader }
})

/** The bytes of one entry of the chunk. */
export const get = (pack: EntriesPack, seq: number): Effect.Effect<Uint8Array, PackReadError> =>
  pack.reader.read(seq - pack.firstSeq)

export interface EntriesRange {
  /** First seq, inclusive; in the chunk. */
  readonly from: number
  /** Last seq, inclusive; in the chunk. */
  readonly to: number
  readonly order: RangeOrder
}

/** Every entry of a range, in batches. Descending it reads a record at a time, and holds no more. */
export const range = (
  pack: EntriesPack,
  { from, to, order }: EntriesRange
): Stream.Stream<ReadonlyArray<Entry>, PackReadError> =>
  order === "ascending" ? ascending(pack, from, to) : descending(pack, from, to)

const ascending = (pack: EntriesPack, from: number, to: number): Stream.Stream<ReadonlyArray<Entry>, PackReadError> =>
  Stream.suspend(() => {
    let seq = from
    return Stream.map(Stream.chunks(pack.reader.range(from - pack.firstSeq, to - from + 1)), (items) =>
      items.map((bytes): Entry => ({ seq: seq++, bytes }))
    )
  })

const descending = (
  pack: EntriesPack,
  from: number,
  to: number
): Stream.Stream<ReadonlyArray<Entry>, PackReadError> => {
  const { itemsPerRecord } = pack.reader.trailer
  const step = (last: number) => {
    const position = last - pack.firstSeq
    const first = Math.max(from, pack.firstSeq + position - (position % itemsPerRecord))
    return Effect.map(Stream.runCollect(ascending(pack, first, last)), (batches) => {
      const entries = batches.flat().reverse()
      return [[entries], first > from ? Option.some(first - 1) : Option.none()] as const
    })
  }
  return Stream.paginate(to, step)
}

/** What a chunk needs, learnt by reading it once. */
export interface Survey {
  readonly itemsPerRecord: number
  /** Bytes that the pack has at most: nothing compresses to more than itself and a little. */
  readonly maxSizeBytes: number
}

/** Reads the entries once, to know their sizes. */
export const survey = <E, R>(entries: Stream.Stream<ReadonlyArray<Entry>, E, R>): Effect.Effect<Survey, E, R> =>
  Effect.suspend(() => {
    const sizer = RecordSizer.make()
    let contentBytes = 0
    const add = (batch: ReadonlyArray<Entry>) =>
      Effect.sync(() => {
        for (const { bytes } of batch) {
          RecordSizer.add(sizer, bytes.length)
          contentBytes += bytes.length
        }
      })
    return Effect.map(Stream.runForEach(entries, add), () => ({
      itemsPerRecord: RecordSizer.itemsPerRecord(sizer, maxRecordSizeBytes),
      maxSizeBytes: contentBytes + Math.ceil(contentBytes / 128) + sizer.itemCount * 32 + 4096
    }))
  })

export interface WriteEntriesPack<E, R> extends OpenEntriesPack {
  readonly itemsPerRecord: number
  readonly entries: Stream.Stream<ReadonlyArray<Entry>, E, R>
}

export type WriteEntriesPackError = PackWriteError | PackOpenError | PackVerifyError | FrozenChunkWrong

/**
 * Writes the pack of a chunk, its bytes durable on return, and reads it back: an error when they do not give the content hash
 * that the entries gave on their way in.
 */
export const write: <E, R>(
  options: WriteEntriesPack<E, R>
) => Effect.Effect<void, E | WriteEntriesPackError, Disk | Zstd | R> = Effect.fnUntraced(function* <E, R>(
  options: WriteEntriesPack<E, R>
) {
  const { encoding, recordChecksums } = RecordChecksums.collecting(RecordEncoding.zstd(yield* Zstd))
  const { path, firstSeq, itemsPerRecord, entries } = options
  yield* Effect.scoped(
    Effect.gen(function* () {
      const writer = yield* PackWriter.make(path, {
        itemsPerRecord,
        encoding,
        format: entriesFormat,
        contentHash: true
      })
      yield* Stream.runForEach(entries, (batch) => writer.appendAll(batch.map(({ bytes }) => bytes)))
      yield* writer.finish(() => encodeAppData(firstSeq, recordChecksums()))
    })
  )
  yield* Effect.scoped(Effect.flatMap(openToVerify(options), ({ reader }) => reader.verify()))
})
