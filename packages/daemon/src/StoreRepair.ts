/**
 * Making damaged frozen files again, from what else there is.
 *
 * An audit finds what is damaged, missing, or a hole. Then, for each, in the order entries, runs, indexes:
 *
 * 1. make the file anew beside the others, in `repair.partial/` of its tree, and read it back: entries from a complete hot
 *    database that is still there, else from the source; a run from its chunk's entries; an index from the entries of its chunks;
 * 2. where the old file still says what its content was, compare: a source that gives other entries mends nothing;
 * 3. only then demote the old one, remove it, and give the new one its name, by the catalog's protocol.
 *
 * So nothing is given up before its successor is whole, and what cannot be made again stays as it is. A crash between the steps of 3 leaves
 * a hole, which a start refuses and the next repair fills.
 *
 * Works on a store that nobody holds. Hot databases are not repaired: they hold what exists nowhere else.
 */
import { Catalog, CatalogKey, type CatalogOpenError, Geometry, HotEngine, Layout, StorageLock } from "@icecore/catalog"
import type { Zstd } from "@icecore/codec"
import { Engine } from "@icecore/engine"
import { Disk, type DiskError } from "@icecore/packfile"
import { Data, Effect, Option, Result, type Scope, Stream } from "effect"
import { ArtifactWork, type ArtifactWorkError } from "./ArtifactWork.ts"
import * as FileCopy from "./backup/FileCopy.ts"
import { Domain } from "./Domain.ts"
import * as EntriesPack from "./EntriesPack.ts"
import type { Entry } from "./Entry.ts"
import { hotKeyspaces } from "./format/HotFormat.ts"
import * as HotChunk from "./HotChunk.ts"
import type { Source } from "./Source.ts"
import type { StorageError } from "./StorageError.ts"
import * as StoreAudit from "./StoreAudit.ts"

/** The catalog's keys that this repair knows how to mend. */
type MendableKey = Extract<CatalogKey.StorageKey, { readonly _tag: "Chunk" | "Index" }>

/** What became of one damaged thing. */
export interface RepairAction {
  /** The catalog's key, as its text. */
  readonly key: string
  readonly path: string
  /** What was wrong. */
  readonly damage: string
  /** `mended`; `mendable`, of a dry run; `left`: it could not be made again and is as it was. */
  readonly outcome: "mended" | "mendable" | "left"
  /** What it was made from, or why it was left. */
  readonly detail: string
}

export interface RepairReport {
  readonly actions: ReadonlyArray<RepairAction>
  /** What an audit afterwards finds, or before when nothing was changed; keys between two states aside. */
  readonly remaining: ReadonlyArray<StoreAudit.AuditFinding>
}

export interface RepairOptions extends Layout.LayoutOptions {
  /**
   * What the log was made from, or how to make it given the log's first seq. Must give the same entries again, as often as asked.
   */
  readonly source?: Source | ((firstSeq: number) => Effect.Effect<Source>)
  /** Changes nothing, and says what could be mended. Default false. */
  readonly isDryRun?: boolean
  /** Told of each action when it is over. */
  readonly onAction?: (action: RepairAction) => Effect.Effect<void>
}

export type RepairError = Layout.LayoutInvalid | StorageLock.StorageLocked | CatalogOpenError | StorageError

/** What a repair works with. */
export type RepairServices = Engine | HotEngine.HotEngine | Disk | Zstd | Domain | ArtifactWork

/** Why something cannot be made again. */
class Unmendable extends Data.Error<{ readonly detail: string }> {
  readonly _tag = "Unmendable"
  override readonly name = "Unmendable"
  override get message(): string {
    return this.detail
  }
}

const partialName = "repair.partial"

interface Damage {
  readonly key: MendableKey
  readonly path: string
  readonly message: string
}

interface Repair {
  readonly catalog: Catalog.Catalog
  readonly disk: Disk
  readonly work: ArtifactWork
  readonly domain: Domain
  readonly source: Option.Option<Source>
  readonly isDryRun: boolean
  /** Texts of keys that are damaged and not mended. */
  readonly bad: Set<string>
}

/** Mends what can be mended. Fails only when the store cannot be opened, or is held. */
export const repair: (options: RepairOptions) => Effect.Effect<RepairReport, RepairError, RepairServices> = Effect.fn(
  "StoreRepair.repair"
)(function* (options: RepairOptions) {
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const layout = yield* Layout.make(options)
      const domain = yield* Domain
      const disk = yield* Disk
      const engine = yield* Engine
      // Opening the catalog would make one.
      const existing = { path: Layout.catalogPath(layout), keyspaces: [CatalogKey.keyspace], mode: "existing" } as const
      yield* Effect.scoped(engine.open({ ...existing, mode: "readOnly" }))
      yield* StorageLock.acquire(layout)
      const { name, version } = domain
      const catalog = yield* Catalog.make({
        layout,
        geometry: {},
        domain: { name, version, options: domain.options },
        checkFiles: false
      })
      const isDryRun = options.isDryRun ?? false
      if (!isDryRun) {
        yield* catalog.sweep()
        yield* removePartials(disk, layout)
      }
      const found = yield* StoreAudit.findings({ layout, settled: false })
      const damages = damagesOf(layout, catalog.pins.geometry, found)
      const source =
        typeof options.source === "function" ? yield* options.source(catalog.pins.geometry.firstSeq) : options.source
      const state: Repair = {
        catalog,
        disk,
        work: yield* ArtifactWork,
        domain,
        source: Option.fromUndefinedOr(source),
        isDryRun,
        bad: new Set(damages.map(({ key }) => CatalogKey.encodeKey(key)))
      }
      const actions: Array<RepairAction> = []
      for (const damage of damages) {
        const key = CatalogKey.encodeKey(damage.key)
        const mended = yield* Effect.result(mend(state, damage))
        const outcome = Result.isFailure(mended) ? "left" : isDryRun ? "mendable" : "mended"
        if (Result.isSuccess(mended)) state.bad.delete(key)
        const detail = Result.isSuccess(mended) ? mended.success : mended.failure.message
        const action: RepairAction = { key, path: damage.path, damage: damage.message, outcome, detail }
        actions.push(action)
        if (options.onAction !== undefined) yield* options.onAction(action)
      }
      if (isDryRun || actions.length === 0) return { actions, remaining: found }
      yield* removePartials(disk, layout)
      return { actions, remaining: yield* StoreAudit.findings({ layout, settled: false }) }
    })
  )
})

const partialOf = (layout: Layout.Layout, tree: "entries" | "keys"): string => `${layout.roots[tree]}/${partialName}`

const removePartials = Effect.fnUntraced(function* (disk: Disk, layout: Layout.Layout) {
  for (const tree of ["entries", "keys"] as const) {
    yield* FileCopy.removeTree(disk, partialOf(layout, tree))
    yield* Effect.catchTag(disk.syncDirectory(layout.roots[tree]), "DiskNotFound", () => Effect.void)
  }
})

/** What the findings say is to be made again, each once, entries before runs before indexes. */
const damagesOf = (
  layout: Layout.Layout,
  geometry: Geometry.Geometry,
  found: ReadonlyArray<StoreAudit.AuditFinding>
): ReadonlyArray<Damage> => {
  const byKey = new Map<string, Damage>()
  const add = (key: CatalogKey.StorageKey, message: string): void => {
    if (key._tag === "Hot" || byKey.has(CatalogKey.encodeKey(key))) return
    byKey.set(CatalogKey.encodeKey(key), { key, path: Layout.filesOf(layout, key)[0]!, message })
  }
  for (const finding of found) {
    const { fault, key, entries, chunk, message } = finding
    if ((fault === "damaged" || fault === "missing") && Option.isSome(key)) {
      const decoded = CatalogKey.decodeKey(key.value)
      if (Option.isSome(decoded)) add(decoded.value, message)
    } else if (fault === "hole" && Option.isSome(entries)) {
      const last = Geometry.chunkOf(geometry, entries.value.to)
      for (let at = Geometry.chunkOf(geometry, entries.value.from); at <= last; at = Geometry.ChunkId(at + 1))
        add(CatalogKey.chunkKey(at, "entries"), message)
    } else if (fault === "uncovered" && Option.isSome(chunk))
      add(CatalogKey.chunkKey(Geometry.ChunkId(chunk.value), "keys"), message)
  }
  const rank = ({ key }: Damage): number => (key._tag === "Index" ? 2 : key.kind === "entries" ? 0 : 1)
  return [...byKey.values()].sort((left, right) => rank(left) - rank(right))
}

type MendError = Unmendable | StorageError | ArtifactWorkError

/** Makes one thing anew and puts it in place. What it was made from. */
const mend = (state: Repair, { key, path }: Damage): Effect.Effect<string, MendError, RepairServices> => {
  if (key._tag === "Index") return mendIndex(state, key)
  if (key.kind === "entries") return mendEntries(state, key, path)
  if (key.kind === "keys") return mendRun(state, key)
  return Effect.fail(new Unmendable({ detail: `nothing makes ${key.kind} again` }))
}

const placeOf = (geometry: Geometry.Geometry, chunk: Geometry.ChunkId) => ({
  chunk,
  firstSeq: Geometry.firstSeqOf(geometry, chunk),
  entryCount: geometry.entriesPerChunk,
  windowFirstSeq: Geometry.firstSeqOf(geometry, Geometry.firstChunkOf(geometry, Geometry.windowOf(geometry, chunk)))
})

/** A free name in the partial directory of a tree. */
const scratchPath = Effect.fnUntraced(function* ({ catalog, disk }: Repair, tree: "entries" | "keys", name: string) {
  const directory = partialOf(catalog.layout, tree)
  yield* FileCopy.makeDirectory(disk, directory)
  const path = `${directory}/${name}`
  yield* Effect.catchTag(disk.unlink(path), "DiskNotFound", () => Effect.void)
  return path
})

type Entries = Stream.Stream<ReadonlyArray<Entry>, StorageError | Unmendable>

interface Origin {
  readonly name: string
  readonly entries: Entries
}

/** Where the entries of a chunk are to be had, other than from its pack. */
const originOf: (
  state: Repair,
  chunk: Geometry.ChunkId
) => Effect.Effect<Origin, MendError, HotEngine.HotEngine | Scope.Scope> = Effect.fnUntraced(function* (
  state: Repair,
  chunk: Geometry.ChunkId
) {
  const { catalog, source } = state
  const { geometry } = catalog.pins
  const from = Geometry.firstSeqOf(geometry, chunk)
  const to = Geometry.lastSeqOf(geometry, chunk)
  const hot = yield* Effect.option(openHot(catalog, chunk))
  if (
    Option.isSome(hot) &&
    Option.contains(yield* Effect.orElseSucceed(HotChunk.highestSeq(hot.value), Option.none), to)
  )
    return { name: "its hot database", entries: HotChunk.range(hot.value, { from, to, order: "ascending" }) }
  if (Option.isNone(source))
    return yield* new Unmendable({
      detail: "its hot database is gone, and there is no source to take its entries from"
    })
  const { name, entries } = source.value
  if (!source.value.isRepeatable) return yield* new Unmendable({ detail: `source ${name} cannot be read again` })
  return {
    name: `source ${name}`,
    entries: entries({ from }).pipe(
      Stream.mapError(({ message }) => new Unmendable({ detail: message })),
      Stream.map(({ firstSeq, entries: given }) =>
        given.slice(0, Math.max(0, to - firstSeq + 1)).map((bytes, index): Entry => ({ seq: firstSeq + index, bytes }))
      ),
      Stream.takeWhile((batch) => batch.length > 0)
    )
  }
})

const openHot = Effect.fnUntraced(function* (catalog: Catalog.Catalog, chunk: Geometry.ChunkId) {
  const { engine } = yield* HotEngine.HotEngine
  const { geometry } = catalog.pins
  const state = yield* Effect.scoped(Effect.flatMap(catalog.snapshot, (snapshot) => snapshot.hotState(chunk)))
  if (!Option.contains(state, "ready")) return yield* new Unmendable({ detail: "there is none" })
  const path = Layout.hotPath(catalog.layout, chunk)
  const database = yield* engine.open({ path, keyspaces: hotKeyspaces, mode: "readOnly" })
  return HotChunk.make({ geometry, chunk, database })
})

const mendEntries = Effect.fnUntraced(function* (
  state: Repair,
  key: CatalogKey.ChunkKey,
  damagedPath: string
): Effect.fn.Return<string, MendError, RepairServices> {
  const { catalog, disk, work } = state
  const { chunk } = key
  const place = placeOf(catalog.pins.geometry, chunk)
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const { name, entries } = yield* originOf(state, chunk)
      if (state.isDryRun) {
        const count = yield* Stream.runFold(
          entries,
          () => 0,
          (sum, batch) => sum + batch.length
        )
        if (count === place.entryCount) return name
        return yield* new Unmendable({ detail: `${name} has ${count} of its ${place.entryCount} entries` })
      }
      const path = yield* scratchPath(state, "entries", `${chunk}.pack`)
      yield* work.writeChunk({ ...place, entries: Option.some({ path }), keys: Option.none() }, entries)
      const stated = yield* hashOf({ ...place, path: damagedPath })
      const made = yield* hashOf({ ...place, path })
      if (Option.isSome(stated) && Option.isSome(made) && stated.value !== made.value)
        return yield* new Unmendable({ detail: `${name} gives other entries than were frozen` })
      yield* replace(state, key, (files) => disk.rename({ source: path, target: files[0]! }))
      return name
    })
  )
})

/** What a pack says of its content, comparable with another of the same records; none when it does not open. */
const hashOf = (options: EntriesPack.OpenEntriesPack): Effect.Effect<Option.Option<string>, never, Disk | Zstd> =>
  Effect.option(
    Effect.scoped(
      Effect.map(EntriesPack.open(options), ({ reader }) =>
        Option.match(reader.contentHash, {
          onNone: () => "",
          onSome: (hash) => `${reader.trailer.itemsPerRecord} ${Buffer.from(hash).toString("hex")}`
        })
      )
    )
  ).pipe(Effect.map(Option.filter((text) => text !== "")))

/** Demotes what is in the place of a chunk's artifact and puts a file that is whole there. */
const replace = Effect.fnUntraced(function* (
  { catalog }: Repair,
  key: CatalogKey.ChunkKey,
  move: (files: ReadonlyArray<string>) => Effect.Effect<void, DiskError>
) {
  yield* catalog.demote([key])
  yield* catalog.sweep()
  yield* catalog.writeChunk({
    chunk: key.chunk,
    kinds: [key.kind],
    produce: (wanted) => Effect.forEach(wanted, ({ files }) => move(files), { discard: true })
  })
})

/** Fails unless a chunk has a pack that is sound. */
const requirePack = Effect.fnUntraced(function* ({ catalog, bad }: Repair, chunk: Geometry.ChunkId) {
  const key = CatalogKey.chunkKey(chunk, "entries")
  const snapshotState = yield* Effect.scoped(Effect.flatMap(catalog.snapshot, (snapshot) => snapshot.state(key)))
  if (!Option.contains(snapshotState, "frozen"))
    return yield* new Unmendable({ detail: `the entries of chunk ${chunk} are not frozen` })
  if (bad.has(CatalogKey.encodeKey(key)))
    return yield* new Unmendable({ detail: `the entries of chunk ${chunk} are damaged, too` })
})

/** Writes the run of a chunk from its pack. */
const deriveRun = Effect.fnUntraced(function* (state: Repair, chunk: Geometry.ChunkId) {
  const { catalog, work } = state
  const path = yield* scratchPath(state, "keys", `${chunk}.bin`)
  const packPath = Layout.entriesPath(catalog.layout, chunk)
  const expected = yield* work.writeRun({ ...placeOf(catalog.pins.geometry, chunk), packPath, runPath: path })
  return { path, expected }
})

const mendRun = Effect.fnUntraced(function* (
  state: Repair,
  key: CatalogKey.ChunkKey
): Effect.fn.Return<string, MendError, RepairServices> {
  yield* requirePack(state, key.chunk)
  if (!state.isDryRun) {
    const { path } = yield* deriveRun(state, key.chunk)
    yield* replace(state, key, (files) => state.disk.rename({ source: path, target: files[0]! }))
  }
  return "the entries of its chunk"
})

const mendIndex = Effect.fnUntraced(function* (
  state: Repair,
  key: CatalogKey.IndexKey
): Effect.fn.Return<string, MendError, RepairServices> {
  const { catalog, disk, work, domain } = state
  const { geometry } = catalog.pins
  if (Option.isNone(domain.keys)) return yield* new Unmendable({ detail: "the domain has no keys" })
  // Chunks that fell below the floor are gone, and need no index any more.
  const lo = yield* firstFrozen(catalog, key)
  const chunks = Array.from({ length: key.hi - lo + 1 }, (_, index) => Geometry.ChunkId(lo + index))
  for (const chunk of chunks) yield* requirePack(state, chunk)
  if (state.isDryRun) return "the entries of its chunks"
  const runs = yield* Effect.forEach(chunks, (chunk) => deriveRun(state, chunk))
  const path = yield* scratchPath(state, "keys", `${key.window}.idx`)
  yield* work.buildIndex({
    path,
    runs,
    coverage: { window: key.window, lo, hi: key.hi },
    windowFirstSeq: placeOf(geometry, lo).windowFirstSeq,
    coverageFirstSeq: Geometry.firstSeqOf(geometry, lo),
    coverageLastSeq: Geometry.lastSeqOf(geometry, key.hi),
    duplicates: domain.keys.value.duplicates
  })
  for (const run of runs) yield* disk.unlink(run.path)
  yield* catalog.demote([key])
  yield* catalog.sweep()
  yield* catalog.writeIndex({
    window: key.window,
    lo,
    hi: key.hi,
    produce: (file) => disk.rename({ source: path, target: file })
  })
  return "the entries of its chunks"
})

/** The first chunk of a coverage whose entries are frozen. */
const firstFrozen = Effect.fnUntraced(function* (catalog: Catalog.Catalog, { lo, hi }: CatalogKey.IndexKey) {
  const first = yield* Effect.scoped(
    Effect.flatMap(catalog.snapshot, (snapshot) =>
      Stream.runHead(snapshot.artifacts({ from: lo, to: hi, kind: "entries", state: "frozen" }))
    )
  )
  if (Option.isSome(first)) return first.value.key.chunk
  return yield* new Unmendable({ detail: `no entries of chunks ${lo} to ${hi} are frozen` })
})
