/**
 * A name for the store in a directory that says nothing about where it lies: by it a command that finds the store locked knows
 * whether the daemon that it asks instead is the one that holds it.
 */
import { createHash } from "node:crypto"
import { Disk, type DiskError } from "@icecore/packfile"
import { Effect, Option } from "effect"

/** The name of the store in `dataDir`, the same by whatever path; none when there is no such directory. */
export const of = (dataDir: string): Effect.Effect<Option.Option<string>, DiskError, Disk> =>
  Effect.flatMap(Disk, (disk) =>
    Effect.map(
      disk.stat(dataDir),
      Option.map(({ identity }) => createHash("sha256").update(identity).digest("hex").slice(0, 16))
    )
  )
