/**
 * Checking a whole store: every byte that is kept for later, and that nothing else lies there.
 *
 * - each frozen file: all records are stored as they were written, decode and give the content hash, and are those of its chunk;
 * - each hot chunk: no hole from its first entry to its last;
 * - the directories: disk and catalog name the same files.
 *
 * May run while the store works: what is frozen stays as it is, and a chunk that changes its place is checked in one of the two.
 */
import { Audit, type Catalog, type CatalogReadError, Geometry, Layout } from "@icecore/catalog"
import type { Zstd } from "@icecore/codec"
import type { Disk, DiskError } from "@icecore/packfile"
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
  /** What of it: a part of a packfile, `content hash`, `entries`, `database`, `file`, or a key of the catalog. */
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
  readonly kind: "frozen" | "hot" | "directories"
  readonly path: string
  readonly entryCount: number
  readonly findings: ReadonlyArray<Finding>
}

export interface VerifyOptions {
  readonly catalog: Catalog.Catalog
  readonly hotSet: HotSet<StorageError>
  readonly state: LogState.LogState
}

/** Checks everything: frozen chunks ascending, hot chunks ascending, directories. Reads all there is; memory stays small. */
export const verify = (options: VerifyOptions): Stream.Stream<Checked, CatalogReadError | DiskError, Disk | Zstd> => {
  const { catalog, hotSet } = options
  const frozen = Stream.unwrap(
    Effect.map(catalog.snapshot, (snapshot) =>
      Stream.mapEffect(snapshot.artifacts({ kind: "entries", state: "frozen" }), ({ key }) =>
        checkFrozen(catalog, key.chunk)
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
