/**
 * Building the key index of a window over a coverage of its chunks.
 *
 * 1. skip when a frozen coverage is the same or wider;
 * 2. through the catalog's write protocol: `freezing`; merge the runs of all chunks of the coverage into the file, synced and read
 *    back; sync the directory; one batch makes the new coverage `frozen`, demotes the one before and, when the window is finished,
 *    its runs.
 *
 * Duplicate keys that the domain refuses do not get here: ingestion and widenings look every key up among all that an index may hold.
 * Should they all the same, both entries are kept, the log says so, and the later one answers: an index that is never built would
 * help nobody.
 *
 * A window never has two frozen coverages, and never none once it had one. Each run is held against the checksum that the pack
 * of its chunk keeps. One that is damaged is demoted, so that the next plan derives it anew from the frozen entries.
 */
import { type Catalog, CatalogKey, Geometry, Layout } from "@icecore/catalog"
import type { Zstd } from "@icecore/codec"
import type { Disk, KeyRun } from "@icecore/packfile"
import { Effect, Option } from "effect"
import type { ArtifactWork } from "./ArtifactWork.ts"
import type { DuplicatePolicy } from "./Domain.ts"
import * as EntriesPack from "./EntriesPack.ts"
import * as FrozenChunk from "./internal/FrozenChunk.ts"
import type { IndexBuild } from "./Resolve.ts"
import type { StorageError } from "./StorageError.ts"

/** What the runs of chunks must be, as far as this process has learnt it. */
export type KnownRuns = Map<Geometry.ChunkId, KeyRun.ExpectedRun>

export interface BuildKeyIndexOptions extends IndexBuild {
  readonly catalog: Catalog.Catalog
  readonly work: ArtifactWork
  readonly duplicates: DuplicatePolicy
  /** What is known already, so that the packs need not be asked; what is learnt is added, and that of a finished window removed. */
  readonly known: KnownRuns
}

/** Freezes the index. False when a frozen coverage did already and nothing was built. All runs of the coverage must be frozen. */
export const buildKeyIndex: (options: BuildKeyIndexOptions) => Effect.Effect<boolean, StorageError, Disk | Zstd> =
  Effect.fn("BuildKeyIndex.buildKeyIndex")(function* (
    options: BuildKeyIndexOptions
  ): Effect.fn.Return<boolean, StorageError, Disk | Zstd> {
    const { catalog, work, window, lo, hi, duplicates, known } = options
    const { geometry } = catalog.pins
    const runs: Array<{ readonly path: string; readonly expected: KeyRun.ExpectedRun }> = []
    for (let id: number = lo; id <= hi; id++) {
      const chunk = Geometry.ChunkId(id)
      const expected = known.get(chunk) ?? (yield* expectedRun(catalog, chunk))
      known.set(chunk, expected)
      runs.push({ path: FrozenChunk.runPath(catalog, chunk), expected })
    }
    const written = yield* catalog
      .writeIndex({
        window,
        lo,
        hi,
        produce: (path) => {
          const build = (policy: DuplicatePolicy) =>
            work.buildIndex({
              path,
              runs,
              coverage: { window, lo, hi },
              windowFirstSeq: Geometry.firstSeqOf(geometry, Geometry.firstChunkOf(geometry, window)),
              coverageFirstSeq: Geometry.firstSeqOf(geometry, lo),
              coverageLastSeq: Geometry.lastSeqOf(geometry, hi),
              duplicates: policy
            })
          return build(duplicates).pipe(
            Effect.catchTag("KeyIndexDuplicateKey", (error) =>
              Effect.andThen(Effect.logError(`${error.message}; the later entry answers for it`), build("last"))
            ),
            Effect.catchTag("EntryRefused", Effect.die)
          )
        }
      })
      .pipe(
        Effect.tapErrorTag("KeyRunCorrupt", ({ path, message }) => {
          const index = runs.findIndex((run) => run.path === path)
          if (index < 0) return Effect.void
          const damaged = CatalogKey.chunkKey(Geometry.ChunkId(lo + index), "keys")
          return Effect.andThen(
            Effect.logWarning(`${message}; it will be derived anew from the frozen entries`),
            Effect.ignore(catalog.demote([damaged]))
          )
        })
      )
    if (hi === Geometry.lastChunkOf(geometry, window))
      for (let id: number = lo; id <= hi; id++) known.delete(Geometry.ChunkId(id))
    return Option.isSome(written)
  })

/** What the pack of a frozen chunk says that its run must be. */
export const expectedRun = (
  catalog: Catalog.Catalog,
  chunk: Geometry.ChunkId
): Effect.Effect<KeyRun.ExpectedRun, StorageError, Disk | Zstd> =>
  FrozenChunk.openPack(catalog, chunk).pipe(
    Effect.flatMap(({ run }) =>
      Option.isSome(run)
        ? Effect.succeed(run.value)
        : Effect.fail(
            new EntriesPack.FrozenChunkWrong({
              path: Layout.entriesPath(catalog.layout, chunk),
              chunk,
              detail: "it says nothing of a key run, and the domain has keys"
            })
          )
    ),
    Effect.scoped
  )
