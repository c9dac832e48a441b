/**
 * Whether disk and catalog agree: every file is one that a key names, every frozen key has its files, nothing is unsettled.
 *
 * Reads names and keys, never contents. On a store that is being changed a finding may be of the moment; ask again.
 * Memory is bounded by one directory.
 */
import { type DirectoryEntry, Disk, type DiskError } from "@icecore/packfile"
import { Effect, Option, Stream } from "effect"
import type { Catalog } from "./Catalog.ts"
import type { CatalogReadError } from "./CatalogError.ts"
import type { CatalogSnapshot } from "./CatalogSnapshot.ts"
import { encodeKey, hotKey, type StorageKey } from "./format/CatalogKey.ts"
import * as Paths from "./internal/Paths.ts"
import * as Layout from "./Layout.ts"

/** A disagreement. */
export type Finding =
  /** Something lies in a tree that no key of the catalog names. */
  | { readonly _tag: "Stray"; readonly path: string }
  /** A frozen key's file is not there. */
  | { readonly _tag: "Missing"; readonly key: string; readonly path: string }
  /** A key between two states: work is under way, or a sweep is due. */
  | { readonly _tag: "Unsettled"; readonly key: string; readonly state: string }

/** How deep files lie below the roots of their trees. */
const depths = [
  ["entries", 2],
  ["events", 2],
  ["keys", 3],
  ["hot", 1]
] as const

const walk = (disk: Disk, directory: string, depth: number): Stream.Stream<string, DiskError> =>
  Stream.fromEffect(
    disk.list(directory).pipe(Effect.catchTag("DiskNotFound", () => Effect.succeed<ReadonlyArray<DirectoryEntry>>([])))
  ).pipe(
    Stream.flatMap(Stream.fromIterable),
    Stream.filter((entry) => entry.name !== Layout.lockFileName),
    Stream.flatMap((entry) => {
      const path = Paths.join(directory, entry.name)
      return depth > 1 && entry.kind === "directory" ? walk(disk, path, depth - 1) : Stream.succeed(path)
    })
  )

const isNamed = (snapshot: CatalogSnapshot, key: StorageKey): Effect.Effect<boolean, CatalogReadError> =>
  Effect.map(snapshot.state(key), Option.isSome)

/** Every disagreement: strays by tree and path, then missing files and unsettled keys by key. */
export const findings = (catalog: Catalog): Stream.Stream<Finding, CatalogReadError | DiskError, Disk> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const disk = yield* Disk
      const snapshot = yield* catalog.snapshot
      return Stream.concat(strays(disk, catalog, snapshot), disagreeing(disk, catalog, snapshot))
    })
  )

const strays = (
  disk: Disk,
  { layout }: Catalog,
  snapshot: CatalogSnapshot
): Stream.Stream<Finding, CatalogReadError | DiskError> =>
  Stream.fromIterable(depths).pipe(
    Stream.flatMap(([tree, depth]) => walk(disk, layout.roots[tree], depth)),
    Stream.filterEffect((path) =>
      Option.match(Layout.keyOf(layout, path), {
        onNone: () => Effect.succeed(true),
        onSome: (key) => Effect.map(isNamed(snapshot, key), (named) => !named)
      })
    ),
    Stream.map((path): Finding => ({ _tag: "Stray", path }))
  )

const disagreeing = (
  disk: Disk,
  { layout }: Catalog,
  snapshot: CatalogSnapshot
): Stream.Stream<Finding, CatalogReadError | DiskError> => {
  const artifacts = Stream.concat(snapshot.artifacts(), snapshot.indexes).pipe(
    Stream.flatMap(({ key, state }): Stream.Stream<Finding, DiskError> => {
      if (state !== "frozen") return Stream.succeed({ _tag: "Unsettled", key: encodeKey(key), state })
      return Stream.fromIterable(Layout.filesOf(layout, key)).pipe(
        Stream.filterEffect((path) => Effect.map(disk.stat(path), Option.isNone)),
        Stream.map((path): Finding => ({ _tag: "Missing", key: encodeKey(key), path }))
      )
    })
  )
  const hot = snapshot.hotChunks.pipe(
    Stream.filter(({ state }) => state !== "ready"),
    Stream.map(({ chunk, state }): Finding => ({ _tag: "Unsettled", key: encodeKey(hotKey(chunk)), state }))
  )
  return Stream.concat(artifacts, hot)
}
