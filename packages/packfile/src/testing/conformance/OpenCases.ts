/** Opening and making files. */
import { Effect } from "effect"
import { bytesOf, type Case, expectEqual, expectFailure, namesIn, opened, written } from "./Subject.ts"

export const openCases: Readonly<Record<string, Case>> = {
  "open fails with DiskNotFound for modes that need the file": Effect.fnUntraced(function* (directory) {
    yield* expectFailure(opened(`${directory}/none`, "read"), "DiskNotFound")
    yield* expectFailure(opened(`${directory}/none`, "readWrite"), "DiskNotFound")
    yield* expectFailure(opened(`${directory}/none/deeper`, "create"), "DiskNotFound")
    yield* expectEqual(yield* namesIn(directory), [], "the directory")
  }),

  "open creates a file once and fails with DiskExists after that": Effect.fnUntraced(function* (directory) {
    yield* Effect.scoped(opened(`${directory}/a`, "create"))
    yield* expectFailure(opened(`${directory}/a`, "create"), "DiskExists")
    yield* expectEqual(yield* namesIn(directory), ["a"], "the directory")
  }),

  "open with replace makes a file or empties it": Effect.fnUntraced(function* (directory) {
    yield* written(`${directory}/a`, bytesOf(5_000))
    const file = yield* opened(`${directory}/a`, "replace")
    yield* expectEqual(yield* file.size, 0, "the size")
  }),

  "open refuses a directory in every mode": Effect.fnUntraced(function* (directory) {
    yield* expectFailure(opened(directory, "read"), "DiskFailed", "EISDIR")
    yield* expectFailure(opened(directory, "readWrite"), "DiskFailed", "EISDIR")
    yield* expectFailure(opened(directory, "replace"), "DiskFailed", "EISDIR")
    yield* expectFailure(opened(directory, "create"), "DiskExists")
  }),

  "open refuses an empty path, a zero byte and a path below a file": Effect.fnUntraced(function* (directory) {
    yield* written(`${directory}/a`, bytesOf(1))
    yield* expectFailure(opened("", "read"), "DiskFailed", "EINVAL")
    yield* expectFailure(opened(`${directory}/a\0b`, "create"), "DiskFailed", "EINVAL")
    yield* expectFailure(opened(`${directory}/a/b`, "create"), "DiskFailed", "ENOTDIR")
  }),

  "open takes names that are hard to write": Effect.fnUntraced(function* (directory) {
    const names = ["#%41?&;'\"", " leading and trailing ", "-rf", "back\\slash", "line\nbreak", "żółw 🐢"]
    for (const name of names) yield* written(`${directory}/${name}`, bytesOf(3))
    yield* expectEqual(yield* namesIn(directory), names.sort(), "the directory")
  })
}
