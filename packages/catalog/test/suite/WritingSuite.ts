import { assert, type Vitest } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option, Stream } from "effect"
import * as Catalog from "../../src/Catalog.ts"
import { chunkKey, indexKey } from "../../src/format/CatalogKey.ts"
import { ChunkId, WindowId } from "../../src/Geometry.ts"
import * as Layout from "../../src/Layout.ts"
import {
  audit,
  chunk,
  domain,
  exists,
  geometry,
  open,
  type Store,
  stateOf,
  temporaryLayout,
  writeFiles,
  writeWanted
} from "../Harness.ts"

/** Making artifacts. */
export const writeSuite = (it: Vitest.MethodsNonLive<Store>): void => {
  it.effect("Catalog.writeChunk freezes all kinds and hands out only those that are not frozen", () =>
    Effect.gen(function* () {
      const catalog = yield* Effect.flatMap(temporaryLayout, open)
      const handed: Array<ReadonlyArray<string>> = []
      const produce = (wanted: ReadonlyArray<Catalog.WantedArtifact>) => {
        handed.push(wanted.map((artifact) => artifact.key.kind))
        return writeWanted(wanted)
      }
      yield* catalog.writeChunk({ chunk, kinds: ["events"], produce })
      yield* catalog.writeChunk({ chunk, kinds: ["keys", "events", "entries"], produce })
      const again = yield* catalog.writeChunk({ chunk, kinds: ["keys", "events", "entries"], produce })
      assert.isTrue(Option.isNone(again))
      assert.deepStrictEqual(handed, [["events"], ["entries", "keys"]])
      assert.deepStrictEqual(yield* audit(catalog), [])
      for (const kind of ["entries", "events", "keys"] as const)
        assert.strictEqual(yield* stateOf(catalog, chunkKey(chunk, kind)), "frozen")
    })
  )

  it.effect("Catalog.writeChunk marks the keys before it runs the producer", () =>
    Effect.gen(function* () {
      const catalog = yield* Effect.flatMap(temporaryLayout, open)
      const produce = (wanted: ReadonlyArray<Catalog.WantedArtifact>) =>
        Effect.andThen(
          writeWanted(wanted),
          Effect.forEach(wanted, ({ key }) => stateOf(catalog, key))
        )
      const states = yield* catalog.writeChunk({ chunk, kinds: ["entries", "keys"], produce })
      assert.deepStrictEqual(states, Option.some(["freezing", "freezing"]))
    })
  )

  it.effect(
    "Catalog.writeChunk leaves a failed producer's key at freezing, and removes its files before the next try",
    () =>
      Effect.gen(function* () {
        const catalog = yield* Effect.flatMap(temporaryLayout, open)
        const failing = {
          chunk,
          kinds: ["events"] as const,
          produce: (wanted: ReadonlyArray<Catalog.WantedArtifact>) =>
            Effect.andThen(writeFiles(wanted[0]!.files.slice(0, 2), "half"), Effect.fail("boom"))
        }
        assert.strictEqual(yield* Effect.flip(catalog.writeChunk(failing)), "boom")
        assert.strictEqual(yield* stateOf(catalog, chunkKey(chunk, "events")), "freezing")
        yield* catalog.writeChunk({ chunk, kinds: ["events"], produce: writeWanted })
        assert.strictEqual(yield* stateOf(catalog, chunkKey(chunk, "events")), "frozen")
      })
  )

  it.effect("Catalog.writeChunk refuses to freeze what the producer did not write", () =>
    Effect.gen(function* () {
      const catalog = yield* Effect.flatMap(temporaryLayout, open)
      const produce = (wanted: ReadonlyArray<Catalog.WantedArtifact>) => writeFiles(wanted[0]!.files.slice(0, 2))
      const error = yield* Effect.flip(catalog.writeChunk({ chunk, kinds: ["events"], produce }))
      assert.strictEqual(error._tag, "ArtifactMissing")
      assert.strictEqual(yield* stateOf(catalog, chunkKey(chunk, "events")), "freezing")
    })
  )

  it.effect("Catalog.writeChunk excludes other work on the key, and an interruption frees it", () =>
    Effect.gen(function* () {
      const catalog = yield* Effect.flatMap(temporaryLayout, open)
      const started = yield* Deferred.make<void>()
      const produce = () => Effect.andThen(Deferred.succeed(started, undefined), Effect.never)
      const fiber = yield* Effect.forkChild(catalog.writeChunk({ chunk, kinds: ["entries"], produce }))
      yield* Deferred.await(started)
      const second = catalog.writeChunk({ chunk, kinds: ["keys", "entries"], produce: writeWanted })
      assert.strictEqual((yield* Effect.flip(second))._tag, "CatalogBusy")
      assert.strictEqual((yield* Effect.flip(catalog.demote([chunkKey(chunk, "entries")])))._tag, "CatalogBusy")
      assert.deepStrictEqual(yield* catalog.sweep(), { artifactCount: 0, hotCount: 0, deferredCount: 1 })
      yield* Fiber.interrupt(fiber)
      yield* second
      assert.deepStrictEqual(yield* audit(catalog), [])
    })
  )

  const window = WindowId(1)
  const index = (catalog: Catalog.Catalog, lo: number, hi: number) =>
    catalog.writeIndex({ window, lo: ChunkId(lo), hi: ChunkId(hi), produce: (file) => writeFiles([file]) })
  const coverage = (catalog: Catalog.Catalog) =>
    Effect.scoped(
      Effect.flatMap(catalog.snapshot, (snapshot) =>
        Effect.map(
          snapshot.coverage(window),
          Option.match({ onNone: () => null, onSome: ({ lo, hi }) => [Number(lo), Number(hi)] })
        )
      )
    )

  it.effect("Catalog.writeIndex supersedes the window's coverage and skips a narrower one", () =>
    Effect.gen(function* () {
      const catalog = yield* Effect.flatMap(temporaryLayout, open)
      yield* index(catalog, 4, 5)
      yield* index(catalog, 4, 6)
      assert.isTrue(Option.isNone(yield* index(catalog, 4, 6)))
      assert.isTrue(Option.isNone(yield* index(catalog, 5, 5)))
      assert.deepStrictEqual(yield* coverage(catalog), [4, 6])
      assert.strictEqual(yield* stateOf(catalog, indexKey(window, ChunkId(4), ChunkId(5))), "pruning")
      yield* catalog.sweep()
      assert.deepStrictEqual(yield* audit(catalog), [])
      assert.isFalse(yield* exists(Layout.keyIndexPath(catalog.layout, { window, lo: ChunkId(4), hi: ChunkId(5) })))
    })
  )

  it.effect("Catalog.writeIndex demotes the window's key runs when its coverage is terminal, and no others", () =>
    Effect.gen(function* () {
      const catalog = yield* Effect.flatMap(temporaryLayout, open)
      for (const number of [3, 4, 5, 6, 7, 8])
        yield* catalog.writeChunk({ chunk: ChunkId(number), kinds: ["keys", "entries"], produce: writeWanted })
      yield* index(catalog, 4, 6)
      assert.deepStrictEqual(yield* audit(catalog), [])
      yield* index(catalog, 4, 7)
      yield* catalog.sweep()
      assert.deepStrictEqual(yield* audit(catalog), [])
      const snapshot = yield* catalog.snapshot
      const runs = yield* Stream.runCollect(snapshot.artifacts({ kind: "keys" }))
      assert.deepStrictEqual(
        runs.map(({ key }) => Number(key.chunk)),
        [3, 8]
      )
      assert.strictEqual((yield* Stream.runCollect(snapshot.artifacts({ kind: "entries" }))).length, 6)
    })
  )

  it.effect(
    "Catalog.writeIndex leaves the key runs below a terminal coverage to a widening, and prune takes them in the end",
    () =>
      Effect.gen(function* () {
        const catalog = yield* Effect.flatMap(temporaryLayout, open)
        const runs = Effect.scoped(
          Effect.flatMap(catalog.snapshot, (snapshot) =>
            Effect.map(Stream.runCollect(snapshot.runs()), (found) => found.map(({ key }) => Number(key.chunk)))
          )
        )
        yield* writeRuns(catalog, [4, 5, 6, 7])
        yield* index(catalog, 6, 7)
        assert.deepStrictEqual(yield* runs, [4, 5])
        yield* catalog.prune(ChunkId(4))
        assert.deepStrictEqual(yield* runs, [4, 5])
        yield* writeRuns(catalog, [6, 7])
        yield* index(catalog, 5, 7)
        assert.deepStrictEqual(yield* runs, [4])
        yield* writeRuns(catalog, [5])
        yield* catalog.prune(ChunkId(5))
        assert.deepStrictEqual(yield* runs, [])
        yield* catalog.sweep()
        assert.deepStrictEqual(yield* audit(catalog), [])
      })
  )

  const writeRuns = (catalog: Catalog.Catalog, chunks: ReadonlyArray<number>) =>
    Effect.forEach(chunks, (number) =>
      catalog.writeChunk({ chunk: ChunkId(number), kinds: ["keys"], produce: writeWanted })
    )

  it.effect(
    "Catalog.writeIndex follows a floor that rises within the window and widens again to the same or a later end",
    () =>
      Effect.gen(function* () {
        const catalog = yield* Effect.flatMap(temporaryLayout, open)
        for (const [lo, hi] of [
          [4, 5],
          [5, 6],
          [6, 7],
          [5, 7],
          [4, 7]
        ] as const) {
          assert.isTrue(Option.isSome(yield* index(catalog, lo, hi)))
          assert.deepStrictEqual(yield* coverage(catalog), [lo, hi])
        }
        yield* catalog.sweep({ known: true })
        assert.deepStrictEqual(yield* audit(catalog), [])
      })
  )

  it.effect("Catalog.writeIndex gives up the end of a coverage only to key runs", () =>
    Effect.gen(function* () {
      const catalog = yield* Effect.flatMap(temporaryLayout, open)
      yield* index(catalog, 5, 7)
      yield* writeRuns(catalog, [7])
      const error = yield* Effect.flip(index(catalog, 4, 5))
      assert.strictEqual(error._tag, "CoverageInvalid")
      assert.include(error.message, "frozen key runs of chunks 6 to 7")
      assert.deepStrictEqual(yield* coverage(catalog), [5, 7])
      yield* writeRuns(catalog, [6])
      yield* index(catalog, 4, 5)
      assert.deepStrictEqual(yield* coverage(catalog), [4, 5])
    })
  )

  it.effect("Catalog.writeIndex keeps the wider coverage when the key runs after it go while it is built", () =>
    Effect.gen(function* () {
      const catalog = yield* Effect.flatMap(temporaryLayout, open)
      yield* writeRuns(catalog, [5])
      yield* index(catalog, 5, 5)
      const write = catalog.writeIndex({
        window,
        lo: ChunkId(4),
        hi: ChunkId(4),
        produce: (file) => Effect.andThen(writeFiles([file]), catalog.demote([chunkKey(ChunkId(5), "keys")]))
      })
      assert.strictEqual((yield* Effect.flip(write))._tag, "CoverageInvalid")
      assert.deepStrictEqual(yield* coverage(catalog), [5, 5])
      yield* catalog.sweep({ known: true })
      assert.deepStrictEqual(yield* audit(catalog), [])
    })
  )

  it.effect("Catalog.writeChunk and Catalog.writeIndex leave files that readers may reach", () =>
    Effect.gen(function* () {
      const layout = yield* temporaryLayout
      let readerSince = 0
      const catalog = yield* Catalog.make({
        layout,
        geometry,
        domain,
        destroyableBefore: Effect.sync(() => readerSince)
      })
      const write = catalog.writeChunk({ chunk, kinds: ["entries", "keys"], produce: writeWanted })
      yield* catalog.writeChunk({ chunk, kinds: ["entries"], produce: writeWanted })
      yield* index(catalog, 4, 5)
      yield* index(catalog, 5, 6)
      yield* catalog.demote([chunkKey(chunk, "entries"), indexKey(window, ChunkId(5), ChunkId(6))])
      for (const refused of [write, index(catalog, 4, 5)]) {
        const error = yield* Effect.flip(refused)
        assert.deepStrictEqual([error._tag, "reason" in error && error.reason], ["CatalogBusy", "readers"])
        assert.include(error.message, "readers may still reach")
      }
      assert.isNull(yield* stateOf(catalog, chunkKey(chunk, "keys")))
      assert.isTrue(yield* exists(Layout.entriesPath(layout, chunk)))
      readerSince = 1
      yield* write
      yield* index(catalog, 4, 5)
      yield* catalog.sweep({ known: true })
      assert.deepStrictEqual(yield* audit(catalog), [])
    })
  )

  it.effect("Catalog.writeIndex demotes what a failed wider try left", () =>
    Effect.gen(function* () {
      const catalog = yield* Effect.flatMap(temporaryLayout, open)
      yield* Effect.flip(
        catalog.writeIndex({ window, lo: ChunkId(4), hi: ChunkId(7), produce: () => Effect.fail("boom") })
      )
      yield* index(catalog, 4, 5)
      assert.strictEqual(yield* stateOf(catalog, indexKey(window, ChunkId(4), ChunkId(7))), "pruning")
    })
  )

  for (const [lo, hi] of [
    [3, 5],
    [4, 8],
    [6, 5]
  ] as const)
    it.effect(`Catalog.writeIndex refuses chunks ${lo} to ${hi} in a window of chunks 4 to 7`, () =>
      Effect.gen(function* () {
        const catalog = yield* Effect.flatMap(temporaryLayout, open)
        assert.strictEqual((yield* Effect.flip(index(catalog, lo, hi)))._tag, "CoverageInvalid")
      })
    )
}
