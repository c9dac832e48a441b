/**
 * Unpacks the tar of an archive into a directory, from which nothing leads elsewhere: every name is checked before a file is made, and
 * each file must be new. The bytes count only when all of them have been held against the archive's SHA-256, at the end.
 */
import { type ZstdFrameInvalid, ZstdStream } from "@icecore/codec"
import { Disk, type DiskError, type File } from "@icecore/packfile"
import { Effect, Exit, Scope, Stream } from "effect"
import { ArchiveCorrupt, ArchiveEntryRefused, ArchiveLimitExceeded } from "../../ArchiveError.ts"
import * as TarWalk from "../../kernel/TarWalk.ts"
import { dataFiles } from "../DataFiles.ts"
import { type ArchiveBounds, frameFailure } from "./ArchiveBounds.ts"
import { type ArchiveOutside, checkedPayload } from "./ArchiveOutside.ts"

export interface TarUnpackingOptions {
  readonly outside: ArchiveOutside
  readonly bounds: ArchiveBounds
  /** An empty directory of one's own. */
  readonly directory: string
  /** Whether the files are to be durable on return; their names are not. */
  readonly isDurable: boolean
}

type UnpackingError = ArchiveCorrupt | ArchiveEntryRefused | ArchiveLimitExceeded | DiskError

/** Unpacks. */
export const unpack: (options: TarUnpackingOptions) => Effect.Effect<void, UnpackingError, Disk | ZstdStream> =
  Effect.fnUntraced(function* (options: TarUnpackingOptions) {
    const { bounds, outside } = options
    const { path, manifest } = outside
    const declared = manifest.parts[0]!.decoded_size_bytes
    const { maxDecodedSizeBytes: maximum, maxWindowSizeBytes } = bounds
    if (!(declared <= maximum)) {
      return yield* new ArchiveLimitExceeded({ path, subject: "decoded size", actual: declared, maximum })
    }
    const zstd = yield* ZstdStream
    const payload = checkedPayload(outside)
    const tar =
      manifest.encoding === "tar"
        ? payload
        : zstd
            // Not a byte more than the manifest says, which is within the limit.
            .decompress(payload, { maxSizeBytes: declared, maxWindowSizeBytes })
            .pipe(Stream.catchTag("ZstdFrameInvalid", (error) => Stream.fail(streamFailure(path, error))))
    const entries = yield* makeEntries(options)
    const walk = TarWalk.make()
    let sizeBytes = 0
    yield* Stream.runForEach(tar, (chunk) => {
      sizeBytes += chunk.length
      TarWalk.push(walk, chunk)
      return takePieces(walk, entries, path)
    })
    if (!TarWalk.isOver(walk))
      return yield* new ArchiveCorrupt({ path, part: "payload", detail: "its tar is cut short" })
    if (sizeBytes !== declared) {
      const detail = `its tar has ${sizeBytes} bytes, the manifest says ${declared}`
      return yield* new ArchiveCorrupt({ path, part: "payload", detail })
    }
    yield* entries.finish
  }, Effect.scoped)

/** More than the manifest says is damage, whatever the limit. */
const streamFailure = (path: string, error: ZstdFrameInvalid): ArchiveCorrupt | ArchiveLimitExceeded =>
  error.fault === "cap"
    ? new ArchiveCorrupt({ path, part: "payload", detail: `its zstd stream: ${error.detail} of the manifest` })
    : frameFailure(path, error)

/** The files that are being made. */
interface Entries {
  readonly begin: (name: string) => Effect.Effect<void, UnpackingError>
  readonly write: (bytes: Uint8Array) => Effect.Effect<void, DiskError>
  /** Closes the last file. */
  readonly finish: Effect.Effect<void, DiskError>
}

const takePieces = (walk: TarWalk.TarWalk, entries: Entries, path: string): Effect.Effect<void, UnpackingError> =>
  Effect.gen(function* () {
    for (;;) {
      const piece = TarWalk.next(walk)
      switch (piece.kind) {
        case "more":
        case "end":
          return
        case "fault":
          return yield* new ArchiveCorrupt({ path, part: "payload", detail: `its tar: ${piece.detail}` })
        case "refused":
          return yield* new ArchiveEntryRefused({ path, entry: piece.entry, detail: piece.detail })
        case "file":
          yield* entries.begin(piece.name)
          break
        case "data":
          yield* entries.write(piece.bytes)
      }
    }
  })

const makeEntries = Effect.fnUntraced(function* ({
  directory,
  isDurable,
  outside
}: TarUnpackingOptions): Effect.fn.Return<Entries, never, Disk | Scope.Scope> {
  const disk = yield* Disk
  const { path, manifest } = outside
  const outer = yield* Effect.scope
  const known = (dataFiles as Readonly<Record<string, string>>)[manifest.engine]
  let file: File | undefined
  let scope: Scope.Closeable | undefined
  let offsetBytes = 0

  const finish = Effect.suspend(() => {
    const closing = scope === undefined ? Effect.void : Scope.close(scope, Exit.void)
    const syncing = file !== undefined && isDurable ? file.sync : Effect.void
    file = undefined
    scope = undefined
    return Effect.andThen(syncing, closing)
  })

  const begin = Effect.fnUntraced(function* (entry: string) {
    yield* finish
    if (known !== undefined && entry !== known) {
      const detail = `is no file of a database of engine ${manifest.engine}`
      return yield* new ArchiveEntryRefused({ path, entry, detail })
    }
    scope = yield* Scope.fork(outer)
    offsetBytes = 0
    file = yield* Scope.provide(disk.open(`${directory}/${entry}`, "create"), scope)
  })

  const write = (bytes: Uint8Array): Effect.Effect<void, DiskError> =>
    Effect.suspend(() => {
      const at = offsetBytes
      offsetBytes += bytes.length
      return file!.writeAt(bytes, at)
    })

  return { begin, write, finish }
})
