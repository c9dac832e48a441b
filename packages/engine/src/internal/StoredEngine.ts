/**
 * An engine over a {@link StoreLibrary}: everything about files, directories and locks.
 *
 * Creation, in order: make the directory; sync the parent of each directory made, outermost first; take the lock; remove
 * what an earlier creation left; make the file under the name `new.*`; sync it; rename it to its own name; sync the
 * directory. A data file under its own name is therefore complete. Opening syncs the parent and the directory again,
 * because the process that made them may have died before it did.
 *
 * Removal, in order: take the lock; unlink the data file; sync the directory; unlink the rest and the lock; remove the
 * directory when nothing else is in it; sync its parent.
 *
 * A checkpoint is a creation whose file is a copy.
 */
import * as path from "node:path"
import { Disk, type DiskError, type DiskLocked } from "@icecore/packfile"
import { Effect, Option, type Scope } from "effect"
import {
  type Database,
  type Engine,
  EngineCorrupt,
  EngineFailed,
  EngineFull,
  EngineLocked,
  EngineMisuse,
  EngineNotFound,
  type EngineOpenError,
  type OpenOptions
} from "../Engine.ts"
import { dataFiles } from "./DataFiles.ts"
import { keyspacesProblem } from "./KeyspaceNames.ts"
import type { Store, StoreLibrary } from "./Store.ts"
import { makeStoredDatabase } from "./StoredDatabase.ts"

const lockName = "LOCK"
const newPrefix = "new."

export const makeStoredEngine = (library: StoreLibrary): Effect.Effect<Engine, never, Disk> =>
  Effect.map(Disk, (disk): Engine => {
    const files = databaseFiles(disk, library)
    return {
      name: library.name,
      open: (options) => open(disk, library, files, options),
      destroy: (directory) => destroy(disk, files, directory)
    }
  })

/** The names that a database's directory may hold, and the steps on them that opening, removing and copying share. */
interface DatabaseFiles {
  readonly dataPath: (directory: string) => string
  /** Everything but the data file and the lock. */
  readonly isRest: (name: string) => boolean
  readonly isData: (name: string) => boolean
  /** Makes the directory and makes its existence durable. */
  readonly makeDirectory: (directory: string) => Effect.Effect<void, EngineOpenError>
  /** Makes the data file under its final name, durably, from what `fill` puts at the path it is given. */
  readonly makeData: (directory: string, fill: (path: string) => Promise<void>) => Effect.Effect<void, EngineOpenError>
  readonly sweep: (directory: string) => Effect.Effect<void, EngineOpenError>
  readonly inspect: (directory: string) => Effect.Effect<void, EngineOpenError>
  /** Refuses a directory that holds another engine's database. */
  readonly refuseForeign: (directory: string) => Effect.Effect<void, EngineOpenError>
}

const databaseFiles = (disk: Disk, library: StoreLibrary): DatabaseFiles => {
  const { companions, fileName } = library
  const newName = `${newPrefix}${fileName}`
  const dataPath = (directory: string) => path.join(directory, fileName)
  const restNames = new Set([
    newName,
    ...companions.map((suffix) => `${newName}${suffix}`),
    ...companions.map((suffix) => `${fileName}${suffix}`)
  ])

  const makeDirectory: DatabaseFiles["makeDirectory"] = Effect.fnUntraced(function* (directory) {
    const absolute = path.resolve(directory)
    const made = yield* disk.makeDirectory(absolute)
    for (const each of made) yield* disk.syncDirectory(path.dirname(each))
    if (!made.includes(absolute)) yield* disk.syncDirectory(path.dirname(absolute))
  }, withDiskErrors("make"))

  const sweep: DatabaseFiles["sweep"] = (directory) =>
    Effect.gen(function* () {
      for (const { name } of yield* disk.list(directory)) {
        if (name.startsWith(newPrefix) && restNames.has(name)) yield* disk.unlink(path.join(directory, name))
      }
    }).pipe(diskErrors(directory, "open"))

  const makeData: DatabaseFiles["makeData"] = (directory, fill) =>
    Effect.gen(function* () {
      const newPath = path.join(directory, newName)
      yield* Effect.tryPromise({ try: () => fill(newPath), catch: (cause) => library.fault(directory, "make", cause) })
      yield* Effect.scoped(Effect.flatMap(disk.open(newPath, "readWrite"), (file) => file.sync))
      yield* disk.rename({ source: newPath, target: dataPath(directory) })
      yield* sweep(directory)
      yield* disk.syncDirectory(directory)
    }).pipe(diskErrors(directory, "make"))

  const inspect: DatabaseFiles["inspect"] = (directory) =>
    Effect.scoped(
      Effect.gen(function* () {
        const entries = yield* Effect.forEach(companions, (suffix) => disk.stat(`${dataPath(directory)}${suffix}`))
        const hasCompanion = entries.some((entry) => Option.isSome(entry) && entry.value.sizeBytes > 0)
        const file = yield* disk.open(dataPath(directory), "read")
        const detail = yield* library.inspect(file, hasCompanion)
        if (detail !== undefined) return yield* new EngineCorrupt({ path: directory, detail })
      })
    ).pipe(diskErrors(directory, "open"))

  const refuseForeign: DatabaseFiles["refuseForeign"] = (directory) =>
    Effect.gen(function* () {
      for (const [engine, name] of Object.entries(dataFiles)) {
        if (name === fileName || Option.isNone(yield* disk.stat(path.join(directory, name)))) continue
        const detail = `it is a database of engine ${engine} (${name}), not of ${library.name}`
        return yield* new EngineMisuse({ path: directory, detail })
      }
    }).pipe(diskErrors(directory, "open"))

  return {
    dataPath,
    isRest: (name) => restNames.has(name),
    isData: (name) => name === fileName,
    makeDirectory,
    makeData,
    sweep,
    inspect,
    refuseForeign
  }
}

const open = Effect.fn("Engine.open")(function* (
  disk: Disk,
  library: StoreLibrary,
  files: DatabaseFiles,
  options: OpenOptions
): Effect.fn.Return<Database, EngineOpenError, Scope.Scope> {
  const { mode = "create", path: directory } = options
  const keyspaces = [...options.keyspaces]
  const readOnly = mode === "readOnly"
  const problem = keyspacesProblem(keyspaces)
  if (problem !== undefined) return yield* new EngineMisuse({ path: directory, detail: problem })
  yield* files.refuseForeign(directory)
  const exists = Effect.map(disk.stat(files.dataPath(directory)), Option.isSome).pipe(diskErrors(directory, "open"))

  if (mode === "create") yield* files.makeDirectory(directory)
  else if (!(yield* exists)) return yield* new EngineNotFound({ path: directory })
  if (!readOnly) {
    yield* disk.lock(path.join(directory, lockName)).pipe(diskErrors(directory, "open"))
    yield* files.sweep(directory)
    if (!(yield* exists)) {
      // It was removed between the first look and the lock.
      if (mode === "existing") return yield* new EngineNotFound({ path: directory })
      yield* files.makeData(directory, library.create)
    }
  }
  yield* files.inspect(directory)

  const store: Store = yield* Effect.tryPromise({
    try: () =>
      library.open({ path: files.dataPath(directory), keyspaces, readOnly, cacheSizeBytes: options.cacheSizeBytes }),
    catch: (cause) => library.fault(directory, "open", cause)
  })
  const { close, database } = makeStoredDatabase({
    path: directory,
    keyspaces,
    readOnly,
    store,
    denseValueSizeBytes: library.denseValueSizeBytes,
    fault: (operation, cause) => library.fault(directory, operation, cause),
    checkpoint: (target) => checkpoint(disk, files, store, target),
    fileBytes: fileBytes(disk, files, directory)
  })
  yield* Effect.addFinalizer(() => close)
  if (!readOnly) yield* disk.syncDirectory(directory).pipe(diskErrors(directory, "open"))
  return database
}, Effect.uninterruptible)

const checkpoint = Effect.fn("Database.checkpoint")(function* (
  disk: Disk,
  files: DatabaseFiles,
  store: Store,
  directory: string
): Effect.fn.Return<void, EngineOpenError> {
  const refused = new EngineMisuse({ path: directory, detail: "a checkpoint needs a new directory" })
  const there = yield* disk.stat(directory).pipe(diskErrors(directory, "make"))
  if (Option.isSome(there)) return yield* refused
  yield* files.makeDirectory(directory)
  yield* Effect.scoped(
    Effect.gen(function* () {
      yield* disk.lock(path.join(directory, lockName)).pipe(diskErrors(directory, "make"))
      // Another may have made a database here since the first look.
      if (Option.isSome(yield* disk.stat(files.dataPath(directory)).pipe(diskErrors(directory, "make")))) {
        return yield* refused
      }
      yield* files
        .makeData(directory, store.copyTo)
        .pipe(Effect.onError(() => Effect.ignore(removeFiles(disk, files, path.resolve(directory)))))
    })
  )
}, Effect.uninterruptible)

const destroy = Effect.fn("Engine.destroy")(function* (
  disk: Disk,
  files: DatabaseFiles,
  directory: string
): Effect.fn.Return<void, EngineOpenError> {
  const absolute = path.resolve(directory)
  const parent = path.dirname(absolute)
  const steps = Effect.gen(function* () {
    const there = yield* disk.stat(absolute)
    if (Option.isNone(there)) {
      // An earlier removal may have been killed before this step.
      if (Option.isSome(yield* disk.stat(parent))) yield* disk.syncDirectory(parent)
      return
    }
    if (there.value.kind !== "directory")
      return yield* new EngineMisuse({ path: directory, detail: "it is not a directory" })
    yield* files.refuseForeign(absolute)
    const names = (yield* disk.list(absolute)).map(({ name }) => name)
    // An empty directory is what a creation or a removal left that was killed at its outermost step.
    if (names.length === 0) return yield* removeDirectory(disk, absolute)
    if (!names.some((name) => files.isData(name) || files.isRest(name) || name === lockName)) return
    yield* disk.lock(path.join(absolute, lockName))
    yield* removeFiles(disk, files, absolute)
  })
  yield* Effect.scoped(steps).pipe(diskErrors(directory, "remove"))
}, Effect.uninterruptible)

/** Removes a database whose lock is held, and its directory if nothing else is in it. */
const removeFiles = Effect.fnUntraced(function* (disk: Disk, files: DatabaseFiles, directory: string) {
  const at = (name: string) => path.join(directory, name)
  const names = (yield* disk.list(directory)).map(({ name }) => name)
  for (const name of names.filter(files.isData)) {
    yield* disk.unlink(at(name))
    yield* disk.syncDirectory(directory)
  }
  for (const name of names.filter(files.isRest)) yield* disk.unlink(at(name))
  yield* disk.unlink(at(lockName))
  if ((yield* disk.list(directory)).length > 0) yield* disk.syncDirectory(directory)
  else yield* removeDirectory(disk, directory)
})

const removeDirectory = (disk: Disk, directory: string): Effect.Effect<void, DiskError> =>
  Effect.andThen(disk.removeDirectory(directory), disk.syncDirectory(path.dirname(directory)))

const fileBytes = (disk: Disk, files: DatabaseFiles, directory: string): Effect.Effect<number, EngineFailed> =>
  Effect.gen(function* () {
    const { stat } = disk
    let bytes = 0
    for (const { name } of yield* disk.list(directory)) {
      if (!files.isData(name) && !files.isRest(name)) continue
      const info = yield* stat(path.join(directory, name))
      if (Option.isSome(info)) bytes += info.value.sizeBytes
    }
    return bytes
  }).pipe(
    Effect.mapError((error) => new EngineFailed({ path: directory, operation: "measure", detail: error.message }))
  )

/** Says in the engine's errors what the disk said in its own; engine errors pass. */
const diskErrors =
  (directory: string, operation: string) =>
  <A, E, R>(
    effect: Effect.Effect<A, E, R>
  ): Effect.Effect<A, Exclude<E, DiskError | DiskLocked> | EngineOpenError, R> =>
    Effect.mapError(effect, (error) =>
      isDiskError(error) ? engineError(directory, operation, error) : (error as Exclude<E, DiskError | DiskLocked>)
    )

const withDiskErrors =
  (operation: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>, directory: string) =>
    diskErrors(directory, operation)(effect)

const diskTags: ReadonlySet<string> = new Set([
  "DiskNotFound",
  "DiskExists",
  "DiskFull",
  "DiskShortRead",
  "DiskFailed",
  "DiskLocked"
])

const isDiskError = (error: unknown): error is DiskError | DiskLocked =>
  typeof error === "object" && error !== null && "_tag" in error && diskTags.has(String(error._tag))

const engineError = (directory: string, operation: string, error: DiskError | DiskLocked): EngineOpenError => {
  switch (error._tag) {
    case "DiskLocked":
      return new EngineLocked({ path: directory })
    case "DiskFull":
      return new EngineFull({ path: directory, detail: error.message })
    default:
      return new EngineFailed({ path: directory, operation, detail: error.message })
  }
}
