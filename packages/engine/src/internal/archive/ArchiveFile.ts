/**
 * Writes an archive, durably or not at all. In this order; `|` is a barrier, before which everything has completed:
 *
 * 1. makes a file of its own beside the path: `.{name}.{16 hex digits}.partial`
 * 2. writes the payload behind the room for the head, then the footer, then the head |
 * 3. syncs the file |
 * 4. renames it over the path; or, where no file may be replaced, gives it the path as a second name and removes the first |
 * 5. syncs the directory |
 *
 * A crash before 4 leaves what was there, maybe beside a partial file that nobody looks at; after 4 the whole new archive. Two
 * that save to one path do not meet: each has a file of its own. The last to rename wins, and of those that may replace nothing
 * the first.
 */
import { createHash } from "node:crypto"
import * as nodePath from "node:path"
import { Crc32c } from "@icecore/codec"
import { Disk, type DiskError, type File } from "@icecore/packfile"
import { Effect, Option, type Scope } from "effect"
import { ArchiveExists, ArchiveRefused } from "../../ArchiveError.ts"
import * as ArchiveFormat from "../../format/ArchiveFormat.ts"
import { chanceHex } from "./ChanceName.ts"

/** Bytes of chance in the name of a partial file. */
const chanceBytes = 8

/** What file systems answer whose files have one name only. */
const linklessCodes: ReadonlySet<string> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"])

/** What the name of a file that is not an archive yet ends in. */
const partialSuffix = ".partial"

/** An archive on its way. Writes follow one another, each at the end of the one before. */
export interface ArchiveFile {
  readonly path: string
  /** The file, in which the payload begins at {@link ArchiveFile.payloadAt}. */
  readonly file: File
  readonly payloadAt: number
  /** Bytes of payload so far. */
  readonly payloadSizeBytes: () => number
  /** Writes the next bytes of the payload. */
  readonly append: (bytes: Uint8Array) => Effect.Effect<void, DiskError>
  /** Writes footer and head, and makes the file durable under its path; gives its size. */
  readonly publish: (manifest: ArchiveFormat.Manifest) => Effect.Effect<number, ArchiveExists | DiskError>
}

export interface ArchiveFileOptions {
  readonly path: string
  /** The manifest with parts that are not known yet. */
  readonly draft: ArchiveFormat.Manifest
  readonly overwrite: boolean
}

/** Opens a new file for the scope; when the scope closes before it is published, it is removed. */
export const make: (
  options: ArchiveFileOptions
) => Effect.Effect<ArchiveFile, ArchiveRefused | DiskError, Disk | Scope.Scope> = Effect.fnUntraced(function* ({
  draft,
  overwrite,
  path
}: ArchiveFileOptions) {
  const disk = yield* Disk
  const directory = nodePath.dirname(path)
  const headSizeBytes = yield* headSizeOf(path, draft)
  const partialPath = nodePath.join(
    directory,
    `.${nodePath.basename(path)}.${yield* chanceHex(chanceBytes)}${partialSuffix}`
  )
  let isOurs = false
  // Added before the file is opened, and so run after it is closed. Nobody is left who could be told more than this.
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() =>
      isOurs ? Effect.catch(disk.unlink(partialPath), (error) => Effect.logWarning(error.message)) : Effect.void
    )
  )
  const opened = yield* Effect.tap(disk.open(partialPath, "create"), () =>
    Effect.sync(() => {
      isOurs = true
    })
  ).pipe(Effect.uninterruptible)

  const sha256 = createHash("sha256")
  let crc = 0
  let payloadSizeBytes = 0

  const writePayload: File["writeAt"] = (bytes, offsetBytes) =>
    Effect.suspend(() => {
      if (offsetBytes !== headSizeBytes + payloadSizeBytes) {
        return Effect.die(new Error(`a write of the payload at ${offsetBytes} leaves a gap`))
      }
      sha256.update(bytes)
      crc = Crc32c.update(crc, bytes)
      payloadSizeBytes += bytes.length
      return opened.writeAt(bytes, offsetBytes)
    })

  const names = { source: partialPath, target: path }
  const replace = disk.rename(names)
  const giveName = disk.link(names).pipe(
    Effect.andThen(disk.unlink(partialPath)),
    Effect.catchTags({
      DiskExists: () => Effect.fail(new ArchiveExists({ path })),
      // Where a file has one name only, what comes to be there in between is replaced.
      DiskFailed: (error) =>
        error.operation === "link" && linklessCodes.has(error.code)
          ? Effect.andThen(refuseOther(disk, path), replace)
          : Effect.fail(error)
    })
  )

  const publish = Effect.fnUntraced(function* (manifest: ArchiveFormat.Manifest) {
    const head = ArchiveFormat.encodeHead(manifest, headSizeBytes)
    const footer = ArchiveFormat.encodeFooter({
      payloadSha256: new Uint8Array(sha256.digest()),
      payloadSizeBytes,
      payloadCrc: crc,
      manifestCrc: Crc32c.checksum(head)
    })
    yield* opened.writeAt(footer, headSizeBytes + payloadSizeBytes)
    yield* opened.writeAt(head, 0)
    yield* opened.sync
    yield* Effect.uninterruptible(
      Effect.andThen(
        overwrite ? replace : giveName,
        Effect.sync(() => {
          isOurs = false
        })
      )
    )
    yield* disk.syncDirectory(directory)
    return headSizeBytes + payloadSizeBytes + footer.length
  })

  return {
    path,
    file: { ...opened, writeAt: writePayload },
    payloadAt: headSizeBytes,
    payloadSizeBytes: () => payloadSizeBytes,
    append: (bytes) => Effect.suspend(() => writePayload(bytes, headSizeBytes + payloadSizeBytes)),
    publish
  }
})

const refuseOther = (disk: Disk, path: string): Effect.Effect<void, ArchiveExists | DiskError> =>
  Effect.flatMap(disk.stat(path), (there) =>
    Option.isNone(there) ? Effect.void : Effect.fail(new ArchiveExists({ path }))
  )

/** Refuses a path that is taken now, before anything is done that publishing would refuse. */
export const requireFree = (path: string): Effect.Effect<void, ArchiveExists | DiskError, Disk> =>
  Effect.flatMap(Disk, (disk) => refuseOther(disk, path))

/** The room that the head takes, when the manifest can be stored at all. */
const headSizeOf = (path: string, draft: ArchiveFormat.Manifest): Effect.Effect<number, ArchiveRefused> =>
  Effect.try({
    try: () => ArchiveFormat.encodeHead(draft).length,
    catch: (cause) => (cause instanceof Error ? cause.message : String(cause))
  }).pipe(
    Effect.filterOrFail(
      (sizeBytes) => sizeBytes - ArchiveFormat.headSizeBytes <= ArchiveFormat.maxManifestSizeBytes,
      (sizeBytes) => `its manifest would be ${sizeBytes} bytes, allowed are ${ArchiveFormat.maxManifestSizeBytes}`
    ),
    Effect.mapError((detail) => new ArchiveRefused({ path, operation: "save", detail }))
  )
