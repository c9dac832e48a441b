import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Grant } from "@icecore/engine/access"
import { Effect, Layer, Stream } from "effect"
import { grantPages, shapeOf } from "../src/fixtures/AccessData.ts"
import { knownCount, pagesOf, type Sources } from "../src/fixtures/OverlappingGrants.ts"
import { run } from "../src/Harness.ts"
import * as LiveResidentMemory from "../src/live/LiveResidentMemory.ts"
import * as Compaction from "../src/peers/Compaction.ts"
import { makeSync, openSources, type StoreKind, type StorePlace } from "../src/peers/SyncStores.ts"
import { compactorRows } from "../src/rows/CompactorRows.ts"

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "icecore-compaction-"))),
  (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
)

/** All grants of the latest sync at a place, in order. */
const grantsAt = (place: StorePlace): Effect.Effect<ReadonlyArray<Grant>, unknown> =>
  Effect.scoped(Effect.flatMap(openSources([place]), ([source]) => Stream.runCollect(source!.reader.stream(Grant))))

describe("Compaction", () => {
  it.effect.each([
    ["sqlite", "lmdb"],
    ["lmdb", "sqlite"],
    ["pack", "sqlite"]
  ] satisfies ReadonlyArray<readonly [StoreKind, StoreKind]>)(
    "run brings the grants of %s into %s, compacted or copied",
    ([from, to]) =>
      Effect.gen(function* () {
        const parent = yield* directory
        const source: StorePlace = { kind: from, path: `${parent}/source` }
        const shape = shapeOf(1_500)
        yield* makeSync(source, grantPages(shape))
        const expected = yield* grantsAt(source)
        assert.strictEqual(expected.length, shape.grantCount)
        for (const kind of ["compact", "copy"] as const) {
          const base: StorePlace = { kind: to, path: `${parent}/${kind}` }
          const done = yield* Compaction.run({ kind, base, sources: [source] })
          assert.strictEqual(done.grantCount, shape.grantCount)
          assert.isAbove(done.seconds, 0)
          assert.isTrue(done.peakBytes > 20e6 && done.ownPeakBytes > 10e6 && done.ownPeakBytes <= done.peakBytes)
          assert.deepStrictEqual(yield* grantsAt(base), expected)
        }
      }).pipe(Effect.scoped)
  )

  it.effect("run merges sources to the same grants as putting them one source after the other", () =>
    Effect.gen(function* () {
      const parent = yield* directory
      const sources: Sources = { sourceCount: 4, grantsPerSource: 500, overlap: "heavy" }
      const places = Array.from(
        { length: 4 },
        (_, source): StorePlace => ({
          kind: "sqlite",
          path: `${parent}/${source}`
        })
      )
      for (const [source, place] of places.entries()) yield* makeSync(place, pagesOf(sources, source))
      const merged: StorePlace = { kind: "sqlite", path: `${parent}/merge` }
      const put: StorePlace = { kind: "sqlite", path: `${parent}/put` }
      const done = yield* Compaction.run({ kind: "merge", base: merged, sources: places })
      yield* Compaction.run({ kind: "put", base: put, sources: places })
      assert.strictEqual(done.grantCount, knownCount(sources))
      assert.deepStrictEqual(yield* grantsAt(merged), yield* grantsAt(put))
    }).pipe(Effect.scoped)
  )

  it.effect("run copies over an older version of the sync as compaction does", () =>
    Effect.gen(function* () {
      const parent = yield* directory
      const sources: Sources = { sourceCount: 2, grantsPerSource: 500, overlap: "heavy" }
      const versions = [0, 1].map((version): StorePlace => ({ kind: "sqlite", path: `${parent}/${version}` }))
      const { sync_id } = yield* makeSync(versions[0]!, pagesOf(sources, 0))
      yield* makeSync(versions[1]!, pagesOf(sources, 1), { syncId: sync_id })
      const expected = yield* grantsAt(versions[1]!)
      for (const kind of ["compact", "copy"] as const) {
        const base: StorePlace = { kind: "lmdb", path: `${parent}/${kind}` }
        for (const version of versions) yield* Compaction.run({ kind, base, sources: [version] })
        assert.deepStrictEqual(yield* grantsAt(base), expected)
      }
    }).pipe(Effect.scoped)
  )
})

describe("compactorRows", () => {
  it.effect.each(["compactor/compact/sqlite-lmdb", "compactor/replace/lmdb", "compactor/merge/pack-sqlite"])(
    "row %s does its work on both sides in quick mode",
    (name) =>
      Effect.gen(function* () {
        const { rows } = yield* run({ rows: compactorRows, filter: name, rounds: 1, isQuick: true })
        const [outcome] = rows.map((row) => row.outcome)
        assert.strictEqual(outcome?.status, "measured", JSON.stringify(outcome))
        if (outcome?.status !== "measured") return
        assert.isAbove(outcome.timeRatio ?? 0, 0)
        assert.hasAllKeys(outcome.referenceFigures, Object.keys(outcome.figures))
      }).pipe(Effect.provide(Layer.merge(NodeServices.layer, LiveResidentMemory.layer)))
  )
})
