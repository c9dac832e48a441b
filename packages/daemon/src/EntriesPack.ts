/**
 * The frozen form of one chunk: a packfile whose item `n` is entry `firstSeq + n` of the chunk, byte for byte.
 *
 * Records are zstd frames of 128 entries, or of fewer where entries are so large that a record would go over
 * {@link maxRecordSizeBytes}; the content hash is always there. The trailer's `format` says what the app data holds: the first
 * seq, so that a file that came under the name of another chunk is not taken for it; what is known of the chunk's key run, whose own
 * format has no checksum; and the checksums of the records as they are stored ({@link import("./internal/RecordChecksums.ts")}).
 * All little-endian. Format 1, of a domain without keys:
 *
 * ```
 * u64 first seq │ u32 CRC32C of the 8 bytes before │ u32 checksum of record 0 │ u32 checksum of record 1 │ …
 * ```
 *
 * Format 2, of a domain with keys:
 *
 * ```
 * u64 first seq │ u32 keys in the run │ u32 CRC32C of the run's file │ u32 CRC32C of the 16 bytes before │ u32 checksum of record 0 │ …
 * ```
 *
 * Example: first seq 258, a run of 3 keys whose file has checksum `e3069283` begins `02 01 00 00 00 00 00 00 03 00 00 00 83 92 06 e3`
 * in format 2; the 4 bytes behind are `91 9f 89 02`.
 *
 * Part of the on-disk format: never change, add a format number.
 */
import { Crc32c, Zstd } from "@icecore/codec"
import {
  ByteSource,
  type Disk,
  type DiskError,
  type KeyRun,
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

/** The trailer's `format` of a pack of entries that have no keys. */
export const entriesFormat = 1

/** The trailer's `format` of a pack of entries that may have keys. */
export const keyedEntriesFormat = 2

/** Bytes before the checksum of the head. */
const coveredSizeBytes: Readonly<Record<number, number>> = { [entriesFormat]: 8, [keyedEntriesFormat]: 16 }

const checksumSizeBytes = 4

/** What the app data of a pack of entries says. */
export interface EntriesAppData {
  /** Exact, whatever it is. */
  readonly firstSeq: bigint
  /** What the chunk's key run must be; none when the domain has no keys. */
  readonly run: Option.Option<KeyRun.ExpectedRun>
  readonly recordChecksums: Uint8Array
}

/** Bytes of the app data of a pack of so many records; none when no pack of entries has the format. */
export const appDataSizeBytesOf = (format: number, recordCount: number): Option.Option<number> =>
  Option.map(
    Option.fromUndefinedOr(coveredSizeBytes[format]),
    (sizeBytes) => sizeBytes + checksumSizeBytes + RecordChecksums.sizeBytesOf(recordCount)
  )

/** Reads app data that has as many bytes as {@link appDataSizeBytesOf} says. */
export const decodeAppData = (
  path: string,
  { appData, record, recordCount, trailer }: PackReader.PackReader
): Effect.Effect<EntriesAppData, PackCorrupt> => {
  const view = new DataView(appData.buffer, appData.byteOffset, appData.byteLength)
  const checksumAt = coveredSizeBytes[trailer.format]!
  const actual = Crc32c.checksum(appData.subarray(0, checksumAt))
  const expected = view.getUint32(checksumAt, true)
  if (actual === expected)
    return Effect.succeed({
      firstSeq: view.getBigUint64(0, true),
      run:
        trailer.format === keyedEntriesFormat
          ? Option.some({ keyCount: view.getUint32(8, true), checksum: view.getUint32(12, true) })
          : Option.none(),
      recordChecksums: appData.subarray(checksumAt + checksumSizeBytes)
    })
  const detail = `that of the app data's head is 0x${actual.toString(16)}, expected 0x${expected.toString(16)}`
  const recordsEnd = Option.match(record(recordCount - 1), {
    onNone: () => 0,
    onSome: (last) => last.offsetBytes + last.sizeBytes
  })
  const offsetBytes = recordsEnd + trailer.indexSizeBytes
  return Effect.fail(new PackCorrupt({ path, part: "checksum", detail, offsetBytes }))
}

const encodeAppData = (
  firstSeq: number,
  run: KeyRun.ExpectedRun | undefined,
  recordChecksums: Uint8Array
): Uint8Array => {
  const checksumAt = coveredSizeBytes[run === undefined ? entriesFormat : keyedEntriesFormat]!
  const appData = new Uint8Array(checksumAt + checksumSizeBytes + recordChecksums.length)
  const view = new DataView(appData.buffer)
  view.setBigUint64(0, BigInt(firstSeq), true)
  if (run !== undefined) {
    view.setUint32(8, run.keyCount, true)
    view.setUint32(12, run.checksum, true)
  }
  view.setUint32(checksumAt, Crc32c.checksum(appData.subarray(0, checksumAt)), true)
  appData.set(recordChecksums, checksumAt + checksumSizeBytes)
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
  /** What the chunk's key run must be; none when the domain has no keys. */
  readonly run: Option.Option<KeyRun.ExpectedRun>
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
  const { format } = reader.trailer
  const appDataSizeBytes = appDataSizeBytesOf(format, reader.recordCount)
  if (Option.isNone(appDataSizeBytes))
    return yield* wrong(`its format is ${format}, expected ${entriesFormat} or ${keyedEntriesFormat}`)
  if (reader.itemCount !== entryCount) return yield* wrong(`it has ${reader.itemCount} items, expected ${entryCount}`)
  if (Option.isNone(reader.contentHash)) return yield* wrong("it has no content hash")
  if (reader.appData.length !== appDataSizeBytes.value)
    return yield* wrong(`it has ${reader.appData.length} bytes of app data, expected ${appDataSizeBytes.value}`)
  const found = yield* decodeAppData(path, reader)
  if (found.firstSeq !== BigInt(firstSeq))
    return yield* wrong(`its first entry is ${found.firstSeq}, expected ${firstSeq}`)
  return { firstSeq, run: found.run, reader }
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
  /** What the key run of these entries is, asked for behind the last of them. Without it they have no keys. */
  readonly run?: Effect.Effect<KeyRun.ExpectedRun, DiskError, Disk>
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
  const { path, firstSeq, itemsPerRecord, entries, run } = options
  yield* Effect.scoped(
    Effect.gen(function* () {
      const writer = yield* PackWriter.make(path, {
        itemsPerRecord,
        encoding,
        format: run === undefined ? entriesFormat : keyedEntriesFormat,
        contentHash: true
      })
      yield* Stream.runForEach(entries, (batch) => writer.appendAll(batch.map(({ bytes }) => bytes)))
      const summary = run === undefined ? undefined : yield* run
      yield* writer.finish(() => encodeAppData(firstSeq, summary, recordChecksums()))
    })
  )
  yield* Effect.scoped(Effect.flatMap(openToVerify(options), ({ reader }) => reader.verify()))
})
