/** Where a packfile is written, and what becomes of it when the scope closes. */
import * as nodePath from "node:path"
import { Effect, type Scope } from "effect"
import type { Disk, DiskError, File } from "../Disk.ts"
import type { PackPlace } from "../PackWriter.ts"

export interface PackDestination {
  /** The path that the finished file has. */
  readonly path: string
  readonly file: File
  /** Makes the whole, synced file durable under its path. Until it has succeeded the file goes with the scope. */
  readonly publish: Effect.Effect<void, DiskError>
}

/** A place in a file of somebody else, who makes it durable. */
export const within = ({ file, offsetBytes: base }: PackPlace): PackDestination => ({
  path: file.path,
  file: {
    ...file,
    readAt: (target, offsetBytes) => file.readAt(target, base + offsetBytes),
    writeAt: (bytes, offsetBytes) => file.writeAt(bytes, base + offsetBytes),
    startWriteback: (offsetBytes, lengthBytes) => file.startWriteback(base + offsetBytes, lengthBytes),
    sync: Effect.void
  },
  publish: Effect.void
})

/** Opens `temporaryPath`, to be renamed to `path` in the end, or else `path` itself, where nothing may be yet. */
export const open: (
  disk: Disk,
  path: string,
  temporaryPath: string | undefined
) => Effect.Effect<PackDestination, DiskError, Scope.Scope> = Effect.fnUntraced(function* (
  disk: Disk,
  path: string,
  temporaryPath: string | undefined
) {
  const writtenPath = temporaryPath ?? path
  let isOurs = false
  const removal = Effect.suspend(() =>
    // Nobody is left who could be told more than this.
    isOurs ? Effect.catch(disk.unlink(writtenPath), (error) => Effect.logWarning(error.message)) : Effect.void
  )
  yield* Effect.addFinalizer(() => removal)
  const file = yield* Effect.tap(disk.open(writtenPath, temporaryPath === undefined ? "create" : "replace"), () =>
    Effect.sync(() => {
      isOurs = true
    })
  ).pipe(Effect.uninterruptible)
  const keep = Effect.sync(() => {
    isOurs = false
  })
  const syncDirectory = disk.syncDirectory(nodePath.dirname(path))
  const publish =
    temporaryPath === undefined
      ? Effect.andThen(syncDirectory, keep)
      : // A whole file under its path is kept even when the directory's sync fails: the old one is gone.
        Effect.andThen(
          Effect.uninterruptible(Effect.andThen(disk.rename({ source: temporaryPath, target: path }), keep)),
          syncDirectory
        )
  return { path, file, publish }
})
