/** Older archives through the calls that open archives of every kind, and what they become when they are saved and imported. */
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { ZstdLive, ZstdStreamLive } from "@icecore/codec"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer, Option, type Scope, Stream } from "effect"
import * as Archive from "../../src/Archive.ts"
import * as ArchiveEngines from "../../src/ArchiveEngines.ts"
import * as Access from "../../src/access/index.ts"
import * as C1z from "../../src/c1z/C1z.ts"
import type { Engine } from "../../src/Engine.ts"
import * as LmdbEngine from "../../src/live/LmdbEngine.ts"
import * as MemoryEngine from "../../src/live/MemoryEngine.ts"
import * as SqliteEngine from "../../src/live/SqliteEngine.ts"
import * as RecordComparison from "../../src/RecordComparison.ts"
import * as RecordImport from "../../src/RecordImport.ts"
import type { RecordReader } from "../../src/RecordReader.ts"
import * as RecordStore from "../../src/RecordStore.ts"
import type { SyncId } from "../../src/SyncRun.ts"
import { temporaryDirectory } from "../RuntimesSuite.ts"
import { message } from "./Protobuf.ts"
import { firstSync, insert, makeArchive, rows } from "./SyntheticC1z.ts"

const disk = LiveDisk.layer
const services = Layer.mergeAll(disk, ZstdLive.layer, ZstdStreamLive.layer)
const engines = ArchiveEngines.layer({ sqlite: SqliteEngine.layer, lmdb: LmdbEngine.layer })
const live = Layer.provideMerge(Layer.mergeAll(C1z.layer, engines), services)

type Provided = Layer.Success<typeof services> | Scope.Scope

const run = (body: Effect.Effect<void, unknown, Provided>) => body.pipe(Effect.provide(live), Effect.scoped)

const realFile = fileURLToPath(new URL("../../../../../shared/data/c1z/small.expanded.c1z", import.meta.url))

/** Every record of a sync and its run are the same on both sides. */
const assertEqual = Effect.fnUntraced(function* (left: RecordReader, right: RecordReader, sync: SyncId) {
  const steps = yield* Stream.runCollect(
    RecordComparison.compare({ left: { reader: left, sync }, right: { reader: right, sync } })
  )
  assert.deepStrictEqual(
    steps.flatMap(({ differences }) => differences),
    []
  )
  assert.isAbove(
    steps.reduce((sum, { leftCount }) => sum + leftCount, 0),
    0
  )
  assert.deepStrictEqual(yield* right.getSync(sync), yield* left.getSync(sync))
})

const saveAndCompare = Effect.fnUntraced(function* (file: string, sync: SyncId) {
  const directory = yield* temporaryDirectory
  const archive = yield* Archive.open(file)
  assert.strictEqual(archive.info.format, "c1z")
  for (const encoding of ["pack", "tar", "tar+zstd"] as const) {
    const saved = path.join(directory, encoding)
    yield* Archive.save({ source: archive.source, path: saved, encoding })
    const again = yield* Archive.open(saved)
    yield* assertEqual(archive.reader, again.reader, sync)
  }
  const extracted = path.join(directory, "extracted")
  yield* Archive.extract(file, { directory: extracted, engine: "lmdb" })
  assert.include(fs.readdirSync(extracted).join(), "data")
  assert.deepStrictEqual((yield* Archive.verify(file)).check.findings, [])
})

const importAndCompare = Effect.fnUntraced(function* (file: string, sync: SyncId) {
  const directory = yield* temporaryDirectory
  const archive = yield* Archive.open(file)
  const made: ReadonlyArray<readonly [string, Layer.Layer<Engine>]> = [
    ["sqlite", Layer.provide(SqliteEngine.layer, disk)],
    ["lmdb", Layer.provide(LmdbEngine.layer, disk)],
    ["memory", MemoryEngine.layer]
  ]
  for (const [name, engine] of made) {
    yield* Effect.gen(function* () {
      const store = yield* RecordStore.open({ path: path.join(directory, name), types: Access.types })
      yield* RecordImport.fromReader(store, archive.reader, { syncs: [sync] })
      yield* assertEqual(archive.reader, store, sync)
      assert.strictEqual(Option.isSome(yield* store.latestFinishedSync()), true)
    }).pipe(Effect.provide(engine), Effect.scoped)
  }
})

const synthetic = Effect.map(temporaryDirectory, (directory) =>
  makeArchive(directory, (database) => {
    insert(database, "v1_sync_runs", rows.run({ sync_token: "token" }))
    insert(database, "v1_resource_types", rows.resourceType("user", message([1, "user"], [2, "User"], [3, 1], [6, 1])))
    for (let at = 0; at < 50; at++) {
      const data = message(
        [
          1,
          [
            [1, "user"],
            [2, `${at}`]
          ]
        ],
        [3, `User ${at}`],
        [
          9,
          [
            [
              1,
              [
                [1, "a"],
                [2, [[4, 1]]]
              ]
            ]
          ]
        ]
      )
      insert(database, "v1_resources", rows.resource("user", `${at}`, data))
    }
    insert(database, "v1_assets", rows.asset("logo", Uint8Array.of(0, 1, 2)))
  })
)

describe("C1z through Archive", () => {
  it.live("save, open, extract and verify take an older archive as any other, in every encoding", () =>
    run(Effect.flatMap(synthetic, (file) => saveAndCompare(file, firstSync as SyncId)))
  )

  it.live("open says which layer to provide without it", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Archive.open(yield* synthetic))
      assert.strictEqual(error._tag, "ArchiveFormatUnsupported")
      assert.include(error.message, "provide C1z.layer of @icecore/engine/c1z")
    }).pipe(Effect.provide(services), Effect.scoped)
  )

  it.live("an imported older archive is the same on every engine", () =>
    run(Effect.flatMap(synthetic, (file) => importAndCompare(file, firstSync as SyncId)))
  )

  it.live.skipIf(!fs.existsSync(realFile))(
    "an archive of another program is the same in every encoding and on every engine (needs ../shared/data/c1z)",
    () =>
      run(
        Effect.gen(function* () {
          const sync = "36zfOAoWMxQdISbixanQCRBiX7E" as SyncId
          yield* saveAndCompare(realFile, sync)
          yield* importAndCompare(realFile, sync)
        })
      )
  )
})
