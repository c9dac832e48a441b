import { assert, describe, it } from "@effect/vitest"
import { CatalogKey, Geometry } from "@icecore/catalog"
import { Effect, Option, Stream } from "effect"
import { hotKeyspaces } from "../src/format/HotFormat.ts"
import { type Source, SourceMissing } from "../src/Source.ts"
import * as StoreAudit from "../src/StoreAudit.ts"
import * as Built from "./support/BuiltStore.ts"
import { about, foundAfter, inCatalog, onDisk, pack, rows, run, violations } from "./support/PlantedFaults.ts"

const { built, builtCount, entryAt, layout, sourceOf } = Built

describe("StoreAudit.audit", () => {
  it.effect("finds nothing in a store at rest, with keys and without", () =>
    Effect.gen(function* () {
      for (const options of [{ keys: ["/hash"] }, {}]) {
        const { services } = yield* built(options)
        const source = sourceOf(builtCount)
        assert.deepStrictEqual(yield* Effect.provide(StoreAudit.findings({ layout, source }), services), [])
      }
    })
  )

  for (const [name, plant, expected] of violations)
    it.effect(`finds ${name}`, () =>
      Effect.map(foundAfter(plant), (found) => {
        const actual = found.map((each) => [each.invariant, each.fault, about(each)] as const)
        const order = (all: ReadonlyArray<ReadonlyArray<string>>) => all.map((each) => each.join(" ")).sort()
        assert.deepStrictEqual(order(actual), order(expected), found.map(({ message }) => message).join("\n"))
      })
    )

  it.effect("finds what lies wholly below the floor, by chunks kept and by the earliest seq", () =>
    Effect.gen(function* () {
      const expected = ["chunk:00000000:entries", "chunk:00000001:entries", "chunk:00000002:entries"]
      const kept = yield* foundAfter(Effect.void, { keptChunks: 3 })
      assert.deepStrictEqual(kept.map(about), expected)
      const pinned = yield* foundAfter(rows((put) => put("config:earliest_seq", "13")))
      assert.deepStrictEqual(pinned.map(about), expected)
      const window = yield* foundAfter(Effect.void, { keptChunks: 2 })
      assert.deepStrictEqual(window.map(about), [
        "index:00000000:00000000:00000003",
        ...expected,
        "chunk:00000003:entries"
      ])
      assert.isTrue([...kept, ...pinned, ...window].every(({ invariant }) => invariant === "I4"))
    })
  )

  it.effect("finds an index whose keys are not those of the entries, though all its checksums hold", () =>
    Effect.gen(function* () {
      const withRun = (bytes: (other: Uint8Array) => Uint8Array) =>
        inCatalog((catalog) =>
          Effect.gen(function* () {
            yield* catalog.demote([CatalogKey.indexKey(Geometry.WindowId(1), Geometry.ChunkId(4), Geometry.ChunkId(5))])
            yield* catalog.sweep()
            const right = yield* Built.readFile(run(5))
            yield* Built.writeFile(run(5), bytes(yield* Built.readFile(run(4))))
            yield* Built.index(catalog, 4, 5)
            yield* Built.writeFile(run(5), right)
          })
        )
      const stranger = (bytes: Uint8Array): Uint8Array => {
        const changed = new Uint8Array(bytes)
        changed[23] = changed[23]! ^ 1
        return changed
      }
      for (const change of [() => new Uint8Array(8), (other: Uint8Array) => other, stranger]) {
        const found = yield* foundAfter(withRun(change))
        assert.deepStrictEqual(
          found.map((each) => [each.invariant, each.fault, about(each)]),
          [["I1", "damaged", "index:00000001:00000004:00000005"]]
        )
      }
    })
  )

  it.effect("finds an index that holds a key more than its entries have", () =>
    Effect.gen(function* () {
      const extra = inCatalog((catalog) =>
        Effect.gen(function* () {
          yield* catalog.demote([CatalogKey.indexKey(Geometry.WindowId(1), Geometry.ChunkId(4), Geometry.ChunkId(5))])
          yield* catalog.sweep()
          const right = yield* Built.readFile(run(5))
          const longer = new Uint8Array(right.length + 20).fill(0xff)
          longer.set(right)
          const view = new DataView(longer.buffer)
          view.setBigUint64(0, view.getBigUint64(0, true) + 1n, true)
          view.setUint32(longer.length - 4, 7, true)
          yield* Built.writeFile(run(5), longer)
          yield* Built.index(catalog, 4, 5)
          yield* Built.writeFile(run(5), right)
        })
      )
      const found = yield* foundAfter(extra)
      assert.match(
        found.map(({ message }) => message).join("\n"),
        /it has 17 keys, the entries that it covers have 16$/
      )
    })
  )

  it.effect("finds an entry that is not the one of the source, and a source that ends too early", () =>
    Effect.gen(function* () {
      const other = (seq: number) => entryAt(seq === 9 ? 10 : seq)
      const unequal = yield* foundAfter(Effect.void, { source: sourceOf(builtCount, other) })
      assert.deepStrictEqual(
        unequal.map(({ fault, message }) => [fault, message]),
        [["unequal", "Entry 9 is not the one that source test gives"]]
      )
      const short = yield* foundAfter(Effect.void, { source: sourceOf(22) })
      assert.deepStrictEqual(
        short.map(({ message }) => message),
        ["Source test ends before entry 22, which is stored"]
      )
      const behindDamage = yield* foundAfter(Built.flip(pack(1), 3), { source: sourceOf(builtCount, other) })
      assert.deepStrictEqual(
        behindDamage.map(({ fault }) => fault),
        ["damaged", "unequal"]
      )
    })
  )

  it.effect("holds a source that cannot be read against the source, and goes on without it", () =>
    Effect.gen(function* () {
      const gone: Source = {
        ...sourceOf(builtCount),
        entries: () => Stream.fail(new SourceMissing({ path: "gone.ndjson", detail: "it does not exist" }))
      }
      const found = yield* foundAfter(Built.flip(pack(1), 3), { source: gone })
      assert.deepStrictEqual(
        found.map(({ fault, message }) => [fault, fault === "source" ? message : ""]),
        [
          ["source", "Cannot compare with source test from entry 0 on: Cannot read gone.ndjson: it does not exist"],
          ["damaged", ""]
        ]
      )
    })
  )

  it.effect("takes a store that need not be at rest for sound when only work is left", () =>
    Effect.gen(function* () {
      const plant = rows((put) => {
        put("chunk:00000006:entries", "freezing")
        put("index:00000000:00000000:00000002", "pruning")
        put("hot:00000009", "transient")
      })
      assert.deepStrictEqual(yield* foundAfter(plant, { settled: false, keptChunks: 3 }), [])
      // As a backfill leaves it that was killed after retention had passed the chunk that took no entries meanwhile.
      const passed = rows((put, remove) => {
        put("config:begin_seq", "12")
        remove("chunk:00000001:entries")
      })
      const taken = inCatalog((catalog) =>
        Effect.scoped(catalog.openHot(Geometry.ChunkId(1), { keyspaces: hotKeyspaces, seed: () => undefined }))
      )
      const emptied = Effect.andThen(
        passed,
        Effect.andThen(
          onDisk((disk) => disk.unlink(pack(1))),
          taken
        )
      )
      assert.deepStrictEqual(yield* foundAfter(emptied, { settled: false, keptChunks: 3 }), [])
      const removed = Effect.andThen(plant, Built.flip(pack(1), 3))
      assert.lengthOf(yield* foundAfter(removed, { settled: false }), 1)
    })
  )

  it.effect("says that there is no store, and how much it has read of one", () =>
    Effect.gen(function* () {
      const { services } = yield* built()
      const nowhere = Built.layoutAt("/nowhere")
      const found = yield* Effect.provide(StoreAudit.findings({ layout: nowhere }), services)
      assert.deepStrictEqual(
        found.map(({ message }) => message),
        ["Cannot open database /nowhere/catalog: there is none"]
      )
      const steps = yield* Effect.provide(Stream.runCollect(StoreAudit.audit({ layout })), services)
      assert.strictEqual(
        steps.reduce((sum, { entryCount }) => sum + entryCount, 0),
        builtCount
      )
      assert.deepStrictEqual(
        steps.filter(({ kind }) => kind === "chunk").map(({ id }) => Option.getOrNull(id)),
        [0, 1, 2, 3, 4, 5, 6]
      )
    })
  )
})
