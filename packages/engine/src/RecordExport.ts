/**
 * Whole sync runs as text: the lines of {@link "./RecordNdjson.ts"}, from any store or archive.
 *
 * First the types, then run by run, each followed by its records, type by type in the order of their names, in key order. The
 * same records give the same bytes, whatever engine or archive they come from. Memory is that of one page of records.
 */
import { Effect, Stream } from "effect"
import type { SyncTypeMismatch } from "./RecordError.ts"
import * as RecordNdjson from "./RecordNdjson.ts"
import type { RecordListError, RecordReader } from "./RecordReader.ts"
import type * as RecordType from "./RecordType.ts"
import type { SyncId } from "./SyncRun.ts"

export interface ExportOptions {
  /** The runs, in this order; also ones that have not ended. */
  readonly syncs: ReadonlyArray<SyncId>
  /** Default: all types of the reader. */
  readonly types?: ReadonlyArray<RecordType.Any>
}

/** Some lines, each with its line feed. */
export interface ExportChunk {
  readonly bytes: Uint8Array
  /** Record lines among them. */
  readonly recordCount: number
}

/** A chunk is given once it has so many characters. */
const chunkLength = 256 * 1024

const encoder = new TextEncoder()

/** The lines in chunks, whose concatenation is the export. A run that is not there fails before its line. */
export const chunks = (
  reader: RecordReader,
  { syncs, types = reader.types }: ExportOptions
): Stream.Stream<ExportChunk, RecordListError | SyncTypeMismatch> => {
  const byName = [...types].sort((left, right) => (left.name < right.name ? -1 : 1))
  const head = lineChunk(byName.map(RecordNdjson.encodeType))
  const runs = Stream.flatMap(Stream.fromIterable(syncs), (sync) =>
    Stream.concat(
      Stream.fromEffect(runChunk(reader, sync, byName)),
      Stream.flatMap(Stream.fromIterable(byName), (type) => recordChunks(reader, sync, type))
    )
  )
  return Stream.concat(byName.length === 0 ? Stream.empty : Stream.succeed(head), runs)
}

/** The run with the counts of what is exported of it. */
const runChunk = (
  reader: RecordReader,
  sync: SyncId,
  types: ReadonlyArray<RecordType.Any>
): Effect.Effect<ExportChunk, RecordListError | SyncTypeMismatch> =>
  Effect.map(reader.stats({ sync }), ({ run, counts }) => {
    const exported = types.map(({ name }) => [name, counts[name] ?? 0])
    return lineChunk([RecordNdjson.encodeRun({ ...run, counts: Object.fromEntries(exported) })])
  })

const lineChunk = (lines: ReadonlyArray<string>): ExportChunk => ({
  bytes: encoder.encode(lines.map((line) => `${line}\n`).join("")),
  recordCount: 0
})

const recordChunks = <T extends RecordType.Any>(
  reader: RecordReader,
  sync: SyncId,
  type: T
): Stream.Stream<ExportChunk, RecordListError> =>
  Stream.mapArray(reader.stream(type, { sync }), (records) => {
    const made: Array<ExportChunk> = []
    let text = ""
    let recordCount = 0
    for (const record of records) {
      text += `${RecordNdjson.encodeRecord(type, sync, record)}\n`
      recordCount++
      if (text.length < chunkLength) continue
      made.push({ bytes: encoder.encode(text), recordCount })
      text = ""
      recordCount = 0
    }
    if (recordCount > 0) made.push({ bytes: encoder.encode(text), recordCount })
    return made as [ExportChunk, ...Array<ExportChunk>]
  })
