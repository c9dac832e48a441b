/**
 * Where everything lies: the only module that knows paths, and a bijection between the catalog's keys and files.
 *
 * ```
 * {dataDir}/
 * ├── icecore.lock                                      of the storage lock; one in each tree below, too
 * ├── catalog/                                          the catalog's engine database
 * ├── hot/{chunk8}/                                     one engine database per hot chunk
 * ├── entries/{bucket5}/{chunk8}.pack
 * ├── events/{bucket5}/{chunk8}-events.pack, -index.pack, -index.hash
 * └── keys/run/{bucket5}/{chunk8}.bin
 *     keys/index/{window8}/{lo8}-{hi8}.idx
 * ```
 *
 * `{name8}` is a number padded to 8 digits; a bucket is the chunk divided by 1,000, padded to 5. Each of the five trees
 * can have a root elsewhere. Paths separate with "/". Part of the on-disk format: never change, add a version.
 */
import { Data, Effect, Option } from "effect"
import {
  type ArtifactKey,
  type ArtifactKind,
  chunkKey,
  hotKey,
  indexKey,
  padNumber,
  type StorageKey
} from "./format/CatalogKey.ts"
import { ChunkId, WindowId } from "./Geometry.ts"
import * as Paths from "./internal/Paths.ts"

/** Chunks that share a directory. */
export const chunksPerBucket = 1_000

/** Name of the lock file in the data directory and in each tree's root. */
export const lockFileName = "icecore.lock"

/** A part of the store that can have a disk of its own. */
export type Tree = "catalog" | "hot" | "entries" | "events" | "keys"

export const trees: ReadonlyArray<Tree> = ["catalog", "hot", "entries", "events", "keys"]

/** The store's directory, and roots of trees that lie elsewhere. */
export interface LayoutOptions {
  readonly dataDir: string
  /** Default: `{dataDir}/{tree}`. */
  readonly roots?: Partial<Readonly<Record<Tree, string>>>
}

export interface Layout {
  readonly dataDir: string
  readonly roots: Readonly<Record<Tree, string>>
}

/** A tree's root that is empty, or in, around or equal to another's. */
export class LayoutInvalid extends Data.Error<{
  readonly tree: Tree | "dataDir"
  readonly path: string
  readonly detail: string
}> {
  readonly _tag = "LayoutInvalid"
  override readonly name = "LayoutInvalid"
  override get message(): string {
    return `Cannot use ${this.path === "" ? "an empty path" : this.path} for ${this.tree}: ${this.detail}`
  }
}

/**
 * Checks and normalizes the paths. No tree may lie in another, and none may be the data directory or around it. Links are
 * not followed here: what must not be shared is locked by identity ({@link import("./StorageLock.ts")}).
 */
export const make = (options: LayoutOptions): Effect.Effect<Layout, LayoutInvalid> => {
  if (options.dataDir === "")
    return Effect.fail(new LayoutInvalid({ tree: "dataDir", path: "", detail: "a path is expected" }))
  const dataDir = Paths.normalize(options.dataDir)
  const roots: Record<string, string> = {}
  for (const tree of trees) {
    const root = options.roots?.[tree] ?? Paths.join(dataDir, tree)
    if (root === "") return Effect.fail(new LayoutInvalid({ tree, path: "", detail: "a path is expected" }))
    roots[tree] = Paths.normalize(root)
  }
  const layout: Layout = { dataDir, roots: roots as Record<Tree, string> }
  for (const tree of trees) {
    const path = layout.roots[tree]
    if (path === dataDir || Paths.below(path, dataDir) !== undefined)
      return Effect.fail(new LayoutInvalid({ tree, path, detail: `the data directory ${dataDir} is it or lies in it` }))
  }
  for (const tree of trees)
    for (const other of trees) {
      const path = layout.roots[tree]
      const around = layout.roots[other]
      if (other !== tree && (path === around || Paths.below(around, path) !== undefined))
        return Effect.fail(new LayoutInvalid({ tree, path, detail: `it lies in ${around}, which holds ${other}` }))
    }
  return Effect.succeed(layout)
}

const bucketOf = (chunk: ChunkId): string =>
  Math.floor(chunk / chunksPerBucket)
    .toString()
    .padStart(5, "0")

const inBucket = (directory: string, chunk: ChunkId, suffix: string): string =>
  Paths.join(directory, `${bucketOf(chunk)}/${padNumber(chunk)}${suffix}`)

/** The database of the catalog: a directory. */
export const catalogPath = (layout: Layout): string => layout.roots.catalog

/** The hot database of a chunk: a directory. */
export const hotPath = (layout: Layout, chunk: ChunkId): string => Paths.join(layout.roots.hot, padNumber(chunk))

/** The packfile with the entries of a chunk. */
export const entriesPath = (layout: Layout, chunk: ChunkId): string => inBucket(layout.roots.entries, chunk, ".pack")

/** The three files of the events of a chunk. */
export interface EventsPaths {
  readonly events: string
  readonly index: string
  readonly hash: string
}

export const eventsPaths = (layout: Layout, chunk: ChunkId): EventsPaths => ({
  events: inBucket(layout.roots.events, chunk, "-events.pack"),
  index: inBucket(layout.roots.events, chunk, "-index.pack"),
  hash: inBucket(layout.roots.events, chunk, "-index.hash")
})

/** The sorted key run of a chunk. */
export const keyRunPath = (layout: Layout, chunk: ChunkId): string =>
  inBucket(Paths.join(layout.roots.keys, "run"), chunk, ".bin")

/** The key index of a window over the chunks `lo` to `hi`. */
export const keyIndexPath = (
  layout: Layout,
  index: { readonly window: WindowId; readonly lo: ChunkId; readonly hi: ChunkId }
): string =>
  Paths.join(layout.roots.keys, `index/${padNumber(index.window)}/${padNumber(index.lo)}-${padNumber(index.hi)}.idx`)

const chunkFilesOf = (layout: Layout, chunk: ChunkId, kind: ArtifactKind): ReadonlyArray<string> => {
  switch (kind) {
    case "entries":
      return [entriesPath(layout, chunk)]
    case "events": {
      const paths = eventsPaths(layout, chunk)
      return [paths.events, paths.index, paths.hash]
    }
    case "keys":
      return [keyRunPath(layout, chunk)]
  }
}

/** The tree that holds what the key names. */
export const treeOf = (key: StorageKey): Tree => {
  switch (key._tag) {
    case "Chunk":
      return key.kind
    case "Index":
      return "keys"
    case "Hot":
      return "hot"
  }
}

/** The files of an artifact, all in one directory; for a hot database its directory. */
export const filesOf = (layout: Layout, key: StorageKey): ReadonlyArray<string> => {
  switch (key._tag) {
    case "Chunk":
      return chunkFilesOf(layout, key.chunk, key.kind)
    case "Index":
      return [keyIndexPath(layout, key)]
    case "Hot":
      return [hotPath(layout, key.chunk)]
  }
}

/** The directory that holds {@link filesOf} an artifact. */
export const directoryOf = (layout: Layout, key: ArtifactKey): string => Paths.parentOf(filesOf(layout, key)[0]!)

const patterns: ReadonlyArray<{
  readonly tree: Tree
  readonly pattern: RegExp
  readonly key: (match: RegExpExecArray) => StorageKey | undefined
}> = [
  {
    tree: "entries",
    pattern: /^\d{5}\/(\d{8})\.pack$/,
    key: (match) => chunkKey(ChunkId(Number(match[1])), "entries")
  },
  {
    tree: "events",
    pattern: /^\d{5}\/(\d{8})(?:-events\.pack|-index\.pack|-index\.hash)$/,
    key: (match) => chunkKey(ChunkId(Number(match[1])), "events")
  },
  { tree: "keys", pattern: /^run\/\d{5}\/(\d{8})\.bin$/, key: (match) => chunkKey(ChunkId(Number(match[1])), "keys") },
  {
    tree: "keys",
    pattern: /^index\/(\d{8})\/(\d{8})-(\d{8})\.idx$/,
    key: (match) =>
      Number(match[2]) <= Number(match[3])
        ? indexKey(WindowId(Number(match[1])), ChunkId(Number(match[2])), ChunkId(Number(match[3])))
        : undefined
  },
  { tree: "hot", pattern: /^(\d{8})$/, key: (match) => hotKey(ChunkId(Number(match[1]))) }
]

/**
 * The key that owns a path: the inverse of {@link filesOf}, exact to the byte. None for every path that no key names, such
 * as a chunk in the wrong bucket. What lies inside a hot database belongs to the engine and is not named here.
 */
export const keyOf = (layout: Layout, path: string): Option.Option<StorageKey> => {
  for (const { tree, pattern, key } of patterns) {
    const rest = Paths.below(layout.roots[tree], path)
    const match = rest === undefined ? null : pattern.exec(rest)
    const found = match === null ? undefined : key(match)
    if (found !== undefined && filesOf(layout, found).includes(path)) return Option.some(found)
  }
  return Option.none()
}
