/** Directories that archives are unpacked into: fresh, nobody else's, and gone with their scope. */
import * as os from "node:os"
import * as nodePath from "node:path"
import { Disk, type DiskError, DiskExists, DiskNotFound } from "@icecore/packfile"
import { Effect, Option, type Scope } from "effect"
import { chanceHex } from "./ChanceName.ts"

/** Bytes of chance in a name: nobody can have made it before. */
const nameBytes = 16

/**
 * Makes a directory in `parent`, which must exist, by default the system's directory for temporary files, that only its owner may enter. The scope
 * removes it with all that is in it; what cannot be removed is logged and left.
 */
export const make: (parent?: string) => Effect.Effect<string, DiskError, Disk | Scope.Scope> = Effect.fnUntraced(
  function* (parent: string = os.tmpdir()) {
    const disk = yield* Disk
    const path = nodePath.join(parent, `icecore-${yield* chanceHex(nameBytes)}`)
    yield* Effect.acquireRelease(makeFresh(disk, path), () =>
      Effect.catch(removeAll(disk, path), (error) =>
        Effect.logWarning(`Cannot remove the private directory ${path}: ${error.message}`)
      )
    )
    return path
  }
)

/** A directory that was there already may be somebody else's; one in which it is to be is not made: nobody would remove it. */
const makeFresh = Effect.fnUntraced(function* (disk: Disk, path: string) {
  const parent = nodePath.dirname(path)
  if (Option.isNone(yield* disk.stat(parent))) {
    return yield* new DiskNotFound({ operation: "make directory", path: parent })
  }
  const made = yield* disk.makeDirectory(path, { isPrivate: true })
  if (made.at(-1) !== path) return yield* new DiskExists({ operation: "make directory", path })
})

const removeAll = (disk: Disk, path: string): Effect.Effect<void, DiskError> =>
  Effect.gen(function* () {
    for (const { name, kind } of yield* disk.list(path)) {
      const child = `${path}/${name}`
      yield* kind === "directory" ? removeAll(disk, child) : disk.unlink(child)
    }
    yield* disk.removeDirectory(path)
  })
