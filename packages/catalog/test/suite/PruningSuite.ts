import { assert, type Vitest } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option, Stream } from "effect"
import * as Catalog from "../../src/Catalog.ts"
import { encodeKey, hotKey } from "../../src/format/CatalogKey.ts"
import { ChunkId, WindowId, windowOf } from "../../src/Geometry.ts"
import * as Layout from "../../src/Layout.ts"
import * as Retention from "../../src/Retention.ts"
import {
  audit,
  domain,
  exists,
  geometry,
  open,
  type Store,
  stateOf,
  tamper,
  temporaryLayout,
  writeFiles,
  writeWanted
} from "../Harness.ts"

const write = (catalog: Catalog.Catalog, number: number, kinds: Catalog.WantedArtifact["key"]["kind"][]) =>
  catalog.writeChunk({ chunk: ChunkId(number), kinds, produce: writeWanted })

const cover = (catalog: Catalog.Catalog, lo: number, hi: number) =>
  catalog.writeIndex({
    window: windowOf(geometry, ChunkId(lo)),
    lo: ChunkId(lo),
    hi: ChunkId(hi),
    produce: (file) => writeFiles([file])
  })

/** The text of every key that is frozen. */
const frozen = (catalog: Catalog.Catalog) =>
  Effect.scoped(
    Effect.gen(function* () {
      const snapshot = yield* catalog.snapshot
      const all = yield* Stream.runCollect(Stream.concat(snapshot.artifacts(), snapshot.indexes))
      return all.flatMap(({ key, state }) => (state === "frozen" ? [encodeKey(key)] : []))
    })
  )

/** Retention, and the directories that it empties. */
export const pruningSuite = (it: Vitest.MethodsNonLive<Store>): void => {
  it.effect("Catalog.prune takes what lies wholly below the floor, and leaves hot databases", () =>
    Effect.gen(function* () {
      const catalog = yield* Effect.flatMap(temporaryLayout, open)
      for (const number of [2, 3, 4, 5, 6]) yield* write(catalog, number, ["entries", "keys"])
      yield* cover(catalog, 2, 2)
      yield* cover(catalog, 4, 5)
      yield* Effect.scoped(catalog.openHot(ChunkId(1), { keyspaces: ["entries"] }))
      const doomed = yield* Effect.scoped(
        Effect.flatMap(catalog.snapshot, (snapshot) => Stream.runCollect(Retention.doomed(snapshot, ChunkId(5))))
      )
      assert.deepStrictEqual(doomed.map(encodeKey), [
        "index:00000000:00000002:00000002",
        "chunk:00000002:entries",
        "chunk:00000002:keys",
        "chunk:00000003:entries",
        "chunk:00000003:keys",
        "chunk:00000004:entries",
        "chunk:00000004:keys",
        "hot:00000001"
      ])
      assert.strictEqual(yield* catalog.prune(ChunkId(5)), 7)
      assert.strictEqual(yield* catalog.prune(ChunkId(5)), 0)
      assert.deepStrictEqual(yield* frozen(catalog), [
        "chunk:00000005:entries",
        "chunk:00000005:keys",
        "chunk:00000006:entries",
        "chunk:00000006:keys",
        "index:00000001:00000004:00000005"
      ])
      assert.strictEqual(yield* stateOf(catalog, hotKey(ChunkId(1))), "ready")
      assert.strictEqual((yield* catalog.sweep({ known: true })).artifactCount, 7)
      assert.deepStrictEqual(yield* audit(catalog), [])
      assert.strictEqual(yield* catalog.prune(ChunkId(6)), 3)
    })
  )

  it.effect("Catalog.prune demotes more than a round holds", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      yield* Effect.scoped(open(layout))
      const rows: Record<string, string> = {}
      for (let number = 0; number < 1_400; number++)
        rows[`chunk:${number.toString().padStart(8, "0")}:entries`] = number % 3 === 0 ? "freezing" : "frozen"
      yield* tamper(layout, rows)
      const catalog = yield* Catalog.make({ layout, geometry, domain, checkFiles: false })
      assert.strictEqual(yield* catalog.prune(ChunkId(1_300)), 1_300)
      assert.strictEqual((yield* frozen(catalog)).length, 67)
      assert.strictEqual((yield* catalog.sweep({ known: true })).artifactCount, 1_300)
    })
  )

  it.effect("Catalog.prune passes over what other work holds, and takes it the next time", () =>
    Effect.gen(function* () {
      const catalog = yield* Effect.flatMap(temporaryLayout, open)
      yield* write(catalog, 2, ["entries"])
      const started = yield* Deferred.make<void>()
      const finish = yield* Deferred.make<void>()
      const produce = (wanted: ReadonlyArray<Catalog.WantedArtifact>) =>
        Deferred.succeed(started, undefined).pipe(
          Effect.andThen(Deferred.await(finish)),
          Effect.andThen(writeWanted(wanted))
        )
      const fiber = yield* Effect.forkChild(catalog.writeChunk({ chunk: ChunkId(3), kinds: ["entries"], produce }))
      yield* Deferred.await(started)
      assert.strictEqual(yield* catalog.prune(ChunkId(4)), 1)
      yield* Deferred.succeed(finish, undefined)
      yield* Fiber.join(fiber)
      assert.strictEqual(yield* catalog.prune(ChunkId(4)), 1)
      assert.deepStrictEqual(yield* frozen(catalog), [])
    })
  )

  it.effect(
    "Catalog.prune takes key runs of a finished window, whoever wrote them, and leaves those that an index still needs",
    () =>
      Effect.gen(function* () {
        const layout = yield* temporaryLayout
        yield* Effect.scoped(
          Effect.gen(function* () {
            const catalog = yield* open(layout)
            yield* cover(catalog, 0, 3)
            yield* cover(catalog, 6, 7)
            for (const number of [2, 5, 6, 8]) yield* write(catalog, number, ["keys"])
          })
        )
        const catalog = yield* open(layout)
        assert.strictEqual(yield* catalog.prune(ChunkId(0)), 1)
        assert.isFalse((yield* frozen(catalog)).includes("chunk:00000002:keys"))
        yield* write(catalog, 3, ["keys"])
        assert.strictEqual(yield* catalog.prune(ChunkId(4)), 2)
        assert.deepStrictEqual(yield* frozen(catalog), [
          "chunk:00000005:keys",
          "chunk:00000006:keys",
          "chunk:00000008:keys",
          "index:00000001:00000006:00000007"
        ])
        yield* cover(catalog, 4, 7)
        assert.deepStrictEqual(yield* frozen(catalog), ["chunk:00000008:keys", "index:00000001:00000004:00000007"])
      })
  )

  it.effect("Catalog.prune takes the key runs of a window once the floor has reached its index", () =>
    Effect.gen(function* () {
      const catalog = yield* Effect.flatMap(temporaryLayout, open)
      yield* cover(catalog, 6, 7)
      yield* write(catalog, 6, ["keys"])
      assert.strictEqual(yield* catalog.prune(ChunkId(5)), 0)
      assert.strictEqual(yield* catalog.prune(ChunkId(6)), 1)
      assert.deepStrictEqual(yield* frozen(catalog), ["index:00000001:00000006:00000007"])
    })
  )

  it.effect("Catalog.sweep removes the directories that it empties, and no others", () =>
    Effect.gen(function* () {
      const catalog = yield* Effect.flatMap(temporaryLayout, open)
      const { layout } = catalog
      const { roots } = layout
      for (const number of [996, 999, 1_000]) yield* write(catalog, number, ["entries", "events", "keys"])
      yield* cover(catalog, 996, 997)
      yield* writeFiles([`${roots.events}/00000/notes.txt`])
      yield* catalog.prune(ChunkId(999))
      yield* catalog.sweep({ known: true })
      assert.isFalse(yield* exists(`${roots.keys}/index/00000249`))
      assert.isTrue(yield* exists(`${roots.entries}/00000`))
      yield* catalog.prune(ChunkId(1_000))
      yield* catalog.sweep({ known: true })
      const directories = [`${roots.entries}/00000`, `${roots.keys}/run/00000`, `${roots.events}/00000`]
      assert.deepStrictEqual(yield* Effect.forEach(directories, exists), [false, false, true])
      assert.isTrue(yield* exists(Layout.entriesPath(layout, ChunkId(1_000))))
      yield* write(catalog, 999, ["entries"])
      assert.isTrue(yield* exists(Layout.entriesPath(layout, ChunkId(999))))
    })
  )

  it.effect("Catalog.sweep leaves an empty directory that is being written in", () =>
    Effect.gen(function* () {
      const catalog = yield* Effect.flatMap(temporaryLayout, open)
      yield* write(catalog, 3, ["entries"])
      yield* catalog.prune(ChunkId(4))
      const sweep = Effect.asVoid(catalog.sweep({ known: true }))
      const produce = (wanted: ReadonlyArray<Catalog.WantedArtifact>) => Effect.andThen(sweep, writeWanted(wanted))
      const written = yield* catalog.writeChunk({ chunk: ChunkId(4), kinds: ["entries"], produce })
      assert.isTrue(Option.isSome(written))
      assert.isFalse(yield* exists(Layout.entriesPath(catalog.layout, ChunkId(3))))
      yield* catalog.prune(ChunkId(5))
      yield* sweep
      assert.isFalse(yield* exists(`${catalog.layout.roots.entries}/00000`))
      assert.deepStrictEqual(yield* audit(catalog), [])
    })
  )

  it.effect("Catalog.sweep of what is known settles what failed and was interrupted, and nothing older", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      yield* Effect.scoped(open(layout))
      yield* tamper(layout, { "chunk:00000001:keys": "freezing", "hot:00000001": "transient" })
      const catalog = yield* open(layout)
      const half = (wanted: ReadonlyArray<Catalog.WantedArtifact>) =>
        Effect.andThen(writeFiles(wanted[0]!.files), Effect.fail("boom"))
      yield* Effect.flip(catalog.writeChunk({ chunk: ChunkId(2), kinds: ["entries", "keys"], produce: half }))
      const never = { window: WindowId(0), lo: ChunkId(0), hi: ChunkId(1), produce: () => Effect.never }
      const fiber = yield* Effect.forkChild(catalog.writeIndex(never), { startImmediately: true })
      while ((yield* stateOf(catalog, { _tag: "Index", ...never })) === null) yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      const dying = catalog.openHot(ChunkId(2), { keyspaces: ["entries"], seed: () => assert.fail("no seed") })
      yield* Effect.exit(Effect.scoped(dying))
      assert.deepStrictEqual(yield* catalog.sweep({ known: true }), { artifactCount: 3, hotCount: 1, deferredCount: 0 })
      assert.deepStrictEqual(yield* catalog.sweep({ known: true }), { artifactCount: 0, hotCount: 0, deferredCount: 0 })
      assert.deepStrictEqual(yield* catalog.sweep(), { artifactCount: 1, hotCount: 1, deferredCount: 0 })
      assert.deepStrictEqual(yield* audit(catalog), [])
    })
  )
}
