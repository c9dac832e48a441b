/** A {@link Disk} on which a chosen operation fails. */
import { Effect } from "effect"
import {
  type Disk,
  type DiskError,
  DiskFailed,
  DiskFull,
  type DiskOperation,
  type File,
  type OpenMode
} from "../Disk.ts"

/**
 * - `EIO`: any operation but a sync. `EMFILE`: those that need a descriptor. `EACCES`: those that look up a name.
 * - `ENOSPC`: those that need space. A write that fails so has written nothing.
 * - `short write`: a write stops half way because the disk is full.
 * - `failed sync`: the sync of a file or a directory fails with EIO, and what it should have written counts as clean.
 */
export type Fault = "EIO" | "ENOSPC" | "EMFILE" | "EACCES" | "short write" | "failed sync"

export const allFaults: ReadonlyArray<Fault> = ["EIO", "ENOSPC", "EMFILE", "EACCES", "short write", "failed sync"]

export interface FaultPlan {
  readonly fault: Fault
  /** Index, from 0, among the operations that this fault can hit. */
  readonly at: number
  /** Whether all later ones fail too. */
  readonly isPersistent: boolean
  /** Called when a sync of the path was made to fail: {@link SimulatedDisk.loseUnsynced} of the disk underneath. */
  readonly onFailedSync?: (path: string) => void
}

/** The first operation that was made to fail, and how many were in all. */
export interface InjectedFault {
  readonly operation: DiskOperation
  readonly path: string
  readonly error: DiskError
  readonly count: number
}

export interface FaultyDisk {
  readonly disk: Disk
  /** Undefined while nothing has failed. */
  readonly injected: () => InjectedFault | undefined
}

const targets: Readonly<Record<Fault, ReadonlySet<DiskOperation>>> = {
  EIO: new Set<DiskOperation>([
    "open",
    "read",
    "write",
    "truncate",
    "writeback",
    "stat",
    "make directory",
    "rename",
    "link",
    "unlink",
    "remove directory",
    "list",
    "free space",
    "lock"
  ]),
  ENOSPC: new Set<DiskOperation>(["open", "write", "truncate", "make directory", "rename", "link", "lock"]),
  EMFILE: new Set<DiskOperation>(["open", "sync directory", "list", "lock"]),
  EACCES: new Set<DiskOperation>([
    "open",
    "stat",
    "make directory",
    "sync directory",
    "rename",
    "link",
    "unlink",
    "remove directory",
    "list",
    "free space",
    "lock"
  ]),
  "short write": new Set<DiskOperation>(["write"]),
  "failed sync": new Set<DiskOperation>(["sync", "sync directory"])
}

/** Wraps `disk`. A file that was made to fail is poisoned as {@link File} says. */
export const make = (disk: Disk, plan: FaultPlan): FaultyDisk => {
  let met = 0
  let injected: InjectedFault | undefined

  const faultAt = (operation: DiskOperation, path: string): DiskError | undefined => {
    if (!targets[plan.fault].has(operation)) return undefined
    const index = met++
    if (index < plan.at || (index > plan.at && !plan.isPersistent)) return undefined
    const error = faultError(plan.fault, operation, path)
    injected =
      injected === undefined ? { operation, path, error, count: 1 } : { ...injected, count: injected.count + 1 }
    if (plan.fault === "failed sync") plan.onFailedSync?.(path)
    return error
  }

  const guarded = <A, E, R>(
    operation: DiskOperation,
    path: string,
    effect: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | DiskError, R> =>
    Effect.suspend((): Effect.Effect<A, E | DiskError, R> => {
      const error = faultAt(operation, path)
      return error === undefined ? effect : Effect.fail(error)
    })

  const wrap = (file: File): File => {
    const { path } = file
    let poison: DiskError | undefined
    const whileSound = (effect: Effect.Effect<void, DiskError>): Effect.Effect<void, DiskError> =>
      Effect.suspend(() => (poison === undefined ? effect : Effect.fail(poison)))
    const poisoning = (effect: Effect.Effect<void, DiskError>): Effect.Effect<void, DiskError> =>
      Effect.tapError(effect, (error) =>
        Effect.sync(() => {
          poison ??= error
        })
      )
    const write = (bytes: Uint8Array, offsetBytes: number): Effect.Effect<void, DiskError> => {
      const error = faultAt("write", path)
      if (error === undefined) return file.writeAt(bytes, offsetBytes)
      return plan.fault === "short write"
        ? Effect.andThen(file.writeAt(bytes.subarray(0, bytes.length >> 1), offsetBytes), Effect.fail(error))
        : Effect.fail(error)
    }
    return {
      path,
      readAt: (target, offsetBytes) => guarded("read", path, file.readAt(target, offsetBytes)),
      writeAt: (bytes, offsetBytes) => whileSound(poisoning(Effect.suspend(() => write(bytes, offsetBytes)))),
      size: guarded("stat", path, file.size),
      truncate: (sizeBytes) => whileSound(guarded("truncate", path, file.truncate(sizeBytes))),
      sync: whileSound(poisoning(guarded("sync", path, file.sync))),
      startWriteback: (offsetBytes, lengthBytes) =>
        whileSound(guarded("writeback", path, file.startWriteback(offsetBytes, lengthBytes)))
    }
  }

  const needsSpace = (mode: OpenMode): boolean => mode === "create" || mode === "replace"

  const wrapped: Disk = {
    open: (path, mode) => {
      const opened = Effect.map(disk.open(path, mode), wrap)
      return plan.fault === "ENOSPC" && !needsSpace(mode) ? opened : guarded("open", path, opened)
    },
    makeDirectory: (path, options) => guarded("make directory", path, disk.makeDirectory(path, options)),
    syncDirectory: (path) => guarded("sync directory", path, disk.syncDirectory(path)),
    rename: (names) => guarded("rename", names.source, disk.rename(names)),
    link: (names) => guarded("link", names.target, disk.link(names)),
    unlink: (path) => guarded("unlink", path, disk.unlink(path)),
    removeDirectory: (path) => guarded("remove directory", path, disk.removeDirectory(path)),
    list: (path) => guarded("list", path, disk.list(path)),
    stat: (path) => guarded("stat", path, disk.stat(path)),
    freeSpaceBytes: (path) => guarded("free space", path, disk.freeSpaceBytes(path)),
    lock: (path) => guarded("lock", path, disk.lock(path))
  }
  return { disk: wrapped, injected: () => injected }
}

const faultError = (fault: Fault, operation: DiskOperation, path: string): DiskError =>
  fault === "ENOSPC" || fault === "short write"
    ? new DiskFull({ operation, path, code: "ENOSPC" })
    : new DiskFailed({
        operation,
        path,
        code: fault === "failed sync" ? "EIO" : fault,
        detail: "injected fault"
      })
