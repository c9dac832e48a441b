/** What the tests of the compactor share: stores of every engine, archives, grants in versions, and what all of a sync comes to. */
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { Ksuid, type RecordShape, type Zstd, ZstdLive, type ZstdStream, ZstdStreamLive } from "@icecore/codec"
import {
  Archive,
  type Database,
  Engine,
  type RecordReader,
  RecordStore,
  RecordType,
  type SyncRun
} from "@icecore/engine"
import { Grant, Resource } from "@icecore/engine/access"
import * as LmdbEngine from "@icecore/engine/lmdb"
import * as MemoryEngine from "@icecore/engine/memory"
import * as SqliteEngine from "@icecore/engine/sqlite"
import type { Disk } from "@icecore/packfile"
import { LiveDisk } from "@icecore/packfile/live"
import { Context, Effect, Layer, Result, type Scope, Stream } from "effect"
import type { Source } from "../src/Source.ts"

export type Services = Disk | Zstd | ZstdStream

/** What archives and engines on disk need. */
export const services: Layer.Layer<Services> = Layer.orDie(
  Layer.mergeAll(LiveDisk.layer, ZstdLive.layer, ZstdStreamLive.layer)
)

/** A sync id whose bytes are all this number. */
export const idOf = (number: number): SyncRun.SyncId =>
  Result.getOrThrow(Ksuid.fromBytes(new Uint8Array(20).fill(number)))

/** A directory of the test's own, removed with the scope. */
export const temporaryDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "icecore-compactor-"))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
)

export type EngineName = "sqlite" | "lmdb" | "memory"

const layers: Readonly<Record<EngineName, Layer.Layer<Engine, never, Disk>>> = {
  sqlite: SqliteEngine.layer,
  lmdb: LmdbEngine.layer,
  memory: MemoryEngine.layer
}

export const engineNames: ReadonlyArray<EngineName> = ["sqlite", "lmdb", "memory"]

/** An engine for the scope. One in memory has its own medium. */
export const engineOf = (name: EngineName): Effect.Effect<Engine, never, Disk | Scope.Scope> =>
  Effect.map(Layer.build(layers[name]), (context) => Context.get(context, Engine))

export interface OpenOptions {
  readonly path: string
  readonly types?: ReadonlyArray<RecordType.Any>
  readonly mode?: "create" | "existing" | "readOnly"
}

export const openStore = (
  engine: Engine,
  { path, mode = "create", types = [Resource, Grant] }: OpenOptions
): Effect.Effect<RecordStore.RecordStore, RecordStore.RecordOpenError, Scope.Scope> =>
  Effect.provideService(RecordStore.open({ path, types, mode }), Engine, engine)

/** The type without some of its indexes: what an older program declared. */
export const withoutIndexes = (type: RecordType.Any, ...names: ReadonlyArray<string>): RecordType.Any => {
  const description = RecordType.describe(type)
  const indexes = Object.fromEntries(Object.entries(description.indexes).filter(([name]) => !names.includes(name)))
  return Result.getOrThrow(RecordType.fromDescription({ ...description, indexes }))
}

/** The type with one more field, of text: what a newer program declares. */
export const withField = (type: RecordType.Any, name: string): RecordType.Any => {
  const shape: RecordShape.Struct = {
    kind: "struct",
    fields: [...type.shape.fields, { name, optional: true, shape: { kind: "string" } }]
  }
  const { recency, ...description } = RecordType.describe(type)
  return Result.getOrThrow(
    RecordType.fromShape({ ...description, shape, ...(recency === undefined ? {} : { recency }) })
  )
}

const discoveredAt = 1_700_000_000_000_000

/** A grant of so many, as one version of a sync has it. */
export const grantOf = (number: number, version: number): Grant => {
  const entitlement = `group:${number % 97}:member`
  return {
    external_id: `grant-${String((number * 7_919) % 100_000_007).padStart(9, "0")}`,
    entitlement_id: entitlement,
    entitlement_resource_type_id: "group",
    entitlement_resource_id: `${number % 97}`,
    principal_resource_type_id: "user",
    principal_resource_id: `user-${(number * 31 + version * 7) % 5_003}`,
    sources: number % 5 === 0 ? { [entitlement]: { is_direct: true } } : {},
    needs_expansion: (number + version) % 50 === 0,
    annotations: [{ type: "version", value: Uint8Array.of(version) }],
    discovered_at: discoveredAt + version
  }
}

export const versionOf = ({ annotations }: Grant): number => annotations[0]!.value[0]!

/** Grants from the first number on. */
export const grantsOf = (first: number, count: number, version: number): ReadonlyArray<Grant> =>
  Array.from({ length: count }, (_, at) => grantOf(first + at, version))

/** Starts a sync with these grants, as the store declares them, and a few resources, and ends it. */
export const fill: (
  store: RecordStore.RecordStore,
  sync: SyncRun.SyncId,
  grants: ReadonlyArray<Grant>,
  options?: { readonly type?: string; readonly isUnfinished?: boolean }
) => Effect.Effect<void, RecordStore.RecordPutError | Effect.Error<ReturnType<RecordStore.RecordStore["startSync"]>>> =
  Effect.fnUntraced(function* (store, sync, grants, { isUnfinished = false, type: runType = "full" } = {}) {
    yield* store.startSync({ type: runType, syncId: sync, startedAt: discoveredAt })
    yield* store.put(
      Resource,
      Array.from({ length: 3 }, (_, at) => ({
        resource_type_id: "group",
        resource_id: `${at}`,
        display_name: `Group ${at} of ${grants.length}`,
        annotations: [],
        discovered_at: discoveredAt
      }))
    )
    const type = store.types.find(({ name }) => name === Grant.name)!
    for (let at = 0; at < grants.length; at += 1_000) yield* store.put(type, grants.slice(at, at + 1_000))
    if (!isUnfinished) yield* store.endSync({ endedAt: discoveredAt + grants.length })
  })

/** A `pack` archive of all of a store, open for the scope. */
export const archiveOf = (
  store: RecordStore.RecordStore,
  engine: Engine,
  file: string
): Effect.Effect<Source, Archive.SaveError | Archive.OpenError, Services | Scope.Scope> =>
  Effect.gen(function* () {
    const source = yield* Effect.provideService(Archive.sourceOf(store), Engine, engine)
    yield* Archive.save({ source, path: file })
    return yield* Archive.open(file)
  })

const bytesAsHex = (_: string, value: unknown): unknown =>
  value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value

/** A digest of a sync: its run, and every record of every type by the primary key and by each of the type's indexes. */
export const digestOf: (
  reader: RecordReader.RecordReader,
  sync: SyncRun.SyncId,
  types?: ReadonlyArray<RecordType.Any>
) => Effect.Effect<string, RecordReader.RecordListError> = Effect.fnUntraced(function* (
  reader,
  sync,
  types = [Resource, Grant]
) {
  const hash = createHash("sha256")
  const add = (value: unknown) => hash.update(`${JSON.stringify(value, bytesAsHex)}\n`)
  add(yield* reader.getSync(sync))
  for (const type of types) {
    for (const index of [undefined, ...Object.keys(type.indexes)]) {
      add([type.name, index])
      const records = reader.stream(type, { sync, ...(index === undefined ? {} : { index }) })
      yield* Stream.runForEachArray(records, (all) => Effect.sync(() => all.forEach(add)))
    }
  }
  return hash.digest("hex")
})

/** A digest of every row of the engine that does not belong to the sync. */
export const digestBeside: (
  database: Database,
  sync: SyncRun.SyncId
) => Effect.Effect<string, Stream.Error<ReturnType<Database["scan"]>>> = Effect.fnUntraced(function* (database, sync) {
  const hash = createHash("sha256")
  const id = Ksuid.toBytes(sync)
  for (const keyspace of database.keyspaces) {
    hash.update(`\n${keyspace}`)
    yield* Stream.runForEachArray(database.scan(keyspace), (rows) =>
      Effect.sync(() => {
        for (const { key, value } of rows) {
          if (Buffer.from(key).includes(id)) continue
          hash.update(`\n${key.length} ${value.length} `).update(key).update(value)
        }
      })
    )
  }
  return hash.digest("hex")
})
