import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, References, Schedule } from "effect"
import * as Store from "../src/Store.ts"
import * as StoreAudit from "../src/StoreAudit.ts"
import * as Hammer from "./support/HammerReaders.ts"
import * as KeyedLog from "./support/KeyedLog.ts"
import { directory, type EngineName, engineNames, services } from "./support/LiveStore.ts"
import { anySeed, randomFrom } from "./support/Random.ts"
import { collect } from "./support/StoreHarness.ts"

/** How long each engine is hammered while everything moves. */
const hammerSeconds = Number(process.env.ICECORE_HAMMER_SECONDS ?? 10)
const idleSeconds = Math.max(2, hammerSeconds / 10)
const readerCount = 8
/** How much longer a busy machine may take until all has happened that is to happen meanwhile. */
const patienceMillis = 60_000

const geometry = { firstSeq: 0, entriesPerChunk: 400, chunksPerWindow: 6 } as const
const keptChunks = 9
/** Entries of one append, which is one commit: no divisor of a chunk, so that appends span boundaries. */
const appendCount = 70

/** Appends the log from `from` on until it is over. Returns the seq behind the last. */
const append = Effect.fnUntraced(function* (store: Store.Store, from: number, isOver: (seq: number) => boolean) {
  let seq = from
  while (!isOver(seq)) {
    const entries = Array.from({ length: appendCount }, (_, index) => KeyedLog.entryAt(seq + index))
    yield* store.history.append(entries, { expectedSeq: seq })
    seq += appendCount
    // As a source that is read does: the commits of an engine may be synchronous, and readers have their turn in between.
    yield* Effect.yieldNow
  }
  return seq
})

const hammer = Effect.fnUntraced(function* (
  store: Store.Store,
  seconds: number,
  seed: number,
  isEnough: (tally: Hammer.Tally) => boolean = () => true
) {
  const tally = Hammer.makeTally()
  const random = randomFrom(seed)
  const end = performance.now() + seconds * 1_000
  const isOver = (): boolean => {
    const now = performance.now()
    return now > end && (isEnough(tally) || now > end + patienceMillis)
  }
  yield* Effect.forEach(
    Array.from({ length: readerCount }),
    () => Hammer.reader({ history: store.history, entriesPerChunk: geometry.entriesPerChunk, isOver, random }, tally),
    { concurrency: "unbounded", discard: true }
  )
  return tally
})

/** One line a kind of read: how many, and the time that 99 % of them stay below, beside the same while nothing moves. */
const describeTimes = (engine: EngineName, idle: Hammer.Tally, busy: Hammer.Tally): string =>
  Hammer.readKinds
    .map((kind) => {
      const [idleMillis, busyMillis] = [idle, busy].map(({ millis }) => Hammer.quantile(millis[kind], 0.99))
      return `${engine} ${kind}: ${busy.millis[kind].length} reads, p99 ${busyMillis!.toFixed(1)} ms, idle ${idleMillis!.toFixed(1)} ms`
    })
    .join("\n")

const survive = Effect.fnUntraced(function* (engine: EngineName, seed: number) {
  const dataDir = yield* directory
  const store = yield* Store.make({
    dataDir,
    geometry,
    entriesPerCommit: appendCount,
    retention: { chunks: keptChunks },
    // What was demoted goes as soon as no reader can reach it.
    graceMillis: 0,
    idlePackCount: 4
  })
  const { history } = store
  const firstBusySeq = yield* append(store, 0, (seq) => seq > (keptChunks + 3) * geometry.entriesPerChunk)
  yield* store.settled
  const before = (yield* history.status).builds
  const idle = yield* hammer(store, idleSeconds, seed)
  assert.deepStrictEqual(idle.violations, [])

  let isOver = false
  const writer = yield* Effect.forkChild(append(store, firstBusySeq, () => isOver))
  let hasMoved = false
  const watch = Effect.map(history.status, ({ builds }) => {
    hasMoved = builds.chunks > before.chunks + geometry.chunksPerWindow && builds.indexes > before.indexes
  })
  const watcher = yield* Effect.forkChild(Effect.repeat(watch, { schedule: Schedule.spaced("100 millis") }))
  const busy = yield* hammer(
    store,
    hammerSeconds,
    seed,
    ({ belowFloorCount, millis }) =>
      hasMoved && belowFloorCount > 0 && Hammer.readKinds.every((kind) => millis[kind].length > 50)
  )
  yield* Fiber.interrupt(watcher)
  isOver = true
  const end = yield* Fiber.join(writer)
  const { builds, served } = yield* history.status
  if (process.env.ICECORE_HAMMER_SECONDS !== undefined)
    yield* Effect.logWarning(
      `${describeTimes(engine, idle, busy)}\n${engine}: ${end - firstBusySeq} entries appended, ${builds.chunks} chunks and ` +
        `${builds.indexes} indexes built, ${busy.belowFloorCount} reads met the floor, load ${Os.loadavg()[0]!.toFixed(1)}`
    )
  assert.deepStrictEqual(busy.violations, [])

  // All of it happened while they read, a window's end included.
  const { floor, latest } = Option.getOrThrow(served)
  assert.strictEqual(latest, end - 1)
  assert.isAbove(floor, 0)
  assert.isAbove(builds.chunks, before.chunks + geometry.chunksPerWindow)
  assert.isAbove(builds.indexes, before.indexes)
  for (const kind of Hammer.readKinds) assert.isAbove(busy.millis[kind].length, 50, kind)
  assert.isAbove(busy.belowFloorCount, 0)

  yield* store.settled
  assert.isFalse(Fs.existsSync(Path.join(dataDir, "entries", "00000", "00000000.pack")))
  const kept = Option.getOrThrow(yield* history.served)
  const entries = yield* collect(history)
  assert.strictEqual(entries.length, kept.latest - kept.floor + 1)
  for (const { seq, bytes } of entries) {
    assert.strictEqual(Buffer.compare(bytes, KeyedLog.entryAt(seq)), 0, `entry ${seq}`)
    assert.strictEqual(Option.getOrThrow(yield* history.find(KeyedLog.keyAt(seq))).seq, seq)
  }
  const { layout } = store.catalog
  assert.deepStrictEqual(yield* StoreAudit.findings({ layout, history, keptChunks }), [])
})

describe("Store", () => {
  for (const engine of engineNames) {
    const seed = anySeed()
    it.live(
      `answers eight readers by seq, key and range without one wrong or missing entry while it takes entries, freezes, rolls and prunes, on ${engine}`,
      () =>
        survive(engine, seed).pipe(
          Effect.scoped,
          Effect.provide(services(engine, KeyedLog.domain, 2)),
          Effect.onError(() => Effect.logError(`The reads on ${engine} came from seed ${seed}`)),
          Effect.provideService(References.MinimumLogLevel, "Warn")
        ),
      (hammerSeconds + idleSeconds) * 1_000 + 120_000
    )
  }
})
