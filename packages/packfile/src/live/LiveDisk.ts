/** The {@link Disk} of the machine, on `node:fs` as Bun, Node and Deno have it. */
import * as fs from "node:fs"
import * as path from "node:path"
import { Effect, Layer, Option } from "effect"
import {
  type DirectoryEntry,
  Disk,
  type DiskError,
  DiskExists,
  DiskFailed,
  type DiskOperation,
  type FileKind,
  type MakeDirectoryOptions,
  type OpenMode
} from "../Disk.ts"
import * as LiveFile from "./LiveFile.ts"
import { lock } from "./LiveLock.ts"
import { pathCall, systemCall } from "./SystemCall.ts"
import * as Writeback from "./Writeback.ts"

const flags: Readonly<Record<OpenMode, string>> = { read: "r", readWrite: "r+", create: "wx+", replace: "w+" }

const make = (startWriteback: Writeback.StartWriteback | undefined): Disk => ({
  open: (file, mode) =>
    Effect.map(
      Effect.acquireRelease(
        Effect.map(openDescriptor(file, mode), (descriptor) => LiveFile.make(file, descriptor, startWriteback)),
        // Nothing can be undone here, and a file whose bytes matter was synced before.
        (live) => Effect.catch(live.close, (error) => Effect.logWarning(error.message))
      ),
      (live) => live.file
    ),
  makeDirectory,
  syncDirectory: (directory) =>
    Effect.scoped(
      Effect.flatMap(
        Effect.acquireRelease(
          pathCall<number>("sync directory", directory, (callback) =>
            fs.open(directory, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY, callback)
          ),
          (descriptor) =>
            Effect.ignore(systemCall("sync directory", directory, (callback) => fs.close(descriptor, callback)))
        ),
        (descriptor) => systemCall("sync directory", directory, (callback) => fs.fsync(descriptor, callback))
      )
    ),
  rename: ({ source, target }) => pathCall("rename", source, (callback) => fs.rename(source, target, callback)),
  link: ({ source, target }) => pathCall("link", target, (callback) => fs.link(source, target, callback)),
  unlink: (file) =>
    // Deno's unlink removes directories too.
    Effect.flatMap(
      pathCall<fs.Stats>("unlink", file, (callback) => fs.lstat(file, callback)),
      (info) =>
        info.isDirectory()
          ? Effect.fail(isDirectory("unlink", file))
          : pathCall("unlink", file, (callback) => fs.unlink(file, callback))
    ),
  removeDirectory: (directory) => pathCall("remove directory", directory, (callback) => fs.rmdir(directory, callback)),
  list: (directory) =>
    Effect.map(
      pathCall<ReadonlyArray<fs.Dirent>>("list", directory, (callback) =>
        fs.readdir(directory, { withFileTypes: true }, callback)
      ),
      (entries) => entries.map((entry): DirectoryEntry => ({ name: entry.name, kind: kindOf(entry) })).sort(byName)
    ),
  stat: (file) =>
    pathCall<fs.BigIntStats>("stat", file, (callback) => fs.stat(file, { bigint: true }, callback)).pipe(
      Effect.map((info) =>
        Option.some({ kind: kindOf(info), sizeBytes: Number(info.size), identity: `${info.dev}:${info.ino}` })
      ),
      Effect.catchTag("DiskNotFound", () => Effect.succeedNone)
    ),
  freeSpaceBytes: (file) =>
    Effect.map(
      pathCall<fs.BigIntStatsFs>("free space", file, (callback) => fs.statfs(file, { bigint: true }, callback)),
      (info) => Number(info.bavail * info.bsize)
    ),
  lock
})

/**
 * Works on Bun, Node and Deno. Small reads and writes run on the calling thread (they cost 1 to 6 us there and 40 us through
 * a thread pool), all else off the event loop; an operation that has begun is not interrupted.
 */
export const layer: Layer.Layer<Disk> = Layer.effect(Disk, Effect.map(Writeback.load, make))

const openDescriptor = (file: string, mode: OpenMode): Effect.Effect<number, DiskError> =>
  Effect.flatMap(
    pathCall<number>("open", file, (callback) => fs.open(file, flags[mode], callback)),
    (descriptor) =>
      fs.fstatSync(descriptor).isDirectory()
        ? Effect.andThen(
            systemCall("open", file, (callback) => fs.close(descriptor, callback)),
            Effect.fail(isDirectory("open", file))
          )
        : Effect.succeed(descriptor)
  )

/** Goes up to the first directory that exists and comes down making the others. */
const makeDirectory: Disk["makeDirectory"] = Effect.fnUntraced(function* (
  directory: string,
  options: MakeDirectoryOptions = {}
) {
  const mode = options.isPrivate === true ? 0o700 : 0o777
  const absent: Array<string> = []
  for (let current = directory; !(yield* directoryExists(current)); current = path.dirname(current)) {
    absent.unshift(current)
  }
  for (const current of absent) {
    // Somebody else may make it meanwhile; it was absent all the same, and nobody knows whether it is synced.
    yield* pathCall("make directory", current, (callback) =>
      fs.mkdir(current, { mode }, (cause) => callback(cause))
    ).pipe(
      Effect.catchTag("DiskExists", (error) =>
        Effect.flatMap(directoryExists(current), (exists) => (exists ? Effect.void : Effect.fail(error)))
      )
    )
  }
  return absent
})

const directoryExists = (directory: string): Effect.Effect<boolean, DiskError> =>
  pathCall<fs.Stats>("make directory", directory, (callback) => fs.stat(directory, callback)).pipe(
    Effect.flatMap((info) =>
      info.isDirectory()
        ? Effect.succeed(true)
        : Effect.fail(new DiskExists({ operation: "make directory", path: directory }))
    ),
    Effect.catchTag("DiskNotFound", () => Effect.succeed(false))
  )

const kindOf = (entry: { readonly isFile: () => boolean; readonly isDirectory: () => boolean }): FileKind =>
  entry.isFile() ? "file" : entry.isDirectory() ? "directory" : "other"

const byName = (left: DirectoryEntry, right: DirectoryEntry): number =>
  left.name < right.name ? -1 : left.name > right.name ? 1 : 0

const isDirectory = (operation: DiskOperation, file: string): DiskFailed =>
  new DiskFailed({ operation, path: file, code: "EISDIR", detail: "it is a directory" })
