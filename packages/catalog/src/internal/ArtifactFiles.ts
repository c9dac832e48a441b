/** The files under an artifact's key. */
import type { Disk, DiskError } from "@icecore/packfile"
import { Effect, Option } from "effect"
import { ArtifactMissing } from "../CatalogError.ts"
import { type ArtifactKey, encodeKey } from "../format/CatalogKey.ts"
import * as Layout from "../Layout.ts"

const unlessAbsent = (effect: Effect.Effect<void, DiskError>): Effect.Effect<void, DiskError> =>
  Effect.catchTag(effect, "DiskNotFound", () => Effect.void)

/** Unlinks the files that are there. Their absence is not durable yet. */
export const unlink = (disk: Disk, layout: Layout.Layout, key: ArtifactKey): Effect.Effect<void, DiskError> =>
  Effect.forEach(Layout.filesOf(layout, key), (file) => unlessAbsent(disk.unlink(file)), { discard: true })

/**
 * Makes the names in the directories of the keys durable. A directory that is not there holds no name that could come
 * back: it is in this process's view of the disk, and none is removed before its names are synced.
 */
export const syncDirectories = (
  disk: Disk,
  layout: Layout.Layout,
  keys: ReadonlyArray<ArtifactKey>
): Effect.Effect<void, DiskError> =>
  Effect.forEach(
    new Set(keys.map((key) => Layout.directoryOf(layout, key))),
    (directory) => unlessAbsent(disk.syncDirectory(directory)),
    { discard: true }
  )

/** Fails on the first file that is not there. */
export const requireAll: (
  disk: Disk,
  layout: Layout.Layout,
  key: ArtifactKey
) => Effect.Effect<void, DiskError | ArtifactMissing> = Effect.fnUntraced(function* (disk, layout, key) {
  for (const path of Layout.filesOf(layout, key)) {
    const info = yield* disk.stat(path)
    if (Option.isNone(info) || info.value.kind !== "file")
      return yield* new ArtifactMissing({ key: encodeKey(key), path })
  }
})
