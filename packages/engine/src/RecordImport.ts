/**
 * Brings whole sync runs into a record store: from lines of text ({@link "./RecordNdjson.ts"}), or from another store or archive.
 *
 * A run keeps its id, its times and its token. It gets its end last of all, and only if as many records came as its line says: a
 * failure or a crash leaves a run that is plainly unfinished, and importing again with `resume` finishes it.
 */
import { Clock, Data, Effect, Option, Pull, Result, type Scope, Stream } from "effect"
import * as ImportRun from "./internal/records/ImportRun.ts"
import * as RecordNdjson from "./RecordNdjson.ts"
import type { RecordListError, RecordReader } from "./RecordReader.ts"
import type { RecordPutError, RecordStore } from "./RecordStore.ts"
import type * as RecordType from "./RecordType.ts"
import type { SyncId, SyncRun } from "./SyncRun.ts"

export { ImportIncomplete, type ImportRunError } from "./internal/records/ImportRun.ts"

/** A line cannot be imported. */
export class ImportLineInvalid extends Data.Error<{
  readonly source: string
  /** From 1. */
  readonly line: number
  readonly detail: string
}> {
  readonly _tag = "ImportLineInvalid"
  override readonly name = "ImportLineInvalid"
  override get message(): string {
    return `Cannot import ${this.source}, line ${this.line}: ${this.detail}`
  }
}

export type ImportError = ImportRun.ImportRunError | RecordPutError

/** What was imported so far. */
export interface ImportCounts {
  readonly runCount: number
  readonly recordCount: number
}

export interface ImportOptions {
  /** Goes on with a run that is in the store and has not ended; without it such a run is refused. Default false. */
  readonly resume?: boolean
  /** Told after every batch. */
  readonly onProgress?: (counts: ImportCounts) => void
}

/** Records of a batch at most. */
const recordsPerBatch = 1_000

/** A batch is put once its lines have so many bytes. */
const bytesPerBatch = 4 * 1024 * 1024

interface NumberedLine {
  readonly line: RecordNdjson.RunLine | RecordNdjson.RecordLine
  readonly number: number
  readonly sizeBytes: number
}

/** Lines whose types are read. */
export interface ImportInput<E> {
  /** How errors name it. */
  readonly source: string
  /** The types that it declares. */
  readonly types: ReadonlyArray<RecordType.Any>
  /** Whether it has no line at all: not even a type. */
  readonly isEmpty: boolean
  readonly rest: Stream.Stream<NumberedLine, E | ImportLineInvalid>
}

/** Reads the types at the beginning, so that a store can be opened with them. The rest can be read once, in the scope. */
export const openLines: <E, R>(
  source: string,
  lines: Stream.Stream<Uint8Array, E, R>
) => Effect.Effect<ImportInput<E>, E | ImportLineInvalid, R | Scope.Scope> = Effect.fnUntraced(function* <E, R>(
  source: string,
  lines: Stream.Stream<Uint8Array, E, R>
) {
  const context = yield* Effect.context<R>()
  const pull = yield* Stream.toPull(Stream.provideContext(lines, context))
  const types: Array<RecordType.Any> = []
  let number = 0
  let inHead = true

  /** Takes in the types of these lines, and gives the other ones. */
  const read = (batch: ReadonlyArray<Uint8Array>): Result.Result<ReadonlyArray<NumberedLine>, ImportLineInvalid> => {
    const others: Array<NumberedLine> = []
    const invalid = (detail: string) => Result.fail(new ImportLineInvalid({ source, line: number, detail }))
    for (const bytes of batch) {
      number++
      const parsed = RecordNdjson.parse(bytes)
      if (Result.isFailure(parsed)) return invalid(parsed.failure)
      if (Option.isNone(parsed.success)) continue
      const line = parsed.success.value
      if (line.kind !== "type") {
        inHead = false
        others.push({ line, number, sizeBytes: bytes.length })
      } else if (!inHead) {
        return invalid("it declares a type, expected all types before the first run")
      } else if (types.some(({ name }) => name === line.type.name)) {
        return invalid(`it declares type ${line.type.name} a second time`)
      } else types.push(line.type)
    }
    return Result.succeed(others)
  }

  const next: Pull.Pull<NonEmptyLines, E | ImportLineInvalid> = Effect.gen(function* () {
    for (;;) {
      const others = yield* Effect.fromResult(read(yield* pull))
      if (isNonEmpty(others)) return others
    }
  })
  const first = yield* Pull.catchDone(Effect.map(next, Option.some), () => Effect.succeed(Option.none<NonEmptyLines>()))
  const rest = Option.match(first, {
    onNone: () => Stream.empty,
    onSome: (read) => Stream.concat(Stream.fromArray(read), Stream.fromPull(Effect.succeed(next)))
  })
  return { source, types, isEmpty: types.length === 0 && Option.isNone(first), rest }
})

type NonEmptyLines = readonly [NumberedLine, ...Array<NumberedLine>]

const isNonEmpty = (lines: ReadonlyArray<NumberedLine>): lines is NonEmptyLines => lines.length > 0

export interface LinesOptions extends ImportOptions {
  /** The types that records can be of. Default: those that the store was opened with. */
  readonly types?: ReadonlyArray<RecordType.Any>
  /** What kind of run records become that come before any run. Default `full`. */
  readonly syncType?: string
}

/** Imports lines. The store must have been opened with the types of the records. */
export const fromLines: <E>(
  store: RecordStore,
  input: ImportInput<E>,
  options?: LinesOptions
) => Effect.Effect<ImportCounts, E | ImportLineInvalid | ImportError> = Effect.fn("RecordImport.fromLines")(function* (
  store,
  { source, rest },
  options = {}
) {
  const { types = store.types, syncType = "full", resume = false, onProgress } = options
  const byName = new Map(types.map((type) => [type.name, type] as const))
  let current: Option.Option<SyncRun> = Option.none()
  let counts: ImportCounts = { runCount: 0, recordCount: 0 }
  let batch: Batch | undefined

  const flush = Effect.suspend(() => {
    if (batch === undefined) return Effect.void
    const { type, records, numbers } = batch
    batch = undefined
    counts = { ...counts, recordCount: counts.recordCount + records.length }
    onProgress?.(counts)
    return Effect.mapError(store.put(type, records), (error) =>
      error._tag === "RecordRefused" || error._tag === "RecordKeySize"
        ? new ImportLineInvalid({ source, line: numbers[error.position]!, detail: error.message })
        : error
    )
  })
  const end = Effect.gen(function* () {
    yield* flush
    if (Option.isSome(current)) yield* ImportRun.finish(store, current.value, source)
  })
  const begin = Effect.fnUntraced(function* (run: SyncRun) {
    yield* end
    yield* ImportRun.begin(store, run, resume)
    current = Option.some(run)
    counts = { ...counts, runCount: counts.runCount + 1 }
  })
  const beginAnonymous = Effect.gen(function* () {
    const run = yield* store.startSync({ type: syncType })
    current = Option.some({ ...run, ended_at: Math.max(run.started_at, 1_000 * (yield* Clock.currentTimeMillis)) })
    counts = { ...counts, runCount: counts.runCount + 1 }
  })
  const add = Effect.fnUntraced(function* ({ line, number, sizeBytes }: NumberedLine) {
    if (line.kind === "run") return yield* begin(line.run)
    const invalid = (detail: string) => new ImportLineInvalid({ source, line: number, detail })
    const type = byName.get(line.type)
    if (type === undefined) {
      const known = [...byName.keys()].sort().join(", ")
      return yield* invalid(`its type is ${JSON.stringify(line.type)}, expected ${known === "" ? "none" : known}`)
    }
    if (Option.isNone(current)) {
      if (Option.isSome(line.sync)) return yield* invalid(`sync ${line.sync.value} has no sync_run line before it`)
      yield* beginAnonymous
    } else if (Option.isSome(line.sync) && line.sync.value !== current.value.sync_id)
      return yield* invalid(
        `its sync is ${line.sync.value}, expected ${current.value.sync_id}, whose records these are`
      )
    const record = yield* Effect.mapError(Effect.fromResult(RecordNdjson.decodeRecord(type, line)), invalid)
    if (batch !== undefined && batch.type !== type) yield* flush
    batch ??= { type, records: [], numbers: [], sizeBytes: 0 }
    batch.records.push(record)
    batch.numbers.push(number)
    batch.sizeBytes += sizeBytes
    if (batch.records.length >= recordsPerBatch || batch.sizeBytes >= bytesPerBatch) yield* flush
  })

  yield* Stream.runForEach(rest, add)
  yield* end
  return counts
})

interface Batch {
  readonly type: RecordType.Any
  readonly records: Array<unknown>
  /** Of their lines. */
  readonly numbers: Array<number>
  sizeBytes: number
}

export interface CopyOptions extends ImportOptions {
  /** The runs, in this order. */
  readonly syncs: ReadonlyArray<SyncId>
}

/** Imports runs of another store or archive. The store must have been opened with the reader's types. */
export const fromReader: (
  store: RecordStore,
  reader: RecordReader,
  options: CopyOptions
) => Effect.Effect<ImportCounts, ImportError | RecordListError> = Effect.fn("RecordImport.fromReader")(function* (
  store,
  reader,
  { syncs, resume = false, onProgress }
) {
  let counts: ImportCounts = { runCount: 0, recordCount: 0 }
  for (const sync of syncs) {
    const { run, counts: expected } = yield* reader.stats({ sync })
    yield* ImportRun.begin(store, run, resume)
    for (const type of reader.types) {
      yield* Stream.runForEachArray(reader.stream(type, { sync }), (records) => {
        counts = { ...counts, recordCount: counts.recordCount + records.length }
        onProgress?.(counts)
        return store.put(type, records)
      })
    }
    yield* ImportRun.finish(store, { ...run, counts: expected }, reader.path)
    counts = { ...counts, runCount: counts.runCount + 1 }
  }
  return counts
})
