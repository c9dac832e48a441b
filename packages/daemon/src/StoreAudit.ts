/**
 * Checking that a store is right, in a way that would find our own bugs: the invariants of a store at rest, established anew
 * from what lies on disk.
 *
 * - **I1, reads are right.** Every entry between the floor and the latest is stored once and decodes; the run of each chunk is the
 *   one that its entries give; the index of a window answers each of its keys with the right entry and holds no other; a hot
 *   database is dense and its keys are those of its entries; an open history answers with the same bytes, by seq and by key.
 * - **I2, one canonical state.** At most one frozen index a window; nothing between two states, no hot database of a chunk that is
 *   frozen, no run of a finished window, no frozen chunk whose keys no index holds.
 * - **I3, disk and catalog agree.** The files are exactly those that the keys name.
 * - **I4, retention.** Nothing lies wholly below the floor.
 *
 * With a source, each entry is also held against what the source gives.
 *
 * It reads rows through the engine port and files through the disk port, with parsers, geometry and path arithmetic of its own
 * (`audit/`), and takes nothing from recovery, sweeps, resolving or retention. What it shares with them are the codecs below
 * (CRC32C, zstd), the domain that says what keys an entry has, and the public look-up of an index, which is what it examines.
 *
 * Everything is opened for reading only, so it may run beside the store in the same process. Memory: one chunk's keys (28 bytes
 * each), one record, one directory, one index up to 64 MiB.
 */
import { HotEngine } from "@icecore/catalog"
import { Zstd } from "@icecore/codec"
import { Engine, type EngineError } from "@icecore/engine"
import { Disk } from "@icecore/packfile"
import { Effect, Option, Result, Stream } from "effect"
import type { AuditContext, SourceSide } from "./audit/AuditContext.ts"
import * as Finding from "./audit/AuditFinding.ts"
import * as CatalogImage from "./audit/CatalogImage.ts"
import * as ChunkAudit from "./audit/ChunkAudit.ts"
import * as EntryCursor from "./audit/EntryCursor.ts"
import * as HotImage from "./audit/HotImage.ts"
import * as IndexAudit from "./audit/IndexAudit.ts"
import * as IndexDesk from "./audit/IndexDesk.ts"
import * as Names from "./audit/Names.ts"
import * as TreeAudit from "./audit/TreeAudit.ts"
import { Domain } from "./Domain.ts"
import type { History } from "./History.ts"
import type { Source } from "./Source.ts"

export type { AuditFault, Invariant, SeqRange } from "./audit/AuditFinding.ts"

/** A broken invariant, and where. */
export type AuditFinding = Finding.AuditFinding

/** One thing that was audited; sound when nothing was found. */
export interface AuditStep {
  readonly kind: "catalog" | "indexes" | "chunk" | "index" | "history" | "trees"
  /** The chunk of a `chunk`, the window of an `index`. */
  readonly id: Option.Option<number>
  /** Entries that were read. */
  readonly entryCount: number
  /** Chunks that there are to audit in all. */
  readonly chunkCount: number
  readonly findings: ReadonlyArray<AuditFinding>
}

export interface AuditOptions {
  /** Where the store lies; the `layout` of an open catalog, or of `Layout.make`. */
  readonly layout: { readonly roots: Names.Roots }
  /** Complete chunks that retention keeps; 0: all. Default 0. */
  readonly keptChunks?: number
  /**
   * Whether the store is at rest, so that keys between two states, and what a lifecycle run would still do, are findings. Default
   * true. A store that was killed need not be at rest.
   */
  readonly settled?: boolean
  /** The open store's history, to be asked for what is stored. Nobody may append meanwhile when `settled`. */
  readonly history?: History
  /** What the log was made from: read from the floor on. Must give all its entries without waiting. */
  readonly source?: Source
}

/** What an audit is run on. */
export type AuditServices = Engine | HotEngine.HotEngine | Disk | Zstd | Domain

/** Seqs, keys and look-ups that must find nothing. */
const strangerCount = 16

/** Audits everything; what cannot be read is a finding, so the stream does not fail. */
export const audit = (options: AuditOptions): Stream.Stream<AuditStep, never, AuditServices> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const { roots } = options.layout
      const engine = yield* Engine
      const opened = yield* Effect.result(
        Effect.gen(function* () {
          const database = yield* engine.open({
            path: roots.catalog,
            keyspaces: [CatalogImage.keyspace],
            mode: "readOnly"
          })
          const reader = yield* database.snapshot
          const rows = yield* CatalogImage.overview(reader, roots.catalog)
          return { reader, ...rows }
        })
      )
      if (Result.isFailure(opened)) return Stream.succeed(unreadable(roots, opened.failure.message))
      const { reader, overview, findings } = opened.success
      if (Option.isNone(overview)) return Stream.succeed(step("catalog", { findings }))
      const context = yield* contextOf(options, reader, overview.value)
      const { chunkCount } = overview.value
      const all = Stream.concat(
        Stream.succeed(
          step("catalog", {
            findings: [...findings, ...context.findings, ...unsettledHot(options, overview.value)],
            chunkCount
          })
        ),
        Stream.concat(auditFiles(context, overview.value), auditHistory(context))
      )
      return Stream.map(all, (each): AuditStep => {
        if (each.findings.some(({ fault }) => explaining.has(fault))) context.damage.isKnown = true
        return { ...each, chunkCount }
      })
    })
  )

/** Faults that make a history fail. */
const explaining: ReadonlySet<Finding.AuditFault> = new Set(["catalog", "hole", "missing", "damaged", "hot"])

/** Everything that {@link audit} finds, collected. */
export const findings = (options: AuditOptions): Effect.Effect<ReadonlyArray<AuditFinding>, never, AuditServices> =>
  Effect.map(Stream.runCollect(audit(options)), (steps) => steps.flatMap((each) => each.findings))

const step = (kind: AuditStep["kind"], parts: Partial<AuditStep> = {}): AuditStep => ({
  kind,
  id: Option.none(),
  entryCount: 0,
  chunkCount: 0,
  findings: [],
  ...parts
})

/** Hot databases between two states. */
const unsettledHot = (
  { layout: { roots }, settled = true }: AuditOptions,
  { transient }: CatalogImage.Overview
): ReadonlyArray<AuditFinding> =>
  settled
    ? transient.map((key) =>
        Finding.make({
          invariant: "I2",
          fault: "unsettled",
          path: roots.catalog,
          key,
          message: `${key} is transient in ${roots.catalog}`
        })
      )
    : []

const unreadable = (roots: Names.Roots, message: string): AuditStep =>
  step("catalog", {
    findings: [Finding.make({ invariant: "I2", fault: "catalog", path: roots.catalog, message })]
  })

interface Audited extends AuditContext {
  /** What was found on the way. */
  readonly findings: ReadonlyArray<AuditFinding>
}

const contextOf = Effect.fnUntraced(function* (
  options: AuditOptions,
  reader: AuditContext["reader"],
  { numbers, ready, lastFrozen }: CatalogImage.Overview
) {
  const { engine: hotEngine } = yield* HotEngine.HotEngine
  const domain = yield* Domain
  const { roots } = options.layout
  const keptChunks = options.keptChunks ?? 0
  const lastHot = ready.at(-1) ?? -1
  const isLiveHot = lastHot > lastFrozen
  const liveChunk = isLiveHot ? lastHot : Math.max(lastFrozen + 1, Names.floorChunkOf(numbers, 0, -1))
  const path = Names.hotDirectory(roots, liveChunk)
  const findings: Array<AuditFinding> = []
  const before = Names.firstSeqOf(numbers, liveChunk) - 1
  const latest = isLiveHot
    ? yield* HotImage.open(hotEngine, path, false).pipe(
        Effect.flatMap(HotImage.lastSeq),
        Effect.scoped,
        Effect.map(Option.getOrElse(() => before)),
        // Told when the chunk itself is audited.
        Effect.orElseSucceed(() => before)
      )
    : before
  const lastComplete = latest === Names.lastSeqOf(numbers, liveChunk) ? liveChunk : liveChunk - 1
  const floorChunk = Math.max(0, Names.floorChunkOf(numbers, keptChunks, lastComplete))
  const servedFrom = Math.max(numbers.earliestSeq, numbers.beginSeq, Names.firstSeqOf(numbers, floorChunk))
  const from = Names.firstSeqOf(numbers, floorChunk)
  const source = Option.fromUndefinedOr(options.source)
  const context: Audited = {
    damage: { isKnown: false },
    disk: yield* Disk,
    zstd: yield* Zstd,
    hotEngine,
    domain,
    reader,
    catalogPath: roots.catalog,
    roots,
    numbers,
    isSettled: options.settled ?? true,
    floorChunk,
    liveChunk,
    lastComplete,
    latest,
    servedFrom,
    history: Option.fromUndefinedOr(options.history),
    source: Option.isNone(source)
      ? Option.none()
      : Option.some<SourceSide>({
          name: source.value.name,
          cursor: yield* EntryCursor.make(Stream.map(source.value.entries({ from }), ({ entries }) => entries)),
          nextSeq: from,
          isOver: false
        }),
    findings
  }
  return context
})

/** Indexes, then chunks with the keys that the indexes must answer for, then the trees. */
const auditFiles = (context: AuditContext, overview: CatalogImage.Overview): Stream.Stream<AuditStep, never, Disk> =>
  Stream.concat(
    Stream.fromEffect(auditIndexes(context)),
    Stream.concat(auditChunks(context, overview), Stream.fromEffect(auditTrees(context)))
  )

const auditTrees = ({ disk, reader, roots }: AuditContext): Effect.Effect<AuditStep> =>
  TreeAudit.strays(disk, reader, roots).pipe(
    Stream.runCollect,
    Effect.match({
      onSuccess: (found) => step("trees", { findings: found }),
      onFailure: (error) =>
        step("trees", {
          findings: [Finding.make({ invariant: "I3", fault: "catalog", path: roots.catalog, message: error.message })]
        })
    })
  )

/** Every index by itself: its state, its place, its file. */
const auditIndexes = (context: AuditContext): Effect.Effect<AuditStep, never, Disk> => {
  const { reader, numbers, roots, catalogPath, isSettled, floorChunk, disk, domain } = context
  const policy = Option.map(domain.keys, ({ duplicates }) => duplicates)
  const found: Array<AuditFinding> = []
  let frozen: Option.Option<Names.IndexRow> = Option.none()
  const check = Effect.fnUntraced(function* (row: Names.IndexRow) {
    const { text: key, window } = row
    const tell = (parts: Omit<Finding.FindingParts, "key" | "window">): void =>
      void found.push(Finding.make({ ...parts, key, window }))
    if (Names.windowOf(numbers, row.lo) !== window || Names.windowOf(numbers, row.hi) !== window)
      tell({ invariant: "I2", fault: "coverage", path: catalogPath, message: `${key} covers chunks of another window` })
    if (row.state !== "frozen") {
      if (isSettled)
        tell({
          invariant: "I2",
          fault: "unsettled",
          path: catalogPath,
          message: `${key} is ${row.state} in ${catalogPath}`
        })
      return
    }
    if (Option.exists(frozen, (other) => other.window === window)) {
      const other = Option.getOrThrow(frozen).text
      tell({ invariant: "I2", fault: "coverage", path: catalogPath, message: `${key} is frozen beside ${other}` })
    }
    frozen = Option.some(row)
    if (isSettled && row.hi < floorChunk)
      tell({
        invariant: "I4",
        fault: "below-floor",
        path: catalogPath,
        message: `${key} lies below chunk ${floorChunk}`
      })
    const path = Names.indexFile(roots, row)
    const info = yield* Effect.orElseSucceed(disk.stat(path), () => Option.none())
    if (!Option.exists(info, ({ kind }) => kind === "file"))
      return tell({ invariant: "I3", fault: "missing", path, message: `Cannot find ${path}: ${key} is frozen` })
    yield* IndexAudit.open(path, row, Names.seqsOfIndex(numbers, row), policy).pipe(
      Effect.flatMap(({ index }) => index.verify),
      Effect.scoped,
      Effect.catch((error) =>
        Effect.sync(() => tell({ invariant: "I1", fault: "damaged", path, message: error.message }))
      )
    )
  })
  return Effect.match(Stream.runForEach(CatalogImage.indexes(reader), check), {
    onSuccess: () => step("indexes", { findings: found }),
    onFailure: (error) => unreadable(roots, error.message)
  })
}

/** All chunks that have rows, ascending, with the holes between them. */
const auditChunks = (context: AuditContext, { ready }: CatalogImage.Overview): Stream.Stream<AuditStep, never, Disk> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const desk = yield* IndexDesk.make(context)
      let hotAt = 0
      let expected = Names.chunkOf(context.numbers, context.servedFrom)
      const audited = Effect.fnUntraced(function* (chunk: ChunkAudit.ChunkUnderAudit) {
        const isFilled = chunk.isHot || chunk.states.entries === "frozen"
        const missing = isFilled ? holes(context, expected, chunk.chunk) : []
        if (isFilled) expected = Math.max(expected, chunk.chunk + 1)
        const { entryCount, findings: found, run } = yield* ChunkAudit.audit(context, chunk)
        const asked = yield* desk.ask(chunk, run)
        return step("chunk", { id: Option.some(chunk.chunk), entryCount, findings: [...missing, ...found, ...asked] })
      })
      // Chunks that are only hot come between those with artifacts.
      const withHot = (found: CatalogImage.ChunkStates): ReadonlyArray<ChunkAudit.ChunkUnderAudit> => {
        const before = hotBefore(found.chunk)
        const isHot = ready[hotAt] === found.chunk
        if (isHot) hotAt++
        return [...before, { ...found, isHot }]
      }
      const hotBefore = (chunk: number): ReadonlyArray<ChunkAudit.ChunkUnderAudit> => {
        const passed: Array<ChunkAudit.ChunkUnderAudit> = []
        for (; ready[hotAt] !== undefined && ready[hotAt]! < chunk; hotAt++)
          passed.push({ chunk: ready[hotAt]!, states: {}, isHot: true })
        return passed
      }
      const last = Stream.suspend(() => Stream.fromIterable(hotBefore(Number.POSITIVE_INFINITY)))
      const closing = Effect.map(desk.close, (found) =>
        step("index", { findings: [...holes(context, expected, context.liveChunk), ...found] })
      )
      return CatalogImage.chunks(context.reader).pipe(
        Stream.flatMap((found) => Stream.fromIterable(withHot(found))),
        (chunks) => Stream.concat(chunks, last),
        Stream.rechunk(1),
        Stream.mapEffect(audited),
        (steps) => Stream.concat(steps, Stream.fromEffect(closing)),
        Stream.catch((error: EngineError) => Stream.succeed(unreadable(context.roots, error.message)))
      )
    })
  )

/** Chunks from `from` on and below `to` that are nowhere, as one finding. */
const holes = (
  { numbers, catalogPath: path, liveChunk }: AuditContext,
  from: number,
  to: number
): ReadonlyArray<AuditFinding> => {
  const end = Math.min(to, liveChunk)
  if (from >= end) return []
  const entries = { from: Names.firstSeqOf(numbers, from), to: Names.lastSeqOf(numbers, end - 1) }
  const which = end - from === 1 ? `chunk ${from} is` : `chunks ${from} to ${end - 1} are`
  const message = `${which} neither frozen nor hot`
  return [Finding.make({ invariant: "I1", fault: "hole", path, chunk: from, entries, message })]
}

/** What an open history says of its bounds, and what it must not find. */
const auditHistory = (context: AuditContext): Stream.Stream<AuditStep> => {
  const { history, isSettled, latest, servedFrom, domain, roots, damage } = context
  if (Option.isNone(history)) return Stream.empty
  const found: Array<AuditFinding> = []
  const tell = (message: string): void =>
    void found.push(Finding.make({ invariant: "I1", fault: "wrong-read", path: roots.catalog, message }))
  const check = Effect.gen(function* () {
    const { get, find, served } = history.value
    if (isSettled) {
      const actual = Option.match(yield* served, {
        onNone: () => "nothing",
        onSome: (it) => `${it.floor} to ${it.latest}`
      })
      const expected = latest < servedFrom ? "nothing" : `${servedFrom} to ${latest}`
      if (actual !== expected) tell(`The history serves ${actual}, stored is ${expected}`)
      const behind = yield* Effect.result(get(latest + 1))
      if (Result.isSuccess(behind) || behind.failure._tag !== "EntryNotIngested")
        tell(`Entry ${latest + 1} lies behind the latest and is not answered so`)
      if (servedFrom > 0) {
        const below = yield* Effect.result(get(servedFrom - 1))
        if (Result.isSuccess(below) || below.failure._tag !== "EntryBelowFloor")
          tell(`Entry ${servedFrom - 1} lies below the floor and is not answered so`)
      }
    }
    if (Option.isNone(domain.keys)) return
    for (let index = 0; index < strangerCount; index++) {
      const key = new Uint8Array(32).fill(0xa5)
      key[0] = index * 16
      key[31] = index
      const stranger = yield* Effect.result(find(key))
      if (Result.isFailure(stranger)) {
        if (!damage.isKnown) tell(`A key that no entry has cannot be looked up: ${stranger.failure.message}`)
        return
      }
      if (Option.isSome(stranger.success)) tell(`A key that no entry has finds entry ${stranger.success.value.seq}`)
    }
  })
  return Stream.fromEffect(Effect.as(check, step("history", { findings: found })))
}
