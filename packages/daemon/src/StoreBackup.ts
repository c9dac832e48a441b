/**
 * A consistent copy of a store while it works, checked before it counts as one: to restore, start on it.
 *
 * 1. Refuse a directory that holds something or lies in the store. Everything below goes into `{directory}.partial`, locked.
 * 2. Hold destruction, so that whatever is frozen from now on stays on disk.
 * 3. Checkpoint the catalog. It decides what the copy has; each of its hot chunks that is open is held open, and where one that is
 *    not went before it was copied the catalog is checkpointed anew.
 * 4. Refuse when less space is free than the copy takes.
 * 5. Checkpoint the hot databases, copy the files of frozen keys, sync all of it, names included. A hot database that is copied
 *    later than the catalog has later entries, too, and none less.
 * 6. Audit the copy.
 * 7. Give the catalog its name in the copy, then the copy its name.
 *
 * Until the last step there is no `catalog/` in what was written, so a store cannot be started on it by mistake; a process that is
 * killed leaves `{directory}.partial`, which the next backup to the same place removes. Trees with roots of their own are put into the
 * one directory.
 */
import { type Catalog, type CatalogKey, type Geometry, type HotEngine, Layout } from "@icecore/catalog"
import type { Zstd } from "@icecore/codec"
import type { Database, Engine } from "@icecore/engine"
import { Disk, type DiskError, type DiskLocked } from "@icecore/packfile"
import { Clock, Data, Effect, Option, type Scope, Stream } from "effect"
import * as CopiedMoment from "./backup/CopiedMoment.ts"
import * as FileCopy from "./backup/FileCopy.ts"
import type { Domain } from "./Domain.ts"
import type { History, ServedRange } from "./History.ts"
import type { StorageError } from "./StorageError.ts"
import * as StoreAudit from "./StoreAudit.ts"

/** The directory cannot take a backup. Nothing was written. */
export class BackupRefused extends Data.Error<{ readonly directory: string; readonly detail: string }> {
  readonly _tag = "BackupRefused"
  override readonly name = "BackupRefused"
  override get message(): string {
    return `Cannot back up to ${this.directory}: ${this.detail}`
  }
}

/** The copy is not sound, because the store is not or the target's disk fails. It was removed. */
export class BackupUnsound extends Data.Error<{
  readonly directory: string
  readonly findingCount: number
  /** What the first finding says. */
  readonly first: string
}> {
  readonly _tag = "BackupUnsound"
  override readonly name = "BackupUnsound"
  override get message(): string {
    const more = this.findingCount === 1 ? "" : ` (and ${this.findingCount - 1} more)`
    return `Cannot keep the backup in ${this.directory}: its audit found: ${this.first}${more}`
  }
}

export type BackupError = BackupRefused | BackupUnsound | StorageError

/** What an open store lends to its backup. */
export interface BackupParts {
  readonly layout: Layout.Layout
  readonly checkpointCatalog: Catalog.Catalog["checkpoint"]
  /** The database of a hot chunk, kept open for the scope; none when the store does not have it open. */
  readonly holdHot: (chunk: Geometry.ChunkId) => Effect.Effect<Option.Option<Database>, StorageError, Scope.Scope>
  /** Keeps what is frozen from now on from being destroyed, for the scope. */
  readonly holdDestruction: Effect.Effect<void, never, Scope.Scope>
}

/** How far a backup is. Bytes of frozen files, then chunks of the audit. */
export interface BackupProgress {
  readonly phase: "copying" | "auditing"
  readonly done: number
  readonly total: number
}

export interface BackupOptions {
  /** Must not exist, or be empty. Absolute, or relative to the working directory of the process. */
  readonly directory: string
  /** Told synchronously, at least once a MiB and once a chunk. */
  readonly onProgress?: (progress: BackupProgress) => void
}

export interface BackupReport {
  readonly directory: string
  /** Files of frozen artifacts. */
  readonly fileCount: number
  /** Hot databases. */
  readonly hotCount: number
  /** Bytes of the whole copy. */
  readonly sizeBytes: number
  /** Entries that the audit read. */
  readonly entryCount: number
  readonly durationMillis: number
}

/** What a backup is made with. */
export type BackupServices = Engine | HotEngine.HotEngine | Disk | Zstd | Domain

const markerName = "icecore-backup.partial"

/** The catalog's directory until the copy is whole. */
const pendingCatalogName = "catalog.pending"

/** Backs the store up. One at a time to a directory. */
export const backup: (
  parts: BackupParts,
  options: BackupOptions
) => Effect.Effect<BackupReport, BackupError, BackupServices> = Effect.fn("StoreBackup.backup")(function* (
  parts: BackupParts,
  options: BackupOptions
) {
  const startMillis = yield* Clock.currentTimeMillis
  const disk = yield* Disk
  const directory = trimmed(options.directory)
  yield* refuseUnfit(disk, parts.layout, directory)
  const partial = `${directory}.partial`
  yield* FileCopy.makeDirectory(disk, FileCopy.directoryOf(directory))
  const written = yield* Effect.scoped(
    Effect.gen(function* () {
      const { layout: copy, state } = yield* claim(disk, directory, partial)
      yield* parts.holdDestruction
      const counts = yield* fill(parts, copy, options)
      const entryCount = yield* auditCopy(directory, copy, options)
      const sizeBytes = yield* FileCopy.sizeOfTree(disk, partial)
      yield* Effect.uninterruptible(giveName(disk, copy, directory, state))
      return { ...counts, entryCount, sizeBytes }
    })
  )
  return { directory, ...written, durationMillis: (yield* Clock.currentTimeMillis) - startMillis }
})

/** From here on it is a store: first the catalog gets its name, then the copy. */
const giveName = Effect.fnUntraced(function* (
  disk: Disk,
  copy: Layout.Layout,
  directory: string,
  state: { isNamed: boolean }
) {
  const { dataDir: partial, roots } = copy
  yield* disk.rename({ source: roots.catalog, target: `${partial}/catalog` })
  yield* disk.syncDirectory(partial)
  yield* Effect.catchTag(disk.removeDirectory(directory), "DiskNotFound", () => Effect.void)
  yield* disk.rename({ source: partial, target: directory })
  state.isNamed = true
  yield* disk.syncDirectory(FileCopy.directoryOf(directory))
  yield* disk.unlink(`${directory}/${markerName}`)
  yield* disk.syncDirectory(directory)
})

const trimmed = (path: string): string => (path.length > 1 ? path.replace(/\/+$/, "") : path)

/** The path and the directories above it. */
const upwards = (path: string): ReadonlyArray<string> => {
  const paths = [path]
  for (let at = path; FileCopy.directoryOf(at) !== at; at = FileCopy.directoryOf(at))
    paths.push(FileCopy.directoryOf(at))
  return paths
}

const refuseUnfit = Effect.fnUntraced(function* (disk: Disk, layout: Layout.Layout, directory: string) {
  const refused = (detail: string) => new BackupRefused({ directory, detail })
  if (directory === "" || directory === "/") return yield* refused("a directory of its own is expected")
  // By identity, because a store can be named by several paths.
  const own = new Map<string, string>()
  for (const path of [layout.dataDir, ...Object.values(layout.roots)]) {
    const info = yield* disk.stat(path)
    if (Option.isSome(info)) own.set(info.value.identity, path)
  }
  for (const path of upwards(directory)) {
    const around = Option.flatMap(yield* disk.stat(path), ({ identity }) => Option.fromUndefinedOr(own.get(identity)))
    if (Option.isSome(around)) return yield* refused(`the store lies in ${around.value}`)
  }
  const info = yield* disk.stat(directory)
  if (Option.isNone(info)) return
  if (info.value.kind !== "directory") return yield* refused("it is no directory")
  if ((yield* disk.list(directory)).length > 0) return yield* refused("it is not empty")
})

/** Makes the partial directory and locks it; removed at the end of the scope unless it has got its name. */
const claim = Effect.fnUntraced(function* (disk: Disk, directory: string, partial: string) {
  const refused = (detail: string) => new BackupRefused({ directory, detail })
  const marker = `${partial}/${markerName}`
  const left = yield* disk.stat(partial)
  if (Option.isSome(left)) {
    const names = yield* disk.list(partial)
    const isOurs = names.every(({ name }) => name === Layout.lockFileName) || Option.isSome(yield* disk.stat(marker))
    if (!isOurs) return yield* refused(`${partial} is in its way, which no backup has left`)
  }
  yield* FileCopy.makeDirectory(disk, partial)
  const lock = disk.lock(`${partial}/${Layout.lockFileName}`)
  const taken: Effect.Effect<void, BackupRefused | DiskError, Scope.Scope> = Effect.catchTag(
    lock as Effect.Effect<void, DiskLocked | DiskError, Scope.Scope>,
    "DiskLocked",
    () => Effect.fail(refused(`another backup is writing to ${partial}`))
  )
  yield* taken
  const state = { isNamed: false }
  // After the lock, so that it is released only when the removal is over.
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => (state.isNamed ? Effect.void : Effect.ignore(FileCopy.removeTree(disk, partial))))
  )
  for (const { name, kind } of yield* disk.list(partial)) {
    if (name === Layout.lockFileName) continue
    yield* kind === "directory" ? FileCopy.removeTree(disk, `${partial}/${name}`) : disk.unlink(`${partial}/${name}`)
  }
  yield* Effect.scoped(Effect.flatMap(disk.open(marker, "create"), ({ sync }) => sync))
  yield* disk.syncDirectory(partial)
  const roots = { catalog: `${partial}/${pendingCatalogName}` }
  const layout = yield* Effect.mapError(Layout.make({ dataDir: partial, roots }), ({ message }) => refused(message))
  return { layout, state }
})

/** Copies everything, and makes it durable. Hot databases first, so that they are held no longer than that takes. */
const fill = Effect.fnUntraced(function* (parts: BackupParts, copy: Layout.Layout, options: BackupOptions) {
  const disk = yield* Disk
  const { layout } = parts
  const tell = options.onProgress ?? (() => undefined)
  const { hotCount, sizeBytes: total } = yield* CopiedMoment.make(parts, copy)
  let done = 0
  let fileCount = 0
  const directories = new Set<string>()
  const copyFiles = Effect.fnUntraced(function* (key: CatalogKey.StorageKey) {
    if (key._tag === "Hot") return
    const sources = Layout.filesOf(layout, key)
    for (const [index, target] of Layout.filesOf(copy, key).entries()) {
      const parent = FileCopy.directoryOf(target)
      if (!directories.has(parent)) yield* FileCopy.makeDirectory(disk, parent)
      directories.add(parent)
      yield* FileCopy.copyFile(disk, { source: sources[index]!, target }, (sizeBytes) => {
        done += sizeBytes
        tell({ phase: "copying", done, total })
      })
      fileCount++
    }
  })
  yield* CopiedMoment.withCatalog(copy, (reader) => Stream.runForEach(CopiedMoment.neededKeys(reader), copyFiles))
  for (const directory of directories) yield* disk.syncDirectory(directory)
  return { fileCount, hotCount }
})

/** Fails with what an audit finds in the copy. Keys between two states are not at rest in it: a start brings them there. */
const auditCopy = Effect.fnUntraced(function* (directory: string, copy: Layout.Layout, options: BackupOptions) {
  const tell = options.onProgress ?? (() => undefined)
  let entryCount = 0
  let findingCount = 0
  let first = ""
  let done = 0
  yield* Stream.runForEach(StoreAudit.audit({ layout: copy, settled: false }), (step) =>
    Effect.sync(() => {
      entryCount += step.entryCount
      findingCount += step.findings.length
      if (first === "") first = step.findings[0]?.message ?? ""
      if (step.kind === "chunk") tell({ phase: "auditing", done: ++done, total: Math.max(step.chunkCount, done) })
    })
  )
  if (findingCount > 0) return yield* new BackupUnsound({ directory, findingCount, first })
  return entryCount
})

/** What a rehearsal of a restore found. */
export interface RehearsalReport {
  /** What a store that is started on the copy serves. */
  readonly served: Option.Option<ServedRange>
  /** Entries that were read from the copy's files; each also through its history. */
  readonly entryCount: number
  readonly findings: ReadonlyArray<StoreAudit.AuditFinding>
}

/** Rehearses a restore: audits a store that was opened on a backup for reading only, and reads all of it back, samples by their keys. */
export const rehearse: (
  store: { readonly history: History; readonly catalog: { readonly layout: Layout.Layout } },
  options: { readonly keptChunks: number }
) => Effect.Effect<RehearsalReport, never, BackupServices> = Effect.fn("StoreBackup.rehearse")(function* (
  { history, catalog },
  { keptChunks }
) {
  const steps = yield* Stream.runFold(
    StoreAudit.audit({ layout: catalog.layout, history, keptChunks, settled: false }),
    () => ({ entryCount: 0, findings: [] as StoreAudit.AuditFinding[] }),
    (sum, step) => {
      sum.findings.push(...step.findings)
      return { ...sum, entryCount: sum.entryCount + step.entryCount }
    }
  )
  return { served: yield* history.served, ...steps }
})
