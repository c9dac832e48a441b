/** Writes the rows of a store into an archive: a packfile for each keyspace. */
import { Zstd, type ZstdCompressFailed } from "@icecore/codec"
import { PackEncodeFailed, type PackWriteError, PackWriter, RecordEncoding } from "@icecore/packfile"
import { Effect, type Scope, Stream } from "effect"
import type { ManifestPart } from "../../Archive.ts"
import type { EngineReadError, Reader, Row } from "../../Engine.ts"
import * as PackRowsFormat from "../../format/PackRowsFormat.ts"
import type { ArchiveFile } from "./ArchiveFile.ts"

export interface PackWritingOptions {
  readonly archive: ArchiveFile
  readonly reader: Reader
  readonly keyspaces: ReadonlyArray<string>
  /** Whether a row is to be in the archive. */
  readonly keeps: (keyspace: string, key: Uint8Array) => boolean
  readonly level: number | undefined
  readonly onRows: (rowCount: number) => void
}

/** Writes all keyspaces, one after the other, and says where they are. */
export const write: (
  options: PackWritingOptions
) => Effect.Effect<ReadonlyArray<ManifestPart>, PackWriteError | EngineReadError, Zstd> = Effect.fnUntraced(function* (
  options: PackWritingOptions
) {
  const zstd = yield* Zstd
  const parts: Array<ManifestPart> = []
  for (const keyspace of options.keyspaces) {
    parts.push(yield* Effect.scoped(writeKeyspace(options, zstd, keyspace)))
  }
  return parts
})

const writeKeyspace = Effect.fnUntraced(function* (
  { archive, keeps, level, onRows, reader }: PackWritingOptions,
  zstd: Zstd,
  keyspace: string
): Effect.fn.Return<ManifestPart, PackWriteError | EngineReadError, Scope.Scope> {
  const options = level === undefined ? {} : { level }
  const offsetBytes = archive.payloadSizeBytes()
  const writer = yield* PackWriter.makeWithin(
    { file: archive.file, offsetBytes: archive.payloadAt + offsetBytes },
    {
      itemsPerRecord: 1,
      format: PackRowsFormat.packFormat,
      contentHash: true,
      encoding: RecordEncoding.zstd(zstd, options)
    }
  )
  const builder = PackRowsFormat.makeBuilder()
  let rowCount = 0
  let decodedSizeBytes = 0

  const addRows = Effect.fnUntraced(function* (rows: ReadonlyArray<Row>) {
    for (const { key, value } of rows) {
      if (!keeps(keyspace, key)) continue
      rowCount++
      decodedSizeBytes += key.length + value.length
      if (PackRowsFormat.addRow(builder, key, value)) yield* writer.append(PackRowsFormat.takeGroup(builder))
    }
    onRows(rows.length)
  })

  yield* Stream.runForEachArray(reader.scan(keyspace), addRows)
  const rest = PackRowsFormat.takeGroup(builder)
  if (rest.length > 0) yield* writer.append(rest)
  const fences = yield* zstd
    .compress(PackRowsFormat.encodeFences(builder), options)
    .pipe(Effect.mapError((error) => fencesFailed(archive.path, error)))
  const { byteLength } = yield* writer.finish(fences)
  return {
    name: keyspace,
    offset_bytes: offsetBytes,
    size_bytes: byteLength,
    decoded_size_bytes: decodedSizeBytes,
    row_count: rowCount
  }
})

const fencesFailed = (path: string, cause: ZstdCompressFailed): PackEncodeFailed =>
  new PackEncodeFailed({ path, recordIndex: 0, detail: `the fences: ${cause.detail}`, cause })
