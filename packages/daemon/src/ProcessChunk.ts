/**
 * Making the frozen files of one complete chunk.
 *
 * 1. choose where the entries come from ({@link choose});
 * 2. refuse when less is free than the files may take;
 * 3. through the catalog's write protocol: `freezing` for all wanted kinds, one pass over the entries writes every file, synced and
 *    read back, sync the directories, `frozen` for all.
 *
 * Idempotent: a kind that is frozen is skipped, and what an earlier attempt left is replaced.
 */
import { type Catalog, Geometry, Layout } from "@icecore/catalog"
import { Disk, type DiskError, type KeyRun } from "@icecore/packfile"
import { type Duration, Effect, Option, Stream } from "effect"
import type { ArtifactWork, ArtifactWorkError, ChunkWritten } from "./ArtifactWork.ts"
import type { Entry } from "./Entry.ts"
import * as HotChunk from "./HotChunk.ts"
import type { HotSet } from "./internal/HotSet.ts"
import type { ChunkKind } from "./Resolve.ts"
import type { Source } from "./Source.ts"
import { ChunkUncovered, SpaceTooLow, type StorageError } from "./StorageError.ts"

export interface ProcessChunkOptions {
  readonly catalog: Catalog.Catalog
  readonly hotSet: HotSet<StorageError>
  readonly work: ArtifactWork
  readonly chunk: Geometry.ChunkId
  /** What must be frozen in the end. */
  readonly kinds: ReadonlyArray<ChunkKind>
  /** Asked when nothing in the store has the whole chunk. */
  readonly source: Option.Option<Source>
  /** How long the source may give nothing before it counts as not having the entries. Default 10 s. */
  readonly sourcePatience?: Duration.Input
}

/** What is known of a chunk that is to be frozen. */
export interface ChunkKnowledge {
  /** Kinds that are wanted and not frozen. */
  readonly missing: ReadonlyArray<ChunkKind>
  readonly isHotComplete: boolean
  readonly hasFrozenEntries: boolean
  readonly hasSource: boolean
}

/** Where the entries come from. A hot database that is not complete is stale and passed over. */
export const choose = (known: ChunkKnowledge): "nothing to do" | "frozen entries" | "hot" | "source" | "nowhere" => {
  if (known.missing.length === 0) return "nothing to do"
  if (known.hasFrozenEntries && !known.missing.includes("entries")) return "frozen entries"
  if (known.isHotComplete) return "hot"
  return known.hasSource ? "source" : "nowhere"
}

/** What {@link processChunk} wrote; none when everything was frozen already. */
export type ProcessedChunk = Option.Option<Option.Option<KeyRun.RunSummary>>

/** Freezes kinds of a chunk. On return they are durable in their files and the catalog says so. */
export const processChunk: (options: ProcessChunkOptions) => Effect.Effect<ProcessedChunk, StorageError, Disk> =
  Effect.fn("ProcessChunk.processChunk")(function* (
    options: ProcessChunkOptions
  ): Effect.fn.Return<ProcessedChunk, StorageError, Disk> {
    const { catalog, hotSet, chunk, kinds, source } = options
    const { geometry } = catalog.pins
    const firstSeq = Geometry.firstSeqOf(geometry, chunk)
    const lastSeq = Geometry.lastSeqOf(geometry, chunk)
    const frozen = yield* Effect.scoped(
      Effect.flatMap(catalog.snapshot, (snapshot) =>
        Effect.filter(["entries", "keys"] as const, (kind) =>
          Effect.map(snapshot.artifactState(chunk, kind), (state) => Option.isSome(state) && state.value === "frozen")
        )
      )
    )
    const highest = Option.flatten(yield* hotSet.use(chunk, HotChunk.highestSeq))
    const origin = choose({
      missing: kinds.filter((kind) => !frozen.includes(kind)),
      isHotComplete: Option.contains(highest, lastSeq),
      hasFrozenEntries: frozen.includes("entries"),
      hasSource: Option.isSome(source)
    })
    switch (origin) {
      case "nothing to do":
        return Option.none()
      case "nowhere": {
        const seq = Option.match(highest, { onNone: () => firstSeq, onSome: (found) => found + 1 })
        return yield* new ChunkUncovered({ chunk, seq, detail: "no hot database has it, and there is no source" })
      }
      case "frozen entries":
        return yield* indexFrozen(options)
      case "hot": {
        yield* needSpaceOfHot(options)
        const written = yield* hotSet.use(chunk, (hot) =>
          write(options, HotChunk.range(hot, { from: firstSeq, to: lastSeq, order: "ascending" }))
        )
        if (Option.isSome(written)) return written.value
        return yield* new ChunkUncovered({ chunk, seq: firstSeq, detail: "its hot database was closed" })
      }
      case "source":
        yield* needSpace(options, 0)
        return yield* write(options, fromSource(options, Option.getOrThrow(source)))
    }
  })

type Entries = Stream.Stream<ReadonlyArray<Entry>, StorageError>

/** What the files of a chunk are made from. */
export interface ChunkWriting {
  readonly catalog: Catalog.Catalog
  readonly work: ArtifactWork
  readonly chunk: Geometry.ChunkId
}

/** Writes those files of a chunk that the catalog still wants, from its entries. */
export const writeWanted = <E, R>(
  { catalog, work, chunk }: ChunkWriting,
  wanted: ReadonlyArray<Catalog.WantedArtifact>,
  entries: Stream.Stream<ReadonlyArray<Entry>, E, R>
): Effect.Effect<ChunkWritten, E | ArtifactWorkError, R> => {
  const { geometry } = catalog.pins
  const pathOf = (kind: ChunkKind) =>
    Option.map(Option.fromUndefinedOr(wanted.find(({ key }) => key.kind === kind)), ({ files }) => ({
      path: files[0]!
    }))
  return work.writeChunk({ ...placeOf(geometry, chunk), entries: pathOf("entries"), keys: pathOf("keys") }, entries)
}

const placeOf = (geometry: Geometry.Geometry, chunk: Geometry.ChunkId) => ({
  chunk,
  firstSeq: Geometry.firstSeqOf(geometry, chunk),
  entryCount: geometry.entriesPerChunk,
  windowFirstSeq: Geometry.firstSeqOf(geometry, Geometry.firstChunkOf(geometry, Geometry.windowOf(geometry, chunk)))
})

const write = (options: ProcessChunkOptions, entries: Entries): Effect.Effect<ProcessedChunk, StorageError> =>
  Effect.map(
    options.catalog.writeChunk({
      chunk: options.chunk,
      kinds: options.kinds,
      produce: (wanted) => acceptable(options.chunk, writeWanted(options, wanted, entries))
    }),
    Option.map(({ keys }) => keys)
  )

/** An entry of a complete chunk that the domain refuses was never acknowledged: it is not the chunk's. */
const acceptable = <A>(
  chunk: Geometry.ChunkId,
  work: Effect.Effect<A, StorageError | ArtifactWorkError>
): Effect.Effect<A, StorageError> =>
  Effect.catchTag(work, "EntryRefused", ({ seq, reason }) =>
    Effect.fail(new ChunkUncovered({ chunk, seq, detail: reason }))
  )

/** The key run alone, from the frozen pack. */
const indexFrozen = Effect.fnUntraced(function* (
  options: ProcessChunkOptions
): Effect.fn.Return<ProcessedChunk, StorageError, Disk> {
  const { catalog, work, chunk } = options
  const { geometry } = catalog.pins
  const packPath = Layout.entriesPath(catalog.layout, chunk)
  const disk = yield* Disk
  const info = yield* disk.stat(packPath)
  yield* needSpace(options, Option.match(info, { onNone: () => 0, onSome: ({ sizeBytes }) => sizeBytes }))
  return yield* Effect.map(
    catalog.writeChunk({
      chunk,
      kinds: ["keys"],
      produce: ([wanted]) =>
        acceptable(chunk, work.writeRun({ ...placeOf(geometry, chunk), packPath, runPath: wanted!.files[0]! }))
    }),
    Option.map(Option.some)
  )
})

/**
 * Refuses while less is free than the files may take. What they are made from is a bound: nothing compresses to more than itself
 * and a little, and an engine holds each key with more bytes than a run does.
 */
export const needSpace: (
  options: Pick<ProcessChunkOptions, "catalog">,
  contentBytes: number
) => Effect.Effect<void, DiskError | SpaceTooLow, Disk> = Effect.fnUntraced(function* ({ catalog }, contentBytes) {
  const disk = yield* Disk
  const root = catalog.layout.roots.entries
  const neededBytes =
    contentBytes + Math.ceil(contentBytes / 128) + catalog.pins.geometry.entriesPerChunk * 32 + fixedBytes
  const freeBytes = yield* disk.freeSpaceBytes(root)
  if (freeBytes < neededBytes) return yield* new SpaceTooLow({ path: root, neededBytes, freeBytes })
})

/**
 * The files of a hot database are a bound that costs nothing, and several times too high where an engine writes ahead. So where they
 * say that space is short, the entries are read for their sizes before they are refused.
 */
const needSpaceOfHot: (options: ProcessChunkOptions) => Effect.Effect<void, StorageError, Disk> = Effect.fnUntraced(
  function* (options) {
    const { catalog, hotSet, chunk, kinds } = options
    const bound = yield* sizeOfFiles(Layout.hotPath(catalog.layout, chunk))
    yield* needSpace(options, bound).pipe(
      Effect.catchTag("SpaceTooLow", () =>
        Effect.gen(function* () {
          const contentBytes = yield* hotSet.use(chunk, (hot) =>
            Stream.runFold(
              HotChunk.range(hot, { from: hot.firstSeq, to: hot.lastSeq, order: "ascending" }),
              () => 0,
              (sum, entries) => entries.reduce((size, { bytes }) => size + bytes.length, sum)
            )
          )
          // A key run takes no more than the entries that its keys are in, or little.
          const factor = kinds.includes("keys") ? 2 : 1
          yield* needSpace(options, Option.getOrElse(contentBytes, () => bound) * factor)
        })
      )
    )
  }
)

/** Bytes that a pack takes beside what grows with its entries, and some to spare. */
const fixedBytes = 4_096

/** Bytes of the files of a database. None when it is not made of files here. */
const sizeOfFiles: (path: string) => Effect.Effect<number, DiskError, Disk> = Effect.fnUntraced(function* (path) {
  const disk = yield* Disk
  const names = yield* disk.list(path).pipe(Effect.catchTag("DiskNotFound", () => Effect.succeed([])))
  let sizeBytes = 0
  for (const { name } of names) {
    const info = yield* disk.stat(`${path}/${name}`)
    if (Option.isSome(info)) sizeBytes += info.value.sizeBytes
  }
  return sizeBytes
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
