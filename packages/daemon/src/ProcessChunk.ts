/**
 * Freezing one complete chunk.
 *
 * 1. choose where the entries come from ({@link choose}), and read them once: they must be dense and complete, and their sizes
 *    say how much space the pack may take;
 * 2. refuse when less is free;
 * 3. through the catalog's write protocol: `freezing`, write and sync the pack, read it back, sync its directory, `frozen`.
 *
 * Idempotent: a frozen chunk is skipped, and what an earlier attempt left is replaced.
 */
import { type Catalog, Geometry, Layout } from "@icecore/catalog"
import type { Zstd } from "@icecore/codec"
import { Disk } from "@icecore/packfile"
import { type Duration, Effect, Option, Stream } from "effect"
import * as EntriesPack from "./EntriesPack.ts"
import type { Entry } from "./Entry.ts"
import * as HotChunk from "./HotChunk.ts"
import type { HotSet } from "./internal/HotSet.ts"
import type { Source } from "./Source.ts"
import { ChunkUncovered, SpaceTooLow, type StorageError } from "./StorageError.ts"

export interface ProcessChunkOptions {
  readonly catalog: Catalog.Catalog
  readonly hotSet: HotSet<StorageError>
  readonly chunk: Geometry.ChunkId
  /** Asked when no hot database has the whole chunk. */
  readonly source: Option.Option<Source>
  /** How long the source may give nothing before it counts as not having the entries. Default 10 s. */
  readonly sourcePatience?: Duration.Input
}

/** What is known of a chunk that is to be frozen. */
export interface ChunkKnowledge {
  readonly isFrozen: boolean
  readonly isHotComplete: boolean
  readonly hasSource: boolean
}

/** Where the entries come from. A hot database that is not complete is stale and passed over. */
export const choose = (known: ChunkKnowledge): "nothing to do" | "hot" | "source" | "nowhere" => {
  if (known.isFrozen) return "nothing to do"
  if (known.isHotComplete) return "hot"
  return known.hasSource ? "source" : "nowhere"
}

/** Freezes the entries of a chunk. On return they are durable in their pack and the catalog says so. */
export const processChunk: (options: ProcessChunkOptions) => Effect.Effect<void, StorageError, Disk | Zstd> = Effect.fn(
  "ProcessChunk.processChunk"
)(function* (options: ProcessChunkOptions) {
  const { catalog, hotSet, chunk, source } = options
  const { geometry } = catalog.pins
  const firstSeq = Geometry.firstSeqOf(geometry, chunk)
  const lastSeq = Geometry.lastSeqOf(geometry, chunk)
  const state = yield* Effect.scoped(
    Effect.flatMap(catalog.snapshot, (snapshot) => snapshot.artifactState(chunk, "entries"))
  )
  const highest = Option.flatten(yield* hotSet.use(chunk, HotChunk.highestSeq))
  const origin = choose({
    isFrozen: Option.contains(state, "frozen"),
    isHotComplete: Option.contains(highest, lastSeq),
    hasSource: Option.isSome(source)
  })
  switch (origin) {
    case "nothing to do":
      return
    case "nowhere": {
      const seq = Option.match(highest, { onNone: () => firstSeq, onSome: (found) => found + 1 })
      return yield* new ChunkUncovered({ chunk, seq, detail: "no hot database has it, and there is no source" })
    }
    case "hot": {
      const frozen = yield* hotSet.use(chunk, (hot) =>
        freeze(options, HotChunk.range(hot, { from: firstSeq, to: lastSeq, order: "ascending" }))
      )
      if (Option.isSome(frozen)) return
      return yield* new ChunkUncovered({ chunk, seq: firstSeq, detail: "its hot database was closed" })
    }
    case "source":
      return yield* freeze(options, fromSource(options, Option.getOrThrow(source)))
  }
})

type Entries = Stream.Stream<ReadonlyArray<Entry>, StorageError>

const freeze: (options: ProcessChunkOptions, entries: Entries) => Effect.Effect<void, StorageError, Disk | Zstd> =
  Effect.fnUntraced(function* ({ catalog, chunk }: ProcessChunkOptions, entries: Entries) {
    const { geometry } = catalog.pins
    const disk = yield* Disk
    const { itemsPerRecord, maxSizeBytes } = yield* EntriesPack.survey(entries)
    const root = catalog.layout.roots.entries
    const freeBytes = yield* disk.freeSpaceBytes(root)
    if (freeBytes < maxSizeBytes) return yield* new SpaceTooLow({ path: root, neededBytes: maxSizeBytes, freeBytes })
    yield* catalog.writeChunk({
      chunk,
      kinds: ["entries"],
      produce: () =>
        EntriesPack.write({
          path: Layout.entriesPath(catalog.layout, chunk),
          chunk,
          firstSeq: Geometry.firstSeqOf(geometry, chunk),
          entryCount: geometry.entriesPerChunk,
          itemsPerRecord,
          entries
        })
    })
  })

/** The entries of the chunk as the source gives them; fails at the first one that it does not give. */
const fromSource = ({ catalog, chunk, sourcePatience }: ProcessChunkOptions, source: Source): Entries => {
  const from = Geometry.firstSeqOf(catalog.pins.geometry, chunk)
  const to = Geometry.lastSeqOf(catalog.pins.geometry, chunk)
  return Stream.suspend(() => {
    let expected: number = from
    const uncovered = (detail: string) => new ChunkUncovered({ chunk, seq: expected, detail })
    const entries = source.entries({ from }).pipe(
      Stream.timeout(sourcePatience ?? "10 seconds"),
      Stream.mapError((error) => uncovered(error.message)),
      Stream.mapEffect((batch) =>
        batch.firstSeq === expected
          ? Effect.sync((): ReadonlyArray<Entry> => {
              const count = Math.min(batch.entries.length, to - expected + 1)
              return batch.entries.slice(0, count).map((bytes) => ({ seq: expected++, bytes }))
            })
          : Effect.fail(uncovered(`source ${source.name} gave entry ${batch.firstSeq} in its place`))
      ),
      Stream.takeUntil(() => expected > to)
    )
    const complete = Stream.fromEffectDrain(
      Effect.suspend(() =>
        expected > to ? Effect.void : Effect.fail(uncovered(`source ${source.name} has nothing more`))
      )
    )
    return Stream.concat(entries, complete)
  })
}
