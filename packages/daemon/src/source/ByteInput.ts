/**
 * Bytes in order, pulled a chunk at a time: a file from some offset, standard input, or either of them decompressed.
 */
import type { Disk, File } from "@icecore/packfile"
import { Effect, Option, type Scope } from "effect"
import { type SourceError, SourceMissing } from "../Source.ts"

/** Bytes of one read, and so of one chunk of a plain file: 1 MiB. */
export const readSizeBytes: number = 1024 * 1024

export interface ByteInput {
  /** How errors name it. */
  readonly path: string
  /**
   * The next bytes, at least one, in a buffer that is the caller's; none at the end. Of a plain file that grew since, the
   * next call gives more.
   */
  readonly read: Effect.Effect<Option.Option<Uint8Array>, SourceError>
}

/** A regular file, open for the scope. */
export interface InputFile {
  readonly path: string
  readonly file: File
  /** Device and inode: what stays when the file is renamed. */
  readonly identity: string
}

/** Opens a regular file and learns its identity; none when nothing is at the path. */
export const openFile: (disk: Disk, path: string) => Effect.Effect<Option.Option<InputFile>, SourceError, Scope.Scope> =
  Effect.fnUntraced(function* (disk, path) {
    // The name may move to another file between the calls. The identity is that of the open file when it is the same on both sides.
    for (;;) {
      const before = yield* disk.stat(path)
      if (Option.isNone(before)) return Option.none()
      if (before.value.kind !== "file")
        return yield* new SourceMissing({
          path,
          detail: "it is no regular file; pipe it into standard input (-) instead"
        })
      const file = yield* Effect.asSome(disk.open(path, "read")).pipe(
        Effect.catchTag("DiskNotFound", () => Effect.succeed(Option.none<File>()))
      )
      const after = yield* disk.stat(path)
      if (Option.isSome(file) && Option.isSome(after) && after.value.identity === before.value.identity)
        return Option.some({ path, file: file.value, identity: after.value.identity })
    }
  })

/**
 * The bytes of a file from `offsetBytes` to where it ends when asked. `onRead` is told how many each read took. What was read
 * counts only if `isSound` holds afterwards; otherwise the read is as if at the end, and can be tried again.
 */
export const fromFile = (
  { path, file }: InputFile,
  offsetBytes: number,
  onRead: (sizeBytes: number) => void,
  isSound: Effect.Effect<boolean, SourceError>
): ByteInput => {
  let at = offsetBytes
  const read = Effect.gen(function* () {
    const left = (yield* file.size) - at
    if (left <= 0) return Option.none()
    const target = new Uint8Array(Math.min(left, readSizeBytes))
    const isWhole = yield* Effect.as(file.readAt(target, at), true).pipe(
      // It was truncated since its size was asked for: whoever follows it finds that out from the size.
      Effect.catchTag("DiskShortRead", () => Effect.succeed(false))
    )
    if (!isWhole || !(yield* isSound)) return Option.none()
    at += target.length
    onRead(target.length)
    return Option.some(target)
  })
  return { path, read }
}
