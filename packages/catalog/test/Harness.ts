/** A store in a directory of its own, on a chosen engine and the real disk. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Engine, type EngineError } from "@icecore/engine"
import { Disk, type DiskError } from "@icecore/packfile"
import { Effect, Option, type Scope, Stream } from "effect"
import * as Audit from "../src/Audit.ts"
import * as Catalog from "../src/Catalog.ts"
import type { CatalogOpenError, CatalogReadError } from "../src/CatalogError.ts"
import { type ArtifactState, type HotState, keyspace, type StorageKey, toBytes } from "../src/format/CatalogKey.ts"
import type { DomainPin } from "../src/format/Pins.ts"
import { ChunkId, type Geometry } from "../src/Geometry.ts"
import type * as HotEngine from "../src/HotEngine.ts"
import * as Layout from "../src/Layout.ts"

/** What a store runs on. */
export type Store = Engine | HotEngine.HotEngine | Disk

export const chunk: ChunkId = ChunkId(3)

export const geometry: Geometry = { firstSeq: 2, entriesPerChunk: 10, chunksPerWindow: 4 }
export const domain: DomainPin = { name: "test", version: 1, options: "" }

export const temporaryDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => realpathSync(mkdtempSync(join(tmpdir(), "icecore-catalog-")))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** A layout in a fresh directory that goes away with the scope. */
export const temporaryLayout: Effect.Effect<Layout.Layout, Layout.LayoutInvalid, Scope.Scope> = Effect.flatMap(
  temporaryDirectory,
  (dataDir) => Layout.make({ dataDir })
)

/** Opens the catalog with the usual pins. */
export const open = (layout: Layout.Layout): Effect.Effect<Catalog.Catalog, CatalogOpenError, Store | Scope.Scope> =>
  Catalog.make({ layout, geometry, domain })

/** Writes files as an artifact writer does: created, whole, their bytes synced. */
export const writeFiles = (files: ReadonlyArray<string>, text = "complete"): Effect.Effect<void, DiskError, Disk> =>
  Effect.forEach(
    files,
    (path) =>
      Effect.scoped(
        Effect.gen(function* () {
          const disk = yield* Disk
          const file = yield* disk.open(path, "create")
          yield* file.writeAt(toBytes(text), 0)
          yield* file.sync
        })
      ),
    { discard: true }
  )

export const writeWanted = (wanted: ReadonlyArray<Catalog.WantedArtifact>): Effect.Effect<void, DiskError, Disk> =>
  writeFiles(wanted.flatMap((artifact) => artifact.files))

/** Changes rows of a closed catalog behind its back; none deletes. */
export const tamper = (
  layout: Layout.Layout,
  rows: Readonly<Record<string, string | undefined>>
): Effect.Effect<void, EngineError, Engine> =>
  Effect.scoped(
    Effect.gen(function* () {
      const engine = yield* Engine
      const database = yield* engine.open({ path: Layout.catalogPath(layout), keyspaces: [keyspace] })
      yield* database.write((batch) => {
        for (const [key, value] of Object.entries(rows))
          if (value === undefined) batch.delete(keyspace, toBytes(key))
          else batch.put(keyspace, toBytes(key), toBytes(value))
      })
    })
  )

export const exists = (path: string): Effect.Effect<boolean, DiskError, Disk> =>
  Effect.flatMap(Disk, (disk) => Effect.map(disk.stat(path), Option.isSome))

export const audit = (
  catalog: Catalog.Catalog
): Effect.Effect<ReadonlyArray<Audit.Finding>, CatalogReadError | DiskError, Disk> =>
  Stream.runCollect(Audit.findings(catalog))

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

export const stateOf = (
  catalog: Catalog.Catalog,
  key: StorageKey
): Effect.Effect<ArtifactState | HotState | null, CatalogReadError> =>
  Effect.scoped(Effect.flatMap(catalog.snapshot, (snapshot) => Effect.map(snapshot.state(key), Option.getOrNull)))
