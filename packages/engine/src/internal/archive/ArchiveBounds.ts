/** The limits of reading an archive, all decided, and what going over one is called. */
import type { ZstdFrameInvalid } from "@icecore/codec"
import type { DiskError, PackOpenError, PackReadError, PackVerifyError } from "@icecore/packfile"
import type { ArchiveLimits } from "../../Archive.ts"
import { ArchiveCorrupt, ArchiveLimitExceeded } from "../../ArchiveError.ts"
import { maxManifestSizeBytes } from "../../format/ArchiveFormat.ts"

/** The most that an archive may decode to by default: so many times its size, within these. */
const decodedBytesPerByte = 100
const leastDecodedBytes: number = 64 * 1024 * 1024
const mostDecodedBytes: number = 10 * 1024 * 1024 * 1024

const defaultMaxWindowSizeBytes: number = 128 * 1024 * 1024
const defaultMaxRecordSizeBytes: number = 64 * 1024 * 1024
const defaultMaxIndexSizeBytes: number = 64 * 1024 * 1024

/** {@link ArchiveLimits} with nothing left open, and the index of a packfile, which is kept in memory. */
export interface ArchiveBounds {
  readonly maxManifestSizeBytes: number
  readonly maxDecodedSizeBytes: number
  readonly maxWindowSizeBytes: number
  readonly maxRecordSizeBytes: number
  readonly maxIndexSizeBytes: number
}

/** The bounds of a file of a size. */
export const boundsFor = (limits: ArchiveLimits | undefined, fileSizeBytes: number): ArchiveBounds => ({
  maxManifestSizeBytes: limits?.maxManifestSizeBytes ?? maxManifestSizeBytes,
  maxDecodedSizeBytes:
    limits?.maxDecodedSizeBytes ??
    Math.min(mostDecodedBytes, Math.max(leastDecodedBytes, fileSizeBytes * decodedBytesPerByte)),
  maxWindowSizeBytes: limits?.maxWindowSizeBytes ?? defaultMaxWindowSizeBytes,
  maxRecordSizeBytes: limits?.maxRecordSizeBytes ?? defaultMaxRecordSizeBytes,
  maxIndexSizeBytes: defaultMaxIndexSizeBytes
})

/** What a zstd stream was refused for. */
export const frameFailure = (path: string, error: ZstdFrameInvalid): ArchiveCorrupt | ArchiveLimitExceeded => {
  const { actual = 0, detail, expected: maximum = 0, fault } = error
  if (fault === "cap") return new ArchiveLimitExceeded({ path, subject: "decoded size", actual, maximum })
  if (fault === "window") return new ArchiveLimitExceeded({ path, subject: "window size", actual, maximum })
  return new ArchiveCorrupt({ path, part: "payload", detail: `its zstd stream: ${detail}` })
}

/** What a packfile was refused for; errors of the disk pass. */
export const packFailure = (
  path: string,
  part: string,
  error: PackOpenError | PackReadError | PackVerifyError
): ArchiveCorrupt | ArchiveLimitExceeded | DiskError => {
  switch (error._tag) {
    case "DiskExists":
    case "DiskFailed":
    case "DiskFull":
    case "DiskNotFound":
    case "DiskShortRead":
      return error
    case "PackLimitExceeded": {
      const subject = error.subject === "record size" || error.subject === "item size" ? "record size" : "index size"
      return new ArchiveLimitExceeded({ path, subject, actual: error.actual, maximum: error.maximum })
    }
    default:
      return new ArchiveCorrupt({ path, part: "payload", detail: `pack ${part}: ${error.message}` })
  }
}
