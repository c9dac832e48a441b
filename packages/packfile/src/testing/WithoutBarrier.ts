/**
 * A {@link Disk} on which one barrier does not hold, to show that a protocol needs it: with the barrier gone the crash
 * enumerator has to find a violation, else either the barrier or the check is for nothing.
 */
import { Effect, Layer } from "effect"
import { Disk, type DiskError, type File } from "../Disk.ts"
import * as CrashEnumerator from "./CrashEnumerator.ts"
import type { CrashViolation } from "./CrashViolation.ts"
import type { CrashWorld } from "./CrashWorld.ts"
import * as SimulatedDisk from "./SimulatedDisk.ts"

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

/** What came of an enumeration without a barrier. */
export interface Enumerated {
  /** Whether the protocol has the barrier at all. */
  readonly isRemoved: boolean
  /** The promise that was found broken; undefined when none was. */
  readonly violation: CrashViolation | undefined
}

/** Enumerates the crashes of a scenario on simulated disks on which the barrier does not hold. */
export const enumerate = <R, Acknowledgement>(
  barrier: Barrier,
  scenarioOn: (layer: (world: CrashWorld) => Layer.Layer<Disk>) => CrashEnumerator.CrashScenario<R, Acknowledgement>
): Effect.Effect<Enumerated, CrashEnumerator.CrashScenarioFailed> =>
  Effect.suspend(() => {
    let isRemoved = (): boolean => false
    const layer = (world: CrashWorld): Layer.Layer<Disk> =>
      Layer.sync(Disk, () => {
        const wrapped = make(SimulatedDisk.make(world).disk, barrier)
        isRemoved = wrapped.isRemoved
        return wrapped.disk
      })
    return CrashEnumerator.enumerate(scenarioOn(layer)).pipe(
      Effect.as(undefined),
      Effect.catchTag("CrashViolation", (violation) => Effect.succeed(violation)),
      Effect.map((violation) => ({ isRemoved: isRemoved(), violation }))
    )
  })
