/** Copying and removing files through the disk port, durably. */
import type { Disk, DiskError } from "@icecore/packfile"
import { Effect } from "effect"

/** Bytes copied at once: 1 MiB. */
const pieceSizeBytes = 1024 * 1024

/** The directory of a path with "/" as the separator. */
export const directoryOf = (path: string): string => {
  const slash = path.lastIndexOf("/")
  return slash < 0 ? "." : slash === 0 ? "/" : path.slice(0, slash)
}

/** Makes a directory and what is missing above it, durably. */
export const makeDirectory: (disk: Disk, path: string) => Effect.Effect<void, DiskError> = Effect.fnUntraced(function* (
  disk: Disk,
  path: string
) {
  for (const made of yield* disk.makeDirectory(path)) yield* disk.syncDirectory(directoryOf(made))
})

/** Copies a file to a name that must be free, and syncs its bytes. Its directory must be there, and is the caller's to sync. */
export const copyFile: (
  disk: Disk,
  paths: { readonly source: string; readonly target: string },
  onPiece: (sizeBytes: number) => void
) => Effect.Effect<void, DiskError> = Effect.fnUntraced(function* (disk, { source, target }, onPiece) {
  yield* Effect.scoped(
    Effect.gen(function* () {
      const from = yield* disk.open(source, "read")
      const to = yield* disk.open(target, "create")
      const sizeBytes = yield* from.size
      const piece = new Uint8Array(Math.min(pieceSizeBytes, sizeBytes))
      for (let offset = 0; offset < sizeBytes; offset += piece.length) {
        const part = piece.subarray(0, Math.min(piece.length, sizeBytes - offset))
        yield* from.readAt(part, offset)
        yield* to.writeAt(part, offset)
        onPiece(part.length)
      }
      yield* to.sync
    })
  )
})

/** Removes a directory with all that is in it; nothing happens when there is none. */
export const removeTree: (disk: Disk, path: string) => Effect.Effect<void, DiskError> = Effect.fnUntraced(function* (
  disk: Disk,
  path: string
) {
  const names = yield* Effect.catchTag(disk.list(path), "DiskNotFound", () => Effect.succeed(undefined))
  if (names === undefined) return
  for (const { name, kind } of names)
    yield* kind === "directory" ? removeTree(disk, `${path}/${name}`) : disk.unlink(`${path}/${name}`)
  yield* disk.removeDirectory(path)
})

/** Bytes of all files below a directory. */
export const sizeOfTree: (disk: Disk, path: string) => Effect.Effect<number, DiskError> = Effect.fnUntraced(function* (
  disk: Disk,
  path: string
) {
  let sizeBytes = 0
  for (const { name, kind } of yield* disk.list(path)) {
    const below = `${path}/${name}`
    if (kind === "directory") sizeBytes += yield* sizeOfTree(disk, below)
    else {
      const info = yield* disk.stat(below)
      sizeBytes += info._tag === "Some" ? info.value.sizeBytes : 0
    }
  }
  return sizeBytes
})
