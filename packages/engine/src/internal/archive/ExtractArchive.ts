/**
 * `Archive.extract`. In this order; `|` is a barrier, before which everything has completed:
 *
 * 1. makes a private directory beside the target, and in it the database, durable by itself, and sees that it opens as a store |
 * 2. syncs the database's directory |
 * 3. renames it to the target |
 * 4. syncs the parent |
 *
 * A crash before 3 leaves a directory `icecore-…` that nobody looks at; after it the whole database.
 */
import * as nodePath from "node:path"
import { Disk } from "@icecore/packfile"
import { Effect, Option, type Scope, Stream } from "effect"
import type { ArchiveServices, ExtractError, ExtractOptions } from "../../Archive.ts"
import { ArchiveLimitExceeded, ArchiveRefused } from "../../ArchiveError.ts"
import type { Engine } from "../../Engine.ts"
import { storeKeyspaces } from "../../format/RecordLayout.ts"
import * as RecordReader from "../../RecordReader.ts"
import { boundsFor } from "./ArchiveBounds.ts"
import { locate, locatedSnapshot } from "./LocatedRows.ts"
import { engineNamed, openArchive, type Probed, probe } from "./OpenArchive.ts"
import * as PrivateDirectory from "./PrivateDirectory.ts"
import * as TarUnpacking from "./TarUnpacking.ts"

export const extractArchive: (
  path: string,
  options: ExtractOptions
) => Effect.Effect<void, ExtractError, ArchiveServices> = Effect.fnUntraced(function* (
  path: string,
  options: ExtractOptions
) {
  const disk = yield* Disk
  const { directory } = options
  const parent = nodePath.dirname(nodePath.resolve(directory))
  if (Option.isSome(yield* disk.stat(directory))) {
    return yield* new ArchiveRefused({ path, operation: "extract", detail: `something is at ${directory}` })
  }
  const probed = yield* probe(path, options)
  const made = `${yield* PrivateDirectory.make(parent)}/database`
  if (isCopyable(probed, options)) {
    const { bounds, outside } = probed
    const engine = yield* engineNamed(path, outside.manifest.engine)
    yield* disk.makeDirectory(made)
    yield* TarUnpacking.unpack({ outside, bounds, directory: made, isDurable: true })
    yield* requireStore({ engine, directory: made, path })
  } else {
    yield* copyRows(path, options, made)
  }
  yield* disk.syncDirectory(made)
  yield* Effect.uninterruptible(disk.rename({ source: made, target: directory }))
  yield* disk.syncDirectory(parent)
}, Effect.scoped)

/** Whether the archive holds the files of the very engine that is asked for. */
const isCopyable = (
  probed: Probed,
  { engine }: ExtractOptions
): probed is Extract<Probed, { readonly kind: "ours" }> => {
  if (probed.kind === "foreign") return false
  const { manifest } = probed.outside
  return manifest.encoding !== "pack" && (engine === undefined || engine === manifest.engine)
}

/** The bytes are those that were saved; that they are a record store is only seen by opening it. */
const requireStore = Effect.fnUntraced(function* ({
  directory,
  engine,
  path
}: {
  readonly engine: Engine
  readonly directory: string
  readonly path: string
}) {
  const opening = engine.open({ path: directory, keyspaces: storeKeyspaces, mode: "readOnly" })
  const database = yield* Effect.mapError(opening, locate(path))
  yield* RecordReader.make({ reader: locatedSnapshot(path, database), path })
}, Effect.scoped)

/** Opens the archive and loads its rows into a new database, in one transaction. */
const copyRows = Effect.fnUntraced(function* (
  path: string,
  options: ExtractOptions,
  made: string
): Effect.fn.Return<void, ExtractError, ArchiveServices | Scope.Scope> {
  const archive = yield* openArchive(path, options)
  const { info, rows } = archive
  const engine: Engine = yield* engineNamed(path, options.engine ?? info.manifest.engine)
  const { maxDecodedSizeBytes: maximum } = boundsFor(options.limits, info.sizeBytes)
  const database = yield* engine.open({ path: made, keyspaces: storeKeyspaces, mode: "create" })
  let sizeBytes = 0
  const counted = (keyspace: string) =>
    rows.scan(keyspace).pipe(
      Stream.mapArrayEffect((batch) => {
        for (const row of batch) sizeBytes += row.key.length + row.value.length
        return sizeBytes <= maximum
          ? Effect.succeed(batch)
          : Effect.fail(new ArchiveLimitExceeded({ path, subject: "decoded size", actual: sizeBytes, maximum }))
      })
    )
  yield* database.replace(storeKeyspaces.map((keyspace) => ({ keyspace, range: {}, rows: counted(keyspace) })))
}, Effect.scoped)
