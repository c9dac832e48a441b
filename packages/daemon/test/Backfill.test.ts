import { assert, describe, it } from "@effect/vitest"
import { Audit, Layout } from "@icecore/catalog"
import { Disk } from "@icecore/packfile"
import { Effect, type Layer, Option, Stream } from "effect"
import type { Domain } from "../src/Domain.ts"
import * as NdjsonDomain from "../src/domain/NdjsonDomain.ts"
import type { EntriesOptions, Source, SourceBatch } from "../src/Source.ts"
import type * as Store from "../src/Store.ts"
import * as DemoSource from "../src/source/DemoSource.ts"
import { collect, type Machine, makeMachine, withStore } from "./support/StoreHarness.ts"

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

const domain: Layer.Layer<Domain> = NdjsonDomain.layerWith({ keys: ["/hash"] })

const geometry = { firstSeq: 0, entriesPerChunk: 4, chunksPerWindow: 3 } as const

const options: Partial<Store.StoreOptions> = { geometry, graceMillis: 0, backfill: { workers: 3 } }

const keyOf = (seq: number): Uint8Array =>
  Uint8Array.from(Buffer.from(JSON.parse(new TextDecoder().decode(DemoSource.entryAt(seq))).hash, "hex"))

/** A source over a list, in batches of five, that counts what it gave. */
const listSource = (entries: ReadonlyArray<Uint8Array>): { readonly source: Source; readonly given: () => number } => {
  let given = 0
  const batches = ({ from }: EntriesOptions): Array<SourceBatch> => {
    const found: Array<SourceBatch> = []
    for (let seq = from; seq < entries.length; seq += 5)
      found.push({
        firstSeq: seq,
        entries: entries.slice(seq, seq + 5),
        positionAfter: (count) => text(String(seq + count - 1))
      })
    return found
  }
  const source: Source = {
    ...DemoSource.make({ count: entries.length }),
    name: "list",
    entries: (wanted) =>
      Stream.fromIterable(batches(wanted)).pipe(
        Stream.rechunk(1),
        Stream.tap((batch) =>
          Effect.sync(() => {
            given += batch.entries.length
          })
        )
      )
  }
  return { source, given: () => given }
}

const demo = (count: number): ReadonlyArray<Uint8Array> =>
  Array.from({ length: count }, (_, seq) => DemoSource.entryAt(seq))

/** Everything is served as the source gave it, by seq and by key, and what lies on disk explains itself. */
const checkAll = Effect.fnUntraced(function* ({ history, catalog, settled }: Store.Store, count: number) {
  yield* settled
  const entries = yield* collect(history)
  assert.deepStrictEqual(
    entries.map(({ bytes }) => bytes),
    demo(count)
  )
  for (let seq = 0; seq < count; seq++)
    assert.strictEqual(Option.getOrThrow(yield* history.find(keyOf(seq))).seq, seq, `key of entry ${seq}`)
  assert.isTrue(Option.isNone(yield* history.find(keyOf(count))))
  assert.deepStrictEqual(yield* Stream.runCollect(Audit.findings(catalog)), [])
})

const _filesOf = (machine: Machine, store: Store.Store, suffix: string) =>
  Effect.gen(function* () {
    const disk = yield* Disk
    const found: Record<string, string> = {}
    yield* Stream.runForEach(
      Stream.unwrap(Effect.map(store.catalog.snapshot, (snapshot) => snapshot.artifacts({ state: "frozen" }))),
      ({ key }) =>
        Effect.forEach(Layout.filesOf(store.catalog.layout, key), (path) =>
          Effect.scoped(
            Effect.gen(function* () {
              const file = yield* disk.open(path, "read")
              const bytes = new Uint8Array(yield* file.size)
              yield* file.readAt(bytes, 0)
              if (path.endsWith(suffix)) found[path] = Buffer.from(bytes).toString("hex")
            })
          )
        )
    )
    return found
  }).pipe(Effect.provide(machine.services))

describe("Backfill", () => {
  it.effect("freezes whole chunks without a hot database, and leaves the rest to ingestion", () => {
    const machine = makeMachine({ domain })
    const { source } = listSource(demo(27))
    return withStore(
      machine,
      (store) =>
        Effect.gen(function* () {
          const report = yield* store.ingest(source)
          assert.deepInclude(report, {
            entryCount: 27,
            firstSeq: 0,
            nextSeq: 27,
            backfilledChunkCount: 6,
            builtChunkCount: 6,
            frozenChunkCount: 6
          })
          assert.strictEqual(
            report.byteCount,
            demo(27).reduce((sum, bytes) => sum + bytes.length, 0)
          )
          yield* checkAll(store, 27)
          const { chunks, keys } = yield* store.history.status
          assert.deepStrictEqual(chunks, { frozen: 6, freezing: 0, hot: 1 })
          assert.deepStrictEqual(keys, Option.some({ indexCount: 2, indexedChunkCount: 6, uncoveredRunCount: 0 }))
        }),
      options
    ).pipe(Effect.andThen(withStore(machine, (store) => checkAll(store, 27), options)))
  })
})
