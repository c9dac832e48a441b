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
): Effect.Effect<A, E | DiskError, R | Disk> =>
  Effect.flatMap(Disk, (disk) => {
    const refuse = Effect.forEach(
      paths,
      (path) =>
        Effect.flatMap(disk.stat(path), (found) =>
          Option.isSome(found) ? Effect.fail(new DiskExists({ operation: "open", path })) : Effect.void
        ),
      { discard: true }
    )
    const remove = Effect.forEach(paths, (path) => Effect.ignore(disk.unlink(path)), { discard: true })
    return Effect.andThen(
      refuse,
      Effect.onError(write, () => remove)
    )
  })
