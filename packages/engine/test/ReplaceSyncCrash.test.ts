import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { LiveDisk } from "@icecore/packfile/live"
import { CrashEnumerator } from "@icecore/packfile/testing"
import { Effect, Layer, Option, Schema, type Scope, Stream } from "effect"
import type { Engine } from "../src/Engine.ts"
import { metaKeyspace } from "../src/format/RecordLayout.ts"
import * as LmdbEngine from "../src/live/LmdbEngine.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import * as SqliteEngine from "../src/live/SqliteEngine.ts"
import type * as RecordStore from "../src/RecordStore.ts"
import * as RecordType from "../src/RecordType.ts"
import { items, Item as itemType, Pair } from "./PlantedStore.ts"
import { assertItems } from "./RecordStoreHarness.ts"
import {
  allRows,
  basePath,
  changedItems,
  fill,
  momentOf,
  openAt,
  rowsNaming,
  sourcePath,
  syncA,
  syncB
} from "./ReplaceHarness.ts"
import { temporaryDirectory } from "./RuntimesSuite.ts"

/** Without indexes: the base makes all entries. */
const plainItem = RecordType.make({
  name: "Item",
  fields: Schema.Struct({
    id: Schema.String,
    group: Schema.String,
    number: Schema.Int,
    flag: Schema.Boolean,
    note: Schema.optionalKey(Schema.String),
    discovered_at: Schema.Int
  }),
  primaryKey: ["id"]
})

const count = 400
const oldPairs = [{ left: "a", right: 1, text: "" }]

const prepare = (sourceType: RecordType.Any) =>
  Effect.gen(function* () {
    const base = yield* openAt(basePath)
    yield* fill(base, syncA, [
      [itemType, items(count)],
      [Pair, oldPairs]
    ])
    yield* fill(base, syncB, [[itemType, items(count)]], { endedAt: 1 })
    const source = yield* openAt(sourcePath, [sourceType])
    yield* fill(source, syncA, [[sourceType, changedItems(count)]], { endedAt: 9 })
  })

const replace = (base: RecordStore.RecordStore, sourceType: RecordType.Any) =>
  Effect.gen(function* () {
    const source = yield* openAt(sourcePath, [sourceType])
    return yield* base.replaceSync({ sync: syncA, source: yield* momentOf(source), sourcePath })
  })

/** The sync is wholly the old or wholly the new one, by every index, its run and its counts; says which. */
const stateOf = Effect.fnUntraced(function* (store: RecordStore.RecordStore) {
  const run = Option.getOrThrow(yield* store.getSync(syncA))
  const isNew = run.ended_at === 9
  const expected = isNew ? changedItems(count) : items(count)
  yield* assertItems(store, syncA, expected)
  assert.deepStrictEqual(yield* Stream.runCollect(store.stream(Pair, { sync: syncA })), isNew ? [] : oldPairs)
  const { counts } = yield* store.stats({ sync: syncA })
  assert.deepStrictEqual(counts, { Item: expected.length, Pair: isNew ? 0 : 1 })
  yield* assertItems(store, syncB, items(count))
  // The schema and two books: what was written aside is gone.
  assert.lengthOf(yield* Stream.runCollect(store.database.scan(metaKeyspace)), 3)
  return isNew ? "new" : "old"
})

for (const [name, sourceType] of [
  ["copies entries", itemType],
  ["makes entries", plainItem]
] as const) {
  it.effect(
    `RecordStore.replaceSync that ${name} leaves, in every crash, the sync wholly old or wholly new`,
    () =>
      Effect.gen(function* () {
        const states = new Set<string>()
        const report = yield* CrashEnumerator.enumerate<Engine, "replaced">({
          name: `record store replace, ${name}`,
          layer: MemoryEngine.layerCrashing,
          prepare: prepare(sourceType),
          scenario: (acknowledge) =>
            Effect.gen(function* () {
              yield* replace(yield* openAt(basePath), sourceType)
              yield* acknowledge("replaced")
            }),
          recover: Effect.asVoid(openAt(basePath)),
          check: (acknowledged) =>
            Effect.gen(function* () {
              const state = yield* stateOf(yield* openAt(basePath))
              states.add(state)
              if (acknowledged.length > 0) assert.strictEqual(state, "new")
            })
        })
        assert.isAbove(report.stepCount, 0)
        assert.deepStrictEqual([...states].sort(), ["new", "old"])
      }),
    300_000
  )
}

it.effect("RecordStore.removeSync leaves, in every crash, the sync whole or gone, and none once it is done", () =>
  CrashEnumerator.enumerate<Engine, "removed">({
    name: "record store remove",
    layer: MemoryEngine.layerCrashing,
    prepare: prepare(itemType),
    scenario: (acknowledge) =>
      Effect.gen(function* () {
        const base = yield* openAt(basePath)
        yield* base.removeSync(syncA)
        yield* acknowledge("removed")
      }),
    recover: Effect.asVoid(openAt(basePath)),
    check: (acknowledged) =>
      Effect.gen(function* () {
        const base = yield* openAt(basePath)
        if (Option.isSome(yield* base.getSync(syncA))) {
          assert.lengthOf(acknowledged, 0)
          assert.strictEqual(yield* stateOf(base), "old")
          return
        }
        for (const [keyspace, rows] of yield* rowsNaming(base.database, syncA)) assert.lengthOf(rows, 0, keyspace)
        yield* assertItems(base, syncB, items(count))
      })
  })
)

for (const code of ["EIO", "ENOSPC"] as const) {
  for (const point of ["commit", "sync"] as const) {
    it.effect(`RecordStore.replaceSync leaves the sync as it was when any ${point} fails with ${code}`, () =>
      Effect.gen(function* () {
        for (let afterCount = 0; ; afterCount++) {
          const medium = MemoryEngine.makeMedium()
          const layer = MemoryEngine.layerMedium(medium)
          yield* Effect.provide(Effect.scoped(prepare(plainItem)), layer)
          const before = yield* Effect.provide(
            Effect.scoped(Effect.flatMap(openAt(basePath), ({ database }) => allRows(database))),
            layer
          )
          const outcome = yield* Effect.provide(
            Effect.scoped(
              Effect.gen(function* () {
                const base = yield* openAt(basePath)
                medium.inject({ point, code, afterCount, path: basePath })
                const replaced = yield* Effect.result(replace(base, plainItem))
                medium.heal()
                return replaced
              })
            ),
            layer
          )
          const state = yield* Effect.provide(
            Effect.scoped(
              Effect.gen(function* () {
                const base = yield* openAt(basePath)
                const found = yield* stateOf(base)
                if (found === "old") assert.deepStrictEqual(yield* allRows(base.database), before)
                return found
              })
            ),
            layer
          )
          if (outcome._tag === "Success") {
            assert.strictEqual(state, "new")
            assert.isAbove(afterCount, 0)
            return
          }
          assert.strictEqual(outcome.failure._tag, code === "EIO" ? "EngineFailed" : "EngineFull")
          assert.strictEqual(state, "old")
        }
      })
    )
  }
}

const diskSizeBytes = 12 * 1024 * 1024

/** A disk of its own, small; undefined where none can be had. */
const smallDisk: Effect.Effect<string | undefined, never, Scope.Scope> = Effect.acquireRelease(
  Effect.map(temporaryDirectory, (directory) => {
    const path = Path.join(directory, "disk")
    Fs.mkdirSync(path)
    const mount = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${diskSizeBytes}`, "tmpfs", path])
    return mount.status === 0 ? path : undefined
  }),
  (path) => Effect.sync(() => path !== undefined && spawnSync("umount", ["-l", path]))
)

describe("RecordStore.replaceSync", () => {
  for (const [name, engine] of [
    ["sqlite", SqliteEngine.layer],
    ["lmdb", LmdbEngine.layer]
  ] as const) {
    it.live(`leaves the sync as it was on ${name} when the disk is full half way`, (context) =>
      Effect.gen(function* () {
        const disk = yield* smallDisk
        if (disk === undefined) return context.skip("no small disk can be mounted here")
        const layer = Layer.fresh(Layer.provide(engine, LiveDisk.layer))
        const basePath = Path.join(disk, "base")
        const source = yield* Effect.provide(openAt(sourcePath), MemoryEngine.layer)
        const large = Array.from({ length: 6_000 }, (_, right) => ({ left: "l", right, text: "x".repeat(3_000) }))
        yield* fill(
          source,
          syncA,
          [
            [itemType, changedItems(count)],
            [Pair, large]
          ],
          { endedAt: 9 }
        )
        const before = yield* Effect.provide(
          Effect.scoped(
            Effect.gen(function* () {
              const base = yield* openAt(basePath)
              yield* fill(base, syncA, [
                [itemType, items(count)],
                [Pair, oldPairs]
              ])
              yield* fill(base, syncB, [[itemType, items(count)]], { endedAt: 1 })
              return yield* allRows(base.database)
            })
          ),
          layer
        )
        yield* Effect.provide(
          Effect.scoped(
            Effect.gen(function* () {
              const base = yield* openAt(basePath)
              const reader = yield* momentOf(source)
              const failure = yield* Effect.flip(base.replaceSync({ sync: syncA, source: reader, sourcePath }))
              assert.strictEqual(failure._tag, "EngineFull")
              assert.strictEqual(yield* Stream.runCount(base.stream(itemType, { sync: syncA })), count)
            })
          ),
          layer
        )
        yield* Effect.provide(
          Effect.scoped(
            Effect.gen(function* () {
              const base = yield* openAt(basePath)
              assert.strictEqual(yield* stateOf(base), "old")
              assert.deepStrictEqual(yield* allRows(base.database), before)
            })
          ),
          layer
        )
      }).pipe(Effect.scoped)
    )
  }
})
