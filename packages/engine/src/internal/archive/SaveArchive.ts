/** `Archive.save`. The steps that make it durable are in {@link "./ArchiveFile.ts"}. */
import * as nodePath from "node:path"
import { Disk, PackEncodeFailed } from "@icecore/packfile"
import { Effect, Option, type Scope } from "effect"
import { Hex } from "effect/encoding"
import type { ArchiveServices, ArchiveSource, ArchiveSummary, Manifest, SaveError, SaveOptions } from "../../Archive.ts"
import { ArchiveRefused } from "../../ArchiveError.ts"
import { databasePart } from "../../format/ArchiveFormat.ts"
import { syncOfEntryRun } from "../../format/EntryRun.ts"
import { metaKeyspace, storeKeyspaces, syncBytes } from "../../format/RecordLayout.ts"
import * as RecordReader from "../../RecordReader.ts"
import * as ArchiveFile from "./ArchiveFile.ts"
import * as MakeManifest from "./MakeManifest.ts"
import * as PackWriting from "./PackWriting.ts"
import * as PrivateDirectory from "./PrivateDirectory.ts"
import { syncOfRow } from "./RowSync.ts"
import * as TarWriting from "./TarWriting.ts"

export const saveArchive: (options: SaveOptions) => Effect.Effect<ArchiveSummary, SaveError, ArchiveServices> =
  Effect.fnUntraced(function* (options: SaveOptions) {
    const { encoding, overwrite, path } = options
    if (overwrite !== true) yield* ArchiveFile.requireFree(path)
    return yield* encoding === "tar" || encoding === "tar+zstd" ? saveTar(options) : savePack(options)
  }, Effect.scoped)

/** A part whose place is not known yet. */
const draftPart = (name: string) => ({ name, offset_bytes: 0, size_bytes: 0, decoded_size_bytes: 0, row_count: 0 })

const makeFile = ({ overwrite = false, path }: SaveOptions, draft: Manifest) =>
  ArchiveFile.make({ path, draft, overwrite })

const publish = Effect.fnUntraced(function* (archive: ArchiveFile.ArchiveFile, manifest: Manifest) {
  const sizeBytes = yield* archive.publish(manifest)
  return { path: archive.path, sizeBytes, manifest }
})

// Packs.

const savePack = Effect.fnUntraced(function* (
  options: SaveOptions
): Effect.fn.Return<ArchiveSummary, SaveError, ArchiveServices | Scope.Scope> {
  const { creator, level, onProgress, source, syncs } = options
  const rows = yield* source.snapshot
  const reader = yield* RecordReader.make({ reader: Effect.succeed(rows), path: source.path })
  const draft = yield* MakeManifest.make({
    reader,
    engineName: source.engineName,
    encoding: "pack",
    creator,
    syncs,
    parts: storeKeyspaces.map(draftPart)
  })
  const archive = yield* makeFile(options, draft)
  let rowCount = 0
  const parts = yield* PackWriting.write({
    archive,
    reader: rows,
    keyspaces: storeKeyspaces,
    keeps: keepsOf(syncs),
    level,
    onRows: (count) => {
      rowCount += count
      onProgress?.({ rowCount })
    }
  })
  return yield* publish(archive, { ...draft, parts })
})

/** Rows of these syncs, and those of the whole store; none that only the program reads that is filling the store. */
const keepsOf = (syncs: SaveOptions["syncs"]): PackWriting.PackWritingOptions["keeps"] => {
  const isTransient = (keyspace: string, key: Uint8Array): boolean =>
    keyspace === metaKeyspace && syncOfEntryRun(key) !== undefined
  if (syncs === undefined) return (keyspace, key) => !isTransient(keyspace, key)
  const kept = new Set(syncs.map((sync) => Hex.encode(syncBytes(sync))))
  return (keyspace, key) => {
    if (isTransient(keyspace, key)) return false
    const sync = syncOfRow(keyspace, key)
    return sync === undefined || kept.has(Hex.encode(sync))
  }
}

// Tars.

const saveTar = Effect.fnUntraced(function* (
  options: SaveOptions
): Effect.fn.Return<ArchiveSummary, SaveError, ArchiveServices | Scope.Scope> {
  const { creator, encoding = "tar", level, path, source, syncs } = options
  const refused = (detail: string) => new ArchiveRefused({ path, operation: "save", detail })
  if (syncs !== undefined) return yield* refused(`a ${encoding} holds all syncs of a store, expected pack for some`)
  const directory = yield* copyOf(source, path)
  const names = yield* TarWriting.filesOf(directory, path)
  const draft = yield* Effect.scoped(
    Effect.gen(function* () {
      const database = yield* source.database!.engine.open({
        path: directory,
        keyspaces: storeKeyspaces,
        mode: "readOnly"
      })
      const reader = yield* RecordReader.make({ reader: database.snapshot, path: source.path })
      const parts = [draftPart(databasePart)]
      return yield* MakeManifest.make({ reader, engineName: source.engineName, encoding, creator, parts })
    })
  )
  const archive = yield* makeFile(options, draft)
  const part = yield* TarWriting.write({
    archive,
    directory,
    names,
    isCompressed: encoding === "tar+zstd",
    level
  }).pipe(
    Effect.catchTag("ZstdCompressFailed", (cause) =>
      Effect.fail(new PackEncodeFailed({ path, recordIndex: 0, detail: cause.detail, cause }))
    )
  )
  return yield* publish(archive, { ...draft, parts: [part] })
})

/** A closed copy of the source's database, in a private directory beside the archive: where there is room for it. */
const copyOf = Effect.fnUntraced(function* (
  { database, path: sourcePath }: ArchiveSource,
  path: string
): Effect.fn.Return<string, SaveError, Disk | Scope.Scope> {
  const disk = yield* Disk
  const refused = new ArchiveRefused({
    path,
    operation: "save",
    detail: `${sourcePath} has no database in files, expected encoding pack`
  })
  if (database === undefined) return yield* refused
  const directory = `${yield* PrivateDirectory.make(nodePath.dirname(path))}/database`
  yield* Effect.acquireRelease(database.checkpoint(directory), () => Effect.ignore(database.engine.destroy(directory)))
  return Option.isSome(yield* disk.stat(directory)) ? directory : yield* refused
})
