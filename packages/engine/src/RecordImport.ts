/**
 * Brings whole sync runs into a record store: from lines of text ({@link "./RecordNdjson.ts"}), or from another store or archive.
 *
 * A run keeps its id, its times and its token. It gets its end last of all, and only if as many records came as its line says: a
 * failure or a crash leaves a run that is plainly unfinished, and importing again with `resume` finishes it.
 */
import { Effect, Stream } from "effect"
import type { ImportInput, ImportLineInvalid } from "./internal/records/moving/ImportLines.ts"
import * as ImportRun from "./internal/records/moving/ImportRun.ts"
import * as LineImport from "./internal/records/moving/LineImport.ts"
import type { RecordListError, RecordReader } from "./RecordReader.ts"
import type { RecordStore } from "./RecordStore.ts"
import type * as RecordType from "./RecordType.ts"
import type { SyncId } from "./SyncRun.ts"
import * as TypeUnion from "./TypeUnion.ts"

export { type ImportInput, ImportLineInvalid, openLines } from "./internal/records/moving/ImportLines.ts"
export { ImportIncomplete, type ImportRunError } from "./internal/records/moving/ImportRun.ts"
export type { ImportCounts, ImportError, ImportOptions, LinesOptions } from "./internal/records/moving/LineImport.ts"

type ImportCounts = LineImport.ImportCounts
type ImportError = LineImport.ImportError

/** Imports lines. The store must have been opened with the types of the records. */
export const fromLines: <E>(
  store: RecordStore,
  input: ImportInput<E>,
  options?: LineImport.LinesOptions
) => Effect.Effect<ImportCounts, E | ImportLineInvalid | ImportError> = Effect.fn("RecordImport.fromLines")(function* (
  store,
  { source, rest },
  options = {}
) {
  const work = LineImport.make({ store, source, ...options })
  yield* Stream.runForEachArray(rest, (lines) => LineImport.addAll(work, lines))
  yield* LineImport.end(work)
  return work.counts
})

export interface CopyOptions extends LineImport.ImportOptions {
  /** The runs, in this order. */
  readonly syncs: ReadonlyArray<SyncId>
}

/**
 * Imports runs of another store or archive. The store must have been opened with the reader's types, or ones that have all their fields:
 * see {@link "./TypeUnion.ts"}.
 */
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
    if ((yield* ImportRun.begin(store, { ...run, counts: expected }, resume)) === "there") continue
    for (const type of reader.types) {
      const stored = storedType(store, type)
      yield* Stream.runForEachArray(reader.stream(type, { sync }), (records) => {
        counts = { ...counts, recordCount: counts.recordCount + records.length }
        onProgress?.(counts)
        return store.put(stored, records)
      })
    }
    yield* ImportRun.finish(store, { ...run, counts: expected }, reader.path)
    counts = { ...counts, runCount: counts.runCount + 1 }
  }
  return counts
})

/** The store's own type of the name, where it has every field of the other; else the other, which the store then refuses. */
const storedType = (store: RecordStore, type: RecordType.Any): RecordType.Any => {
  const own = store.types.find(({ name }) => name === type.name)
  return own !== undefined && TypeUnion.covers(own, type) ? own : type
}
