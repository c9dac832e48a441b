/**
 * Makes directories whose names survive a power cut.
 *
 * What `makeDirectory` says was absent is not enough: a killed process may have made a directory and not lived to sync its
 * parent, and the next one finds it there, not absent and not durable. So each directory from the root down counts as durable only
 * once this process has synced its parent.
 */
import type { Disk, DiskError } from "@icecore/packfile"
import { Effect } from "effect"
import * as Paths from "./Paths.ts"

export interface DurableDirectories {
  /**
   * Makes `directory`, which is `root` or below it. On return its name, those of its ancestors up to `root`, and those of
   * all ancestors that were absent before, are durable.
   */
  readonly ensure: (directory: string, root: string) => Effect.Effect<void, DiskError>
}

/** Directories remembered; beyond that memory starts anew, which costs syncs and nothing else. */
const maxKnown = 4_096

export const make = (disk: Disk): DurableDirectories => {
  const known = new Set<string>()

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
  })

  return { ensure }
}
