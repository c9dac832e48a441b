/**
 * A disk that leaves out barriers: the proof that a test would notice.
 *
 * Wrap the disk of a crash scenario, weaken one step of a protocol, and the enumerator must find a violation.
 */
import type { Disk } from "@icecore/packfile"
import { Effect } from "effect"

/** What is left out. Every predicate gets a path and defaults to never. */
export interface Weakness {
  /** Files whose bytes are not synced. */
  readonly unsyncedFile?: (path: string) => boolean
  /** Directories whose names are not synced. */
  readonly unsyncedDirectory?: (path: string) => boolean
}

const never = (): boolean => false

/** The disk without what `weakness` leaves out. */
export const make = (disk: Disk, { unsyncedFile = never, unsyncedDirectory = never }: Weakness): Disk => ({
  ...disk,
  open: (path, mode) =>
    Effect.map(disk.open(path, mode), (file) => (unsyncedFile(path) ? { ...file, sync: Effect.void } : file)),
  syncDirectory: (path) => (unsyncedDirectory(path) ? Effect.void : disk.syncDirectory(path))
})
