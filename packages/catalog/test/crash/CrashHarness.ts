/** The world that catalog scenarios run in: a simulated disk and a memory engine that lose power together. */
import { Engine } from "@icecore/engine"
import * as MemoryEngine from "@icecore/engine/memory"
import { Disk, type DiskError } from "@icecore/packfile"
import { type CrashWorld, SimulatedDisk } from "@icecore/packfile/testing"
import { Data, Effect, Layer, Option, type Scope, Stream } from "effect"
import * as Audit from "../../src/Audit.ts"
import * as Catalog from "../../src/Catalog.ts"
import type { ArtifactKey } from "../../src/format/CatalogKey.ts"
import * as HotEngine from "../../src/HotEngine.ts"
import * as Layout from "../../src/Layout.ts"
import { WeakDisk, WeakEngine } from "../../src/testing/index.ts"
import { domain, geometry, type Store } from "../Harness.ts"

/** The barrier that is left out, if any. */
export interface Weakness {
  readonly disk?: WeakDisk.Weakness
  readonly engine?: WeakEngine.Weakness
}

export const layout: Layout.Layout = Effect.runSync(Layout.make({ dataDir: "/store" }))

/** Services that join `world`. */
export const storeLayer =
  (weakness: Weakness = {}) =>
  (world: CrashWorld): Layer.Layer<Store> => {
    const disk = WeakDisk.make(SimulatedDisk.make(world).disk, weakness.disk ?? {})
    const engine = Layer.effect(
      Engine,
      Effect.map(Engine, (strong) => WeakEngine.make(strong, weakness.engine ?? {}))
    ).pipe(Layer.provide(MemoryEngine.layerCrashing(world)))
    return Layer.merge(HotEngine.layer.pipe(Layer.provideMerge(engine)), Layer.succeed(Disk, disk))
  }

/** An invariant does not hold. */
export class InvariantBroken extends Data.Error<{ readonly detail: string }> {
  readonly _tag = "InvariantBroken"
  override readonly name = "InvariantBroken"
  override get message(): string {
    return this.detail
  }
}

export const require = (condition: boolean, detail: string): Effect.Effect<void, InvariantBroken> =>
  condition ? Effect.void : Effect.fail(new InvariantBroken({ detail }))

export const open: Effect.Effect<Catalog.Catalog, Error, Store | Scope.Scope> = Catalog.make({
  layout,
  geometry,
  domain
})

/** What a start does to the catalog. */
export const recover: Effect.Effect<Catalog.Catalog, Error, Store | Scope.Scope> = Effect.tap(open, (catalog) =>
  catalog.sweep()
)

const blockCount = 3

/** The contents of an artifact's file: blocks that differ from one another and from file to file. */
const contentsOf = (path: string): ReadonlyArray<Uint8Array> =>
  Array.from({ length: blockCount }, (_, block) => {
    const bytes = new Uint8Array(block === blockCount - 1 ? 700 : 4_096)
    for (let index = 0; index < bytes.length; index++)
      bytes[index] = 1 + ((path.charCodeAt(path.length - 6 - (index % 8)) + index + block) % 255)
    return bytes
  })

/** Writes a file as an artifact writer does: created, in pieces, its bytes synced. */
export const writeFile = (path: string): Effect.Effect<void, DiskError, Disk> =>
  Effect.scoped(
    Effect.gen(function* () {
      const disk = yield* Disk
      const file = yield* disk.open(path, "create")
      let offsetBytes = 0
      for (const bytes of contentsOf(path)) {
        yield* file.writeAt(bytes, offsetBytes)
        offsetBytes += bytes.length
      }
      yield* file.sync
    })
  )

export const writeWanted = (wanted: ReadonlyArray<Catalog.WantedArtifact>): Effect.Effect<void, DiskError, Disk> =>
  Effect.forEach(
    wanted.flatMap((artifact) => artifact.files),
    writeFile,
    { discard: true }
  )

const requireWhole = Effect.fnUntraced(function* (path: string) {
  const disk = yield* Disk
  const file = yield* disk.open(path, "read")
  const contents = contentsOf(path)
  const expectedBytes = contents.reduce((sum, bytes) => sum + bytes.length, 0)
  const sizeBytes = yield* file.size
  yield* require(sizeBytes === expectedBytes, `${path} is frozen with ${sizeBytes} bytes`)
  let offsetBytes = 0
  for (const expected of contents) {
    const actual = new Uint8Array(expected.length)
    yield* file.readAt(actual, offsetBytes)
    yield* require(expected.every(
      (byte, index) => byte === actual[index]
    ), `${path} is frozen with other bytes than written, after offset ${offsetBytes}`)
    offsetBytes += expected.length
  }
})

/** A settled store: disk and catalog agree, every frozen file is whole, no window has two key indexes. */
export const requireSettled: (
  catalog: Catalog.Catalog
) => Effect.Effect<ReadonlySet<string>, Error, Disk | Scope.Scope> = Effect.fnUntraced(function* (catalog) {
  const findings = yield* Stream.runCollect(Audit.findings(catalog))
  yield* require(findings.length === 0, `disk and catalog disagree: ${JSON.stringify(findings)}`)
  const snapshot = yield* catalog.snapshot
  const frozen = yield* Stream.runCollect(Stream.concat(snapshot.artifacts(), snapshot.indexes))
  const files = frozen.flatMap(({ key }) => Layout.filesOf(layout, key))
  yield* Effect.forEach(files, (path) => Effect.scoped(requireWhole(path)), { discard: true })
  for (const { key } of frozen) if (key._tag === "Index") yield* snapshot.coverage(key.window)
  return new Set(frozen.map(({ key }) => JSON.stringify(key)))
})

const directoryDepths = [
  [layout.roots.entries, /^\d{5}$/],
  [layout.roots.events, /^\d{5}$/],
  [`${layout.roots.keys}/run`, /^\d{5}$/],
  [`${layout.roots.keys}/index`, /^\d{8}$/]
] as const

/** Fails when a directory of chunks or of a window holds nothing. */
export const requireNoEmptyDirectory: Effect.Effect<void, Error, Disk> = Effect.gen(function* () {
  const disk = yield* Disk
  const names = (path: string) =>
    disk.list(path).pipe(
      Effect.map((entries) => entries.map((entry) => entry.name)),
      Effect.catchTag("DiskNotFound", () => Effect.succeed([]))
    )
  for (const [parent, pattern] of directoryDepths)
    for (const name of yield* names(parent))
      if (pattern.test(name))
        yield* require((yield* names(`${parent}/${name}`)).length > 0, `${parent}/${name} is left, and empty`)
})

/** Fails unless the key is frozen (or, when `expected` is false, gone). */
export const requireFrozen = (
  frozen: ReadonlySet<string>,
  key: ArtifactKey,
  expected = true
): Effect.Effect<void, InvariantBroken> =>
  require(frozen.has(JSON.stringify(key)) === expected, `${JSON.stringify(key)} is ${expected ? "not frozen" : "back"}`)

/** Whether there is a hot database, whatever the catalog says. */
export const hasDatabase = (path: string): Effect.Effect<boolean, Error, Engine> =>
  Effect.flatMap(Engine, (engine) =>
    Effect.scoped(engine.open({ path, keyspaces: ["entries"], mode: "existing" })).pipe(
      Effect.as(true),
      Effect.catchTag("EngineNotFound", () => Effect.succeed(false))
    )
  )

/** A row of a hot database, as text. */
export const rowOf = (
  database: { readonly get: (keyspace: string, key: Uint8Array) => Effect.Effect<Option.Option<Uint8Array>, Error> },
  key: string
): Effect.Effect<string | null, Error> =>
  Effect.map(database.get("entries", new TextEncoder().encode(key)), (value) =>
    Option.match(value, { onNone: () => null, onSome: (bytes) => new TextDecoder().decode(bytes) })
  )
