/**
 * A {@link Disk} in memory that can lose power.
 *
 * It gives the answers and errors of the live layer (one conformance suite runs on both) and takes part in a
 * {@link CrashWorld}: every operation that changes what a crash can leave is a step of it. All its operations are
 * synchronous, so a scenario that does nothing else runs in one go.
 */
import { Effect, Layer, Option, type Scope } from "effect"
import {
  type DirectoryEntry,
  Disk,
  type DiskError,
  DiskExists,
  DiskFailed,
  DiskFull,
  DiskLocked,
  DiskNotFound,
  type DiskOperation,
  DiskShortRead,
  type File,
  type OpenMode
} from "../Disk.ts"
import { positionFault } from "../internal/Position.ts"
import type { CrashParticipant, CrashWorld } from "./CrashWorld.ts"
import { fingerprint } from "./SimulatedFingerprint.ts"
import {
  ancestors,
  isDirectory,
  isPlace,
  locate,
  notDirectory,
  notEmpty,
  resolve,
  resolveDirectory
} from "./SimulatedPath.ts"
import * as State from "./SimulatedState.ts"
import { survive } from "./Survival.ts"

export interface SimulatedDiskOptions {
  /** Bytes that all blocks of all files may take. Default: 2^50. */
  readonly capacityBytes?: number
}

export interface SimulatedDisk {
  readonly disk: Disk
  /** Changes the capacity; what is there stays, even when it is more. */
  readonly setCapacityBytes: (capacityBytes: number) => void
  /**
   * Does to the file or directory what a failed sync does: all that was not synced counts as clean, stays readable, and is never
   * written. Nothing happens when there is nothing at the path.
   */
  readonly loseUnsynced: (path: string) => void
}

const defaultCapacityBytes = 2 ** 50

/** A new, empty disk that takes part in `world`. */
export const make = (world: CrashWorld, options: SimulatedDiskOptions = {}): SimulatedDisk => {
  let state = State.emptyState
  let capacityBytes = options.capacityBytes ?? defaultCapacityBytes
  // A restart closes every file and frees every lock: what is left of an earlier run fails.
  let boot = 0
  let locked = new Set<number>()

  const participant: CrashParticipant<State.SimulatedState> = {
    name: "disk",
    capture: () => state,
    restore: (restored) => {
      state = restored
      boot++
      locked = new Set()
    },
    survive,
    fingerprint
  }
  world.join(participant)

  const step = (label: string, change: (state: State.SimulatedState) => State.SimulatedState): void => {
    world.step(label)
    state = change(state)
  }

  const directoryAt = (id: number): State.DirectoryNode => state.nodes.get(id) as State.DirectoryNode

  const freeBytes = (): number => Math.max(0, capacityBytes - State.usedBytes(state))

  /** Creates the file when the mode says so; returns its inode. */
  const openNode = (operation: DiskOperation, path: string, mode: OpenMode): number | DiskError => {
    const place = locate(state, operation, path)
    if (!isPlace(place)) return place
    if (place.node === undefined) {
      if (mode === "read" || mode === "readWrite") return new DiskNotFound({ operation, path })
      const id = state.nextNode
      step(`create ${path}`, (before) => State.addNode(before, place.directory, place.name, "file"))
      return id
    }
    if (mode === "create") return new DiskExists({ operation, path })
    if (state.nodes.get(place.node)!.kind === "directory") return isDirectory(operation, path)
    const { node } = place
    if (mode === "replace") step(`empty ${path}`, (before) => State.truncateFile(before, node, 0))
    return node
  }

  const fileOf = (path: string, id: number, mode: OpenMode): { readonly file: File; readonly close: () => void } => {
    const opened = boot
    let closed = false
    let poison: DiskError | undefined
    const node = (): State.FileNode => state.nodes.get(id) as State.FileNode

    const whileOpen = <T>(operation: DiskOperation, run: () => T) =>
      attempt((): T | DiskFailed =>
        closed || opened !== boot
          ? new DiskFailed({ operation, path, code: "EBADF", detail: "the file is closed" })
          : run()
      )
    const whileSound = (operation: DiskOperation, run: () => undefined | DiskError) =>
      whileOpen(operation, () => poison ?? run())

    const write = (bytes: Uint8Array, offsetBytes: number): undefined | DiskError => {
      if (mode === "read") {
        poison = new DiskFailed({ operation: "write", path, code: "EBADF", detail: "the file is open for reading" })
        return poison
      }
      poison = positionFault("write", path, offsetBytes)
      if (poison !== undefined) return poison
      const fitting = fittingBytes(node(), bytes.length, offsetBytes, freeBytes())
      if (fitting > 0) {
        step(`write ${path} at ${offsetBytes}, ${fitting} bytes`, (before) =>
          State.writeFile(before, id, bytes.subarray(0, fitting), offsetBytes)
        )
      }
      if (fitting === bytes.length) return undefined
      poison = new DiskFull({ operation: "write", path, code: "ENOSPC" })
      return poison
    }

    const file: File = {
      path,
      readAt: (target, offsetBytes) =>
        whileOpen("read", () => {
          const fault = positionFault("read", path, offsetBytes)
          if (fault !== undefined) return fault
          const actual = State.readFile(node(), target, offsetBytes)
          return actual === target.length
            ? undefined
            : new DiskShortRead({ path, offsetBytes, expected: target.length, actual })
        }),
      writeAt: (bytes, offsetBytes) => whileSound("write", () => write(bytes, offsetBytes)),
      size: whileOpen("stat", () => node().sizeBytes),
      truncate: (sizeBytes) =>
        whileSound("truncate", () => {
          if (mode === "read") {
            return new DiskFailed({
              operation: "truncate",
              path,
              code: "EINVAL",
              detail: "the file is open for reading"
            })
          }
          const fault = positionFault("truncate", path, sizeBytes)
          if (fault !== undefined) return fault
          step(`truncate ${path} to ${sizeBytes}`, (before) => State.truncateFile(before, id, sizeBytes))
          return undefined
        }),
      sync: whileSound("sync", () => {
        step(`sync ${path}`, (before) => State.syncFile(before, id))
        return undefined
      }),
      startWriteback: () => whileSound("writeback", () => undefined)
    }
    return {
      file,
      close: () => {
        closed = true
      }
    }
  }

  const open = (path: string, mode: OpenMode): Effect.Effect<File, DiskError, Scope.Scope> =>
    Effect.map(
      Effect.acquireRelease(
        attempt(() => {
          const id = openNode("open", path, mode)
          return typeof id === "number" ? fileOf(path, id, mode) : id
        }),
        (opened) => Effect.sync(opened.close)
      ),
      (opened) => opened.file
    )

  const makeDirectory = (path: string): Effect.Effect<ReadonlyArray<string>, DiskError> =>
    attempt(() => {
      const absent: Array<string> = []
      for (const ancestor of ancestors(path)) {
        const place = locate(state, "make directory", ancestor)
        if (!isPlace(place)) return place
        if (place.node === undefined) {
          step(`make directory ${ancestor}`, (before) =>
            State.addNode(before, place.directory, place.name, "directory")
          )
          absent.push(ancestor)
        } else if (state.nodes.get(place.node)!.kind === "file") {
          return new DiskExists({ operation: "make directory", path: ancestor })
        }
      }
      return absent
    })

  const rename = (source: string, target: string): undefined | DiskError => {
    const from = locate(state, "rename", source)
    if (!isPlace(from)) return from
    if (from.node === undefined) return new DiskNotFound({ operation: "rename", path: source })
    const to = locate(state, "rename", target)
    if (!isPlace(to)) return to
    if (from.node === to.node) return undefined
    const replaced = to.node === undefined ? undefined : state.nodes.get(to.node)!
    const moved = state.nodes.get(from.node)!
    if (replaced !== undefined && replaced.kind !== moved.kind) {
      return replaced.kind === "directory" ? isDirectory("rename", source) : notDirectory("rename", source)
    }
    if (replaced?.kind === "directory" && replaced.entries.size > 0) return notEmpty("rename", source)
    step(`rename ${source} to ${target}`, (before) =>
      State.renameEntry(
        before,
        { directory: from.directory, name: from.name },
        { directory: to.directory, name: to.name }
      )
    )
    return undefined
  }

  const link = (source: string, target: string): undefined | DiskError => {
    const node = resolve(state, "link", source)
    if (typeof node !== "number") return node
    const to = locate(state, "link", target)
    if (!isPlace(to)) return to
    if (to.node !== undefined) return new DiskExists({ operation: "link", path: target })
    if (state.nodes.get(node)!.kind === "directory") {
      return new DiskFailed({ operation: "link", path: target, code: "EPERM", detail: "it is a directory" })
    }
    step(`link ${source} as ${target}`, (before) => State.addEntry(before, to.directory, to.name, node))
    return undefined
  }

  const remove = (
    operation: "unlink" | "remove directory",
    path: string,
    kind: "file" | "directory"
  ): undefined | DiskError => {
    const place = locate(state, operation, path)
    if (!isPlace(place)) return place
    if (place.node === undefined) return new DiskNotFound({ operation, path })
    const node = state.nodes.get(place.node)!
    if (node.kind !== kind) {
      return node.kind === "directory" ? isDirectory(operation, path) : notDirectory(operation, path)
    }
    if (node.kind === "directory" && node.entries.size > 0) return notEmpty(operation, path)
    step(`${operation} ${path}`, (before) => State.removeEntry(before, place.directory, place.name))
    return undefined
  }

  const listed = (id: number): ReadonlyArray<DirectoryEntry> =>
    [...directoryAt(id).entries]
      .map(([name, child]): DirectoryEntry => ({ name, kind: state.nodes.get(child)!.kind }))
      .sort((left, right) => (left.name < right.name ? -1 : 1))

  const lock = (path: string): Effect.Effect<void, DiskLocked | DiskError, Scope.Scope> =>
    Effect.asVoid(
      Effect.acquireRelease(
        attempt((): { readonly id: number; readonly boot: number } | DiskLocked | DiskError => {
          const existing = openNode("lock", path, "readWrite")
          const id =
            typeof existing !== "number" && existing._tag === "DiskNotFound"
              ? openNode("lock", path, "create")
              : existing
          if (typeof id !== "number") return id
          if (locked.has(id)) return new DiskLocked({ path })
          locked.add(id)
          return { id, boot }
        }),
        (held) =>
          Effect.sync(() => {
            if (held.boot === boot) locked.delete(held.id)
          })
      )
    )

  const disk: Disk = {
    open,
    makeDirectory,
    syncDirectory: (path) =>
      attempt(() => {
        const id = resolveDirectory(state, "sync directory", path)
        if (typeof id !== "number") return id
        step(`sync directory ${path}`, (before) => State.syncDirectory(before, id))
        return undefined
      }),
    rename: ({ source, target }) => attempt(() => rename(source, target)),
    link: ({ source, target }) => attempt(() => link(source, target)),
    unlink: (path) => attempt(() => remove("unlink", path, "file")),
    removeDirectory: (path) => attempt(() => remove("remove directory", path, "directory")),
    list: (path) =>
      attempt(() => {
        const id = resolveDirectory(state, "list", path)
        return typeof id === "number" ? listed(id) : id
      }),
    stat: (path) =>
      attempt(() => {
        const id = resolve(state, "stat", path)
        if (typeof id !== "number") return id._tag === "DiskNotFound" ? Option.none() : id
        const node = state.nodes.get(id)!
        return Option.some({
          kind: node.kind,
          sizeBytes: node.kind === "file" ? node.sizeBytes : State.blockSizeBytes,
          identity: `simulated:${id}`
        })
      }),
    freeSpaceBytes: (path) =>
      attempt(() => {
        const id = resolve(state, "free space", path)
        return typeof id === "number" ? freeBytes() : id
      }),
    lock
  }

  return {
    disk,
    setCapacityBytes: (bytes) => {
      capacityBytes = bytes
    },
    loseUnsynced: (path) => {
      const id = resolve(state, "sync", path)
      if (typeof id === "number") step(`lose ${path}`, (before) => State.loseUnsynced(before, id))
    }
  }
}

/** A new, empty disk that takes part in `world`. */
export const layer = (world: CrashWorld, options: SimulatedDiskOptions = {}): Layer.Layer<Disk> =>
  Layer.sync(Disk, () => make(world, options).disk)

type Fault = DiskError | DiskLocked

/** Runs the operation, whose outcome is its result or its error. */
const attempt = <T>(run: () => T): Effect.Effect<Exclude<T, Fault>, Extract<T, Fault>> =>
  Effect.suspend(() => {
    const outcome = run()
    return outcome instanceof Error && "_tag" in outcome
      ? Effect.fail(outcome as Extract<T, Fault>)
      : Effect.succeed(outcome as Exclude<T, Fault>)
  })

/** How many of the bytes can be written before the disk is full. */
const fittingBytes = (node: State.FileNode, lengthBytes: number, offsetBytes: number, freeBytes: number): number => {
  let blocksLeft = Math.floor(freeBytes / State.blockSizeBytes)
  for (let done = 0; done < lengthBytes; ) {
    const position = offsetBytes + done
    const step = State.blockSizeBytes - (position % State.blockSizeBytes)
    if (!node.blocks.has(Math.floor(position / State.blockSizeBytes)) && blocksLeft-- === 0) return done
    done += step
  }
  return lengthBytes
}
