import { assert, describe, it } from "@effect/vitest"
import { Audit } from "@icecore/catalog"
import { CrashEnumerator, type CrashWorld } from "@icecore/packfile/testing"
import { Effect, Layer, Option, type Scope, Stream } from "effect"
import * as NdjsonDomain from "../src/domain/NdjsonDomain.ts"
import * as Store from "../src/Store.ts"
import * as DemoSource from "../src/source/DemoSource.ts"
import { collect, makeMachine } from "./support/StoreHarness.ts"

const geometry = { firstSeq: 0, entriesPerChunk: 2, chunksPerWindow: 2 } as const

const layer = (world: CrashWorld): Layer.Layer<Store.StoreServices> =>
  Layer.unwrap(Effect.sync(() => makeMachine({ world, domain: NdjsonDomain.layerWith({ keys: ["/hash"] }) }).services))

const open = (
  retention: Store.RetentionOptions
): Effect.Effect<Store.Store, Store.StoreOpenError, Store.StoreServices | Scope.Scope> =>
  Store.make({ dataDir: "/store", geometry, graceMillis: 0, retention, backfill: { workers: 2 } })

const ingest = (count: number, retention: Store.RetentionOptions) =>
  Effect.scoped(Effect.flatMap(open(retention), ({ ingest }) => ingest(DemoSource.make({ count }))))

const keyOf = (seq: number): Uint8Array =>
  Uint8Array.from(Buffer.from(JSON.parse(new TextDecoder().decode(DemoSource.entryAt(seq))).hash, "hex"))

/** Everything from `floor` on is served, by seq and by key, is at rest, and explains itself. */
const check = (count: number, retention: Store.RetentionOptions, floor: number) =>
  Effect.gen(function* () {
    const { history, catalog, settled } = yield* open(retention)
    yield* settled
    assert.deepStrictEqual(yield* history.served, Option.some({ floor, latest: count - 1 }))
    const entries = yield* collect(history)
    assert.strictEqual(entries.length, count - floor)
    for (const { seq, bytes } of entries) assert.deepStrictEqual(bytes, DemoSource.entryAt(seq))
    for (let seq = 0; seq < count; seq++)
      assert.strictEqual(Option.isSome(yield* history.find(keyOf(seq))), seq >= floor, `key of entry ${seq}`)
    assert.deepStrictEqual(yield* Stream.runCollect(Audit.findings(catalog)), [])
    const { chunks, retention: kept } = yield* history.status
    assert.deepStrictEqual(chunks, { frozen: Math.floor(count / 2) - Math.floor(floor / 2), freezing: 0, hot: 1 })
    assert.deepStrictEqual(kept.problem, Option.none())
  })

describe("Backfill", () => {
  it.effect(
    "ingests a source whole through a crash at any step of chunks, keys and indexes",
    () =>
      Effect.gen(function* () {
        const report = yield* CrashEnumerator.enumerate<Store.StoreServices>({
          name: "store: backfill",
          layer,
          scenario: () => Effect.asVoid(ingest(9, {})),
          recover: Effect.asVoid(ingest(9, {})),
          check: () => check(9, {}, 0),
          states: 200
        })
        yield* Effect.log(report.summary)
        assert.isAtLeast(report.stateCount, Math.min(report.wantedCount, 200))
      }),
    600_000
  )

  it.effect(
    "narrows, and widens again from the source, through a crash at any step",
    () =>
      Effect.gen(function* () {
        const widened = { earliest: 3 } as const
        const recover = Effect.asVoid(ingest(11, widened))
        const report = yield* CrashEnumerator.enumerate<Store.StoreServices>({
          name: "store: narrow and widen",
          layer,
          scenario: () =>
            Effect.gen(function* () {
              yield* ingest(9, { earliest: 6 })
              yield* Effect.scoped(Effect.flatMap(open({ chunks: 1 }), ({ settled }) => settled))
              yield* recover
            }),
          recover,
          check: () => check(11, widened, 3),
          states: 200
        })
        yield* Effect.log(report.summary)
        assert.isAtLeast(report.stateCount, Math.min(report.wantedCount, 200))
      }),
    600_000
  )
})
