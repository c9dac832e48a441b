/**
 * Checking a whole store: every byte that is kept for later, and that nothing else lies there.
 *
 * - each pack of entries: all records are stored as they were written, decode and give the content hash, and are those of its chunk;
 * - each key run: it is the one that its chunk's pack tells of;
 * - each key index: all its checksums hold, and it covers what its name says;
 * - each hot chunk: no hole from its first entry to its last;
 * - the directories: disk and catalog name the same files.
 *
 * May run while the store works: what is frozen stays as it is, and a chunk that changes its place is checked in one of the two.
 */
import { Audit, type Catalog, type CatalogReadError, Geometry, Layout } from "@icecore/catalog"
import type { Zstd } from "@icecore/codec"
import { type Disk, type DiskError, KeyIndex, KeyIndexCorrupt, KeyRun, type KeyRunCorrupt } from "@icecore/packfile"
import { Effect, Option, Stream } from "effect"
import * as EntriesPack from "./EntriesPack.ts"
import * as HotChunk from "./HotChunk.ts"
import type { HotSet } from "./internal/HotSet.ts"
import type * as LogState from "./internal/LogState.ts"
import type { StorageError } from "./StorageError.ts"

/** Something is wrong, and where. */
export interface Finding {
  /** The file, directory or database. */
  readonly path: string
  /** What of it: a part of a packfile, a key run or a key index, `content hash`, `entries`, `database`, `file`, or a key of the catalog. */
  readonly part: string
  /** Where in the file, when that is known. */
  readonly offsetBytes: Option.Option<number>
  /** The entries that are concerned, as far as is known; both inclusive. */
  readonly entries: Option.Option<{ readonly from: number; readonly to: number }>
  /** One line for people. */
  readonly message: string
}

/** One thing that was checked; sound when nothing was found. */
export interface Checked {
  readonly kind: "frozen" | "run" | "index" | "hot" | "directories"
  readonly path: string
  readonly entryCount: number
  readonly findings: ReadonlyArray<Finding>
}

export interface VerifyOptions {
  readonly catalog: Catalog.Catalog
  readonly hotSet: HotSet<StorageError>
  readonly state: LogState.LogState
}

/** Checks everything: frozen chunks ascending, key indexes by window, hot chunks ascending, directories. Reads all there is; memory stays small. */
export const verify = (options: VerifyOptions): Stream.Stream<Checked, CatalogReadError | DiskError, Disk | Zstd> => {
  const { catalog, hotSet } = options
  const frozen = Stream.unwrap(
    Effect.map(catalog.snapshot, (snapshot) =>
      Stream.concat(
        Stream.flatMap(snapshot.artifacts({ state: "frozen" }), ({ key: { chunk, kind } }) =>
          kind === "entries"
            ? Stream.fromEffect(checkFrozen(catalog, chunk))
            : kind === "keys"
              ? Stream.fromEffect(checkRun(catalog, chunk))
              : Stream.empty
        ),
        Stream.mapEffect(
          Stream.filter(snapshot.indexes, ({ state }) => state === "frozen"),
          ({ key }) => checkIndex(catalog, key)
        )
      )
    )
  )
  const hot = Stream.suspend(() =>
    Stream.flatMap(
      Stream.mapEffect(Stream.fromIterable(hotSet.chunks()), (chunk) => checkHot(options, chunk)),
      (checked) => Stream.fromIterable(Option.toArray(checked))
    )
  )
  return Stream.concat(frozen, Stream.concat(hot, Stream.fromEffect(checkDirectories(catalog))))
}

const checkFrozen = (catalog: Catalog.Catalog, chunk: Geometry.ChunkId): Effect.Effect<Checked, never, Disk | Zstd> => {
  const { geometry } = catalog.pins
  const firstSeq = Geometry.firstSeqOf(geometry, chunk)
  const lastSeq = Geometry.lastSeqOf(geometry, chunk)
  const path = Layout.entriesPath(catalog.layout, chunk)
  const finding = (part: string, message: string, place: Partial<Finding> = {}): Finding => ({
    path,
    part,
    message,
    offsetBytes: Option.none(),
    entries: Option.some({ from: firstSeq, to: lastSeq }),
    ...place
  })
  const check = Effect.gen(function* () {
    const { reader } = yield* EntriesPack.openToVerify({ path, chunk, firstSeq, entryCount: geometry.entriesPerChunk })
    const findings = yield* reader.verify().pipe(
      Effect.as<ReadonlyArray<Finding>>([]),
      Effect.catchTag("PackCorrupt", (error) => {
        const record = Option.flatMap(Option.fromUndefinedOr(error.recordIndex), reader.record)
        const entries = Option.map(record, ({ firstPosition, itemCount }) => ({
          from: firstSeq + firstPosition,
          to: firstSeq + firstPosition + itemCount - 1
        }))
        const place = { offsetBytes: Option.some(error.offsetBytes), ...(Option.isSome(entries) ? { entries } : {}) }
        return Effect.succeed([finding(error.part, error.message, place)])
      })
    )
    return findings
  }).pipe(
    Effect.scoped,
    Effect.catchTags({
      PackCorrupt: (error) =>
        Effect.succeed([finding(error.part, error.message, { offsetBytes: Option.some(error.offsetBytes) })]),
      PackContentHashMismatch: (error) => Effect.succeed([finding("content hash", error.message)]),
      FrozenChunkWrong: (error) => Effect.succeed([finding("trailer", error.message)])
    }),
    Effect.catch((error) => Effect.succeed([finding("file", error.message)]))
  )
  return Effect.map(
    check,
    (findings): Checked => ({
      kind: "frozen",
      path,
      entryCount: geometry.entriesPerChunk,
      findings
    })
  )
}

/** Findings of a key file. That it is gone is told with the directories. */
const keyFindings = <R>(
  path: string,
  entries: Finding["entries"],
  check: Effect.Effect<void, KeyRunCorrupt | KeyIndexCorrupt | DiskError, R>
): Effect.Effect<ReadonlyArray<Finding>, never, R> =>
  Effect.match(check, {
    onSuccess: () => [],
    onFailure: (error) => {
      if (error._tag === "DiskNotFound") return []
      const isCorrupt = error._tag === "KeyRunCorrupt" || error._tag === "KeyIndexCorrupt"
      const [part, offsetBytes] = isCorrupt
        ? ([error.part, Option.some(error.offsetBytes)] as const)
        : (["file", Option.none<number>()] as const)
      return [{ path, part, offsetBytes, entries, message: error.message }]
    }
  })

/** The run against what the chunk's pack says of it; by itself where the pack cannot be opened, which is told of the pack. */
const checkRun: (catalog: Catalog.Catalog, chunk: Geometry.ChunkId) => Effect.Effect<Checked, never, Disk | Zstd> =
  Effect.fnUntraced(function* ({ layout, pins: { geometry } }: Catalog.Catalog, chunk: Geometry.ChunkId) {
    const path = Layout.keyRunPath(layout, chunk)
    const firstSeq = Geometry.firstSeqOf(geometry, chunk)
    const lastSeq = Geometry.lastSeqOf(geometry, chunk)
    const windowFirstSeq = Geometry.firstSeqOf(
      geometry,
      Geometry.firstChunkOf(geometry, Geometry.windowOf(geometry, chunk))
    )
    const pack = { path: Layout.entriesPath(layout, chunk), chunk, firstSeq, entryCount: geometry.entriesPerChunk }
    const expected = yield* EntriesPack.open(pack).pipe(
      Effect.map(({ run }) => run),
      Effect.scoped,
      Effect.orElseSucceed(() => Option.none())
    )
    const check = Effect.scoped(
      Effect.flatMap(KeyRun.open(path, Option.getOrUndefined(expected)), (run) =>
        Effect.asVoid(run.verify({ minOffset: firstSeq - windowFirstSeq, maxOffset: lastSeq - windowFirstSeq }))
      )
    )
    const findings = yield* keyFindings(path, Option.some({ from: firstSeq, to: lastSeq }), check)
    return { kind: "run", path, entryCount: 0, findings }
  })

const checkIndex: (
  catalog: Catalog.Catalog,
  key: { readonly window: Geometry.WindowId; readonly lo: Geometry.ChunkId; readonly hi: Geometry.ChunkId }
) => Effect.Effect<Checked, never, Disk> = Effect.fnUntraced(function* ({ layout, pins: { geometry } }, key) {
  const path = Layout.keyIndexPath(layout, key)
  const entries = { from: Geometry.firstSeqOf(geometry, key.lo), to: Geometry.lastSeqOf(geometry, key.hi) }
  const check = Effect.scoped(
    Effect.gen(function* () {
      const { header, verify } = yield* KeyIndex.open(path, { residentLimitBytes: 0 })
      const { coverage, coverageFirstSeq, coverageLastSeq } = header
      const isRight =
        coverage.window === key.window &&
        coverage.lo === key.lo &&
        coverage.hi === key.hi &&
        coverageFirstSeq === entries.from &&
        coverageLastSeq === entries.to
      if (!isRight) {
        const detail = `it covers chunks ${coverage.lo} to ${coverage.hi} of window ${coverage.window}, its name says others`
        return yield* new KeyIndexCorrupt({ path, part: "header", detail, offsetBytes: 0 })
      }
      yield* verify
    })
  )
  return { kind: "index", path, entryCount: 0, findings: yield* keyFindings(path, Option.some(entries), check) }
})

/** The chunk's entries up to where the log ends now; nothing when it was discarded meanwhile. */
const checkHot = (
  { catalog, hotSet, state }: VerifyOptions,
  chunk: Geometry.ChunkId
): Effect.Effect<Option.Option<Checked>> => {
  const { geometry } = catalog.pins
  const path = Layout.hotPath(catalog.layout, chunk)
  const from = Geometry.firstSeqOf(geometry, chunk)
  const to = Math.min(Geometry.lastSeqOf(geometry, chunk), state.nextSeq - 1)
  const checked = (findings: ReadonlyArray<Finding>): Checked => ({
    kind: "hot",
    path,
    entryCount: to - from + 1,
    findings
  })
  const read = hotSet.use(chunk, (hot) =>
    to < from ? Effect.void : Stream.runDrain(HotChunk.range(hot, { from, to, order: "ascending" }))
  )
  return Effect.match(read, {
    onSuccess: Option.map(() => checked([])),
    onFailure: (error) => {
      const seq = error._tag === "HotChunkDamaged" ? Option.fromUndefinedOr(error.seq) : Option.none()
      return Option.some(
        checked([
          {
            path,
            part: error._tag === "HotChunkDamaged" ? "entries" : "database",
            offsetBytes: Option.none(),
            entries: Option.some({ from: Option.getOrElse(seq, () => from), to }),
            message: error.message
          }
        ])
      )
    }
  })
}

const checkDirectories = (catalog: Catalog.Catalog): Effect.Effect<Checked, CatalogReadError | DiskError, Disk> =>
  Effect.map(Stream.runCollect(Audit.findings(catalog)), (found) => ({
    kind: "directories",
    path: catalog.layout.dataDir,
    entryCount: 0,
    findings: found.flatMap((disagreement) => Option.toArray(findingOf(disagreement)))
  }))

/** Unsettled keys are no findings: work is under way, or a crash left it for the next start, and nothing that is kept is wrong. */
const findingOf = (disagreement: Audit.Finding): Option.Option<Finding> => {
  const nowhere = { offsetBytes: Option.none(), entries: Option.none() }
  switch (disagreement._tag) {
    case "Stray": {
      const { path } = disagreement
      const message = `Cannot explain ${path}: no key of the catalog names it`
      return Option.some({ ...nowhere, path, part: "file", message })
    }
    case "Missing": {
      const { key, path } = disagreement
      return Option.some({
        ...nowhere,
        path,
        part: "file",
        message: `Cannot find ${path}: ${key} is frozen and needs it`
      })
    }
    case "Unsettled":
      return Option.none()
  }
}
