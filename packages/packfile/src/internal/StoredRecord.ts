/** Decodes records, checking every byte before it is used. */
import { Effect } from "effect"
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

/** Decodes the stored bytes of a record. The payload may be a view of them. */
export const decode = (
  pack: OpenPack,
  recordIndex: number,
  stored: Uint8Array
): Effect.Effect<DecodedRecord, PackCorrupt | PackLimitExceeded> => {
  if (pack.trailer.itemsPerRecord === 1) {
    return Effect.map(decodePayload(pack, recordIndex, stored, undefined), (payload) => ({
      payload,
      sizes: Uint32Array.of(payload.length),
      itemCount: 1
    }))
  }
  const itemCount = itemCountOf(pack.trailer, recordIndex)
  const sizes = ItemSizes.decode(stored, itemCount)
  if ("part" in sizes) return Effect.fail(corrupt(pack, recordIndex, sizes.part, sizes.detail))
  const encoded = stored.subarray(0, sizes.encodedSizeBytes)
  return Effect.map(decodePayload(pack, recordIndex, encoded, sizes.payloadSizeBytes), (payload) => ({
    payload,
    sizes: sizes.sizes,
    itemCount
  }))
}

const decodePayload = (
  pack: OpenPack,
  recordIndex: number,
  encoded: Uint8Array,
  expectedSizeBytes: number | undefined
): Effect.Effect<Uint8Array, PackCorrupt | PackLimitExceeded> => {
  const { encoding, maxRecordSizeBytes: maxSizeBytes } = pack
  const sizeBytes = expectedSizeBytes ?? (encoding === undefined ? encoded.length : 0)
  if (sizeBytes > maxSizeBytes) return Effect.fail(tooLarge(pack, sizeBytes))
  if (encoding === undefined) return checkedSize(pack, recordIndex, encoded, expectedSizeBytes)
  const bound: PayloadBound = expectedSizeBytes === undefined ? { maxSizeBytes } : { maxSizeBytes, expectedSizeBytes }
  return Effect.matchEffect(encoding.decode(encoded, bound), {
    onFailure: (error) => Effect.fail(decodeError(pack, recordIndex, error)),
    onSuccess: (payload) => checkedSize(pack, recordIndex, payload, expectedSizeBytes)
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

const checkedSize = (
  pack: OpenPack,
  recordIndex: number,
  payload: Uint8Array,
  expected: number | undefined
): Effect.Effect<Uint8Array, PackCorrupt | PackLimitExceeded> => {
  if (expected !== undefined && payload.length !== expected) {
    const detail = `its payload has ${payload.length} bytes, its item sizes sum to ${expected}`
    return Effect.fail(corrupt(pack, recordIndex, "record", detail))
  }
  return payload.length > pack.maxRecordSizeBytes
    ? Effect.fail(tooLarge(pack, payload.length))
    : Effect.succeed(payload)
}

/** The item at a position that lies within the pack, in a buffer of its own. */
export const readItem = (pack: OpenPack, position: number): Effect.Effect<Uint8Array, RecordError> => {
  const { source, index, trailer } = pack
  const recordIndex = Math.floor(position / trailer.itemsPerRecord)
  const refused = refusal(pack, recordIndex)
  if (refused !== undefined) return Effect.fail(refused)
  const itemInRecord = position - recordIndex * trailer.itemsPerRecord
  const read = source.read(OffsetIndex.offsetOf(index, recordIndex), OffsetIndex.sizeOf(index, recordIndex))
  return Effect.map(
    Effect.flatMap(read, (stored) => decode(pack, recordIndex, stored)),
    ({ payload, sizes }) => {
      if (sizes.length === 1) return payload
      let start = 0
      for (let item = 0; item < itemInRecord; item++) start += sizes[item]!
      return payload.slice(start, start + sizes[itemInRecord]!)
    }
  )
}
