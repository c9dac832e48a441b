/** Walks the trees of files for what no key of the catalog names. Holds one directory at a time on each level. */
import type { EngineReadError, Reader } from "@icecore/engine"
import type { DirectoryEntry, Disk, DiskError } from "@icecore/packfile"
import { Effect, Stream } from "effect"
import * as AuditFinding from "./AuditFinding.ts"
import * as CatalogImage from "./CatalogImage.ts"
import * as Names from "./Names.ts"

const lockFile = "icecore.lock"

const listOf = (disk: Disk, directory: string): Effect.Effect<ReadonlyArray<DirectoryEntry>, DiskError> =>
  Effect.catchTag(disk.list(directory), "DiskNotFound", () => Effect.succeed([]))

/** Every file below a directory, by its path from there; directories are not told, only gone into. */
const files = (disk: Disk, root: string, below: string): Stream.Stream<string, DiskError> =>
  Stream.unwrap(
    Effect.map(listOf(disk, below === "" ? root : `${root}/${below}`), (found) =>
      Stream.flatMap(Stream.fromIterable(found), ({ name, kind }) => {
        const path = below === "" ? name : `${below}/${name}`
        return kind === "directory" ? files(disk, root, path) : Stream.succeed(path)
      })
    )
  )

const stray = (path: string, message: string): AuditFinding.AuditFinding =>
  AuditFinding.make({ invariant: "I3", fault: "stray", path, message })

/** What lies in the trees and has no key. */
export const strays = (
  disk: Disk,
  reader: Reader,
  roots: Names.Roots
): Stream.Stream<AuditFinding.AuditFinding, DiskError | EngineReadError> => {
  const ofTree = (tree: "entries" | "events" | "keys") =>
    files(disk, roots[tree], "").pipe(
      Stream.filter((path) => path !== lockFile),
      Stream.filterEffect((path) => {
        const text = Names.textOfFile(tree, path)
        return text === undefined
          ? Effect.succeed(true)
          : Effect.map(CatalogImage.has(reader, text), (isNamed) => !isNamed)
      }),
      Stream.map((path) => {
        const full = `${roots[tree]}/${path}`
        return stray(full, `Cannot explain ${full}: no key of the catalog names it`)
      })
    )
  const ofHot = Stream.unwrap(Effect.map(listOf(disk, roots.hot), Stream.fromIterable)).pipe(
    Stream.filter(({ name }) => name !== lockFile),
    Stream.filterEffect(({ name, kind }) =>
      kind === "directory" && /^[0-9]{8}$/.test(name)
        ? Effect.map(CatalogImage.has(reader, Names.hotText(Number(name))), (isNamed) => !isNamed)
        : Effect.succeed(true)
    ),
    Stream.map(({ name }) => {
      const full = `${roots.hot}/${name}`
      return stray(full, `Cannot explain ${full}: no key of the catalog names it`)
    })
  )
  return Stream.concat(Stream.flatMap(Stream.fromIterable(["entries", "events", "keys"] as const), ofTree), ofHot)
}
