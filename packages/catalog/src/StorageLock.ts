/**
 * Keeps a second process away from the files of a store.
 *
 * One exclusive lock in the data directory and one in the root of each tree of files, wherever it lies: two stores that
 * share a single tree, by configuration or by a link, exclude one another. The catalog's database is guarded by its engine's own
 * writer lock. The kernel frees the locks when the process dies.
 */
import { Disk, type DiskError } from "@icecore/packfile"
import { Data, Effect, Option, type Scope } from "effect"
import * as DurableDirectories from "./internal/DurableDirectories.ts"
import * as Paths from "./internal/Paths.ts"
import { type Layout, lockFileName, type Tree } from "./Layout.ts"

/** Another process, or another scope of this one, uses the directory. */
export class StorageLocked extends Data.Error<{ readonly path: string }> {
  readonly _tag = "StorageLocked"
  override readonly name = "StorageLocked"
  override get message(): string {
    return `Cannot use directory ${this.path}: another Icecore has it open`
  }
}

const lockedTrees: ReadonlyArray<Tree> = ["hot", "entries", "events", "keys"]

/**
 * Makes the directories and takes all locks for the scope, at once or not at all. Never waits, so it cannot deadlock.
 * The data directory comes first, so that a second process on the same store is told of it; the trees follow in the order of
 * their directories' identities, so of two stores that share trees and start together one gets all.
 */
export const acquire: (layout: Layout) => Effect.Effect<void, StorageLocked | DiskError, Disk | Scope.Scope> =
  Effect.fn("StorageLock.acquire")(function* (layout: Layout) {
    const disk = yield* Disk
    const directories = DurableDirectories.make(disk)
    const byIdentity = new Map<string, string>()
    for (const directory of [layout.dataDir, ...lockedTrees.map((tree) => layout.roots[tree])]) {
      yield* directories.ensure(directory, directory)
      const info = yield* disk.stat(directory)
      const identity = Option.match(info, { onNone: () => directory, onSome: (found) => found.identity })
      if (!byIdentity.has(identity)) byIdentity.set(identity, directory)
    }
    const [dataDir, ...roots] = byIdentity
    for (const [, directory] of [dataDir!, ...roots.sort(([left], [right]) => (left < right ? -1 : 1))])
      yield* disk
        .lock(Paths.join(directory, lockFileName))
        .pipe(Effect.catchTag("DiskLocked", () => Effect.fail(new StorageLocked({ path: directory }))))
  })
