/** The outside of an older archive: 5 bytes of magic, and one zstd stream, of any or no declared size, that is the database. */
import { type ZstdFrameInvalid, ZstdStream } from "@icecore/codec"
import { ByteSource, Disk, type DiskError } from "@icecore/packfile"
import { Effect, Stream } from "effect"
import type { ArchiveLimits } from "../Archive.ts"
import { ArchiveCorrupt, ArchiveLimitExceeded } from "../ArchiveError.ts"

/** What an older archive begins with. */
export const magic: Uint8Array = new TextEncoder().encode("C1ZF\0")

/** Bytes of the archive that are read at once. */
const readBytes = 1024 * 1024

/** The most that an archive may unpack to when the caller does not say: 100 times its size, within these. */
const leastDecodedBytes: number = 64 * 1024 * 1024
const mostDecodedBytes: number = 10 * 1024 * 1024 * 1024

const decodedBytesPerByte = 100

/** What was read, and what it became. */
export interface Unpacked {
  readonly sizeBytes: number
  readonly decodedSizeBytes: number
}

/**
 * Writes the database in the archive at `path` to a new file at `target`. It is not made durable. After a failure what was
 * written stays and counts for nothing.
 */
export const unpack: (options: {
  readonly path: string
  readonly target: string
  readonly limits: ArchiveLimits
}) => Effect.Effect<Unpacked, ArchiveCorrupt | ArchiveLimitExceeded | DiskError, Disk | ZstdStream> = Effect.fnUntraced(
  function* ({ path, target, limits }) {
    const disk = yield* Disk
    const zstd = yield* ZstdStream
    const source = yield* ByteSource.fromFile(path)
    const { sizeBytes } = source
    const head = yield* source.read(0, Math.min(magic.length, sizeBytes))
    if (!magic.every((byte, at) => head[at] === byte)) {
      return yield* new ArchiveCorrupt({ path, part: "magic", detail: "it does not begin with C1ZF and a zero" })
    }
    const maxSizeBytes = limits.maxDecodedSizeBytes ?? defaultDecodedBytes(sizeBytes)
    const file = yield* disk.open(target, "create")
    let decodedSizeBytes = 0
    yield* zstd
      .decompress(chunksFrom(source, magic.length), {
        maxSizeBytes,
        ...(limits.maxWindowSizeBytes === undefined ? {} : { maxWindowSizeBytes: limits.maxWindowSizeBytes }),
        // Earlier writers left it out.
        checksum: "optional"
      })
      .pipe(
        Stream.runForEach((bytes) => {
          const at = decodedSizeBytes
          decodedSizeBytes += bytes.length
          return file.writeAt(bytes, at)
        }),
        Effect.catchTag("ZstdFrameInvalid", (error) => Effect.fail(frameFailure(path, error)))
      )
    return { sizeBytes, decodedSizeBytes }
  },
  Effect.scoped
)

const defaultDecodedBytes = (sizeBytes: number): number =>
  Math.min(mostDecodedBytes, Math.max(leastDecodedBytes, sizeBytes * decodedBytesPerByte))

const chunksFrom = (source: ByteSource.ByteSource, offsetBytes: number): Stream.Stream<Uint8Array, DiskError> =>
  Stream.unfold(offsetBytes, (at) => {
    const lengthBytes = Math.min(readBytes, source.sizeBytes - at)
    return lengthBytes <= 0
      ? Effect.succeed(undefined)
      : Effect.map(source.read(at, lengthBytes), (bytes) => [bytes, at + lengthBytes] as const)
  })

const frameFailure = (path: string, error: ZstdFrameInvalid): ArchiveCorrupt | ArchiveLimitExceeded => {
  const { fault, detail, actual = 0, expected: maximum = 0 } = error
  if (fault === "cap") return new ArchiveLimitExceeded({ path, subject: "decoded size", actual, maximum })
  if (fault === "window") return new ArchiveLimitExceeded({ path, subject: "window size", actual, maximum })
  return new ArchiveCorrupt({ path, part: "payload", detail })
}
