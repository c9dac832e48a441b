/** A log of demonstration entries in a store whose retention is changed from one start to the next. */
import { assert } from "@effect/vitest"
import { Audit } from "@icecore/catalog"
import type { Disk } from "@icecore/packfile"
import { Effect, Option, Stream } from "effect"
import * as NdjsonDomain from "../../src/domain/NdjsonDomain.ts"
import type { HistoryReadError, ServedRange } from "../../src/History.ts"
import type { Source } from "../../src/Source.ts"
import type { StorageError } from "../../src/StorageError.ts"
import type * as Store from "../../src/Store.ts"
import * as DemoSource from "../../src/source/DemoSource.ts"
import { collect, type Machine, makeMachine, withStore } from "./StoreHarness.ts"

export const geometry = { firstSeq: 0, entriesPerChunk: 4, chunksPerWindow: 3 } as const

export const make = (): Machine => makeMachine({ domain: NdjsonDomain.layerWith({ keys: ["/hash"] }) })

export const opened = <A, E>(
  machine: Machine,
  retention: Store.RetentionOptions,
  use: (store: Store.Store) => Effect.Effect<A, E, Store.StoreServices>,
  options: Partial<Store.StoreOptions> = {}
): Effect.Effect<A, E | Store.StoreOpenError> =>
  withStore(machine, use, { geometry, graceMillis: 0, retention, ...options })

export const demo = (count: number): Source => DemoSource.make({ count })

/** Entries of the demo log, and others at some seqs. */
export const withOthers = (count: number, isOther: (seq: number) => boolean): Source => ({
  ...demo(count),
  name: "other",
  entries: (options) =>
    Stream.map(demo(count).entries(options), (batch) => ({
      ...batch,
      entries: batch.entries.map((bytes, index) =>
        isOther(batch.firstSeq + index) ? DemoSource.entryAt(1000 + batch.firstSeq + index) : bytes
      )
    }))
})

/** Gives all 42 entries while it is compared with what is kept, and halts when it is read to be filled in. */
export const haltingAt14 = (isOther: (seq: number) => boolean = () => false): Source => {
  let readCount = 0
  return {
    ...demo(42),
    entries: (options) => {
      if (options.from === 0) readCount++
      return readCount < 2
        ? withOthers(42, isOther).entries(options)
        : Stream.concat(withOthers(14, isOther).entries(options), Stream.never)
    }
  }
}

export const keyOf = (seq: number): Uint8Array =>
  Uint8Array.from(Buffer.from(JSON.parse(new TextDecoder().decode(DemoSource.entryAt(seq))).hash, "hex"))

/** Exactly the entries `floor` to `latest` are served, by seq and by key, and nothing else lies on disk. */
export const check: (
  store: Store.Store,
  floor: number,
  latest: number
) => Effect.Effect<void, StorageError | HistoryReadError, Disk> = Effect.fnUntraced(function* (store, floor, latest) {
  const { history, catalog, settled } = store
  yield* settled
  assert.deepStrictEqual(yield* history.served, Option.some({ floor, latest }))
  assert.deepStrictEqual(
    (yield* collect(history)).map(({ seq, bytes }) => [seq, new TextDecoder().decode(bytes)]),
    Array.from({ length: latest - floor + 1 }, (_, index) => [
      floor + index,
      new TextDecoder().decode(DemoSource.entryAt(floor + index))
    ])
  )
  for (let seq = 0; seq <= latest; seq++)
    assert.strictEqual(Option.isSome(yield* history.find(keyOf(seq))), seq >= floor, `key of entry ${seq}`)
  assert.deepStrictEqual(yield* Stream.runCollect(Audit.findings(catalog)), [])
  assert.deepStrictEqual(yield* store.prunePlan, {
    ...(yield* store.prunePlan),
    floor,
    nextFloor: floor,
    chunkCount: 0,
    artifactCount: 0,
    hotCount: 0
  })
  const { chunks, retention } = yield* history.status
  assert.deepStrictEqual(chunks, {
    frozen: Math.floor((latest + 1) / 4) - Math.floor(floor / 4),
    freezing: 0,
    hot: 1
  })
  assert.deepStrictEqual(retention.problem, Option.none())
})

/** What is served, and what is wrong with it. */
export const problemOf = ({
  history
}: Store.Store): Effect.Effect<readonly [Option.Option<ServedRange>, string | null], StorageError> =>
  Effect.map(history.status, ({ served, retention }) => [served, Option.getOrNull(retention.problem)] as const)
