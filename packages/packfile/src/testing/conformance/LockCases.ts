/** Locks. */
import { Effect, Exit, Option, Scope } from "effect"
import { Disk } from "../../Disk.ts"
import { type Case, expectEqual, expectFailure, namesIn } from "./Subject.ts"

export const lockCases: Readonly<Record<string, Case>> = {
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
