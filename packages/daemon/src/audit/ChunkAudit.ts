/**
 * One chunk: its entries, read plainly from its pack or its hot database, against everything that is derived from them or answers
 * for them.
 */
import type { EngineError } from "@icecore/engine"
import type { DiskError } from "@icecore/packfile"
import { Effect, Option, Result, type Scope, Stream } from "effect"
import { isEqual } from "../kernel/EntryBytes.ts"
import type { AuditContext } from "./AuditContext.ts"
import * as AuditFinding from "./AuditFinding.ts"
import type { ChunkStates } from "./CatalogImage.ts"
import * as Comparisons from "./Comparisons.ts"
import * as EntryCursor from "./EntryCursor.ts"
import * as HotImage from "./HotImage.ts"
import * as Names from "./Names.ts"
import * as PackImage from "./PackImage.ts"
import * as RunImage from "./RunImage.ts"

/** A chunk that has rows: of artifacts, of a hot database, or of both. */
export interface ChunkUnderAudit extends ChunkStates {
  readonly isHot: boolean
}

/** What was read of a chunk. */
export interface AuditedChunk {
  readonly entryCount: number
  readonly findings: ReadonlyArray<AuditFinding.AuditFinding>
  /** The run that its entries give; none when they could not all be read, or have no keys. */
  readonly run: Option.Option<Uint8Array>
}

/** Entries of a chunk whose keys the history is asked for. */
const askedPerChunk = 64

/** How much of a chunk was read. `isWhole`: all entries that a chunk has. */
interface ReadChunk {
  readonly entryCount: number
  readonly isWhole: boolean
}

const unread: ReadChunk = { entryCount: 0, isWhole: false }

/** What reading a chunk plainly can fail with. */
type ReadFailure = PackImage.ImageWrong | DiskError | EngineError

/** Collects what is found of one chunk. */
interface Findings {
  readonly found: Array<AuditFinding.AuditFinding>
  readonly tell: (parts: Omit<AuditFinding.FindingParts, "chunk">) => void
}

const findingsOf = (chunk: number): Findings => {
  const found: Array<AuditFinding.AuditFinding> = []
  return { found, tell: (parts) => void found.push(AuditFinding.make({ ...parts, chunk })) }
}

/** Audits the files and databases of a chunk. */
export const audit: (context: AuditContext, chunk: ChunkUnderAudit) => Effect.Effect<AuditedChunk> = Effect.fnUntraced(
  function* (context: AuditContext, chunk: ChunkUnderAudit) {
    const findings = findingsOf(chunk.chunk)
    checkStates(context, chunk, findings)
    yield* checkPresence(context, chunk, findings)
    const isFrozen = chunk.states.entries === "frozen"
    const image = RunImage.make()
    const read = isFrozen
      ? yield* readFrozen(context, chunk.chunk, image, findings)
      : chunk.isHot
        ? yield* readHot(context, chunk.chunk, image, findings)
        : unread
    if (isFrozen && chunk.isHot) yield* checkStale(context, chunk.chunk, findings)
    const hasRun = read.isWhole && Option.isSome(context.domain.keys)
    const run = hasRun ? Option.some(RunImage.toBytes(image)) : Option.none()
    if (chunk.states.keys === "frozen") yield* checkRun(context, chunk.chunk, run, findings)
    return { entryCount: read.entryCount, findings: findings.found, run }
  }
)

/** What rows a chunk at rest may have. */
const checkStates = (context: AuditContext, { chunk, states, isHot }: ChunkUnderAudit, { tell }: Findings): void => {
  if (!context.isSettled) return
  const { catalogPath: path, floorChunk, liveChunk } = context
  for (const [kind, state] of Object.entries(states)) {
    const key = `chunk:${String(chunk).padStart(8, "0")}:${kind}`
    if (state !== "frozen")
      tell({ invariant: "I2", fault: "unsettled", path, key, message: `${key} is ${state} in ${path}` })
    else if (chunk < floorChunk)
      tell({ invariant: "I4", fault: "below-floor", path, key, message: `${key} lies below chunk ${floorChunk}` })
  }
  if (!isHot) return
  const key = Names.hotText(chunk)
  if (chunk < floorChunk && chunk !== liveChunk)
    tell({ invariant: "I4", fault: "below-floor", path, key, message: `${key} lies below chunk ${floorChunk}` })
  else if (states.entries === "frozen")
    tell({ invariant: "I2", fault: "superseded", path, key, message: `${key} is left, although the chunk is frozen` })
  else if (chunk < liveChunk)
    tell({ invariant: "I2", fault: "unsettled", path, key, message: `${key} is complete and not frozen` })
}

/** The files of frozen keys are there. */
const checkPresence = Effect.fnUntraced(function* (
  { disk, roots }: AuditContext,
  { chunk, states }: ChunkUnderAudit,
  { tell }: Findings
) {
  for (const kind of ["entries", "events", "keys"] as const) {
    if (states[kind] !== "frozen") continue
    const key = Names.chunkText(chunk, kind)
    for (const path of Names.chunkFiles(roots, chunk, kind)) {
      const info = yield* Effect.orElseSucceed(disk.stat(path), () => Option.none())
      if (!Option.exists(info, (found) => found.kind === "file"))
        tell({ invariant: "I3", fault: "missing", path, key, message: `Cannot find ${path}: ${key} is frozen` })
    }
  }
})

/** Reads the pack whole. */
const readFrozen = Effect.fnUntraced(function* (
  context: AuditContext,
  chunk: number,
  image: RunImage.RunImage,
  findings: Findings
) {
  const { numbers, roots, disk, zstd } = context
  const [path] = Names.chunkFiles(roots, chunk, "entries") as readonly [string]
  const firstSeq = Names.firstSeqOf(numbers, chunk)
  const key = Names.chunkText(chunk, "entries")
  const damaged = (error: ReadFailure): ReadChunk => {
    const items = error._tag === "ImageWrong" ? error.items : Option.none()
    const entries = Option.match(items, {
      onNone: () => ({ from: firstSeq, to: Names.lastSeqOf(numbers, chunk) }),
      onSome: ({ first, last }) => ({ from: firstSeq + first, to: firstSeq + last })
    })
    if (error._tag !== "DiskNotFound")
      findings.tell({ invariant: "I1", fault: "damaged", path, key, entries, message: error.message })
    return unread
  }
  return yield* Effect.gen(function* () {
    const pack = yield* PackImage.open(disk, zstd, path)
    const wrong = (detail: string) => new PackImage.ImageWrong({ path, detail, items: Option.none() })
    if (pack.firstSeq !== BigInt(firstSeq))
      return yield* wrong(`its first entry is ${pack.firstSeq}, that of chunk ${chunk} is ${firstSeq}`)
    if (pack.itemCount !== numbers.entriesPerChunk)
      return yield* wrong(`it has ${pack.itemCount} entries, a chunk has ${numbers.entriesPerChunk}`)
    yield* readEntries(
      context,
      { chunk, path, key, entries: pack.records, to: Names.lastSeqOf(numbers, chunk) },
      image,
      findings
    )
    const run = RunImage.toBytes(image)
    const fault = Option.flatMap(pack.run, (stated) => Option.fromUndefinedOr(RunImage.faultOf(stated, run)))
    if (Option.isSome(fault)) return yield* wrong(fault.value)
    if (Option.isNone(pack.run) && Option.isSome(context.domain.keys))
      return yield* wrong("it does not say what run it has")
    return { entryCount: pack.itemCount, isWhole: true }
  }).pipe(
    Effect.scoped,
    Effect.catch((error) => Effect.sync(() => damaged(error)))
  )
})

/** Reads the hot database whole. */
const readHot = Effect.fnUntraced(function* (
  context: AuditContext,
  chunk: number,
  image: RunImage.RunImage,
  findings: Findings
) {
  const { numbers, roots, hotEngine, domain } = context
  const path = Names.hotDirectory(roots, chunk)
  const key = Names.hotText(chunk)
  const firstSeq = Names.firstSeqOf(numbers, chunk)
  return yield* Effect.gen(function* () {
    const hot = yield* HotImage.open(hotEngine, path, Option.isSome(domain.keys))
    const last = Option.getOrElse(yield* HotImage.lastSeq(hot), () => firstSeq - 1)
    const wrong = (detail: string) => new PackImage.ImageWrong({ path, detail, items: Option.none() })
    if (last < firstSeq - 1 || last > Names.lastSeqOf(numbers, chunk))
      return yield* wrong(`its last entry is ${last}, which is not of chunk ${chunk}`)
    // Before the beginning of history lies what is about to go: one that took no entries while a backfill went past it, too.
    const isPromised = chunk >= Names.chunkOf(numbers, numbers.beginSeq)
    if (isPromised && chunk < context.liveChunk && last !== Names.lastSeqOf(numbers, chunk))
      return yield* wrong(`it ends at entry ${last}, although later chunks have entries`)
    const to = Math.min(last, Math.max(context.latest, firstSeq - 1))
    yield* readEntries(context, { chunk, path, key, entries: HotImage.entries(hot, firstSeq), to }, image, findings)
    if (Option.isSome(domain.keys)) yield* HotImage.checkKeys(hot, firstSeq, domain.keys.value)
    return { entryCount: last - firstSeq + 1, isWhole: last === Names.lastSeqOf(numbers, chunk) }
  }).pipe(
    Effect.scoped,
    Effect.catch((error) => {
      findings.tell({ invariant: "I1", fault: "hot", path, key, message: error.message })
      return Effect.succeed(unread)
    })
  )
})

/** A hot database beside a frozen chunk, before it is discarded. What it has must not be another chunk's. */
const checkStale = Effect.fnUntraced(function* (context: AuditContext, chunk: number, { tell }: Findings) {
  const path = Names.hotDirectory(context.roots, chunk)
  const key = Names.hotText(chunk)
  yield* HotImage.open(context.hotEngine, path, false).pipe(
    Effect.flatMap((hot) => Stream.runDrain(HotImage.entries(hot, Names.firstSeqOf(context.numbers, chunk)))),
    Effect.scoped,
    Effect.catch((error) =>
      Effect.sync(() => tell({ invariant: "I1", fault: "hot", path, key, message: error.message }))
    )
  )
})

interface ReadEntries {
  readonly chunk: number
  readonly path: string
  readonly key: string
  readonly entries: Stream.Stream<ReadonlyArray<Uint8Array>, ReadFailure>
  /** Last seq, inclusive. */
  readonly to: number
}

/** Takes the entries one batch after another, and holds each against its keys, the source and the history. */
const readEntries = Effect.fnUntraced(function* (
  context: AuditContext,
  { chunk, path, key, entries, to }: ReadEntries,
  image: RunImage.RunImage,
  findings: Findings
) {
  const { numbers, domain } = context
  const firstSeq = Names.firstSeqOf(numbers, chunk)
  const windowFirstSeq = Names.firstSeqOf(numbers, Names.windowOf(numbers, chunk) * numbers.chunksPerWindow)
  const isKept = chunk >= context.floorChunk
  const history = Option.filter(context.history, () => isKept && to >= context.servedFrom && firstSeq <= to)
  const source = Option.filter(context.source, () => isKept)
  const from = Math.max(firstSeq, context.servedFrom)
  const served = Option.isSome(history)
    ? Option.some(
        yield* EntryCursor.make(
          Stream.map(history.value.range({ from, to }), (batch) => batch.map(({ bytes }) => bytes))
        )
      )
    : Option.none()
  let isReadRight = true
  const wrongRead = (message: string, seq: number, isFailure: boolean): void => {
    if (isReadRight && !(isFailure && context.damage.isKnown))
      findings.tell({ invariant: "I1", fault: "wrong-read", path, key, message, entries: { from: seq, to: seq } })
    isReadRight = false
  }
  const stride = Math.max(1, Math.floor(numbers.entriesPerChunk / askedPerChunk))
  let seq = firstSeq
  yield* Stream.runForEach(entries, (batch) =>
    Effect.gen(function* () {
      const batchFirst = seq
      if (Option.isSome(domain.keys))
        for (const [index, entry] of batch.entries()) {
          const keys = domain.keys.value.of(entry)
          if (Result.isFailure(keys))
            return yield* new PackImage.ImageWrong({
              path,
              detail: `the domain refuses entry ${batchFirst + index}: ${keys.failure}`,
              items: Option.some({ first: batchFirst + index - firstSeq, last: batchFirst + index - firstSeq })
            })
          for (const each of keys.success) RunImage.add(image, each, batchFirst + index - windowFirstSeq)
        }
      if (Option.isSome(source))
        yield* Comparisons.compareSource(source.value, batchFirst, batch, (fault, message, at) =>
          findings.tell({ invariant: "I1", fault, path, key, message, entries: { from: at, to: at } })
        )
      if (Option.isSome(served) && isReadRight) {
        const wanted = batch.slice(Math.max(0, from - batchFirst), Math.max(0, to - batchFirst + 1))
        const wantedFirst = Math.max(batchFirst, from)
        const read = yield* Effect.result(served.value.take(wanted.length))
        if (Result.isFailure(read)) wrongRead(read.failure.message, wantedFirst, true)
        else {
          const at = wanted.findIndex((entry, index) => !isEqual(entry, read.success[index]))
          if (at >= 0)
            wrongRead(`Entry ${wantedFirst + at} is read as other bytes than are stored`, wantedFirst + at, false)
        }
      }
      if (Option.isSome(history) && isReadRight)
        for (const [index, entry] of batch.entries()) {
          const at = batchFirst + index
          if (at < from || at > to || (at - firstSeq) % stride !== 0) continue
          yield* Comparisons.askHistory(context, history.value, at, entry, wrongRead)
        }
      seq += batch.length
    })
  )
})

/** The run as it lies there is the one that the entries give. */
const checkRun = Effect.fnUntraced(function* (
  { disk, roots, numbers }: AuditContext,
  chunk: number,
  expected: Option.Option<Uint8Array>,
  { tell }: Findings
) {
  const [path] = Names.chunkFiles(roots, chunk, "keys") as readonly [string]
  const key = Names.chunkText(chunk, "keys")
  const entries = { from: Names.firstSeqOf(numbers, chunk), to: Names.lastSeqOf(numbers, chunk) }
  const damaged = (detail: string): void =>
    tell({
      invariant: "I1",
      fault: "damaged",
      path,
      key,
      entries,
      message: `Cannot take ${path} for the run of chunk ${chunk}: ${detail}`
    })
  yield* readWhole(disk, path).pipe(
    Effect.scoped,
    Effect.map((actual) => {
      const fault = Option.match(expected, {
        onNone: () => RunImage.formFault(actual),
        onSome: (bytes) => RunImage.differenceOf(bytes, actual)
      })
      if (fault !== undefined) damaged(fault)
    }),
    Effect.catch((error) =>
      Effect.sync(() => {
        if (error._tag !== "DiskNotFound") damaged(error.message)
      })
    )
  )
})

const readWhole = (disk: AuditContext["disk"], path: string): Effect.Effect<Uint8Array, DiskError, Scope.Scope> =>
  Effect.gen(function* () {
    const file = yield* disk.open(path, "read")
    const bytes = new Uint8Array(yield* file.size)
    yield* file.readAt(bytes, 0)
    return bytes
  })
