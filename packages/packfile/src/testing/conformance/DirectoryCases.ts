/** Names: making, renaming, removing, listing, and what is at a path. */
import { Effect, Exit, Option } from "effect"
import { Disk, type DiskError } from "../../Disk.ts"
import {
  bytesOf,
  type Case,
  expectBytes,
  expectEqual,
  expectFailure,
  namesIn,
  opened,
  readBytes,
  written
} from "./Subject.ts"

export const directoryCases: Readonly<Record<string, Case>> = {
  "makeDirectory returns what was absent, outermost first": Effect.fnUntraced(function* (directory) {
    const disk = yield* Disk
    const [one, two, three] = [`${directory}/1`, `${directory}/1/2`, `${directory}/1/2/3`]
    yield* expectEqual(yield* disk.makeDirectory(two), [one, two], "the first answer")
    yield* expectEqual(yield* disk.makeDirectory(three), [three], "the second answer")
    yield* expectEqual(yield* disk.makeDirectory(three), [], "the third answer")
  }),

  "makeDirectory fails where a file is": Effect.fnUntraced(function* (directory) {
    const disk = yield* Disk
    yield* written(`${directory}/a`, bytesOf(1))
    yield* expectFailure(disk.makeDirectory(`${directory}/a`), "DiskExists")
    const below = yield* Effect.exit(disk.makeDirectory(`${directory}/a/b`))
    yield* expectEqual(Exit.isFailure(below), true, "failure below a file")
    yield* expectEqual(yield* namesIn(directory), ["a"], "the directory")
  }),

  "syncDirectory succeeds on a directory and on nothing else": Effect.fnUntraced(function* (directory) {
    const disk = yield* Disk
    yield* written(`${directory}/a`, bytesOf(1))
    yield* disk.syncDirectory(directory)
    yield* expectFailure(disk.syncDirectory(`${directory}/none`), "DiskNotFound")
    yield* expectFailure(disk.syncDirectory(`${directory}/a`), "DiskFailed", "ENOTDIR")
  }),

  "rename replaces a file": Effect.fnUntraced(function* (directory) {
    const disk = yield* Disk
    yield* written(`${directory}/a`, bytesOf(10, 1))
    yield* written(`${directory}/b`, bytesOf(20, 2))
    yield* disk.rename({ source: `${directory}/a`, target: `${directory}/b` })
    yield* expectEqual(yield* namesIn(directory), ["b"], "the directory")
    const file = yield* opened(`${directory}/b`, "read")
    yield* expectBytes(yield* readBytes(file, 0, 10), bytesOf(10, 1), "the bytes")
    yield* expectEqual(yield* file.size, 10, "the size")
  }),

  "link gives a file a second name, and refuses one that is taken": Effect.fnUntraced(function* (directory) {
    const disk = yield* Disk
    const link = (source: string, target: string): Effect.Effect<void, DiskError> =>
      disk.link({ source: `${directory}/${source}`, target: `${directory}/${target}` })
    yield* written(`${directory}/a`, bytesOf(10, 1))
    yield* written(`${directory}/b`, bytesOf(20, 2))
    yield* disk.makeDirectory(`${directory}/inner`)
    yield* expectFailure(link("a", "b"), "DiskExists")
    yield* expectFailure(link("a", "a"), "DiskExists")
    yield* expectFailure(link("a", "inner"), "DiskExists")
    yield* expectFailure(link("none", "c"), "DiskNotFound")
    yield* expectFailure(link("a", "none/c"), "DiskNotFound")
    yield* expectFailure(link("inner", "c"), "DiskFailed", "EPERM")
    yield* link("a", "inner/c")
    const identity = (name: string) =>
      Effect.map(disk.stat(`${directory}/${name}`), (info) => Option.getOrThrow(info).identity)
    yield* expectEqual(yield* identity("inner/c"), yield* identity("a"), "the identity")
    yield* disk.unlink(`${directory}/a`)
    const file = yield* opened(`${directory}/inner/c`, "read")
    yield* expectBytes(yield* readBytes(file, 0, 10), bytesOf(10, 1), "the bytes")
    yield* expectEqual(yield* namesIn(directory), ["b", "inner"], "the directory")
  }),

  "rename moves a directory with all that is in it": Effect.fnUntraced(function* (directory) {
    const disk = yield* Disk
    yield* disk.makeDirectory(`${directory}/a/b`)
    yield* written(`${directory}/a/b/c`, bytesOf(10))
    yield* disk.rename({ source: `${directory}/a`, target: `${directory}/z` })
    yield* expectEqual(yield* namesIn(`${directory}/z/b`), ["c"], "the directory")
  }),

  "rename fails when the source is missing or the target is of another kind": Effect.fnUntraced(function* (directory) {
    const disk = yield* Disk
    yield* written(`${directory}/file`, bytesOf(1))
    yield* disk.makeDirectory(`${directory}/full/inner`)
    const rename = (source: string, target: string): Effect.Effect<void, DiskError> =>
      disk.rename({ source: `${directory}/${source}`, target: `${directory}/${target}` })
    yield* expectFailure(rename("none", "x"), "DiskNotFound")
    yield* expectFailure(rename("file", "none/x"), "DiskNotFound")
    yield* expectFailure(rename("file", "full"), "DiskFailed", "EISDIR")
    yield* expectFailure(rename("full", "file"), "DiskFailed", "ENOTDIR")
    yield* expectEqual(yield* namesIn(directory), ["file", "full"], "the directory")
  }),

  "unlink removes a file and nothing else": Effect.fnUntraced(function* (directory) {
    const disk = yield* Disk
    yield* written(`${directory}/a`, bytesOf(1))
    yield* disk.makeDirectory(`${directory}/empty`)
    yield* disk.unlink(`${directory}/a`)
    yield* expectFailure(disk.unlink(`${directory}/a`), "DiskNotFound")
    yield* expectFailure(disk.unlink(`${directory}/empty`), "DiskFailed", "EISDIR")
    yield* expectEqual(yield* namesIn(directory), ["empty"], "the directory")
  }),

  "removeDirectory removes an empty directory and nothing else": Effect.fnUntraced(function* (directory) {
    const disk = yield* Disk
    yield* written(`${directory}/a`, bytesOf(1))
    yield* disk.makeDirectory(`${directory}/full/inner`)
    yield* expectFailure(disk.removeDirectory(`${directory}/a`), "DiskFailed", "ENOTDIR")
    yield* expectFailure(disk.removeDirectory(`${directory}/full`), "DiskFailed", "ENOTEMPTY")
    yield* expectFailure(disk.removeDirectory(`${directory}/none`), "DiskNotFound")
    yield* disk.removeDirectory(`${directory}/full/inner`)
    yield* disk.removeDirectory(`${directory}/full`)
    yield* expectEqual(yield* namesIn(directory), ["a"], "the directory")
  }),

  "list returns names and kinds in the order of UTF-16 code units": Effect.fnUntraced(function* (directory) {
    const disk = yield* Disk
    for (const name of ["b", "a", "B", "10", "9", "\uffee", "\u{1f422}"])
      yield* written(`${directory}/${name}`, bytesOf(1))
    yield* disk.makeDirectory(`${directory}/aa`)
    const entries = yield* disk.list(directory)
    yield* expectEqual(
      entries.map((entry) => entry.name),
      ["10", "9", "B", "a", "aa", "b", "\u{1f422}", "\uffee"],
      "the names"
    )
    yield* expectEqual(
      entries.filter((entry) => entry.kind !== "file"),
      [{ name: "aa", kind: "directory" }],
      "the rest"
    )
    yield* expectFailure(disk.list(`${directory}/none`), "DiskNotFound")
    yield* expectFailure(disk.list(`${directory}/a`), "DiskFailed", "ENOTDIR")
  }),

  "stat tells kind and size, and an identity that survives a rename": Effect.fnUntraced(function* (directory) {
    const disk = yield* Disk
    yield* written(`${directory}/a`, bytesOf(12_345))
    yield* written(`${directory}/b`, bytesOf(1))
    const before = Option.getOrThrow(yield* disk.stat(`${directory}/a`))
    yield* expectEqual([before.kind, before.sizeBytes], ["file", 12_345], "the file")
    yield* disk.rename({ source: `${directory}/a`, target: `${directory}/c` })
    const after = Option.getOrThrow(yield* disk.stat(`${directory}/c`))
    const other = Option.getOrThrow(yield* disk.stat(`${directory}/b`))
    yield* expectEqual(after.identity, before.identity, "the identity")
    yield* expectEqual(other.identity === before.identity, false, "the same identity for another file")
    yield* expectEqual(Option.getOrThrow(yield* disk.stat(directory)).kind, "directory", "the directory")
    yield* expectEqual(Option.isNone(yield* disk.stat(`${directory}/a`)), true, "absence")
    yield* expectFailure(disk.stat(`${directory}/b/below`), "DiskFailed", "ENOTDIR")
  }),

  "freeSpaceBytes is a positive number": Effect.fnUntraced(function* (directory) {
    const disk = yield* Disk
    const free = yield* disk.freeSpaceBytes(directory)
    yield* expectEqual(Number.isSafeInteger(free) && free > 0, true, `${free} as a size`)
    yield* expectFailure(disk.freeSpaceBytes(`${directory}/none`), "DiskNotFound")
  })
}
