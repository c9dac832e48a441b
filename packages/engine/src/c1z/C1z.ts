/**
 * The older archives: `C1ZF\0` and one zstd stream of an SQLite database. They are read only.
 *
 * ```ts
 * import { Archive } from "@icecore/engine"
 * import * as C1z from "@icecore/engine/c1z"
 *
 * const program = Effect.scoped(Archive.open("sync.c1z")).pipe(Effect.provide(C1z.layer))
 * ```
 *
 * Opening one unpacks it into a private directory, reads every row, and writes it as a record of `@icecore/engine/access`
 * into a record store beside it, which is what is read. What no field of its record holds is kept as an annotation, and
 * {@link C1zReport} counts that and what is not in the records at all. It takes the space of the database and of the store, until
 * the scope closes that of the store alone.
 */
import { ZstdStream } from "@icecore/codec"
import { Disk } from "@icecore/packfile"
import { Context, Effect, Layer, type Scope } from "effect"
import type { ArchiveSource, Manifest, OpenArchive, OpenArchiveOptions, OpenError } from "../Archive.ts"
import * as ArchiveFormats from "../ArchiveFormats.ts"
import * as Access from "../access/AccessRecords.ts"
import { Engine } from "../Engine.ts"
import { locatedReader, locatedSnapshot } from "../internal/archive/LocatedRows.ts"
import * as MakeManifest from "../internal/archive/MakeManifest.ts"
import * as PrivateDirectory from "../internal/archive/PrivateDirectory.ts"
import { makeStoredEngine } from "../internal/StoredEngine.ts"
import { loadSqliteDriver, type SqliteConnection, type SqliteDriver } from "../live/SqliteDriver.ts"
import { sqliteLibrary } from "../live/SqliteStore.ts"
import * as RecordReader from "../RecordReader.ts"
import * as RecordStore from "../RecordStore.ts"
import type { C1zError } from "./C1zError.ts"
import type { C1zReport } from "./C1zReport.ts"
import { attempt, type TranslationError, translate } from "./C1zTranslation.ts"
import { magic, unpack } from "./C1zUnpack.ts"

export { type C1zError, C1zLimitExceeded, C1zRowInvalid, C1zSchemaInvalid, C1zUnreadable } from "./C1zError.ts"
export type { C1zReport, TableReport } from "./C1zReport.ts"

/** How errors and listings name the format. */
const formatName = "c1z"

/** Page cache of each connection to the store in KiB. PERF: opening 300,000 grants took 316 MB with 64 MiB, the usual, and 226 MB with this. */
const cacheKiB = 8_192

const engineLayer: Layer.Layer<Engine, never, Disk> = Layer.effect(
  Engine,
  Effect.flatMap(Effect.promise(loadSqliteDriver), (driver) => makeStoredEngine(sqliteLibrary(driver, cacheKiB)))
)

/** An older archive that is open for a scope. */
export interface OpenC1z extends OpenArchive {
  /** What became of its rows. Also in `info`. */
  readonly report: C1zReport
}

/** Opens an older archive for the scope: its sync runs keep their ids, times and tokens, and one without an end stays so. */
export const open: (
  path: string,
  options?: OpenArchiveOptions
) => Effect.Effect<OpenC1z, OpenError, Disk | ZstdStream | Scope.Scope> = Effect.fn("C1z.open")(function* (
  path,
  options = {}
) {
  const engine = yield* Engine
  const directory = yield* PrivateDirectory.make(options.temporaryDirectory)
  const store = yield* openStore(`${directory}/store`)
  const { report, sizeBytes } = yield* unpackInto(store, path, `${directory}/database`, options)
  const { database } = store
  const snapshot = locatedSnapshot(path, database)
  const source: ArchiveSource = {
    path,
    engineName: engine.name,
    snapshot,
    database: { engine, checkpoint: database.checkpoint }
  }
  const reader = yield* RecordReader.make({
    reader: snapshot,
    path,
    ...(options.types === undefined ? {} : { types: options.types })
  })
  const manifest = yield* manifestOf(reader, engine.name)
  return {
    info: { path, format: formatName, sizeBytes, manifest, report },
    reader,
    rows: locatedReader(path, database),
    source,
    report
  }
}, Effect.provide(engineLayer))

/** Memory of records that are not yet written: a quarter of the usual, since an archive is opened beside other work. */
const arenaBytes: number = 8 * 1024 * 1024

/** A new store of our own: what could be wrong with an older one is a bug here. */
const openStore = (path: string): Effect.Effect<RecordStore.RecordStore, OpenError, Engine | Scope.Scope> =>
  Effect.catchTags(RecordStore.open({ path, types: Access.types, arenaBytes }), {
    NotRecordStore: Effect.die,
    RecordTypeChanged: Effect.die,
    RecordMisuse: Effect.die
  })

/** Unpacks the database, translates it, and removes it. */
const unpackInto = Effect.fnUntraced(function* (
  store: RecordStore.RecordStore,
  path: string,
  target: string,
  options: OpenArchiveOptions
): Effect.fn.Return<{ readonly report: C1zReport; readonly sizeBytes: number }, OpenError, Disk | ZstdStream> {
  const disk = yield* Disk
  const driver = yield* Effect.promise(loadSqliteDriver)
  const sizeBytes = yield* unpack({ path, target, limits: options.limits })
  const report = yield* Effect.acquireUseRelease(
    openDatabase(driver, path, target),
    (connection): Effect.Effect<C1zReport, TranslationError> => translate({ connection, path, store }),
    (connection) => Effect.sync(() => connection.close())
  )
  yield* disk.unlink(target)
  return { report, sizeBytes }
})

/** No code of the file runs, nothing is written, and what is not there is not made up from files beside it. */
const safeSql = `
  PRAGMA trusted_schema = OFF;
  PRAGMA query_only = ON;
  PRAGMA cell_size_check = ON;
  PRAGMA mmap_size = 0;
  PRAGMA temp_store = MEMORY;
`

const openDatabase = (driver: SqliteDriver, path: string, target: string): Effect.Effect<SqliteConnection, C1zError> =>
  attempt(path, () => {
    const connection = driver.openReading(target)
    try {
      connection.exec(safeSql)
    } catch (cause) {
      connection.close()
      throw cause
    }
    return connection
  })

/** What the archive would say of itself, if it were one of ours: as of the last that happened in it. */
const manifestOf = (
  reader: RecordReader.RecordReader,
  engineName: string
): Effect.Effect<Manifest, RecordReader.RecordReadError> =>
  Effect.map(
    MakeManifest.make({ reader, engineName, encoding: "pack", creator: formatName, parts: [] }),
    (manifest) => ({
      ...manifest,
      created_at: manifest.syncs.reduce((latest, run) => Math.max(latest, run.ended_at ?? run.started_at), 0)
    })
  )

/** Lets `Archive.open` and its like read older archives. */
export const layer: Layer.Layer<never, never, Disk | ZstdStream> = ArchiveFormats.layerAdding(
  Effect.gen(function* () {
    // Not the whole context: the scope in it is that of the layer, and archives are open for the scope of who opens them.
    const services = Context.make(Disk, yield* Disk).pipe(Context.add(ZstdStream, yield* ZstdStream))
    return {
      name: formatName,
      matches: (head: Uint8Array) => magic.every((byte, at) => head[at] === byte),
      open: (path: string, options: OpenArchiveOptions) => Effect.provide(open(path, options), services)
    }
  })
)
