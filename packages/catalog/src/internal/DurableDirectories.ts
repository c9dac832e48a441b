/**
 * Makes directories whose names survive a power cut, and removes them again when they are empty.
 *
 * What `makeDirectory` says was absent is not enough: a killed process may have made a directory and not lived to sync its
 * parent, and the next one finds it there, not absent and not durable. So each directory from the root down counts as durable only
 * once this process has synced its parent, and no longer than it leaves it there.
 */
import type { Disk, DiskError } from "@icecore/packfile"
import { Effect, Semaphore } from "effect"
import * as Paths from "./Paths.ts"

/** A directory, and the root that it is or lies below. */
export interface Place {
  readonly directory: string
  readonly root: string
}

export interface DurableDirectories {
  /**
   * Makes `directory`, which is `root` or below it. On return its name, those of its ancestors up to `root`, and those of
   * all ancestors that were absent before, are durable.
   */
  readonly ensure: (directory: string, root: string) => Effect.Effect<void, DiskError>
  /** {@link ensure} for each of the places, and while the effect runs {@link removeEmpty} leaves their directories alone. */
  readonly holding: (
    places: ReadonlyArray<Place>
  ) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | DiskError, R>
  /**
   * Removes a directory that is empty and that nobody holds. On return its absence is durable, also when somebody else removed
   * it and did not live to sync its parent. What was in it must be durably gone.
   */
  readonly removeEmpty: (directory: string) => Effect.Effect<void, DiskError>
}

/** Directories remembered; beyond that memory starts anew, which costs syncs and nothing else. */
const maxKnown = 4_096

export const make = (disk: Disk): DurableDirectories => {
  const known = new Set<string>()
  const holders = new Map<string, number>()
  /** Making and removing exclude each other: between them a directory would be gone that was just made. */
  const exclusive = Semaphore.makeUnsafe(1).withPermit

  const ensure = Effect.fnUntraced(function* (directory: string, root: string) {
    const created = yield* disk.makeDirectory(directory)
    const unsure = new Set<string>(created.map(Paths.normalize))
    for (let path = directory; ; path = Paths.parentOf(path)) {
      if (!known.has(path)) unsure.add(path)
      if (path === root || path === Paths.parentOf(path)) break
    }
    for (const parent of new Set([...unsure].map(Paths.parentOf))) yield* disk.syncDirectory(parent)
    if (known.size + unsure.size > maxKnown) known.clear()
    for (const path of unsure) known.add(path)
  }, exclusive)

  const count = (directory: string, change: number): void => {
    const holderCount = (holders.get(directory) ?? 0) + change
    if (holderCount === 0) holders.delete(directory)
    else holders.set(directory, holderCount)
  }

  const holding: DurableDirectories["holding"] = (places) => (effect) =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        for (const { directory } of places) count(directory, 1)
      }),
      () =>
        Effect.andThen(
          Effect.forEach(places, ({ directory, root }) => ensure(directory, root), { discard: true }),
          effect
        ),
      () =>
        Effect.sync(() => {
          for (const { directory } of places) count(directory, -1)
        })
    )

  const removeEmpty = Effect.fnUntraced(function* (directory: string) {
    if (holders.has(directory)) return
    const names = yield* disk.list(directory).pipe(Effect.catchTag("DiskNotFound", () => Effect.succeed(undefined)))
    if (names !== undefined) {
      if (names.length > 0) return
      known.delete(directory)
      yield* disk.removeDirectory(directory)
    }
    yield* disk.syncDirectory(Paths.parentOf(directory)).pipe(Effect.catchTag("DiskNotFound", () => Effect.void))
  }, exclusive)

  return { ensure, holding, removeEmpty }
}
