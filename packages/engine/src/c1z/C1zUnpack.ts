/** The outside of an older archive: 5 bytes of magic, and one zstd stream, of any or no declared size, that is the database. */
import { ZstdStream } from "@icecore/codec"
import { ByteSource, Disk, type DiskError } from "@icecore/packfile"
import { Effect, Stream } from "effect"
import type { ArchiveLimits } from "../Archive.ts"
import { ArchiveCorrupt, type ArchiveLimitExceeded } from "../ArchiveError.ts"
import { boundsFor, frameFailure } from "../internal/archive/ArchiveBounds.ts"
import { chunksOf } from "../internal/archive/ArchiveOutside.ts"

/** What an older archive begins with. */
export const magic: Uint8Array = new TextEncoder().encode("C1ZF\0")

/**
 * Writes the database in the archive at `path` to a new file at `target`. It is not made durable. Gives the
 * size of the archive in bytes. After a failure what was written stays and counts for nothing.
 */
export const unpack: (options: {
  readonly path: string
  readonly target: string
  readonly limits: ArchiveLimits | undefined
}) => Effect.Effect<number, ArchiveCorrupt | ArchiveLimitExceeded | DiskError, Disk | ZstdStream> = Effect.fnUntraced(
  function* ({ path, target, limits }) {
    const disk = yield* Disk
    const zstd = yield* ZstdStream
    const source = yield* ByteSource.fromFile(path)
    const { sizeBytes } = source
    const head = yield* source.read(0, Math.min(magic.length, sizeBytes))
    if (!magic.every((byte, at) => head[at] === byte)) {
      return yield* new ArchiveCorrupt({ path, part: "magic", detail: "it does not begin with C1ZF and a zero" })
    }
    const { maxDecodedSizeBytes, maxWindowSizeBytes } = boundsFor(limits, sizeBytes)
    const file = yield* disk.open(target, "create")
    let decodedSizeBytes = 0
    yield* zstd
      .decompress(chunksOf(source, magic.length), {
        maxSizeBytes: maxDecodedSizeBytes,
        maxWindowSizeBytes,
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
    return sizeBytes
  },
  Effect.scoped
)
