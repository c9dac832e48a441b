/** Puts the lines of an import into a store: run by run, records in batches. */
import { Clock, Effect, Option, Result } from "effect"
import * as RecordNdjson from "../../../RecordNdjson.ts"
import type { RecordPutError, RecordStore } from "../../../RecordStore.ts"
import type * as RecordType from "../../../RecordType.ts"
import type { SyncRun } from "../../../SyncRun.ts"
import { ImportLineInvalid, type NumberedLine } from "./ImportLines.ts"
import * as ImportRun from "./ImportRun.ts"

/** What an import can fail with, besides what its lines come from. */
export type ImportError = ImportRun.ImportRunError | RecordPutError

/** What was imported so far. */
export interface ImportCounts {
  readonly runCount: number
  readonly recordCount: number
}

export interface ImportOptions {
  /**
   * Goes on with a run that is in the store and has not ended, and passes over one that is there as it is here, whole; without it
   * a run that is there is refused. Default false.
   */
  readonly resume?: boolean
  /** Told after every batch. */
  readonly onProgress?: (counts: ImportCounts) => void
}

export interface LinesOptions extends ImportOptions {
  /** The types that records can be of. Default: those that the store was opened with. */
  readonly types?: ReadonlyArray<RecordType.Any>
  /** What kind of run records become that come before any run. Default `full`. */
  readonly syncType?: string
}

/** Records of a batch at most, and bytes of lines with which it is put. */
interface BatchLimits {
  readonly records: number
  readonly sizeBytes: number
}

const freshLimits: BatchLimits = { records: 1_000, sizeBytes: 4 * 1024 * 1024 }

/** A batch of a resumed run is durable by itself, which costs as much as thousands of records. */
const resumedLimits: BatchLimits = { records: 10_000, sizeBytes: 16 * 1024 * 1024 }

interface Batch {
  readonly type: RecordType.Any
  readonly records: Array<unknown>
  /** Of their lines. */
  readonly numbers: Array<number>
  sizeBytes: number
}

export interface MakeOptions extends LinesOptions {
  readonly store: RecordStore
  /** How errors name the lines. */
  readonly source: string
}

/** An import that goes on. One fiber uses it. */
export interface LineImport {
  readonly options: MakeOptions
  readonly typesByName: ReadonlyMap<string, RecordType.Any>
  counts: ImportCounts
  /** The run that records go into. */
  current: SyncRun | undefined
  /** The run is in the store already, whole: its records are looked at and not put. */
  isThere: boolean
  limits: BatchLimits
  /** Records that are not yet put. */
  batch: Batch | undefined
}

export const make = (options: MakeOptions): LineImport => ({
  options,
  typesByName: new Map((options.types ?? options.store.types).map((type) => [type.name, type] as const)),
  counts: { runCount: 0, recordCount: 0 },
  current: undefined,
  isThere: false,
  limits: freshLimits,
  batch: undefined
})

/** Takes some lines, in their order. */
export const addAll: (
  work: LineImport,
  lines: ReadonlyArray<NumberedLine>
) => Effect.Effect<void, ImportError | ImportLineInvalid> = Effect.fnUntraced(function* (work, lines) {
  for (const { line, number, sizeBytes } of lines) {
    if (line.kind === "run") {
      yield* begin(work, line.run)
      continue
    }
    const read = readRecord(work, line)
    if (Result.isFailure(read))
      return yield* new ImportLineInvalid({ source: work.options.source, line: number, detail: read.failure })
    if (work.isThere) continue
    if (work.current === undefined) yield* beginAnonymous(work)
    const { record, type } = read.success
    if (work.batch !== undefined && work.batch.type !== type) yield* flush(work)
    work.batch ??= { type, records: [], numbers: [], sizeBytes: 0 }
    const { batch, limits } = work
    batch.records.push(record)
    batch.numbers.push(number)
    batch.sizeBytes += sizeBytes
    if (batch.records.length >= limits.records || batch.sizeBytes >= limits.sizeBytes) yield* flush(work)
  }
})

/** Ends the run that is current, if any, as its line says. */
export const end = (work: LineImport): Effect.Effect<void, ImportError | ImportLineInvalid> =>
  Effect.andThen(
    flush(work),
    Effect.suspend(() =>
      work.current === undefined || work.isThere
        ? Effect.void
        : ImportRun.finish(work.options.store, work.current, work.options.source)
    )
  )

const begin = Effect.fnUntraced(function* (work: LineImport, run: SyncRun) {
  yield* end(work)
  const { resume = false, store } = work.options
  const beginning = yield* ImportRun.begin(store, run, resume)
  work.isThere = beginning === "there"
  work.limits = beginning === "resumed" ? resumedLimits : freshLimits
  work.current = run
  if (!work.isThere) countRun(work)
})

/** A run of its own for records that come before any. */
const beginAnonymous = Effect.fnUntraced(function* (work: LineImport) {
  const { store, syncType = "full" } = work.options
  const run = yield* store.startSync({ type: syncType })
  work.current = { ...run, ended_at: Math.max(run.started_at, 1_000 * (yield* Clock.currentTimeMillis)) }
  countRun(work)
})

const countRun = (work: LineImport): void => {
  work.counts = { ...work.counts, runCount: work.counts.runCount + 1 }
}

/** The record of a line with its type, or what is wrong with it. */
const readRecord = (
  { current, typesByName }: LineImport,
  line: RecordNdjson.RecordLine
): Result.Result<{ readonly type: RecordType.Any; readonly record: unknown }, string> => {
  const type = typesByName.get(line.type)
  if (type === undefined) {
    const known = [...typesByName.keys()].sort().join(", ")
    return Result.fail(`its type is ${JSON.stringify(line.type)}, expected ${known === "" ? "none" : known}`)
  }
  if (Option.isSome(line.sync)) {
    const sync = line.sync.value
    if (current === undefined) return Result.fail(`sync ${sync} has no sync_run line before it`)
    if (sync !== current.sync_id)
      return Result.fail(`its sync is ${sync}, expected ${current.sync_id}, whose records these are`)
  }
  return Result.map(RecordNdjson.decodeRecord(type, line), (record) => ({ type, record }))
}

const flush = (work: LineImport): Effect.Effect<void, ImportError | ImportLineInvalid> =>
  Effect.suspend(() => {
    if (work.batch === undefined) return Effect.void
    const { numbers, records, type } = work.batch
    const { onProgress, source, store } = work.options
    work.batch = undefined
    work.counts = { ...work.counts, recordCount: work.counts.recordCount + records.length }
    onProgress?.(work.counts)
    return Effect.mapError(store.put(type, records), (error) =>
      error._tag === "RecordRefused" || error._tag === "RecordKeySize"
        ? new ImportLineInvalid({ source, line: numbers[error.position]!, detail: error.message })
        : error
    )
  })
