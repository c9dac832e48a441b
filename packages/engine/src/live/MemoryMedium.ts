/**
 * What memory databases are kept on: it outlives the engines opened over it, can lose power, and can be told to fail.
 *
 * Per database it holds the contents that are synced and, in order, those after it that are not. A crash keeps the synced
 * ones and any number of the others from the first on. A database comes into being in two changes, first half made, and is
 * destroyed in two, so a crash between them leaves either; only a whole one can be opened without `create`.
 *
 * The order of a synced change is always: fault "commit", fault "sync", step of the world, change. So a crash point lies
 * before each change and none within.
 */
import type { CrashParticipant, CrashWorld, SurvivorRandom } from "@icecore/packfile/testing"
import type { SortedTree } from "../kernel/SortedTree.ts"
import { treeFingerprint } from "../kernel/TreeFingerprint.ts"

/** Where an injected fault can strike. `commit` and `sync` are the two halves of a durable write. */
export type MemoryFaultPoint = "create" | "commit" | "sync" | "checkpoint" | "destroy"

/** An injected fault: `EIO` becomes `EngineFailed`, `ENOSPC` `EngineFull`. */
export interface MemoryFault {
  readonly point: MemoryFaultPoint
  readonly code: "EIO" | "ENOSPC"
  /** Passes of the point that still succeed. Default 0: the next one fails. */
  readonly afterCount?: number
  /** Passes that fail from then on. Default 1. */
  readonly failureCount?: number
  /** Only this database. Default: any. */
  readonly path?: string
}

/** An injected fault, thrown where a library would throw. */
export class MemoryFailure extends Error {
  readonly code: MemoryFault["code"]

  constructor(code: MemoryFault["code"], point: MemoryFaultPoint) {
    super(`${code} at ${point}`)
    this.code = code
  }
}

/** The keyspaces of a whole database. */
export type MemoryContents = ReadonlyMap<string, SortedTree>

/** What is found at a path: a database, the half of one, or nothing. */
export type MemoryFace = MemoryContents | "half" | undefined

/** A change that a crash may lose, with all after it. */
interface UnsyncedChange {
  readonly face: MemoryFace
  readonly previous: UnsyncedChange | undefined
  /** Changes up to and with this one. */
  readonly count: number
}

interface DatabaseState {
  readonly synced: MemoryFace
  readonly unsynced: UnsyncedChange | undefined
}

type MediumState = ReadonlyMap<string, DatabaseState>

/** A medium. All its operations are synchronous. */
export interface MemoryMedium {
  /** Adds a fault to those in force. */
  readonly inject: (fault: MemoryFault) => void
  /** Removes every fault. */
  readonly heal: () => void
  /** Counts restarts: what was opened under an earlier number is closed. */
  readonly boot: () => number
  readonly face: (path: string) => MemoryFace
  /** Throws {@link MemoryFailure} when a fault is due. */
  readonly pass: (point: MemoryFaultPoint, path: string) => void
  /** A change that is durable, with all before it, when this returns. */
  readonly changeSynced: (label: string, path: string, face: MemoryFace) => void
  readonly changeBuffered: (label: string, path: string, face: MemoryFace) => void
  readonly sync: (path: string) => void
  /** What a failed sync does: the changes that were not synced are gone once the database is closed. */
  readonly dropUnsynced: (path: string) => void
  /** False when a writer of this boot has it. */
  readonly lock: (path: string) => boolean
  readonly isLocked: (path: string) => boolean
  readonly unlock: (path: string) => void
}

/** A new, empty medium. With a world it takes part in its crashes; without, no change is ever lost. */
export const makeMedium = (world?: CrashWorld): MemoryMedium => {
  let state: MediumState = new Map()
  let boot = 0
  let locked = new Set<string>()
  let faults: Array<{ readonly fault: MemoryFault; after: number; failures: number }> = []

  world?.join(
    participant({
      capture: () => state,
      restore: (restored) => {
        state = restored
        boot++
        locked = new Set()
      }
    })
  )

  const set = (path: string, next: DatabaseState): void => {
    const databases = new Map(state)
    if (next.synced === undefined && next.unsynced === undefined) databases.delete(path)
    else databases.set(path, next)
    state = databases
  }

  const face = (path: string): MemoryFace => faceOf(state.get(path))

  return {
    inject: (fault) => {
      faults.push({ fault, after: fault.afterCount ?? 0, failures: fault.failureCount ?? 1 })
    },
    heal: () => {
      faults = []
    },
    boot: () => boot,
    face,
    pass: (point, path) => {
      for (const entry of faults) {
        if (entry.fault.point !== point || (entry.fault.path ?? path) !== path || entry.failures === 0) continue
        if (entry.after > 0) {
          entry.after--
        } else {
          entry.failures--
          throw new MemoryFailure(entry.fault.code, point)
        }
      }
    },
    changeSynced: (label, path, face) => {
      world?.step(`${label} ${path}`)
      set(path, { synced: face, unsynced: undefined })
    },
    changeBuffered: (label, path, face) => {
      world?.step(`${label} ${path}`)
      const before = state.get(path)
      // Without a world nobody asks for the states between.
      const previous = world === undefined ? undefined : before?.unsynced
      set(path, {
        synced: before?.synced,
        unsynced: { face, previous, count: (previous?.count ?? 0) + 1 }
      })
    },
    sync: (path) => {
      if (state.get(path)?.unsynced === undefined) return
      world?.step(`flush ${path}`)
      set(path, { synced: face(path), unsynced: undefined })
    },
    dropUnsynced: (path) => {
      const before = state.get(path)
      if (before?.unsynced === undefined) return
      world?.step(`lose what a failed sync left of ${path}`)
      set(path, { synced: before.synced, unsynced: undefined })
    },
    lock: (path) => {
      if (locked.has(path)) return false
      locked.add(path)
      return true
    },
    isLocked: (path) => locked.has(path),
    unlock: (path) => {
      locked.delete(path)
    }
  }
}

const faceOf = (database: DatabaseState | undefined): MemoryFace =>
  database?.unsynced === undefined ? database?.synced : database.unsynced.face

const participant = (
  medium: Pick<CrashParticipant<MediumState>, "capture" | "restore">
): CrashParticipant<MediumState> => ({
  name: "memory engine",
  ...medium,
  survive: (state, random) => {
    const surviving = new Map<string, DatabaseState>()
    for (const [path, database] of state) {
      const synced = survivingFace(database, random)
      if (synced !== undefined) surviving.set(path, { synced, unsynced: undefined })
    }
    return surviving
  },
  fingerprint: (state) =>
    [...state]
      .map(([path, database]) => `${JSON.stringify(path)}=${fingerprintFace(faceOf(database))}`)
      .sort()
      .join("\n")
})

const survivingFace = ({ synced, unsynced }: DatabaseState, random: SurvivorRandom): MemoryFace => {
  if (unsynced === undefined) return synced
  const kept = random.policy === "last" ? unsynced.count - 1 : random.nextInt(unsynced.count + 1)
  let change: UnsyncedChange | undefined = unsynced
  while (change !== undefined && change.count > kept) change = change.previous
  return change === undefined ? synced : change.face
}

const fingerprintFace = (face: MemoryFace): string => {
  if (face === undefined || face === "half") return face ?? "absent"
  return [...face]
    .map(([keyspace, tree]) => `${keyspace}:${treeFingerprint(tree)}`)
    .sort()
    .join(",")
}
