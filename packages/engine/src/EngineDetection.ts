/**
 * Which engine a database on disk is of.
 */
import { Disk, type DiskError } from "@icecore/packfile"
import { Effect, Option } from "effect"
import { dataFiles } from "./internal/DataFiles.ts"

/** Engines that keep a database in a directory, by the names that they have themselves. */
export type EngineOnDisk = keyof typeof dataFiles

/** The engine whose database lies in the directory; none where there is no such directory, or nothing of an engine in it. */
export const detect: (path: string) => Effect.Effect<Option.Option<EngineOnDisk>, DiskError, Disk> = Effect.fnUntraced(
  function* (path) {
    const disk = yield* Disk
    for (const [engine, file] of Object.entries(dataFiles) as ReadonlyArray<[EngineOnDisk, string]>)
      if (Option.isSome(yield* disk.stat(`${path}/${file}`))) return Option.some(engine)
    return Option.none()
  }
)
