/** Writes the files of a database into an archive, as a tar. */
import { type ZstdCompressFailed, ZstdStream } from "@icecore/codec"
import { ByteSource, Disk, type DiskError } from "@icecore/packfile"
import { Effect, Stream } from "effect"
import type { ManifestPart } from "../../Archive.ts"
import { ArchiveRefused } from "../../ArchiveError.ts"
import { databasePart } from "../../format/ArchiveFormat.ts"
import * as TarFormat from "../../format/TarFormat.ts"
import type { ArchiveFile } from "./ArchiveFile.ts"
import { chunksOf } from "./ArchiveOutside.ts"

/** What an engine's directory has beside the files of its database. */
const lockName = "LOCK"

export interface TarWritingOptions {
  readonly archive: ArchiveFile
  /** Holds a closed database. */
  readonly directory: string
  readonly names: ReadonlyArray<string>
  readonly isCompressed: boolean
  readonly level: number | undefined
}

/** The files of the database in a directory, which an archive of the path can hold. */
export const filesOf: (
  directory: string,
  path: string
) => Effect.Effect<ReadonlyArray<string>, ArchiveRefused | DiskError, Disk> = Effect.fnUntraced(function* (
  directory: string,
  path: string
) {
  const disk = yield* Disk
  const entries = (yield* disk.list(directory)).filter(({ name }) => name !== lockName)
  const wrong = entries.find(({ kind, name }) => kind !== "file" || !TarFormat.namePattern.test(name))
  if (wrong === undefined) return entries.map(({ name }) => name)
  const detail = `the database has ${JSON.stringify(wrong.name)}, expected plain files of simple names`
  return yield* new ArchiveRefused({ path, operation: "save", detail })
})

/** Writes the tar and says where it is. */
export const write: (
  options: TarWritingOptions
) => Effect.Effect<ManifestPart, DiskError | ZstdCompressFailed, Disk | ZstdStream> = Effect.fnUntraced(function* (
  options: TarWritingOptions
) {
  const { archive, directory, isCompressed, level, names } = options
  const files = yield* Effect.forEach(names, (name) =>
    Effect.map(ByteSource.fromFile(`${directory}/${name}`), (source) => ({ name, source }))
  )
  const sizeBytes = TarFormat.tarSizeOf(files.map(({ name, source }) => ({ name, sizeBytes: source.sizeBytes })))
  const tar = tarOf(files)
  const zstd = yield* ZstdStream
  const payload = isCompressed
    ? zstd.compress(tar, { contentSizeBytes: sizeBytes, ...(level === undefined ? {} : { level }) })
    : tar
  yield* Stream.runForEach(payload, archive.append)
  return {
    name: databasePart,
    offset_bytes: 0,
    size_bytes: archive.payloadSizeBytes(),
    decoded_size_bytes: sizeBytes,
    row_count: 0
  }
}, Effect.scoped)

const tarOf = (
  files: ReadonlyArray<{ readonly name: string; readonly source: ByteSource.ByteSource }>
): Stream.Stream<Uint8Array, DiskError> => {
  const entries = files.map(({ name, source }) => {
    const head = Stream.make(TarFormat.encodeEntry(name, source.sizeBytes))
    const padding = TarFormat.paddingOf(source.sizeBytes)
    const body = Stream.concat(head, chunksOf(source))
    return padding === 0 ? body : Stream.concat(body, Stream.make(new Uint8Array(padding)))
  })
  const end: Stream.Stream<Uint8Array, DiskError> = Stream.make(new Uint8Array(TarFormat.endSizeBytes))
  return entries.reduceRight((rest, entry) => Stream.concat(entry, rest), end)
}
