import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Audit } from "@icecore/catalog"
import { Effect, Layer, Option, Stdio, Stream } from "effect"
import * as NdjsonDomain from "../src/domain/NdjsonDomain.ts"
import * as WorkerPool from "../src/live/WorkerPool.ts"
import * as Store from "../src/Store.ts"
import * as NdjsonSource from "../src/source/NdjsonSource.ts"
import { directory, engineNames, services } from "./support/LiveStore.ts"

/** A real log; the test that reads it is skipped where it is not. */
const log = Path.resolve(import.meta.dirname, "../../../../shared/data/ethereum/transactions.ndjson")

const geometry = { firstSeq: 0, entriesPerChunk: 100, chunksPerWindow: 3 } as const

const domain = NdjsonDomain.layerWith({ keys: ["/hash"] })

const withStore = <A, E>(
  dataDir: string,
  retention: Store.RetentionOptions,
  use: (store: Store.Store) => Effect.Effect<A, E, Store.StoreServices>
) =>
  Effect.scoped(
    Effect.flatMap(Store.make({ dataDir, geometry, graceMillis: 0, retention, backfill: { workers: 3 } }), use)
  )

const ingest = (store: Store.Store, path: string) =>
  Effect.flatMap(Effect.provide(NdjsonSource.make({ path }), Stdio.layerTest({})), store.ingest)

describe.each(engineNames)("Store with keys on %s", (engineName) => {
  it.live.skipIf(!Fs.existsSync(log))(
    "finds every entry of the Ethereum log by its hash, narrowed and widened (needs the shared data folder)",
    () =>
      Effect.gen(function* () {
        const root = yield* directory
        const dataDir = Path.join(root, "store")
        const lines = Fs.readFileSync(log, "utf8").split("\n").slice(0, -1)
        const keys = lines.map((line) => Uint8Array.from(Buffer.from(JSON.parse(line).hash.slice(2), "hex")))
        const check = Effect.fnUntraced(function* ({ history, catalog, settled }: Store.Store, floor: number) {
          yield* settled
          for (const [seq, key] of keys.entries()) {
            const found = yield* history.find(key)
            assert.strictEqual(Option.isSome(found), seq >= floor, `entry ${seq}`)
            if (Option.isSome(found)) {
              assert.strictEqual(found.value.seq, seq)
              assert.strictEqual(new TextDecoder().decode(found.value.bytes), lines[seq])
            }
          }
          assert.deepStrictEqual(yield* Stream.runCollect(Audit.findings(catalog)), [])
          const status = yield* history.status
          assert.strictEqual(status.chunks.hot, 1)
          assert.strictEqual(Option.getOrThrow(status.keys).uncoveredRunCount, 0)
        })
        yield* withStore(dataDir, {}, (store) =>
          Effect.gen(function* () {
            const report = yield* ingest(store, log)
            assert.deepInclude(report, { entryCount: 1_133, backfilledChunkCount: 11, builtChunkCount: 11 })
            yield* check(store, 0)
          })
        )
        yield* withStore(dataDir, { chunks: 4 }, (store) => check(store, 700))
        yield* withStore(dataDir, { earliest: 250 }, (store) =>
          Effect.gen(function* () {
            assert.deepInclude(yield* ingest(store, log), { entryCount: 0, backfilledChunkCount: 5 })
            yield* check(store, 250)
          })
        )
      }).pipe(
        Effect.scoped,
        Effect.provide(
          Layer.provideMerge(
            WorkerPool.layer({ workers: engineName === "sqlite" ? 2 : 0 }),
            services(engineName, domain)
          )
        )
      ),
    180_000
  )
})
