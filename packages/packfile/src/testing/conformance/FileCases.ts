/** Reading, writing and syncing an open file. */
import { Effect } from "effect"
import { Disk } from "../../Disk.ts"
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

export const fileCases: Readonly<Record<string, Case>> = {
  "readAt returns what writeAt wrote, at any position and size": Effect.fnUntraced(function* (directory) {
    const file = yield* opened(`${directory}/a`, "create")
    for (const [offset, length] of [
      [0, 1],
      [4_095, 2],
      [10_000, 65_536],
      [100_000, 65_537],
      [300_000, 1_500_000]
    ] as const) {
      yield* file.writeAt(bytesOf(length, offset), offset)
      yield* expectBytes(yield* readBytes(file, offset, length), bytesOf(length, offset), `the bytes at ${offset}`)
    }
    yield* expectEqual(yield* file.size, 1_800_000, "the size")
  }),

  "readAt sees zeros in a hole": Effect.fnUntraced(function* (directory) {
    const file = yield* opened(`${directory}/a`, "create")
    yield* file.writeAt(bytesOf(10), 20_000)
    yield* expectBytes(yield* readBytes(file, 5_000, 9_000), new Uint8Array(9_000), "the hole")
  }),

  "readAt fails with DiskShortRead when the file ends first": Effect.fnUntraced(function* (directory) {
    const file = yield* opened(`${directory}/a`, "create")
    yield* file.writeAt(bytesOf(100_000), 0)
    for (const [offset, length, actual] of [
      [99_999, 2, 1],
      [100_000, 1, 0],
      [200_000, 10, 0],
      [0, 100_001, 100_000]
    ] as const) {
      yield* Effect.matchEffect(readBytes(file, offset, length), {
        onSuccess: () => Effect.die(new Error("it succeeds")),
        onFailure: (failure) =>
          expectEqual(
            failure._tag === "DiskShortRead" && [failure.path, failure.offsetBytes, failure.expected, failure.actual],
            [file.path, offset, length, actual],
            "the failure"
          )
      })
    }
  }),

  "readAt and writeAt of nothing do nothing": Effect.fnUntraced(function* (directory) {
    const file = yield* opened(`${directory}/a`, "create")
    yield* file.writeAt(new Uint8Array(0), 1_000)
    yield* expectEqual(yield* file.size, 0, "the size")
    yield* file.readAt(new Uint8Array(0), 1_000)
  }),

  "readAt and writeAt work beyond 4 GiB": Effect.fnUntraced(function* (directory) {
    const file = yield* opened(`${directory}/a`, "create")
    const offset = 5 * 2 ** 32 + 123
    for (const length of [1_000, 200_000]) {
      yield* file.writeAt(bytesOf(length), offset)
      yield* expectBytes(yield* readBytes(file, offset, length), bytesOf(length), "the bytes")
      yield* expectEqual(yield* file.size, offset + length, "the size")
    }
    yield* expectFailure(readBytes(file, offset + 200_000 - 4, 5), "DiskShortRead")
  }),

  "writeAt leaves the caller's buffer free on completion": Effect.fnUntraced(function* (directory) {
    const file = yield* opened(`${directory}/a`, "create")
    const bytes = bytesOf(200_000)
    yield* file.writeAt(bytes, 0)
    bytes.fill(0)
    yield* expectBytes(yield* readBytes(file, 0, 200_000), bytesOf(200_000), "the bytes")
  }),

  "writeAt and readAt may overlap": Effect.fnUntraced(function* (directory) {
    const file = yield* opened(`${directory}/a`, "create")
    const parts = Array.from({ length: 32 }, (_, index) => index)
    yield* Effect.forEach(parts, (part) => file.writeAt(bytesOf(70_000, part), part * 70_000), { concurrency: 32 })
    yield* Effect.forEach(
      parts,
      (part) =>
        Effect.flatMap(readBytes(file, part * 70_000, 70_000), (bytes) =>
          expectBytes(bytes, bytesOf(70_000, part), `part ${part}`)
        ),
      { concurrency: 32 }
    )
  }),

  "writeAt to a file open for reading fails and poisons it": Effect.fnUntraced(function* (directory) {
    yield* written(`${directory}/a`, bytesOf(10))
    const file = yield* opened(`${directory}/a`, "read")
    yield* expectFailure(file.writeAt(bytesOf(1), 0), "DiskFailed", "EBADF")
    yield* expectFailure(file.sync, "DiskFailed", "EBADF")
    yield* expectBytes(yield* readBytes(file, 0, 10), bytesOf(10), "the bytes")
  }),

  "a position that is negative or no integer fails, and touches nothing": Effect.fnUntraced(function* (directory) {
    yield* written(`${directory}/a`, bytesOf(10))
    for (const position of [-1, -5, 1.5, Number.NaN, 2 ** 53]) {
      const file = yield* opened(`${directory}/a`, "readWrite")
      yield* expectFailure(file.readAt(new Uint8Array(2), position), "DiskFailed", "EINVAL")
      yield* expectFailure(file.truncate(position), "DiskFailed", "EINVAL")
      yield* expectFailure(file.writeAt(Uint8Array.of(99), position), "DiskFailed", "EINVAL")
      yield* expectBytes(yield* readBytes(file, 0, 10), bytesOf(10), `the bytes after ${position}`)
      yield* expectEqual(yield* file.size, 10, `the size after ${position}`)
    }
  }),

  "truncate cuts and grows with zeros": Effect.fnUntraced(function* (directory) {
    const file = yield* opened(`${directory}/a`, "create")
    yield* file.writeAt(bytesOf(10_000), 0)
    yield* file.truncate(5_000)
    yield* file.truncate(9_000)
    yield* expectEqual(yield* file.size, 9_000, "the size")
    yield* expectBytes(yield* readBytes(file, 0, 5_000), bytesOf(5_000), "what was kept")
    yield* expectBytes(yield* readBytes(file, 5_000, 4_000), new Uint8Array(4_000), "what was cut")
  }),

  "sync and startWriteback succeed and change nothing": Effect.fnUntraced(function* (directory) {
    const file = yield* opened(`${directory}/a`, "create")
    yield* file.sync
    yield* file.writeAt(bytesOf(300_000), 0)
    yield* file.startWriteback(0, 100_000)
    yield* file.startWriteback(100_000, 200_000)
    yield* file.sync
    yield* expectBytes(yield* readBytes(file, 0, 300_000), bytesOf(300_000), "the bytes")
  }),

  "a file fails with EBADF after its scope": Effect.fnUntraced(function* (directory) {
    const file = yield* Effect.scoped(opened(`${directory}/a`, "create"))
    // Likely to get the descriptor number that the first one had.
    const next = yield* opened(`${directory}/b`, "create")
    yield* expectFailure(file.writeAt(bytesOf(1), 0), "DiskFailed", "EBADF")
    yield* expectFailure(readBytes(file, 0, 1), "DiskFailed", "EBADF")
    yield* expectFailure(file.size, "DiskFailed", "EBADF")
    yield* expectFailure(file.sync, "DiskFailed", "EBADF")
    yield* expectEqual(yield* next.size, 0, "the size of another file")
  }),

  "a file stays usable after unlink and rename": Effect.fnUntraced(function* (directory) {
    const disk = yield* Disk
    const file = yield* opened(`${directory}/a`, "create")
    yield* disk.rename({ source: `${directory}/a`, target: `${directory}/b` })
    yield* file.writeAt(bytesOf(100), 0)
    yield* disk.unlink(`${directory}/b`)
    yield* expectBytes(yield* readBytes(file, 0, 100), bytesOf(100), "the bytes")
    yield* expectEqual(yield* namesIn(directory), [], "the directory")
  })
}
