/**
 * The part of a backup that is of one moment: the catalog, and a copy of each hot database that it has.
 *
 * A hot chunk that the store has open is held open. One that it has not open any more is either frozen and about to be discarded, or
 * its key has changed since. It is copied first, and when it goes before that is done the next checkpoint of the catalog says so.
 */
import { CatalogKey, type Geometry, HotEngine, Layout } from "@icecore/catalog"
import { type Database, Engine, type EngineError, type Reader } from "@icecore/engine"
import { Disk } from "@icecore/packfile"
import { Effect, Option, Result, Scope, Stream } from "effect"
import { hotKeyspaces } from "../format/HotFormat.ts"
import { SpaceTooLow, type StorageError } from "../StorageError.ts"
import type { BackupParts } from "../StoreBackup.ts"
import * as FileCopy from "./FileCopy.ts"

/** How often the catalog is checkpointed anew because a hot chunk went. */
const maxAttempts = 20

/** What is left free beyond the bytes that are copied. */
const spareBytes = 1024 * 1024

export interface CopiedMoment {
  /** Hot databases. */
  readonly hotCount: number
  /** Bytes of the whole backup: of frozen files, which are still to be copied, and of hot databases. */
  readonly sizeBytes: number
}

/** A hot database that the store has not open went before it was copied. */
interface Gone {
  readonly _tag: "Gone"
  readonly error: StorageError
}

const gone = (error: StorageError): Gone => ({ _tag: "Gone", error })

/** The keys of the copied catalog that need files: of frozen artifacts and ready hot databases. */
export const neededKeys = (reader: Reader): Stream.Stream<CatalogKey.StorageKey, StorageError> =>
  reader.scan(CatalogKey.keyspace).pipe(
    Stream.map(({ key, value }) => {
      const state = Option.getOrElse(CatalogKey.fromBytes(value), () => "")
      return state === "frozen" || state === "ready"
        ? Option.flatMap(CatalogKey.fromBytes(key), CatalogKey.decodeKey)
        : Option.none()
    }),
    Stream.flatMap((key) => Stream.fromIterable(Option.toArray(key)))
  )

/** Opens the copied catalog for one use, so that nobody has it open when it gets its name. */
export const withCatalog = <A, E, R>(
  copy: Layout.Layout,
  use: (reader: Reader) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | EngineError, Engine | Exclude<R, Scope.Scope>> =>
  Effect.flatMap(Engine, (engine) =>
    Effect.scoped(
      Effect.flatMap(
        engine.open({ path: copy.roots.catalog, keyspaces: [CatalogKey.keyspace], mode: "readOnly" }),
        (reader) => use(reader)
      )
    )
  )

/** Copies the catalog and the hot databases of one moment, and makes the names durable. Refuses when too little space is free. */
export const make: (
  parts: BackupParts,
  copy: Layout.Layout
) => Effect.Effect<CopiedMoment, StorageError, Engine | HotEngine.HotEngine | Disk> = Effect.fnUntraced(function* (
  parts: BackupParts,
  copy: Layout.Layout
) {
  const engine = yield* Engine
  const disk = yield* Disk
  const scope = yield* Effect.scope
  const held = new Map<Geometry.ChunkId, Database>()
  for (let attempt = 1; ; attempt++) {
    const made = yield* Effect.result(Effect.scoped(attemptCopy(parts, copy, held, scope)))
    if (Result.isSuccess(made)) return made.success
    const { failure } = made
    if (failure._tag !== "Gone") return yield* Effect.fail(failure)
    if (attempt === maxAttempts) return yield* Effect.fail(failure.error)
    yield* FileCopy.removeTree(disk, copy.roots.hot)
    yield* engine.destroy(copy.roots.catalog)
    yield* Effect.sleep("100 millis")
  }
}, Effect.scoped)

/** One attempt. Adds the databases that it holds, for the scope that is given, to those that are held already. */
const attemptCopy = Effect.fnUntraced(function* (
  parts: BackupParts,
  copy: Layout.Layout,
  held: Map<Geometry.ChunkId, Database>,
  scope: Scope.Scope
): Effect.fn.Return<CopiedMoment, StorageError | Gone, Engine | HotEngine.HotEngine | Disk | Scope.Scope> {
  const disk = yield* Disk
  const { engine } = yield* HotEngine.HotEngine
  const { layout } = parts
  yield* parts.checkpointCatalog(copy.roots.catalog)
  const chunks = yield* withCatalog(copy, (reader) =>
    Effect.map(Stream.runCollect(neededKeys(reader)), (keys) =>
      keys.flatMap((key) => (key._tag === "Hot" ? [key.chunk] : []))
    )
  )
  const closed = new Map<Geometry.ChunkId, Database>()
  for (const chunk of chunks) {
    if (held.has(chunk)) continue
    const open = yield* Scope.provide(parts.holdHot(chunk), scope)
    if (Option.isSome(open)) held.set(chunk, open.value)
    else {
      const path = Layout.hotPath(layout, chunk)
      const opened = engine.open({ path, keyspaces: hotKeyspaces, mode: "readOnly" })
      closed.set(chunk, yield* Effect.mapError(opened, gone))
    }
  }
  const sizeBytes = yield* neededBytes(layout, copy)
  const freeBytes = yield* disk.freeSpaceBytes(copy.dataDir)
  if (freeBytes < sizeBytes + spareBytes)
    return yield* new SpaceTooLow({ path: copy.dataDir, neededBytes: sizeBytes + spareBytes, freeBytes })
  yield* FileCopy.makeDirectory(disk, copy.roots.hot)
  for (const [chunk, database] of closed) yield* Effect.mapError(database.checkpoint(Layout.hotPath(copy, chunk)), gone)
  for (const chunk of chunks) yield* held.get(chunk)?.checkpoint(Layout.hotPath(copy, chunk)) ?? Effect.void
  yield* disk.syncDirectory(copy.roots.hot)
  return { hotCount: chunks.length, sizeBytes }
})

/** Bytes that the copy takes: frozen files and hot databases as they are now. */
const neededBytes = Effect.fnUntraced(function* (layout: Layout.Layout, copy: Layout.Layout) {
  const disk = yield* Disk
  let total = 0
  const add = Effect.fnUntraced(function* (key: CatalogKey.StorageKey) {
    if (key._tag === "Hot") {
      const size = yield* Effect.orElseSucceed(FileCopy.sizeOfTree(disk, Layout.hotPath(layout, key.chunk)), () => 0)
      total += size
      return
    }
    for (const path of Layout.filesOf(layout, key)) {
      const info = yield* disk.stat(path)
      if (Option.isSome(info)) total += info.value.sizeBytes
    }
  })
  yield* withCatalog(copy, (reader) => Stream.runForEach(neededKeys(reader), add))
  return total
})
