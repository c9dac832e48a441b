/** Decodes records, checking every byte before it is used. */
import { Effect, Result } from "effect"
import type { DiskError } from "../Disk.ts"
import * as ItemSizes from "../format/ItemSizes.ts"
import * as OffsetIndex from "../format/OffsetIndex.ts"
import type { Trailer } from "../format/Trailer.ts"
import { PackCorrupt, PackLimitExceeded } from "../PackError.ts"
import type { PayloadBound, RecordDecodeFailed } from "../RecordEncoding.ts"
import type { OpenPack } from "./PackOpening.ts"

/** What reading a record can fail with. */
export type RecordError = PackCorrupt | PackLimitExceeded | DiskError

/** Items one after the other. */
export interface DecodedRecord {
  readonly recordIndex: number
  readonly payload: Uint8Array
  readonly sizes: Uint32Array
  readonly itemCount: number
}

const bytesPerItemSize = 4

/** The items of a record: `itemsPerRecord`, or fewer in the last. */
export const itemCountOf = (trailer: Trailer, recordIndex: number): number =>
  Math.min(trailer.itemsPerRecord, trailer.totalItems - recordIndex * trailer.itemsPerRecord)

/** Refuses a record that takes too much memory before it is read: as stored, or for the sizes of its items. */
export const refusal = (pack: OpenPack, recordIndex: number): PackLimitExceeded | undefined => {
  const { trailer, maxRecordSizeBytes: maximum } = pack
  const itemCount = itemCountOf(trailer, recordIndex)
  const sizesBytes = trailer.itemsPerRecord === 1 ? 0 : itemCount * bytesPerItemSize
  if (sizesBytes > maximum) return tooLarge(pack, sizesBytes)
  const storedBytes = OffsetIndex.sizeOf(pack.index, recordIndex)
  return storedBytes > 2 * maximum + ItemSizes.maxSizeBytes(itemCount) ? tooLarge(pack, storedBytes) : undefined
}

const tooLarge = ({ source, maxRecordSizeBytes: maximum }: OpenPack, actual: number): PackLimitExceeded =>
  new PackLimitExceeded({ path: source.path, subject: "record size", actual, maximum })

const corrupt = (pack: OpenPack, recordIndex: number, part: "record" | "checksum", detail: string): PackCorrupt => {
  const offsetBytes = OffsetIndex.offsetOf(pack.index, recordIndex)
  return new PackCorrupt({ path: pack.source.path, part, detail, offsetBytes, recordIndex })
}

/** A record whose sizes are checked and whose payload is still encoded. */
export interface EncodedRecord {
  readonly recordIndex: number
  readonly encoded: Uint8Array
  readonly itemCount: number
  /** Undefined for a single item, which is as large as the payload. */
  readonly sizes: Uint32Array | undefined
  /** Undefined when only the encoding knows. */
  readonly payloadSizeBytes: number | undefined
}

/** A record, or why there is none. */
export type Decoded = Result.Result<DecodedRecord, PackCorrupt | PackLimitExceeded>

/** Reads the sizes of a record from its stored bytes, of which the result is a view. */
export const parse = (
  pack: OpenPack,
  recordIndex: number,
  stored: Uint8Array
): Result.Result<EncodedRecord, PackCorrupt | PackLimitExceeded> => {
  const { maxRecordSizeBytes: maximum, encoding, trailer } = pack
  const isSingle = trailer.itemsPerRecord === 1
  const itemCount = itemCountOf(trailer, recordIndex)
  const parsed = isSingle ? undefined : ItemSizes.decode(stored, itemCount)
  if (parsed !== undefined && "part" in parsed) {
    return Result.fail(corrupt(pack, recordIndex, parsed.part, parsed.detail))
  }
  const encoded = parsed === undefined ? stored : stored.subarray(0, parsed.encodedSizeBytes)
  const verbatimSizeBytes = encoding === undefined ? encoded.length : undefined
  const payloadSizeBytes = parsed === undefined ? verbatimSizeBytes : parsed.payloadSizeBytes
  if (payloadSizeBytes !== undefined && payloadSizeBytes > maximum) return Result.fail(tooLarge(pack, payloadSizeBytes))
  return Result.succeed({ recordIndex, encoded, itemCount, sizes: parsed?.sizes, payloadSizeBytes })
}

/**
 * Decodes the payload of a record, which may be a view of its stored bytes. `isConcurrent` is what the encoding is told. The effect is
 * an `Exit` when that of the encoding is one.
 */
export const decode = (pack: OpenPack, record: EncodedRecord, isConcurrent: boolean): Effect.Effect<Decoded> => {
  const { encoding, maxRecordSizeBytes: maxSizeBytes } = pack
  const { encoded, payloadSizeBytes: expectedSizeBytes } = record
  if (encoding === undefined) return Effect.succeed(checked(pack, record, encoded))
  const bound: PayloadBound =
    expectedSizeBytes === undefined ? { maxSizeBytes } : { maxSizeBytes, expectedSizeBytes, isConcurrent }
  return Effect.matchEager(encoding.decode(encoded, bound), {
    onFailure: (error) => Result.fail(decodeError(pack, record.recordIndex, error)),
    onSuccess: (payload) => checked(pack, record, payload)
  })
}

const decodeError = (
  pack: OpenPack,
  recordIndex: number,
  error: RecordDecodeFailed
): PackCorrupt | PackLimitExceeded =>
  error.overLimitSizeBytes === undefined
    ? corrupt(pack, recordIndex, "record", error.detail)
    : tooLarge(pack, error.overLimitSizeBytes)

const checked = (pack: OpenPack, record: EncodedRecord, payload: Uint8Array): Decoded => {
  const { recordIndex, itemCount, payloadSizeBytes: expected } = record
  if (expected !== undefined && payload.length !== expected) {
    const detail = `its payload has ${payload.length} bytes, its item sizes sum to ${expected}`
    return Result.fail(corrupt(pack, recordIndex, "record", detail))
  }
  if (payload.length > pack.maxRecordSizeBytes) return Result.fail(tooLarge(pack, payload.length))
  return Result.succeed({ recordIndex, payload, sizes: record.sizes ?? Uint32Array.of(payload.length), itemCount })
}

/** The item at a position that lies within the pack, in a buffer of its own. */
export const readItem = (pack: OpenPack, position: number): Effect.Effect<Uint8Array, RecordError> => {
  const { source, index, trailer } = pack
  const recordIndex = Math.floor(position / trailer.itemsPerRecord)
  const refused = refusal(pack, recordIndex)
  if (refused !== undefined) return Effect.fail(refused)
  const itemInRecord = position - recordIndex * trailer.itemsPerRecord
  const read = source.read(OffsetIndex.offsetOf(index, recordIndex), OffsetIndex.sizeOf(index, recordIndex))
  return Effect.flatMap(read, (stored) => {
    const record = parse(pack, recordIndex, stored)
    if (Result.isFailure(record)) return Effect.fail(record.failure)
    return Effect.flatMapEager(decode(pack, record.success, false), (decoded) =>
      Result.isSuccess(decoded) ? Effect.succeed(itemOf(decoded.success, itemInRecord)) : Effect.fail(decoded.failure)
    )
  })
}

const itemOf = ({ payload, sizes, itemCount }: DecodedRecord, item: number): Uint8Array => {
  if (itemCount === 1) return payload
  let start = 0
  for (let before = 0; before < item; before++) start += sizes[before]!
  // A constructor, because the `slice` of a `Buffer`, which decoders often give, copies nothing.
  return new Uint8Array(payload.subarray(start, start + sizes[item]!))
}
