/** `Archive.open` and `Archive.info`: by the first bytes of the file, ours or a foreign format's. */
import { ByteSource, type Disk } from "@icecore/packfile"
import { Effect, type Scope } from "effect"
import type {
  ArchiveInfo,
  ArchiveServices,
  ArchiveSource,
  OpenArchive,
  OpenArchiveOptions,
  OpenError
} from "../../Archive.ts"
import { ArchiveEngines } from "../../ArchiveEngines.ts"
import { ArchiveEngineMissing } from "../../ArchiveError.ts"
import { ArchiveFormats, type ForeignFormat } from "../../ArchiveFormats.ts"
import type { Database, Engine, Reader } from "../../Engine.ts"
import { hasMagic } from "../../format/ArchiveFormat.ts"
import { storeKeyspaces } from "../../format/RecordLayout.ts"
import * as RecordReader from "../../RecordReader.ts"
import { type ArchiveBounds, boundsFor } from "./ArchiveBounds.ts"
import * as ArchiveOutside from "./ArchiveOutside.ts"
import { locate, locatedReader, locatedSnapshot } from "./LocatedRows.ts"
import * as PackRows from "./PackRows.ts"
import * as PrivateDirectory from "./PrivateDirectory.ts"
import * as TarUnpacking from "./TarUnpacking.ts"

/** A file whose format is known. */
export type Probed =
  | { readonly kind: "ours"; readonly outside: ArchiveOutside.ArchiveOutside; readonly bounds: ArchiveBounds }
  | { readonly kind: "foreign"; readonly format: ForeignFormat }

/** Opens the file for the scope, tells its format, and of our own reads the outside. */
export const probe: (
  path: string,
  options: OpenArchiveOptions
) => Effect.Effect<Probed, OpenError, Disk | Scope.Scope> = Effect.fnUntraced(function* (
  path: string,
  options: OpenArchiveOptions
) {
  const source = yield* ByteSource.fromFile(path)
  const head = yield* source.read(0, Math.min(ArchiveOutside.probeSizeBytes, source.sizeBytes))
  if (hasMagic(head)) {
    const bounds = boundsFor(options.limits, source.sizeBytes)
    return { kind: "ours", outside: yield* ArchiveOutside.read(source, bounds), bounds }
  }
  const format = (yield* ArchiveFormats).find(({ matches }) => matches(head))
  return format === undefined ? yield* ArchiveOutside.unrecognized(path, head) : { kind: "foreign", format }
})

const infoOf = ({ manifest, path, sizeBytes }: ArchiveOutside.ArchiveOutside): ArchiveInfo => ({
  path,
  format: "icearch",
  sizeBytes,
  manifest
})

/** The engine of this name. */
export const engineNamed: (path: string, engine: string) => Effect.Effect<Engine, ArchiveEngineMissing> =
  Effect.fnUntraced(function* (path: string, engine: string) {
    const engines = yield* ArchiveEngines
    return (
      engines.get(engine) ?? (yield* new ArchiveEngineMissing({ path, engine, available: [...engines.keys()].sort() }))
    )
  })

export const openArchive: (
  path: string,
  options: OpenArchiveOptions
) => Effect.Effect<OpenArchive, OpenError, ArchiveServices | Scope.Scope> = Effect.fnUntraced(function* (
  path: string,
  options: OpenArchiveOptions
) {
  const probed = yield* probe(path, options)
  if (probed.kind === "foreign") return yield* probed.format.open(path, options)
  return probed.outside.manifest.encoding === "pack"
    ? (yield* openPack(probed, options)).archive
    : yield* openTar(probed, options)
})

type Ours = Extract<Probed, { readonly kind: "ours" }>

/** A `pack` that is open. */
export interface OpenPack {
  readonly archive: OpenArchive
  readonly rows: PackRows.PackRows
}

/** An archive of ours, open, whose rows are read from `source`. */
const opened = Effect.fnUntraced(function* (
  outside: ArchiveOutside.ArchiveOutside,
  { types }: OpenArchiveOptions,
  source: ArchiveSource & Pick<Database, "snapshot">,
  rows: Reader
): Effect.fn.Return<OpenArchive, OpenError> {
  const reader = yield* RecordReader.make({
    reader: source.snapshot,
    path: outside.path,
    ...(types === undefined ? {} : { types })
  })
  return { info: infoOf(outside), reader, rows, source }
})

/** Opens a `pack` in place, and gives its packfiles as well. */
export const openPack: (
  ours: Ours,
  options: OpenArchiveOptions
) => Effect.Effect<OpenPack, OpenError, ArchiveServices | Scope.Scope> = Effect.fnUntraced(function* (
  { bounds, outside }: Ours,
  options: OpenArchiveOptions
) {
  const { manifest, path } = outside
  const rows = yield* PackRows.open({ outside, bounds, cacheSizeBytes: options.cacheSizeBytes })
  const snapshot = Effect.succeed(rows.reader)
  const archive = yield* opened(outside, options, { path, engineName: manifest.engine, snapshot }, rows.reader)
  return { archive, rows }
})

/** Unpacks a tar into a private directory and opens the database there, for reading only. */
export const openTar: (
  ours: Ours,
  options: OpenArchiveOptions
) => Effect.Effect<OpenArchive, OpenError, ArchiveServices | Scope.Scope> = Effect.fnUntraced(function* (
  { bounds, outside }: Ours,
  options: OpenArchiveOptions
) {
  const { manifest, path } = outside
  const engine = yield* engineNamed(path, manifest.engine)
  const directory = yield* PrivateDirectory.make(options.temporaryDirectory)
  yield* TarUnpacking.unpack({ outside, bounds, directory, isDurable: false })
  const database = yield* Effect.mapError(
    engine.open({ path: directory, keyspaces: storeKeyspaces, mode: "readOnly" }),
    locate(path)
  )
  const { checkpoint } = database
  const snapshot = locatedSnapshot(path, database)
  const source = { path, engineName: manifest.engine, snapshot, database: { engine, checkpoint } }
  return yield* opened(outside, options, source, locatedReader(path, database))
})

export const archiveInfo: (
  path: string,
  options: OpenArchiveOptions
) => Effect.Effect<ArchiveInfo, OpenError, ArchiveServices> = Effect.fnUntraced(function* (
  path: string,
  options: OpenArchiveOptions
) {
  const probed = yield* probe(path, options)
  return probed.kind === "ours" ? infoOf(probed.outside) : (yield* probed.format.open(path, options)).info
}, Effect.scoped)
