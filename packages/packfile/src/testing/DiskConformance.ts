/**
 * What every {@link Disk} has to do, as plain data: a runner turns each case into a test, with a directory of its own.
 *
 * Durability cannot be seen from within a running machine and is not in here: the crash enumerations show what needs it.
 */
import { Effect, Exit, Option, Scope } from "effect"
import { Disk, type DiskError, type DiskLocked, type File, type OpenMode } from "../Disk.ts"

export interface ConformanceCase {
  /** A sentence that starts with the operation. Unique. */
  readonly name: string
  /** Dies when the disk does something else. */
  readonly run: Effect.Effect<void, DiskError | DiskLocked, Disk | Scope.Scope>
}

/** A case that works in `directory`, which does not exist before and which it leaves behind. */
type Case = (directory: string) => Effect.Effect<void, DiskError | DiskLocked, Disk | Scope.Scope>

/** All cases. Each makes a directory of its own, and leaves it, in `root`, which must exist and be empty. */
export const diskConformance = (root: string): ReadonlyArray<ConformanceCase> =>
  Object.entries(cases).map(([name, run], index) => ({
    name,
    run: Effect.gen(function* () {
      const disk = yield* Disk
      const directory = `${root}/case-${index}`
      yield* disk.makeDirectory(directory)
      yield* run(directory)
    })
  }))

const expectEqual = (actual: unknown, expected: unknown, what: string): Effect.Effect<void> => {
  const left = JSON.stringify(actual)
  const right = JSON.stringify(expected)
  return left === right ? Effect.void : Effect.die(new Error(`${what} is ${left}, expected ${right}`))
}

/** The effect has to fail with this tag and, where given, code. */
const expectFailure = <A, R>(
  effect: Effect.Effect<A, DiskError | DiskLocked, R>,
  tag: (DiskError | DiskLocked)["_tag"],
  code?: string
): Effect.Effect<void, never, R> =>
  Effect.matchEffect(effect, {
    onSuccess: () => Effect.die(new Error(`it succeeds, expected ${tag}`)),
    onFailure: (error) =>
      Effect.andThen(
        expectEqual(error._tag, tag, `the tag of "${error.message}"`),
        code === undefined
          ? Effect.void
          : expectEqual("code" in error ? error.code : undefined, code, `the code of "${error.message}"`)
      )
  })

const bytesOf = (length: number, seed = 1): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let index = 0; index < length; index++) bytes[index] = (index * 31 + seed * 17 + (index >> 8)) & 0xff
  return bytes
}

const readBytes = (file: File, offsetBytes: number, length: number): Effect.Effect<Uint8Array, DiskError> => {
  const target = new Uint8Array(length)
  return Effect.as(file.readAt(target, offsetBytes), target)
}

const expectBytes = (actual: Uint8Array, expected: Uint8Array, what: string): Effect.Effect<void> => {
  const at = expected.findIndex((byte, index) => byte !== actual[index])
  return at < 0 && actual.length === expected.length
    ? Effect.void
    : Effect.die(new Error(`${what} differ: ${actual.length} bytes, expected ${expected.length}, first at ${at}`))
}

const opened = Effect.fnUntraced(function* (path: string, mode: OpenMode) {
  const disk = yield* Disk
  return yield* disk.open(path, mode)
})

/** Makes a file with these bytes and closes it. */
const written = (path: string, bytes: Uint8Array): Effect.Effect<void, DiskError, Disk> =>
  Effect.scoped(Effect.flatMap(opened(path, "replace"), (file) => file.writeAt(bytes, 0)))

const namesIn = Effect.fnUntraced(function* (directory: string) {
  const disk = yield* Disk
  return (yield* disk.list(directory)).map((entry) => entry.name)
})

const cases: Readonly<Record<string, Case>> = {
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
  }),

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
  }),

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
  }),

  "lock excludes other scopes until its scope ends": Effect.fnUntraced(function* (directory) {
    const disk = yield* Disk
    const path = `${directory}/LOCK`
    const scope = yield* Scope.make()
    yield* Scope.provide(disk.lock(path), scope)
    yield* expectFailure(Effect.scoped(disk.lock(path)), "DiskLocked")
    yield* expectFailure(Effect.scoped(disk.lock(path)), "DiskLocked")
    yield* Scope.close(scope, Exit.void)
    yield* Effect.scoped(disk.lock(path))
    yield* Effect.scoped(disk.lock(path))
  }),

  "lock leaves an empty file and nothing beside it": Effect.fnUntraced(function* (directory) {
    const disk = yield* Disk
    yield* Effect.scoped(
      Effect.andThen(
        disk.lock(`${directory}/LOCK`),
        Effect.flatMap(namesIn(directory), (names) => expectEqual(names, ["LOCK"], "the directory while locked"))
      )
    )
    yield* expectEqual(yield* namesIn(directory), ["LOCK"], "the directory")
    yield* expectEqual(Option.getOrThrow(yield* disk.stat(`${directory}/LOCK`)).sizeBytes, 0, "the size")
  }),

  "lock takes names that are hard to write": Effect.fnUntraced(function* (directory) {
    const disk = yield* Disk
    for (const name of ["#%41?mode=ro&;'\"", ":memory:", "file:x", "żółw 🐢"]) {
      yield* disk.lock(`${directory}/${name}`)
      yield* expectFailure(Effect.scoped(disk.lock(`${directory}/${name}`)), "DiskLocked")
    }
    yield* expectEqual((yield* namesIn(directory)).length, 4, "the number of files")
  }),

  "lock fails with a typed error where no lock file can be": Effect.fnUntraced(function* (directory) {
    const disk = yield* Disk
    yield* expectFailure(disk.lock(`${directory}/none/LOCK`), "DiskNotFound")
    yield* expectFailure(disk.lock(directory), "DiskFailed", "EISDIR")
    yield* expectFailure(disk.lock(""), "DiskFailed", "EINVAL")
  })
}
