import { assert, describe, it } from "@effect/vitest"
import { Catalog, Geometry, Layout, StorageLock } from "@icecore/catalog"
import { Disk } from "@icecore/packfile"
import { SurvivorChoice } from "@icecore/packfile/testing"
import { Effect, Layer, Logger, Option, type Scope } from "effect"
import * as fc from "fast-check"
import { ArtifactWork } from "../src/ArtifactWork.ts"
import { buildKeyIndex } from "../src/BuildKeyIndex.ts"
import { Domain, type DuplicatePolicy } from "../src/Domain.ts"
import type { History } from "../src/History.ts"
import * as HotSet from "../src/internal/HotSet.ts"
import * as ViewEpoch from "../src/internal/ViewEpoch.ts"
import { processChunk } from "../src/ProcessChunk.ts"
import type { StorageError } from "../src/StorageError.ts"
import * as Store from "../src/Store.ts"
import * as KeyedDomain from "./support/KeyedDomain.ts"
import { makeMachine } from "./support/StoreHarness.ts"
import * as WalkSource from "./walk/WalkSource.ts"

/** A key that no other number has. A third of them share their first 14 bytes, a third begin with 8 zeros. */
const keyOf = (id: number): Uint8Array => {
  const next = SurvivorChoice.generator(id + 7)
  const key = Uint8Array.from({ length: 32 }, () => next() & 0xff)
  if (id % 3 === 1) {
    key.fill(0xee, 0, 14)
    key[14] = id >>> 8
    key[15] = id & 0xff
  }
  if (id % 3 === 2) {
    key.fill(0, 0, 8)
    new DataView(key.buffer).setUint32(8, id)
  }
  return key
}

interface Log {
  readonly geometry: Geometry.Geometry
  readonly duplicates: DuplicatePolicy
  /** Numbers of the keys of each entry. */
  readonly ids: ReadonlyArray<ReadonlyArray<number>>
}

const entryOf = ({ ids, geometry }: Log, seq: number): Uint8Array =>
  KeyedDomain.entryWith(
    ids[seq - geometry.firstSeq]!.map(keyOf),
    new TextEncoder().encode(`${seq} ${"x".repeat(seq % 50)}`)
  )

/** Under `error` all keys differ; else they come from few. */
const logs: fc.Arbitrary<Log> = fc
  .record({
    firstSeq: fc.constantFrom(0, 2, 5_000),
    entriesPerChunk: fc.integer({ min: 1, max: 6 }),
    chunksPerWindow: fc.integer({ min: 1, max: 4 }),
    duplicates: fc.constantFrom<DuplicatePolicy>("error", "error", "first", "last"),
    picks: fc.array(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 4 }), { minLength: 1, maxLength: 60 })
  })
  .map(({ picks, duplicates, ...numbers }) => {
    const geometry = Effect.runSync(Geometry.make(numbers))
    let next = 0
    const ids = picks.map((pick) => (duplicates === "error" ? pick.map(() => next++) : [...new Set(pick)]))
    return { geometry, duplicates, ids }
  })

/** Everything is found that should be, and nothing else. */
const checkAll = (history: History, log: Log) =>
  Effect.gen(function* () {
    const holders = new Map<number, Array<number>>()
    for (const [index, ids] of log.ids.entries())
      for (const id of ids) holders.set(id, [...(holders.get(id) ?? []), log.geometry.firstSeq + index])
    for (const [id, seqs] of holders) {
      const found = Option.getOrThrow(yield* history.find(keyOf(id)))
      assert.strictEqual(found.seq, log.duplicates === "first" ? seqs[0] : seqs.at(-1))
      assert.deepStrictEqual(found.bytes, entryOf(log, found.seq))
      const alike = keyOf(id)
      alike[20]! ^= 1
      assert.isTrue(Option.isNone(yield* history.find(alike)), `a key like ${id} is found`)
    }
    for (let id = 10_000; id < 10_040; id++) assert.isTrue(Option.isNone(yield* history.find(keyOf(id))))
  })

const servicesFor = (log: Log) => makeMachine({ domain: Layer.succeed(Domain, KeyedDomain.make(log.duplicates)) })

const sourceOf = (log: Log, end: number) =>
  WalkSource.make({
    content: { bytesAt: (seq) => entryOf(log, seq) },
    end,
    batchSize: 7,
    isRepeatable: true
  })

const withStore = <A, E>(
  log: Log,
  use: (store: Store.Store) => Effect.Effect<A, E, Store.StoreServices | Scope.Scope>
) => Effect.scoped(Effect.flatMap(Store.make({ dataDir: "/store", geometry: log.geometry }), use))

/** How entries come in, one after the other. */
const arrivals = fc.array(
  fc.oneof(
    fc.record({ how: fc.constantFrom("append" as const, "ingest" as const), count: fc.integer({ min: 1, max: 25 }) }),
    fc.record({ how: fc.constantFrom("settle" as const, "restart" as const), count: fc.constant(0) })
  ),
  { minLength: 1, maxLength: 12 }
)

const runs = { numRuns: Number(process.env.ICECORE_PROPERTY_RUNS ?? 40) }

describe("History.find", () => {
  it.live(
    "finds every key and no stranger, whatever the geometry, the keys, and how entries come to be hot and frozen",
    () =>
      Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(logs, arrivals, async (log, steps) => {
            const { firstSeq } = log.geometry
            let done = 0
            const session = (from: number) =>
              withStore(log, ({ history, ingest, settled }) =>
                Effect.gen(function* () {
                  for (let at = from; at < steps.length; at++) {
                    const { how, count } = steps[at]!
                    if (how === "restart") return at + 1
                    if (how === "settle") yield* settled
                    const next = Math.min(log.ids.length, done + count)
                    if (how === "ingest") yield* ingest(sourceOf(log, firstSeq + next))
                    if (how === "append")
                      yield* history.append(
                        Array.from({ length: next - done }, (_, index) => entryOf(log, firstSeq + done + index))
                      )
                    done = next
                    yield* checkAll(history, { ...log, ids: log.ids.slice(0, done) })
                  }
                  return steps.length
                })
              )
            const all = Effect.gen(function* () {
              for (let at = 0; at < steps.length; ) at = yield* session(at)
              yield* withStore(log, ({ history, settled }) =>
                Effect.andThen(settled, checkAll(history, { ...log, ids: log.ids.slice(0, done) }))
              )
            })
            await Effect.runPromise(Effect.provide(all, [servicesFor(log).services, Logger.layer([])]))
          }),
          runs
        )
      ),
    600_000
  )
})

/** Freezes all complete chunks, and builds the indexes that can be built, in an order of their own. */
const freezeInOrder = (log: Log, order: (bound: number) => number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { geometry, duplicates } = log
      const layout = yield* Layout.make({ dataDir: "/store" })
      yield* StorageLock.acquire(layout)
      const domain = yield* Domain
      const catalog = yield* Catalog.make({ layout, geometry, domain })
      const hotSet = yield* HotSet.make<StorageError>(ViewEpoch.make())
      const work = yield* ArtifactWork
      const chunkCount = Math.floor(log.ids.length / geometry.entriesPerChunk)
      const source = Option.some(sourceOf(log, geometry.firstSeq + log.ids.length))
      const waiting = Array.from({ length: chunkCount }, (_, chunk) => Geometry.ChunkId(chunk))
      const frozen = new Set<number>()
      const index = (chunk: Geometry.ChunkId) =>
        Effect.gen(function* () {
          const window = Geometry.windowOf(geometry, chunk)
          const first = Geometry.firstChunkOf(geometry, window)
          let hi: number = first - 1
          while (hi < Geometry.lastChunkOf(geometry, window) && frozen.has(hi + 1)) hi++
          if (hi >= first)
            yield* buildKeyIndex({
              catalog,
              work,
              window,
              lo: first,
              hi: Geometry.ChunkId(hi),
              duplicates,
              known: new Map()
            })
        })
      while (waiting.length > 0) {
        const [chunk] = waiting.splice(order(waiting.length), 1)
        yield* processChunk({ catalog, hotSet, work, chunk: chunk!, kinds: ["entries", "keys"], source })
        frozen.add(chunk!)
        if (order(3) > 0) yield* index(chunk!)
      }
      for (let chunk = 0; chunk < chunkCount; chunk++) yield* index(Geometry.ChunkId(chunk))
      return { layout, chunkCount }
    })
  )

/** The bytes of every key index, by path. */
const indexBytes = (log: Log, chunkCount: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { geometry } = log
      const disk = yield* Disk
      const layout = yield* Layout.make({ dataDir: "/store" })
      const found: Record<string, string> = {}
      for (let chunk = 0; chunk < chunkCount; chunk += geometry.chunksPerWindow) {
        const lo = Geometry.ChunkId(chunk)
        const window = Geometry.windowOf(geometry, lo)
        const hi = Geometry.ChunkId(Math.min(chunkCount - 1, Geometry.lastChunkOf(geometry, window)))
        const path = Layout.keyIndexPath(layout, { window, lo, hi })
        const file = yield* disk.open(path, "read")
        const bytes = new Uint8Array(yield* file.size)
        yield* file.readAt(bytes, 0)
        found[path] = Buffer.from(bytes).toString("hex")
      }
      return found
    })
  )

describe("buildKeyIndex", () => {
  it.live(
    "gives the same bytes, and finds every key and no stranger, in whatever order chunks are frozen and indexes grow",
    () =>
      Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(logs, fc.integer(), fc.integer(), async (log, left, right) => {
            const build = (seed: number) => {
              const next = SurvivorChoice.generator(seed)
              const all = Effect.gen(function* () {
                const { chunkCount } = yield* freezeInOrder(log, (bound) => next() % bound)
                const bytes = yield* indexBytes(log, chunkCount)
                const frozen = { ...log, ids: log.ids.slice(0, chunkCount * log.geometry.entriesPerChunk) }
                yield* withStore(log, ({ history }) => checkAll(history, frozen))
                return bytes
              })
              return Effect.runPromise(Effect.provide(all, [servicesFor(log).services, Logger.layer([])]))
            }
            assert.deepStrictEqual(await build(left), await build(right))
          }),
          runs
        )
      ),
    600_000
  )
})
