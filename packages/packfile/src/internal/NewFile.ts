/** A file that is there whole and synced, or not at all. */
import { Effect, Exit } from "effect"
import { Disk, type DiskError, type File } from "../Disk.ts"

/**
 * Creates the file, runs `fill` and syncs it: the bytes are then durable, the name is not before the directory is synced. A failure or an
 * interruption removes the file.
 */
export const create: <A, E, R>(
  path: string,
  fill: (file: File) => Effect.Effect<A, E, R>
) => Effect.Effect<A, E | DiskError, R | Disk> = Effect.fnUntraced(function* <A, E, R>(
  path: string,
  fill: (file: File) => Effect.Effect<A, E, R>
) {
  const disk = yield* Disk
  let isOurs = false
  // Added before the file is opened, and so run after it is closed.
  yield* Effect.addFinalizer((exit) =>
    isOurs && Exit.isFailure(exit)
      ? // Nobody is left who could be told more than this.
        Effect.catch(disk.unlink(path), (error) => Effect.logWarning(error.message))
      : Effect.void
  )
  const file = yield* Effect.tap(disk.open(path, "create"), () =>
    Effect.sync(() => {
      isOurs = true
    })
  ).pipe(Effect.uninterruptible)
  const filled = yield* fill(file)
  yield* file.sync
  return filled
}, Effect.scoped)
