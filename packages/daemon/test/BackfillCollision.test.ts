import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Stream } from "effect"
import { Domain } from "../src/Domain.ts"
import type { Source, SourceBatch } from "../src/Source.ts"
import * as DemoSource from "../src/source/DemoSource.ts"
import * as KeyedDomain from "./support/KeyedDomain.ts"
import { makeMachine, withStore } from "./support/StoreHarness.ts"

const geometry = { firstSeq: 0, entriesPerChunk: 4, chunksPerWindow: 3 } as const

/** A key whose first 16 bytes say `prefix`, and the others `rest`. */
const keyOf = (prefix: number, rest = 0): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, at) => (at === 0 ? prefix : at === 31 ? rest : 7))

const sourceOf = (keys: ReadonlyArray<Uint8Array>): Source => {
  const entries = keys.map((key, seq) => KeyedDomain.entryWith([key], Uint8Array.of(seq)))
  const batches = (from: number): ReadonlyArray<SourceBatch> =>
    from < entries.length
      ? [{ firstSeq: from, entries: entries.slice(from), positionAfter: (count) => Uint8Array.of(from + count) }]
      : []
  return { ...DemoSource.make({ count: keys.length }), entries: ({ from }) => Stream.fromIterable(batches(from)) }
}

describe("Backfill of keys that begin alike", () => {
  const places = [
    ["of its own chunk", 17],
    ["of its window", 13],
    ["of another window", 2]
  ] as const
  for (const duplicates of ["error", "first", "last"] as const)
    for (const [where, other] of places)
      it.effect(
        `refuses what look-ups could not tell from the key of an entry ${where}, where duplicates are "${duplicates}"`,
        () =>
          withStore(
            makeMachine({ domain: Layer.succeed(Domain, KeyedDomain.make(duplicates)) }),
            ({ ingest, history }) =>
              Effect.gen(function* () {
                const keys = Array.from({ length: 24 }, (_, seq) => (seq === 18 ? keyOf(other, 1) : keyOf(seq)))
                const error = yield* Effect.flip(ingest(sourceOf(keys)))
                assert.deepInclude(error, { _tag: "KeyCollision", firstSeq: other, secondSeq: 18 })
                assert.deepStrictEqual(yield* history.served, Option.some({ floor: 0, latest: 17 }))
              }),
            { geometry, graceMillis: 0 }
          )
      )

  for (const duplicates of ["first", "last"] as const)
    it.effect(`takes any number of entries that have one key, where duplicates are "${duplicates}"`, () =>
      withStore(
        makeMachine({ domain: Layer.succeed(Domain, KeyedDomain.make(duplicates)) }),
        ({ ingest, history }) =>
          Effect.gen(function* () {
            const report = yield* ingest(sourceOf(Array.from({ length: 24 }, (_, seq) => keyOf(seq % 3))))
            assert.deepInclude(report, { entryCount: 24, backfilledChunkCount: 6 })
            for (let key = 0; key < 3; key++) {
              const found = Option.getOrThrow(yield* history.find(keyOf(key)))
              assert.strictEqual(found.seq, duplicates === "first" ? key : 21 + key)
              assert.isTrue(Option.isNone(yield* history.find(keyOf(key, 1))))
            }
          }),
        { geometry, graceMillis: 0 }
      )
    )
})
