/**
 * Stores made piece by piece, through the catalog and without the daemon: what audits, repairs and backups are tried on, and what
 * lets a test plant any violation.
 */
import { Catalog, CatalogKey, type CatalogOpenError, Geometry, type HotEngine, Layout } from "@icecore/catalog"
import { Engine } from "@icecore/engine"
import { Disk, type DiskError } from "@icecore/packfile"
import { Effect, type Layer, Option, Result, type Scope, Stream } from "effect"
import * as ArtifactWork from "../../src/ArtifactWork.ts"
import { Domain } from "../../src/Domain.ts"
import * as NdjsonDomain from "../../src/domain/NdjsonDomain.ts"
import { hotKeyspaces } from "../../src/format/HotFormat.ts"
import * as HotChunk from "../../src/HotChunk.ts"
import type { Source } from "../../src/Source.ts"
import type { StoreServices } from "../../src/Store.ts"
import * as LiveStore from "./LiveStore.ts"
import { type Machine, makeMachine } from "./StoreHarness.ts"

export type BuiltServices = StoreServices

/** Four entries a chunk, four chunks a window. */
export const geometry: Geometry.Geometry = { firstSeq: 0, entriesPerChunk: 4, chunksPerWindow: 4 }

const hash = (seq: number): string => seq.toString(16).padStart(4, "0").repeat(16)

/** Entry `seq`: an object with its own key and one more, of different lengths. */
export const entryAt = (seq: number): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ hash: [hash(seq), hash(seq + 0x8000)], text: "x".repeat(seq % 13) }))

/** The first key of entry `seq`. */
export const keyAt = (seq: number): Uint8Array => new Uint8Array(Buffer.from(hash(seq), "hex"))

/** A bounded source of the first `count` of {@link entryAt}. */
export const sourceOf = (count: number, at: (seq: number) => Uint8Array = entryAt): Source => ({
  name: "test",
  isBounded: true,
  isRepeatable: true,
  tip: Effect.succeed(count === 0 ? Option.none() : Option.some(count - 1)),
  entries: ({ from }) =>
    Stream.range(from, count - 1).pipe(
      Stream.grouped(3),
      Stream.map((seqs) => ({ firstSeq: seqs[0], entries: seqs.map(at), positionAfter: () => new Uint8Array(0) }))
    ),
  progress: Effect.succeed({ unit: "entries", done: 0, total: Option.none() })
})

/** Everything over real files, with keys at `/hash` unless told otherwise. */
export const liveServicesOf = (
  engine: LiveStore.EngineName,
  options: NdjsonDomain.NdjsonOptions = { keys: ["/hash"] }
): Layer.Layer<BuiltServices> => LiveStore.services(engine, NdjsonDomain.layerWith(options))

/** A layout in one directory. */
export const layoutAt = (dataDir: string): Layout.Layout => Effect.runSync(Effect.orDie(Layout.make({ dataDir })))

export const layout: Layout.Layout = layoutAt("/store")

/** Opens the catalog of the store, made when there is none. */
export const openCatalog = (
  at: Layout.Layout = layout
): Effect.Effect<Catalog.Catalog, CatalogOpenError, Engine | HotEngine.HotEngine | Disk | Domain | Scope.Scope> =>
  Effect.flatMap(Domain, ({ name, version, options }) =>
    Catalog.make({ layout: at, geometry, domain: { name, version, options }, checkFiles: false })
  )

const windowFirstSeq = (chunk: number): number =>
  Geometry.firstSeqOf(geometry, Geometry.firstChunkOf(geometry, Geometry.windowOf(geometry, Geometry.ChunkId(chunk))))

const entriesOf = (chunk: number) =>
  Stream.succeed(
    Array.from({ length: geometry.entriesPerChunk }, (_, index) => {
      const seq = Geometry.firstSeqOf(geometry, Geometry.ChunkId(chunk)) + index
      return { seq, bytes: entryAt(seq) }
    })
  )

/** Freezes entries of a chunk, and its run when the domain has keys. */
export const freeze: (
  catalog: Catalog.Catalog,
  chunk: number,
  withRun?: boolean
) => Effect.Effect<void, unknown, ArtifactWork.ArtifactWork> = Effect.fnUntraced(function* (
  catalog: Catalog.Catalog,
  chunk: number,
  withRun = true
) {
  const work = yield* ArtifactWork.ArtifactWork
  yield* catalog.writeChunk({
    chunk: Geometry.ChunkId(chunk),
    kinds: withRun ? ["entries", "keys"] : ["entries"],
    produce: (wanted) => {
      const pathOf = (kind: string) =>
        Option.map(Option.fromUndefinedOr(wanted.find(({ key }) => key.kind === kind)), ({ files }) => ({
          path: files[0]!
        }))
      return work.writeChunk(
        {
          chunk,
          firstSeq: Geometry.firstSeqOf(geometry, Geometry.ChunkId(chunk)),
          entryCount: geometry.entriesPerChunk,
          windowFirstSeq: windowFirstSeq(chunk),
          entries: pathOf("entries"),
          keys: pathOf("keys")
        },
        entriesOf(chunk)
      )
    }
  })
})

/** Freezes the index over chunks `lo` to `hi` of a window from their runs. */
export const index: (
  catalog: Catalog.Catalog,
  lo: number,
  hi: number
) => Effect.Effect<void, unknown, ArtifactWork.ArtifactWork> = Effect.fnUntraced(function* (
  catalog: Catalog.Catalog,
  lo: number,
  hi: number
) {
  const work = yield* ArtifactWork.ArtifactWork
  const window = Geometry.windowOf(geometry, Geometry.ChunkId(lo))
  const runs = Array.from({ length: hi - lo + 1 }, (_, at) => ({
    path: `${catalog.layout.roots.keys}/run/00000/${String(lo + at).padStart(8, "0")}.bin`
  }))
  yield* catalog.writeIndex({
    window,
    lo: Geometry.ChunkId(lo),
    hi: Geometry.ChunkId(hi),
    produce: (path) =>
      work.buildIndex({
        path,
        runs,
        coverage: { window, lo, hi },
        windowFirstSeq: windowFirstSeq(lo),
        coverageFirstSeq: Geometry.firstSeqOf(geometry, Geometry.ChunkId(lo)),
        coverageLastSeq: Geometry.lastSeqOf(geometry, Geometry.ChunkId(hi)),
        duplicates: "error"
      })
  })
})

/** A hot chunk with its first `count` entries. */
export const heat: (catalog: Catalog.Catalog, chunk: number, count: number) => Effect.Effect<void, unknown, Domain> =
  Effect.fnUntraced(function* (catalog: Catalog.Catalog, chunk: number, count: number) {
    const domain = yield* Domain
    yield* Effect.scoped(
      Effect.gen(function* () {
        const id = Geometry.ChunkId(chunk)
        const database = yield* catalog.openHot(id, { keyspaces: hotKeyspaces })
        const firstSeq = Geometry.firstSeqOf(geometry, id)
        const entries = Array.from({ length: count }, (_, at) => entryAt(firstSeq + at))
        const keys = Option.map(domain.keys, ({ of }) => entries.map((entry) => Result.getOrElse(of(entry), () => [])))
        if (count > 0)
          yield* HotChunk.commit(HotChunk.make({ geometry, chunk: id, database }), {
            firstSeq,
            entries,
            ...(Option.isSome(keys) ? { keys: keys.value } : {})
          })
      })
    )
  })

/**
 * A store at rest with entries 0 to 25: chunks 0 to 5 frozen, the index of window 0 finished, that of window 1 over chunks 4 and
 * 5, and chunk 6 hot with two entries.
 */
export const build: (at?: Layout.Layout) => Effect.Effect<void, unknown, BuiltServices> = Effect.fnUntraced(function* (
  at: Layout.Layout = layout
) {
  const { keys } = yield* Domain
  const hasKeys = Option.isSome(keys)
  yield* Effect.scoped(
    Effect.gen(function* () {
      const catalog = yield* openCatalog(at)
      for (let chunk = 0; chunk < 4; chunk++) yield* freeze(catalog, chunk, hasKeys)
      if (hasKeys) yield* index(catalog, 0, 3)
      for (let chunk = 4; chunk < 6; chunk++) yield* freeze(catalog, chunk, hasKeys)
      if (hasKeys) yield* index(catalog, 4, 5)
      yield* heat(catalog, 6, 2)
      yield* catalog.sweep()
    })
  )
})

/** Entries of {@link build}. */
export const builtCount = 26

/** A machine with {@link build}'s store on it. */
export const built = (
  options?: NdjsonDomain.NdjsonOptions
): Effect.Effect<{ readonly machine: Machine; readonly services: Layer.Layer<BuiltServices> }> =>
  Effect.gen(function* () {
    const machine = makeMachine({ domain: NdjsonDomain.layerWith(options ?? { keys: ["/hash"] }) })
    const { services } = machine
    yield* Effect.provide(Effect.orDie(build()), services)
    return { machine, services }
  })

/** Changes rows of the catalog behind everybody's back. */
export const meddle = (
  change: (put: (key: string, value: string) => void, remove: (key: string) => void) => void
): Effect.Effect<void, never, Engine> =>
  meddleWith("/store/catalog", [CatalogKey.keyspace], (batch) => {
    const bytes = (text: string) => new TextEncoder().encode(text)
    change(
      (key, value) => batch.put(CatalogKey.keyspace, bytes(key), bytes(value)),
      (key) => batch.delete(CatalogKey.keyspace, bytes(key))
    )
  })

/** Changes any database behind everybody's back. */
export const meddleWith = (
  path: string,
  keyspaces: ReadonlyArray<string>,
  change: Parameters<import("@icecore/engine").Database["write"]>[0]
): Effect.Effect<void, never, Engine> =>
  Effect.scoped(
    Effect.flatMap(Engine, (engine) =>
      Effect.flatMap(engine.open({ path, keyspaces, mode: "existing" }), (database) => database.write(change))
    )
  ).pipe(Effect.orDie)

/** All bytes of a file. */
export const readFile = (path: string): Effect.Effect<Uint8Array, DiskError, Disk> =>
  Effect.scoped(
    Effect.gen(function* () {
      const file = yield* (yield* Disk).open(path, "read")
      const bytes = new Uint8Array(yield* file.size)
      yield* file.readAt(bytes, 0)
      return bytes
    })
  )

/** Puts other bytes in a file's place, made when it is not there. */
export const writeFile = (path: string, bytes: Uint8Array): Effect.Effect<void, DiskError, Disk> =>
  Effect.scoped(
    Effect.gen(function* () {
      const disk = yield* Disk
      yield* disk.makeDirectory(path.slice(0, path.lastIndexOf("/")))
      const file = yield* disk.open(path, "replace")
      yield* file.writeAt(bytes, 0)
      yield* file.sync
    })
  )

/** Changes one bit of a file. */
export const flip = (path: string, at: number): Effect.Effect<void, DiskError, Disk> =>
  Effect.flatMap(readFile(path), (bytes) => {
    const place = at < 0 ? bytes.length + at : at
    bytes[place] = bytes[place]! ^ 0x10
    return writeFile(path, bytes)
  })
