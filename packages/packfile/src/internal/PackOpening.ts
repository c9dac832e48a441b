/** Finds and checks the trailer, the offset index and the app data of a packfile. */
import { Effect } from "effect"
import type { ByteSource } from "../ByteSource.ts"
import type { DiskError } from "../Disk.ts"
import * as OffsetIndex from "../format/OffsetIndex.ts"
import * as Trailer from "../format/Trailer.ts"
import { PackCorrupt, PackLimitExceeded } from "../PackError.ts"
import type { RecordEncoding } from "../RecordEncoding.ts"

/** What a caller is willing to hold in memory. */
export interface OpenLimits {
  readonly maxRecordSizeBytes: number
  readonly maxIndexSizeBytes: number
  readonly maxAppDataSizeBytes: number
}

/** All that reading records needs. */
export interface OpenPack {
  readonly source: ByteSource
  readonly trailer: Trailer.Trailer
  readonly index: OffsetIndex.OffsetIndex
  readonly appData: Uint8Array
  readonly encoding: RecordEncoding | undefined
  readonly maxRecordSizeBytes: number
}

/** Bytes from the end that opening reads at first. */
const tailSizeBytes: number = 256 * 1024

/** Reads once, or twice when index and app data are larger than that. */
export const open: (
  source: ByteSource,
  limits: OpenLimits,
  encoding: RecordEncoding | undefined
) => Effect.Effect<OpenPack, PackCorrupt | PackLimitExceeded | DiskError> = Effect.fnUntraced(function* (
  source: ByteSource,
  limits: OpenLimits,
  encoding: RecordEncoding | undefined
) {
  const { path, sizeBytes } = source
  const tailStart = Math.max(0, sizeBytes - tailSizeBytes)
  const tail = yield* source.read(tailStart, sizeBytes - tailStart)
  const trailer = Trailer.decode(tail, sizeBytes)
  if ("part" in trailer) {
    const offsetBytes = Math.max(0, sizeBytes - Trailer.trailerSizeBytes) + trailer.offsetBytes
    return yield* new PackCorrupt({ path, part: trailer.part, detail: trailer.detail, offsetBytes })
  }
  const exceeded = limitExceeded(path, trailer, limits)
  if (exceeded !== undefined) return yield* exceeded

  const trailerStart = sizeBytes - Trailer.trailerSizeBytes
  const appDataStart = trailerStart - trailer.appDataSizeBytes
  const indexStart = appDataStart - trailer.indexSizeBytes
  const region =
    indexStart >= tailStart
      ? tail.slice(indexStart - tailStart, trailerStart - tailStart)
      : yield* source.read(indexStart, trailerStart - indexStart)
  const indexBytes = region.subarray(0, trailer.indexSizeBytes)
  const index = OffsetIndex.decode(indexBytes, trailer.recordCount, indexStart)
  if ("part" in index) {
    const offsetBytes = indexStart + index.offsetBytes
    return yield* new PackCorrupt({ path, part: index.part, detail: index.detail, offsetBytes })
  }
  const appData = region.subarray(trailer.indexSizeBytes)
  return { source, trailer, index, appData, encoding, maxRecordSizeBytes: limits.maxRecordSizeBytes }
})

const limitExceeded = (path: string, trailer: Trailer.Trailer, limits: OpenLimits): PackLimitExceeded | undefined => {
  if (trailer.indexSizeBytes > limits.maxIndexSizeBytes) {
    const maximum = limits.maxIndexSizeBytes
    return new PackLimitExceeded({ path, subject: "index size", actual: trailer.indexSizeBytes, maximum })
  }
  if (trailer.appDataSizeBytes > limits.maxAppDataSizeBytes) {
    const maximum = limits.maxAppDataSizeBytes
    return new PackLimitExceeded({ path, subject: "app data size", actual: trailer.appDataSizeBytes, maximum })
  }
  return undefined
}
