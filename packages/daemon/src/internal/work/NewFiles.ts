/** Files that are made whole or not at all. */
import { Disk, type DiskError, DiskExists } from "@icecore/packfile"
import { Effect, Option } from "effect"

/**
 * Runs `write`, which is to create the files at `paths`, and removes those that it has created when it does not succeed. Fails at
 * once when there is a file at one of them.
 */
export const make = <A, E, R>(
  paths: ReadonlyArray<string>,
  write: Effect.Effect<A, E, R>
): Effect.Effect<A, E | DiskError, Exclude<R, Disk> | Disk> =>
  Effect.flatMap(Disk, (disk) => {
    const created = new Set<string>()
    const refuse = Effect.forEach(
      paths,
      (path) =>
        Effect.flatMap(disk.stat(path), (found) =>
          Option.isSome(found) ? Effect.fail(new DiskExists({ operation: "open", path })) : Effect.void
        ),
      { discard: true }
    )
    const remove = Effect.suspend(() =>
      Effect.forEach(created, (path) => Effect.ignore(disk.unlink(path)), { discard: true })
    )
    return Effect.andThen(
      refuse,
      Effect.onError(Effect.provideService(write, Disk, noting(disk, created)), () => remove)
    )
  })

/** A disk that keeps the paths of the files that were created on it and not removed: another's may come between the look and the creation. */
const noting = (disk: Disk, created: Set<string>): Disk => ({
  ...disk,
  open: (path, mode) =>
    mode === "create"
      ? Effect.uninterruptible(Effect.tap(disk.open(path, mode), () => Effect.sync(() => created.add(path))))
      : disk.open(path, mode),
  unlink: (path) => Effect.tap(disk.unlink(path), () => Effect.sync(() => created.delete(path)))
})
