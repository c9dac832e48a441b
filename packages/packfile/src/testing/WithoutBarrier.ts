/**
 * A {@link Disk} on which one barrier does not hold, to show that a protocol needs it: with the barrier gone the crash
 * enumerator has to find a violation, else either the barrier or the check is for nothing.
 */
import { Effect } from "effect"
import type { Disk, DiskError, File } from "../Disk.ts"

/**
 * - `sync`: the sync of a file succeeds and does nothing.
 * - `sync directory`: the same for a directory.
 * - `late sync`: the sync of a file succeeds at once and happens after the next sync of a directory.
 * - `late write`: a write to a file succeeds at once and happens after the next sync of that file.
 */
export type BarrierKind = "sync" | "sync directory" | "late sync" | "late write"

/** Which one is removed: the `nth` call of its kind on this disk, from 0. */
export interface Barrier {
  readonly kind: BarrierKind
  readonly nth: number
}

export interface WithoutBarrier {
  readonly disk: Disk
  /** Whether the barrier was met, and so removed. When it was not, the protocol has fewer of its kind. */
  readonly isRemoved: () => boolean
}

/** Wraps `disk`; all but the one barrier is as it was. */
export const make = (disk: Disk, barrier: Barrier): WithoutBarrier => {
  let met = 0
  const removes = (kind: BarrierKind): boolean => kind === barrier.kind && met++ === barrier.nth
  let lateSync: Effect.Effect<void, DiskError> = Effect.void

  const wrap = (file: File): File => {
    let lateWrite: Effect.Effect<void, DiskError> = Effect.void
    return {
      ...file,
      writeAt: (bytes, offsetBytes) =>
        Effect.suspend(() => {
          if (!removes("late write")) return file.writeAt(bytes, offsetBytes)
          lateWrite = file.writeAt(bytes.slice(), offsetBytes)
          return Effect.void
        }),
      sync: Effect.suspend(() => {
        if (removes("sync")) return Effect.void
        if (removes("late sync")) {
          lateSync = file.sync
          return Effect.void
        }
        const late = lateWrite
        lateWrite = Effect.void
        return Effect.andThen(file.sync, late)
      })
    }
  }

  const wrapped: Disk = {
    ...disk,
    open: (path, mode) => Effect.map(disk.open(path, mode), wrap),
    syncDirectory: (path) =>
      Effect.suspend(() => {
        if (removes("sync directory")) return Effect.void
        const late = lateSync
        lateSync = Effect.void
        return Effect.andThen(disk.syncDirectory(path), late)
      })
  }
  return { disk: wrapped, isRemoved: () => met > barrier.nth }
}
