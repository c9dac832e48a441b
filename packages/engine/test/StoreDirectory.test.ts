import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer, Option, Schema, Stream } from "effect"
import { Engine } from "../src/Engine.ts"
import * as EngineDetection from "../src/EngineDetection.ts"
import * as LmdbEngine from "../src/live/LmdbEngine.ts"
import * as SqliteEngine from "../src/live/SqliteEngine.ts"
import * as RecordStore from "../src/RecordStore.ts"
import * as RecordType from "../src/RecordType.ts"
import * as StoreDirectory from "../src/StoreDirectory.ts"

const Account = RecordType.make({
  name: "Account",
  fields: Schema.Struct({ id: Schema.String, owner: Schema.String }),
  primaryKey: ["id"],
  indexes: { by_owner: { paths: ["owner"] } }
})

const directory = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "icecore-engine-"))),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
)

const engines = { sqlite: SqliteEngine.layer, lmdb: LmdbEngine.layer }

for (const [name, engine] of Object.entries(engines)) {
  const services = Layer.provideMerge(engine, LiveDisk.layer)

  describe(`StoreDirectory on ${name}`, () => {
    it.live("open of many stores with the same types makes these once", () =>
      Effect.gen(function* () {
        const parent = yield* directory
        const types: Array<RecordType.Any | undefined> = []
        for (const path of [`${parent}/one`, `${parent}/two`]) {
          yield* Effect.scoped(RecordStore.open({ path, types: [Account] }))
          types.push((yield* StoreDirectory.open(path)).reader.types[0])
        }
        assert.isDefined(types[0])
        assert.strictEqual(types[0], types[1])
      }).pipe(Effect.scoped, Effect.provide(services))
    )

    it.live("open reads all of a store without its declarations, beside the program that fills it", () =>
      Effect.gen(function* () {
        const path = `${yield* directory}/store`
        const store = yield* RecordStore.open({ path, types: [Account] })
        const { sync_id: sync } = yield* store.startSync({ type: "full" })
        yield* store.put(Account, [{ id: "a", owner: "x" }])
        yield* store.flush
        const { reader, source } = yield* StoreDirectory.open(path)
        assert.deepStrictEqual(reader.types.map(RecordType.describe), [RecordType.describe(Account)])
        const [type] = reader.types
        const listed = yield* Stream.runCollect(reader.stream(type!, { sync, index: "by_owner" }))
        assert.deepStrictEqual(
          listed.map((record) => ({ ...record })),
          [{ id: "a", owner: "x" }]
        )
        yield* store.endSync()
        assert.isTrue(Option.isSome(yield* reader.latestFinishedSync()), "it sees what was written meanwhile")
        assert.strictEqual(source.engineName, name)
        assert.deepStrictEqual(yield* EngineDetection.detect(path), Option.some(name))
      }).pipe(Effect.scoped, Effect.provide(services), Effect.orDie)
    )

    it.live("open refuses a database that is no record store, and a directory without one", () =>
      Effect.gen(function* () {
        const root = yield* directory
        yield* Effect.scoped(Effect.flatMap(Engine, ({ open }) => open({ path: `${root}/other`, keyspaces: ["x"] })))
        assert.strictEqual((yield* Effect.flip(StoreDirectory.open(`${root}/other`)))._tag, "NotRecordStore")
        assert.strictEqual((yield* Effect.flip(StoreDirectory.open(`${root}/none`)))._tag, "EngineNotFound")
        assert.deepStrictEqual(yield* EngineDetection.detect(root), Option.none())
        assert.deepStrictEqual(yield* EngineDetection.detect(`${root}/none`), Option.none())
      }).pipe(Effect.scoped, Effect.provide(services), Effect.orDie)
    )
  })
}
